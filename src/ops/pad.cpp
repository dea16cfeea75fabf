// Pad: constant, reflect, edge and wrap, all as one table of source positions an axis. Negative pads cut off.
#include <algorithm>
#include <numeric>
#include <string>

#include "base/checked_math.h"
#include "ops/convert.h"
#include "ops/extents.h"
#include "ops/op_def.h"
#include "ops/strided_copy.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

constexpr std::size_t kPads = 1, kValue = 2, kAxes = 3;

enum class Mode : unsigned char { constant, reflect, edge, wrap };

struct Border {
  std::int64_t begin = 0, end = 0;
};

bool by_input(const NodeContext& c) { return c.opset() >= 11; }

Mode read_mode(const NodeContext& c) {
  const std::string mode = c.attribute_string("mode", "constant");
  if (mode == "constant") return Mode::constant;
  if (mode == "reflect") return Mode::reflect;
  if (mode == "edge") return Mode::edge;
  if (mode == "wrap" && c.opset() >= 19) return Mode::wrap;
  c.fail(ErrorCode::model, "mode has no such value", "attribute 'mode'",
         c.opset() >= 19 ? "constant, reflect, edge or wrap" : "constant, reflect or edge", mode);
}

/// Beyond any array, and so that sums and negatives of a few fit.
constexpr std::int64_t kMostPad = std::int64_t{1} << 60;

/// The borders of all axes.
std::vector<Border> read_borders(const NodeContext& c, std::size_t rank) {
  if (!by_input(c) && !c.has_attribute("pads"))
    c.fail(ErrorCode::model, "a required attribute is missing", "attribute 'pads'");
  const std::vector<std::int64_t> pads = by_input(c) ? c.constant_ints(kPads) : c.attribute_ints("pads");
  std::vector<std::int64_t> axes(rank);
  std::iota(axes.begin(), axes.end(), std::int64_t{0});
  if (c.has_input(kAxes)) axes = c.constant_ints(kAxes);
  if (pads.size() != 2 * axes.size()) {
    c.fail(ErrorCode::model, "pads has the wrong number of entries", "pads", std::to_string(2 * axes.size()),
           std::to_string(pads.size()));
  }
  for (const std::int64_t pad : pads) {
    if (pad < -kMostPad || pad > kMostPad)
      c.fail(ErrorCode::limit, "a pad is out of range", "pads", "from -2^60 to 2^60", std::to_string(pad));
  }
  const std::vector<std::size_t> positions = unique_axes(c, axes, rank);
  std::vector<Border> borders(rank);
  for (std::size_t i = 0; i < positions.size(); ++i) borders[positions[i]] = {pads[i], pads[i + positions.size()]};
  return borders;
}

std::int64_t padded(const NodeContext& c, std::int64_t extent, const Border& border) {
  const std::int64_t out =
      base::checked_add(base::checked_add(extent, border.begin, "a padded extent"), border.end, "a padded extent");
  if (out < 0)
    c.fail(ErrorCode::model, "more is cut off than there is", "pads", std::to_string(extent) + " at most",
           std::to_string(-border.begin - border.end));
  return out;
}

/// Position `at`, counted from the first element that is kept, folded back into the `n` that are kept.
std::int64_t folded(Mode mode, std::int64_t at, std::int64_t n) {
  const auto modulo = [](std::int64_t a, std::int64_t m) { return a % m < 0 ? a % m + m : a % m; };
  if (mode == Mode::edge) return std::clamp<std::int64_t>(at, 0, n - 1);
  if (mode == Mode::wrap) return modulo(at, n);
  if (n == 1) return 0;
  const std::int64_t turn = modulo(at, 2 * n - 2);  // there and back, the ends once
  return turn < n ? turn : 2 * n - 2 - turn;
}

/// Where each position of the padded axis comes from, in elements. Negative pads first cut the axis down to what is kept:
/// the other side then mirrors or repeats that.
std::vector<std::int64_t> source_table(const NodeContext& c, Mode mode, std::int64_t extent, const Border& border,
                                       std::int64_t stride) {
  const std::int64_t cut_begin = std::max<std::int64_t>(0, -border.begin);
  const std::int64_t kept = extent - cut_begin - std::max<std::int64_t>(0, -border.end);
  std::vector<std::int64_t> table(static_cast<std::size_t>(padded(c, extent, border)));
  if (mode != Mode::constant && kept <= 0 && !table.empty())
    c.fail(ErrorCode::model, "nothing is left to pad with", "pads", "an extent of 1 or more", std::to_string(kept));
  for (std::size_t i = 0; i < table.size(); ++i) {
    const std::int64_t at = static_cast<std::int64_t>(i) - std::max<std::int64_t>(0, border.begin);  // among the kept
    const bool inside = at >= 0 && at < kept;
    if (inside || mode != Mode::constant) {
      table[i] = (cut_begin + (inside ? at : folded(mode, at, kept))) * stride;
    } else {
      table[i] = TableCopy::kFill;
    }
  }
  return table;
}

bool has_value_input(const NodeContext& c) { return by_input(c) && c.has_input(kValue); }

}  // namespace

void infer_pad(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  (void)read_mode(c);
  if (by_input(c)) require_integers(c, kPads);
  if (has_value_input(c)) require_scalar(c, kValue);
  if (has_value_input(c) && c.input(kValue).type != input.type) {
    c.fail(ErrorCode::model, "the constant value has another type than the input", c.input_label(kValue),
           std::string(to_string(input.type)), std::string(to_string(c.input(kValue).type)));
  }
  if (!input.has_rank()) return c.set_output_unknown_rank(0, input.type);
  DimList out = *input.shape;
  if (by_input(c) && (is_runtime_input(c, kPads) || is_runtime_input(c, kAxes)))
    return c.set_output(0, input.type, unknown_dims(out.size()));
  const std::vector<Border> borders = read_borders(c, out.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i].known()) out[i] = Dim(padded(c, out[i].value, borders[i]));
    else if (borders[i].begin != 0 || borders[i].end != 0) out[i] = Dim();
  }
  c.set_output(0, input.type, std::move(out));
}

void plan_pad(PlanContext& c) {
  const Placement& in = c.placement_in(0);
  const Mode mode = read_mode(c);
  const std::vector<Border> borders = read_borders(c, in.shape.size());
  if (by_input(c)) c.consumed(kPads);
  if (c.has_input(kAxes)) c.consumed(kAxes);
  if (std::all_of(borders.begin(), borders.end(), [](const Border& b) { return b.begin == 0 && b.end == 0; }))
    return plan_view(c);
  const std::vector<std::int64_t> strides = dense_strides(in.shape);
  std::vector<std::vector<std::int64_t>> tables;
  TableCopy::require_room(c, c.placement_out(0).shape);
  for (std::size_t i = 0; i < borders.size(); ++i)
    tables.push_back(source_table(c, mode, in.shape[i], borders[i], strides[i]));
  const double value = by_input(c) ? 0.0 : static_cast<double>(c.attribute_float("value", 0));
  c.step().algorithm = "table_copy";
  c.step().run = [copy = TableCopy(c, element_bytes(in.type), std::move(tables)), fill = element_of(in.type, value),
                  given = has_value_input(c)](const RunArgs& args) {
    copy.run(args, args.inputs[0], args.outputs[0], given ? args.inputs[kValue] : fill.data());
  };
}

}  // namespace linnet::ops
