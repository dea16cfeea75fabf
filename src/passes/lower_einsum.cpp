// An Einsum of two operands that is a matrix product becomes one. Its axes are of four kinds: `batch` axes are in both
// operands and in the result, `rows` in the first and the result, `columns` in the second and the result, `summed` in both
// operands alone. So
//   Transpose, Reshape   first to [batch..., rows, summed], second to [batch..., summed, columns]
//   MatMul               [batch..., rows, columns]
//   Reshape, Transpose   to the result's axes
// of which those that change nothing are left out. The sum is MatMul's, in float32.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/checked_math.h"
#include "ops/einsum.h"
#include "passes/match.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

using graph::Dim;
using graph::DimList;
using graph::Graph;
using graph::NodeId;
using graph::ValueId;
using ops::AxisName;
using ops::AxisNames;

bool contains(const AxisNames& names, const AxisName& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

AxisNames joined(std::initializer_list<const AxisNames*> parts) {
  AxisNames all;
  for (const AxisNames* part : parts) all.insert(all.end(), part->begin(), part->end());
  return all;
}

/// The axes of a Reshape's result: what Reshape is told, and what is known of them.
struct NewAxes {
  std::vector<std::int64_t> request;
  DimList dims;

  /// Any number of axes as one.
  void merge(const DimList& of) {
    std::int64_t product = 1;
    for (const Dim& dim : of)
      product = dim.known() && product >= 0 ? base::checked_mul(product, dim.value, "a Reshape") : -1;
    request.push_back(product);
    dims.push_back(of.size() == 1 ? of[0] : Dim(product));
  }
  /// The axis that the input has in the same place.
  void copy(const Dim& dim) {
    request.push_back(0);
    dims.push_back(dim);
  }
  /// Reshape finds one extent by itself, unless another is 0: then it could be any. A 0 that is no copy would be taken for one.
  [[nodiscard]] bool possible(std::size_t copied) const {
    const auto first = static_cast<std::ptrdiff_t>(copied);
    const auto open = std::count(request.begin(), request.end(), -1);
    return std::find(request.begin() + first, request.end(), 0) == request.end() &&
           (open == 0 || (open == 1 && std::all_of(dims.begin(), dims.begin() + first,
                                                   [](const Dim& dim) { return dim.value > 0; })));
  }
};

class EinsumLowering {
 public:
  EinsumLowering(Graph& graph, NodeId id, const ops::EinsumEquation& equation)
      : graph_(graph), id_(id), a_(equation.operands[0]), b_(equation.operands[1]), result_(equation.result) {
    for (const AxisName& name : result_) {
      const bool in_a = contains(a_, name), in_b = contains(b_, name);
      (in_a && in_b ? batch_ : in_a ? rows_ : columns_).push_back(name);
    }
    summed_ = equation.summed;
  }

  /// Empty if it can be done.
  [[nodiscard]] std::string why_not() {
    if (summed_.empty() || (rows_.empty() && columns_.empty())) return "it is no matrix product";
    for (const AxisNames* names : {&a_, &b_}) {
      AxisNames sorted = *names;
      std::sort(sorted.begin(), sorted.end());
      if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) return "an operand has an axis twice";
    }
    for (const AxisName& name : summed_) {
      if (!contains(a_, name) || !contains(b_, name)) return "an operand is summed by itself";
      if (!extent(0, name).same_as(extent(1, name))) return "a summed axis may be broadcast";
    }
    plan_axes();
    const bool possible = (plain(rows_, summed_) || left_.possible(batch_.size())) &&
                          (plain(summed_, columns_) || right_.possible(batch_.size())) &&
                          (plain(rows_, columns_) || split_.possible(batch_.size()));
    return possible ? "" : "its extents are not known well enough";
  }

  void apply() {
    const ValueId output = graph_.node(id_).outputs[0];
    const ValueId a = graph_.node(id_).inputs[0], b = graph_.node(id_).inputs[1];
    const std::string label = graph_.label(id_);
    graph_.remove_node(id_);
    name_ = label;
    const ValueId left = reshaped(transposed(a, a_, joined({&batch_, &rows_, &summed_})), left_, plain(rows_, summed_));
    const ValueId right =
        reshaped(transposed(b, b_, joined({&batch_, &summed_, &columns_})), right_, plain(summed_, columns_));
    const AxisNames made = joined({&batch_, &rows_, &columns_});
    const bool split = !plain(rows_, columns_), permuted = made != result_;
    const ValueId product = value("MatMul", product_, split || permuted ? graph::kNoValue : output);
    add("MatMul", {left, right}, product);
    ValueId last = product;
    if (split) {
      last = value("Reshape", split_.dims, permuted ? graph::kNoValue : output);
      add("Reshape", {product, request(split_)}, last);
    }
    if (permuted) add_transpose(last, made, result_, output);
  }

 private:
  [[nodiscard]] const Dim& extent(std::size_t operand, const AxisName& name) const {
    const AxisNames& names = operand == 0 ? a_ : b_;
    const auto at = static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
    return (*graph_.value(graph_.node(id_).inputs[operand]).desc.shape)[at];
  }
  [[nodiscard]] DimList extents(std::size_t operand, const AxisNames& names) const {
    DimList dims;
    for (const AxisName& name : names) dims.push_back(extent(operand, name));
    return dims;
  }
  /// Each a single axis already.
  static bool plain(const AxisNames& x, const AxisNames& y) { return x.size() == 1 && y.size() == 1; }

  void plan_axes() {
    const graph::TensorDesc& out = graph_.value(graph_.node(id_).outputs[0]).desc;
    for (const AxisName& name : batch_) {
      left_.copy(extent(0, name));
      right_.copy(extent(1, name));
      const auto at = static_cast<std::size_t>(std::find(result_.begin(), result_.end(), name) - result_.begin());
      product_.push_back((*out.shape)[at]);
      split_.copy(product_.back());
    }
    left_.merge(extents(0, rows_));
    left_.merge(extents(0, summed_));
    right_.merge(extents(1, summed_));
    right_.merge(extents(1, columns_));
    product_.push_back(left_.dims[batch_.size()]);
    product_.push_back(right_.dims.back());
    for (const AxisName& name : rows_) split_.merge({extent(0, name)});
    for (const AxisName& name : columns_) split_.merge({extent(1, name)});
  }

  ValueId value(const char* op, DimList dims, ValueId given = graph::kNoValue) {
    if (given != graph::kNoValue) return given;
    graph::TensorDesc desc;
    desc.type = DataType::float32;
    desc.shape = std::move(dims);
    return graph_.add_value(graph_.unique_name(name_ + "/" + op), std::move(desc));
  }
  graph::Node node(const char* op, std::vector<ValueId> inputs, ValueId output) const {
    graph::Node made;
    made.name = graph_.value(output).name + "/" + op;
    made.op_type = op;
    made.opset = 13;
    made.inputs = std::move(inputs);
    made.outputs = {output};
    return made;
  }
  void add(const char* op, std::vector<ValueId> inputs, ValueId output) {
    graph_.add_node(node(op, std::move(inputs), output));
  }
  void add_transpose(ValueId x, const AxisNames& from, const AxisNames& to, ValueId output) {
    graph::Node transpose = node("Transpose", {x}, output);
    std::vector<std::int64_t> perm;
    for (const AxisName& name : to) perm.push_back(std::find(from.begin(), from.end(), name) - from.begin());
    transpose.attributes.set("perm", std::move(perm));
    graph_.add_node(std::move(transpose));
  }
  ValueId transposed(ValueId x, const AxisNames& from, const AxisNames& to) {
    if (from == to) return x;
    DimList dims;
    for (const AxisName& name : to) {
      const auto at = static_cast<std::size_t>(std::find(from.begin(), from.end(), name) - from.begin());
      dims.push_back((*graph_.value(x).desc.shape)[at]);
    }
    const ValueId y = value("Transpose", std::move(dims));
    add_transpose(x, from, to, y);
    return y;
  }
  ValueId request(const NewAxes& axes) {
    Tensor shape(DataType::int64, {static_cast<std::int64_t>(axes.request.size())});
    std::copy(axes.request.begin(), axes.request.end(), shape.mutable_data<std::int64_t>().begin());
    return graph_.add_constant(graph_.unique_name(name_ + "/shape"), std::move(shape));
  }
  ValueId reshaped(ValueId x, const NewAxes& axes, bool already) {
    if (already) return x;
    const ValueId y = value("Reshape", axes.dims);
    add("Reshape", {x, request(axes)}, y);
    return y;
  }

  Graph& graph_;
  NodeId id_;
  const AxisNames &a_, &b_, &result_;
  AxisNames batch_, rows_, columns_, summed_;
  NewAxes left_, right_, split_;
  DimList product_;
  std::string name_;
};

}  // namespace

void lower_einsum(Graph& graph, PassContext& context) {
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    const graph::Node& node = graph.node(id);
    if (!is_onnx(node, "Einsum") || node.inputs.size() != 2 || node.outputs.size() != 1) continue;
    const graph::TensorDesc& output = graph.value(node.outputs[0]).desc;
    if (output.type != DataType::float32 || !output.has_rank()) continue;
    const auto equation = ops::einsum_equation(ops::NodeContext(graph, id));
    if (!equation) continue;
    EinsumLowering lowering(graph, id, *equation);
    if (const std::string reason = lowering.why_not(); !reason.empty()) {
      context.refused(id, reason);
      continue;
    }
    lowering.apply();
    context.applied();
  }
}

}  // namespace linnet::passes
