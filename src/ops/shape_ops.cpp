// Shape and Size: facts about a tensor's extents, which are known when the plan is made.
#include <algorithm>

#include "base/checked_math.h"
#include "ops/extents.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

/// The axes that Shape reports.
std::span<const graph::Dim> reported(const NodeContext& c, const graph::DimList& dims) {
  const auto rank = static_cast<std::int64_t>(dims.size());
  const auto clamp = [rank](std::int64_t axis) {
    return std::clamp<std::int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  const std::int64_t start = clamp(c.attribute_int("start", 0)), end = clamp(c.attribute_int("end", rank));
  if (end <= start) return {};
  return std::span(dims).subspan(static_cast<std::size_t>(start), static_cast<std::size_t>(end - start));
}

void plan_numbers(PlanContext& c, std::vector<std::int64_t> numbers) {
  c.consumed(0);
  c.step().algorithm = "constant";
  c.step().run = [numbers = std::move(numbers)](const RunArgs& args) {
    if (args.thread == 0) std::copy(numbers.begin(), numbers.end(), args.out<std::int64_t>(0));
  };
}

}  // namespace

std::optional<Tensor> known_result(const graph::Graph& graph, graph::NodeId id) {
  const graph::Node& node = graph.node(id);
  if (!tells_shape(node)) return {};
  const NodeContext c(graph, id);
  if (!c.input(0).has_rank()) return {};
  const graph::DimList& dims = *c.input(0).shape;
  const bool size = node.op_type == "Size";
  Shape numbers;
  for (const graph::Dim& dim : size ? std::span(dims) : reported(c, dims)) {
    if (!dim.known()) return {};
    numbers.push_back(dim.value);
  }
  if (size) numbers = {base::checked_product(numbers, "Size")};
  return Tensor::of<std::int64_t>(size ? Shape{} : Shape{static_cast<std::int64_t>(numbers.size())}, numbers);
}

void infer_shape(InferContext& c) {
  const graph::TensorDesc& input = c.input(0);
  if (!input.has_rank()) return c.set_output(0, DataType::int64, unknown_dims(1));
  c.set_output(0, DataType::int64, {graph::Dim(static_cast<std::int64_t>(reported(c, *input.shape).size()))});
}

void infer_size(InferContext& c) {
  (void)c.input(0);
  c.set_output(0, DataType::int64, {});
}

/// Shape and Size.
void plan_known(PlanContext& c) {
  const std::optional<Tensor> result = known_result(c.graph(), c.id());
  if (!result) c.fail(ErrorCode::unsupported, "the extents are not known", c.input_label(0));
  const std::span<const std::int64_t> numbers = result->data<std::int64_t>();
  plan_numbers(c, {numbers.begin(), numbers.end()});
}

}  // namespace linnet::ops
