// Infers each node and, where everything it depends on is known, runs it once and for all.
//
// What is not folded, although it could be:
//   - results out of proportion: Expand, Tile and their like turn a few bytes into gigabytes, so a result may be at most
//     kMaxGrowth times the inputs beyond a floor; and all folded results together have a budget. ConstantOfShape is exempt
//     from the first rule (whole weight sets are stored so), never from the second;
//   - work out of proportion: a Conv of two constants would let a small file keep the loader busy for hours.
// A value that the caller may override (an initializer that is also an input, IR version >= 4) is no constant here.
#include <algorithm>
#include <span>
#include <vector>

#include "base/checked_math.h"
#include "linnet/error.h"
#include "ops/op_def.h"
#include "passes/match.h"
#include "passes/pass_list.h"

namespace linnet::passes {

namespace {

using graph::Graph;
using graph::NodeId;
using graph::ValueId;

constexpr std::int64_t kFreeBytes = std::int64_t{16} << 20;   // a result up to this size is never out of proportion
constexpr std::int64_t kMaxGrowth = 2;                        // beyond it: bytes of the results per byte of the inputs
constexpr std::int64_t kBudgetBytes = std::int64_t{2} << 30;  // all results of one run of the pass together
constexpr std::int64_t kMaxProducts = std::int64_t{1} << 28;  // multiply-adds, bounded from above

// Operators whose work is not linear in their inputs and outputs.
constexpr std::string_view kHeavy[] = {"Conv",        "ConvTranspose", "MatMul", "Gemm",   "MaxPool",
                                       "AveragePool", "LpPool",        "LRN",    "Resize", "Upsample"};

class Folder {
 public:
  Folder(Graph& graph, PassContext& context) : graph_(graph), context_(context) {}

  void visit(NodeId id) {
    if (fold_constant_node(id)) return;
    ops::infer_node(graph_, id);
    if (fold_shape(id)) return;
    if (!inputs_are_constant(id)) return;
    if (const std::string reason = why_not(id); !reason.empty()) {
      context_.refused(id, reason);
      return;
    }
    evaluate(id);
  }

 private:
  // Constant with a tensor: its bytes are shared, not copied. Constant's other spellings are evaluated.
  bool fold_constant_node(NodeId id) {
    const graph::Node& node = graph_.node(id);
    if (!is_onnx(node, "Constant") || node.outputs.size() != 1) return false;
    const graph::Attribute* attribute = node.attributes.find("value");
    const auto* tensor = attribute == nullptr ? nullptr : std::get_if<Tensor>(attribute);
    if (tensor == nullptr) return false;
    become(id, {*tensor});
    return true;
  }

  // Shape and Size need the extents of their input, not its elements.
  bool fold_shape(NodeId id) {
    const graph::Node& node = graph_.node(id);
    const bool size = is_onnx(node, "Size");
    if (!size && !is_onnx(node, "Shape")) return false;
    const ops::NodeContext context(graph_, id);
    if (!context.has_input(0) || !context.input(0).is_static()) return false;
    const Shape shape = context.input(0).static_shape();
    if (size) {
      const std::int64_t elements = base::checked_product(shape, "Size");
      become(id, {Tensor::of<std::int64_t>({}, std::span(&elements, 1))});
      return true;
    }
    const auto rank = static_cast<std::int64_t>(shape.size());
    const auto clamp = [rank](std::int64_t axis) {
      return std::clamp<std::int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
    };
    const std::int64_t start = clamp(context.attribute_int("start", 0));
    const std::int64_t end = std::max(start, clamp(context.attribute_int("end", rank)));
    const std::span<const std::int64_t> part(shape.data() + start, shape.data() + end);
    become(id, {Tensor::of<std::int64_t>({end - start}, part)});
    return true;
  }

