#include "ops/step.h"

#include <string>
#include <utility>

#include "base/checked_math.h"
#include "kernels/view.h"
#include "linnet/error.h"

namespace linnet::ops {

namespace {

constexpr std::int64_t kLine = 64;           // bytes of a cache line
constexpr std::int64_t kAliasPeriod = 4096;  // bytes: addresses this far apart share a set of an L1 cache
constexpr std::int64_t kAliasReach = 512;    // closer than this to a multiple of it, few planes fill the same sets
constexpr std::int64_t kAliasPad = 128;      // bytes

constexpr const char* kWhat = "a tensor's layout";

/// Planes of 32x32 or 64x64 pixels are whole multiples of 4096 bytes: a kernel that reads the same pixel of all channel
/// blocks would then find them all in one cache set. Two more lines a plane spread them out.
std::int64_t spread_planes(std::int64_t floats) {
  const std::int64_t bytes = base::checked_mul(floats, 4, kWhat);
  return bytes > kAliasPeriod && bytes % kAliasPeriod < kAliasReach ? floats + kAliasPad / 4 : floats;
}

/// Whole lines, and one more: vector loads may run over the end of a row.
std::size_t padded_bytes(std::int64_t elements, std::int64_t width) {
  const std::int64_t dense = base::checked_mul(elements, width, kWhat);
  return base::to_size(base::round_up(base::checked_add(dense, 2 * kLine, kWhat) - kLine, kLine), kWhat);
}

void place_blocked(Placement& p) {
  const std::size_t rank = p.shape.size();
  if (p.type != DataType::float32 || (rank != 3 && rank != 4)) {
    throw Error(ErrorCode::internal,
                "no blocked layout for " + std::string(to_string(p.type)) + linnet::to_string(p.shape));
  }
  const std::int64_t height = rank == 4 ? p.shape[2] : 1, width = p.shape[rank - 1];
  const std::int64_t columns = base::checked_add(width, std::int64_t{p.halo.left} + std::int64_t{p.halo.right}, kWhat);
  const std::int64_t rows = base::checked_add(height, std::int64_t{p.halo.top} + std::int64_t{p.halo.bottom}, kWhat);
  p.row_stride = base::checked_mul(columns, kernels::kBlock, kWhat);
  p.plane_stride = spread_planes(base::checked_mul(rows, p.row_stride, kWhat));
  p.image_stride = base::checked_mul(p.channel_blocks(), p.plane_stride, kWhat);
  p.origin = p.halo.top * p.row_stride + std::int64_t{p.halo.left} * kernels::kBlock;
  p.bytes = padded_bytes(base::checked_mul(p.shape[0], p.image_stride, kWhat), 4);
}

}  // namespace

std::int64_t Placement::elements() const { return base::checked_product(shape, "a tensor's elements"); }

Placement place(DataType type, Shape shape, graph::Layout layout, Halo halo) {
  Placement p;
  p.type = type;
  p.shape = std::move(shape);
  p.layout = layout;
  if (layout == graph::Layout::plain) {
    p.bytes = padded_bytes(p.elements(), static_cast<std::int64_t>(element_bytes(type)));
    return p;
  }
  p.halo = halo;
  place_blocked(p);
  return p;
}

}  // namespace linnet::ops
