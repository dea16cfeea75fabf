// Col2Im: the columns of sliding blocks summed back into a picture.
#include <algorithm>
#include <string>

#include "base/checked_math.h"
#include "ops/convert.h"
#include "ops/elementwise.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/window_walk.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

constexpr std::size_t kX = 0, kImage = 1, kBlock = 2;
constexpr TypeSet kSummed = kNumberTypes | types({DataType::boolean});  // a sum of truths is true where one is

struct Blocks {
  std::vector<std::int64_t> image, count;  // extents of the picture, and blocks along each axis
  Window window;
};

/// From constant inputs; throws Error(model) where no block fits.
Blocks read_blocks(const NodeContext& c) {
  Blocks b;
  b.image = c.constant_ints(kImage);
  const std::vector<std::int64_t> block = c.constant_ints(kBlock);
  const bool valid = !b.image.empty() && b.image.size() == block.size() &&
                     std::all_of(b.image.begin(), b.image.end(), [](std::int64_t extent) { return extent >= 1; });
  if (!valid) {
    c.fail(ErrorCode::model, "a block is as many-dimensional as its picture", c.input_label(kBlock), to_string(b.image),
           to_string(block));
  }
  const DimList spatial(b.image.begin(), b.image.end());
  b.window = read_window(c, block, spatial);
  for (const Dim& extent : window_extents(c, b.window, spatial)) b.count.push_back(extent.value);
  return b;
}

}  // namespace

void infer_col2im(InferContext& c) {
  require_types(c, kX, kSummed);
  require_integers(c, kImage);
  require_integers(c, kBlock);
  const graph::TensorDesc& x = c.input(kX);
  if (is_runtime_input(c, kImage) || is_runtime_input(c, kBlock)) return c.set_output_unknown_rank(0, x.type);
  const Blocks b = read_blocks(c);
  const std::int64_t taps = base::checked_product(b.window.kernel, "a block");
  const std::int64_t blocks = base::checked_product(b.count, "the blocks");
  DimList y{Dim(), Dim()};
  if (x.has_rank()) {
    const DimList& shape = *x.shape;
    const bool fits = shape.size() == 3 && (!shape[1].known() || shape[1].value % taps == 0) &&
                      (!shape[2].known() || shape[2].value == blocks);
    if (!fits) {
      c.fail(ErrorCode::model, "the columns do not fit the blocks", c.input_label(kX),
             "[N, C * " + std::to_string(taps) + ", " + std::to_string(blocks) + "]", graph::to_string(x));
    }
    y[0] = shape[0];
    if (shape[1].known()) y[1] = Dim(shape[1].value / taps);
  }
  y.insert(y.end(), b.image.begin(), b.image.end());
  c.set_output(0, x.type, std::move(y));
}

/// A transposed convolution whose products are the columns themselves.
void plan_col2im(PlanContext& c) {
  const Blocks b = read_blocks(c);
  const Shape& y = c.placement_out(0).shape;
  c.consumed(kImage);
  c.consumed(kBlock);
  c.step().algorithm = "window";
  c.step().run = [walk = WindowWalk(b.window, b.count, b.image, true), planes = y[0] * y[1],
                  type = c.placement_in(kX).type](const RunArgs& args) {
    const std::int64_t n = planes * walk.windows();
    const Range mine = thread_share(args, n, n * walk.taps(), kElementUnit);
    visit_type<kSummed>(type, [&](auto element) {
      using T = decltype(element);
      for (std::int64_t i = mine.first; i < mine.last; ++i) {
        const T* const columns = args.in<T>(kX) + i / walk.windows() * walk.taps() * walk.in_pixels();
        // Integers wrap: their sums are those of unsigned ones.
        using Sum = std::conditional_t<std::is_integral_v<T>, std::uint64_t, T>;
        Sum sum = 0;
        walk.each_inside(i % walk.windows(), [&](std::int64_t tap, std::int64_t block) {
          sum += static_cast<Sum>(columns[tap * walk.in_pixels() + block]);
        });
        args.out<T>(0)[i] = static_cast<T>(sum);
      }
    });
  };
}

}  // namespace linnet::ops