  [[nodiscard]] bool inputs_are_constant(NodeId id) const {
    const auto& inputs = graph_.node(id).inputs;
    return std::all_of(inputs.begin(), inputs.end(),
                       [this](ValueId input) { return input == graph::kNoValue || graph_.value(input).is_constant(); });
  }

  // Bytes of all outputs; -1 where inference does not know.
  [[nodiscard]] std::int64_t result_bytes(NodeId id) const {
    std::int64_t bytes = 0;
    for (const ValueId output : graph_.node(id).outputs) {
      if (output == graph::kNoValue) continue;
      const graph::TensorDesc& desc = graph_.value(output).desc;
      if (!desc.is_static() || element_bytes(desc.type) == 0) return -1;
      const std::int64_t elements = base::checked_product(desc.static_shape(), "a folded tensor");
      const auto width = static_cast<std::int64_t>(element_bytes(desc.type));
      bytes = base::checked_add(bytes, base::checked_mul(elements, width, "a folded tensor"), "folded tensors");
    }
    return bytes;
  }

  [[nodiscard]] std::string why_not(NodeId id) const {
    const graph::Node& node = graph_.node(id);
    const std::int64_t bytes = result_bytes(id);
    if (bytes < 0) return "the size of its result is not known before it runs";
    std::int64_t input_bytes = 0;
    std::int64_t largest_input = 1;  // elements
    for (const ValueId input : node.inputs) {
      if (input == graph::kNoValue) continue;
      const Tensor& tensor = *graph_.value(input).constant;
      input_bytes = base::checked_add(input_bytes, static_cast<std::int64_t>(tensor.bytes()), "a node's inputs");
      largest_input = std::max(largest_input, tensor.size());
    }
    const bool grows = bytes > kFreeBytes && bytes / kMaxGrowth > input_bytes && !is_onnx(node, "ConstantOfShape");
    if (grows) return "its " + std::to_string(bytes) + " bytes are out of proportion to its inputs";
    if (bytes > kBudgetBytes - folded_bytes_) return "the budget for folded constants is used up";
    // Each element of a result is a sum over at most all elements of an input.
    const bool heavy =
        node.domain != "" || std::find(std::begin(kHeavy), std::end(kHeavy), node.op_type) != std::end(kHeavy);
    if (heavy && bytes / 4 > kMaxProducts / largest_input) return "it is too much work to do while loading";
    return {};
  }

  void evaluate(NodeId id) {
    std::vector<Tensor> inputs;
    for (const ValueId input : graph_.node(id).inputs) {
      inputs.push_back(input == graph::kNoValue ? Tensor() : *graph_.value(input).constant);
    }
    try {
      const std::vector<Tensor> results = ops::evaluate(graph_.node(id), inputs);
      for (const Tensor& result : results) folded_bytes_ += static_cast<std::int64_t>(result.bytes());
      become(id, results);
    } catch (const Error& error) {
      // Broken models are refused here as they would be at run time; what merely cannot be run ahead is left in place.
      if (error.code() != ErrorCode::unsupported) throw;
      context_.refused(id, error.message());
    }
  }

  // The node's outputs are these tensors from now on.
  void become(NodeId id, const std::vector<Tensor>& tensors) {
    const std::vector<ValueId> outputs = graph_.node(id).outputs;
    graph_.remove_node(id);
    for (std::size_t i = 0; i < outputs.size() && i < tensors.size(); ++i) {
      if (outputs[i] == graph::kNoValue) continue;
      graph::Value& value = graph_.value(outputs[i]);
      value.desc.type = tensors[i].type();
      value.desc.shape = graph::DimList(tensors[i].shape().begin(), tensors[i].shape().end());
      value.constant = tensors[i];
    }
    context_.applied();
  }

  Graph& graph_;
  PassContext& context_;
  std::int64_t folded_bytes_ = 0;
};

}  // namespace

void fold_constants(Graph& graph, PassContext& context) {
  Folder folder(graph, context);
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) folder.visit(id);
}

}  // namespace linnet::passes
