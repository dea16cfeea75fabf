// Infers each node and, where everything it depends on is known, runs it once and for all.
//
// What is not folded, although it could be:
//   - results out of proportion: Expand, Tile and their like turn a few bytes into gigabytes, and so does a chain of
//     Concat(x, x). A result may be at most kMaxGrowth times its inputs beyond a floor, all results together may add at
//     most as much again to the model's constants, SessionOptions::max_folded_bytes aside, and there is a budget on top.
//     ConstantOfShape is exempt from the first two rules (whole weight sets are stored so), never from the budget;
//   - work out of proportion: a Conv of two constants would let a small file keep the loader busy for hours, and so would
//     thousands of Erf on one blown-up constant. All nodes together may read and write kWorkPerByte times the bytes of the
//     model's constants beyond a floor; ConstantOfShape, which only fills, is exempt. Operators whose work is not linear may
//     take kProductsPerByte multiply-adds a byte beyond another floor.
// All bounds hold for the stages of a graph together (Graph::folding), and graphs that are parts of one model share them.
// A value that the caller may override (an initializer that is also an input, IR version >= 4) is no constant here.
#include <algorithm>
#include <limits>
#include <optional>
#include <set>
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

// Of SessionOptions::max_folded_bytes:
constexpr std::int64_t kFreeParts = 4;  // a result up to one part of so many is never out of proportion
constexpr std::int64_t kBudgets = 32;   // all results together may take so many times as much
constexpr std::int64_t kFreeWork = 2;   // all nodes together may read and write so many times as much, ...
constexpr std::int64_t kMostFolded =
    std::numeric_limits<std::int64_t>::max() / (2 * kBudgets);  // no multiple overflows

constexpr std::int64_t kWorkPerByte = 16;  // ... and so many bytes for each of the model's constants
constexpr std::int64_t kMaxGrowth = 2;     // beyond what is free: bytes of results per byte of inputs
// Multiply-adds, bounded from above. One took 13 ns in an Einsum and 15 in an LRN, 60 in a Conv of one large filter.
constexpr std::int64_t kFreeProducts = std::int64_t{1} << 24, kProductsPerByte = 4;
constexpr std::int64_t kTooManyProducts = std::int64_t{1} << 60;

// Operators whose work is not linear in their inputs and outputs; those of other domains are all taken for such.
constexpr std::string_view kHeavy[] = {
    "Attention",  "AveragePool", "Conv",          "ConvInteger", "ConvTranspose", "DeformConv",    "Det",
    "Einsum",     "Gemm",        "LRN",           "LpPool",      "MatMul",        "MatMulInteger", "MaxPool",
    "MaxRoiPool", "QLinearConv", "QLinearMatMul", "Resize",      "STFT",          "TopK",          "Upsample"};

// Operators whose work neither their inputs nor their outputs tell: lengths, samples and steps can be many for next to no bytes.
constexpr std::string_view kUnbounded[] = {"Col2Im", "DFT", "GRU", "LSTM", "RNN", "RoiAlign"};

// Operators that go by rows: one of a single element takes them as long as one of so many.
constexpr std::string_view kByRows[] = {"BatchNormalization", "GroupNormalization", "InstanceNormalization",
                                        "LayerNormalization", "LogSoftmax",         "Softmax"};
constexpr std::int64_t kLeastRow = 16;
// The remainder of two numbers that are far apart takes a hundred subtractions.
constexpr std::int64_t kRemainder = 16;

// Operators that read no more of their inputs than they give out.
constexpr std::string_view kNarrow[] = {"Expand",  "Flatten", "Gather", "GatherElements", "GatherND", "Identity",
                                        "Reshape", "Slice",   "Split",  "Squeeze",        "Unsqueeze"};

template <std::size_t count>
bool is_one_of(const std::string_view (&names)[count], const graph::Node& node) {
  return std::find(std::begin(names), std::end(names), node.op_type) != std::end(names);
}

std::int64_t times(std::int64_t a, std::int64_t b) {
  return b != 0 && a > kTooManyProducts / b ? kTooManyProducts : a * b;
}

// The constant input of that number, or null.
const Tensor* constant_input(const graph::Node& node, const Graph& graph, std::size_t i) {
  const ValueId id = input_of(node, i);
  return id == graph::kNoValue ? nullptr : &*graph.value(id).constant;
}

// Over how many elements an element of a result is a sum, at most.
std::int64_t most_summed(const graph::Node& node, const Graph& graph) {
  for (const std::string_view op : {"MatMul", "Gemm", "MatMulInteger", "QLinearMatMul"}) {
    if (!is_onnx(node, op)) continue;
    const Tensor* const a = constant_input(node, graph, 0);
    std::int64_t edge = 1;
    if (a != nullptr) {
      for (const std::int64_t extent : a->shape()) edge = std::max(edge, extent);
    }
    return edge;
  }
  const bool quantized = is_onnx(node, "QLinearConv");
  if (quantized || is_onnx(node, "Conv") || is_onnx(node, "ConvInteger")) {
    const Tensor* const filters = constant_input(node, graph, quantized ? 3 : 1);
    if (filters != nullptr && filters->rank() > 0)
      return std::max<std::int64_t>(1, filters->size() / std::max<std::int64_t>(1, filters->shape()[0]));
  }
  std::int64_t largest = 1;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (const Tensor* const input = constant_input(node, graph, i)) largest = std::max(largest, input->size());
  }
  return largest;
}

// Multiply-adds that a node on constants may take, bounded from above. An Einsum may sum over the elements of all inputs at
// once, and eliminating a matrix is cubic in its edge.
std::int64_t most_products(const graph::Node& node, const Graph& graph, std::int64_t results) {
  const std::int64_t summed = most_summed(node, graph);
  if (is_onnx(node, "Einsum")) {
    std::int64_t all = 1;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (const Tensor* const input = constant_input(node, graph, i))
        all = times(all, std::max<std::int64_t>(1, input->size()));
    }
    return all;
  }
  return is_onnx(node, "Det") ? times(summed, summed) : times(results, summed);
}

class Folder {
 public:
  Folder(Graph& graph, PassContext& context)
      : graph_(graph),
        context_(context),
        spent_(graph.folding),
        most_(std::min(context.max_folded_bytes(), kMostFolded)) {
    if (spent_.constant_bytes >= 0) return;
    spent_.constant_bytes = 0;
    for (ValueId id = 0; id < graph.value_count(); ++id) {
      if (const auto& constant = graph.value(id).constant)
        spent_.constant_bytes += static_cast<std::int64_t>(constant->bytes());
    }
  }

  void visit(NodeId id) {
    if (fold_constant_node(id)) return;
    ops::infer_node(graph_, id);
    if (fold_shape(id)) return;
    if (!inputs_are_constant(id)) return;
    std::string reason;
    ops::with_node(graph_, id, [&] { reason = why_not(id); });
    if (!reason.empty()) {
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
    // A constant of the file like any initializer; calls of one function share theirs.
    if (seen_.insert(tensor->raw()).second) spent_.constant_bytes += static_cast<std::int64_t>(tensor->bytes());
    become(id, {*tensor});
    return true;
  }

  // Shape and Size need the extents of their input, not its elements.
  bool fold_shape(NodeId id) {
    const std::optional<Tensor> result = ops::known_result(graph_, id);
    if (result) become(id, {*result});
    return result.has_value();
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

  // Bytes of the inputs, each counted once however often it is read.
  [[nodiscard]] std::int64_t input_bytes(NodeId id) const {
    std::vector<ValueId> inputs = graph_.node(id).inputs;
    std::sort(inputs.begin(), inputs.end());
    inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
    std::int64_t bytes = 0;
    for (const ValueId input : inputs) {
      if (input == graph::kNoValue) continue;
      const auto tensor_bytes = static_cast<std::int64_t>(graph_.value(input).constant->bytes());
      bytes = base::checked_add(bytes, tensor_bytes, "a node's inputs");
    }
    return bytes;
  }

  // Bytes that the node reads and writes, or that another would in its time.
  [[nodiscard]] std::int64_t work_bytes(NodeId id, std::int64_t results) const {
    const graph::Node& node = graph_.node(id);
    if (is_onnx(node, "ConstantOfShape")) return 0;
    if (node.domain.empty() && is_one_of(kNarrow, node)) return results;
    return base::checked_mul(slowness(node), base::checked_add(results, input_bytes(id), "a node's bytes"),
                             "a node's bytes");
  }

  // How much longer than others the node may take for the same bytes.
  [[nodiscard]] std::int64_t slowness(const graph::Node& node) const {
    if (is_onnx(node, "Mod")) return kRemainder;
    const Tensor* const rows = constant_input(node, graph_, 0);
    if (!node.domain.empty() || !is_one_of(kByRows, node) || rows == nullptr || rows->rank() == 0) return 1;
    return std::max<std::int64_t>(1, kLeastRow / std::max<std::int64_t>(1, rows->shape().back()));
  }

  [[nodiscard]] std::string why_not(NodeId id) const {
    const graph::Node& node = graph_.node(id);
    if (node.domain.empty() && is_one_of(kUnbounded, node)) return "its work is not known before it runs";
    const std::int64_t bytes = result_bytes(id);
    if (bytes < 0) return "the size of its result is not known before it runs";
    if (!is_onnx(node, "ConstantOfShape")) {
      const std::int64_t given = input_bytes(id);
      const bool grows = bytes > most_ / kFreeParts && (bytes / kMaxGrowth > given || bytes - given > growth_left());
      if (grows) return "its " + std::to_string(bytes) + " bytes are out of proportion to its inputs";
    }
    if (bytes > kBudgets * most_ / spent_.graphs - spent_.results) return "the budget for folded constants is used up";
    if (work_bytes(id, bytes) > work_left()) return "the budget for work on constants is used up";
    if (products(id, bytes) > products_left()) return "it is too much work to do while loading";
    return {};
  }

  [[nodiscard]] std::int64_t products(NodeId id, std::int64_t results) const {
    const graph::Node& node = graph_.node(id);
    return !node.domain.empty() || is_one_of(kHeavy, node) ? most_products(node, graph_, results / 4) : 0;
  }

  // What is left of the bounds.
  [[nodiscard]] std::int64_t growth_left() const {
    return (most_ + spent_.constant_bytes) / spent_.graphs - spent_.growth;
  }
  [[nodiscard]] std::int64_t work_left() const {
    return (kFreeWork * most_ + kWorkPerByte * spent_.constant_bytes) / spent_.graphs - spent_.work;
  }
  [[nodiscard]] std::int64_t products_left() const {
    return (kFreeProducts + kProductsPerByte * spent_.constant_bytes) / spent_.graphs - spent_.products;
  }

  void evaluate(NodeId id) {
    std::vector<Tensor> inputs;
    for (const ValueId input : graph_.node(id).inputs) {
      inputs.push_back(input == graph::kNoValue ? Tensor() : *graph_.value(input).constant);
    }
    try {
      const std::vector<Tensor> results = ops::evaluate(graph_.node(id), inputs);
      std::int64_t bytes = 0;
      for (const Tensor& result : results) bytes += static_cast<std::int64_t>(result.bytes());
      spent_.results += bytes;
      spent_.work += work_bytes(id, bytes);
      spent_.products += products(id, bytes);
      if (!is_onnx(graph_.node(id), "ConstantOfShape"))
        spent_.growth += std::max<std::int64_t>(0, bytes - input_bytes(id));
      become(id, results);
    } catch (const Error& error) {
      // Broken models are refused here as they would be at run time; what merely cannot be run ahead is left in place.
      if (error.code() == ErrorCode::unsupported) return context_.refused(id, error.message());
      if (error.code() == ErrorCode::no_memory) throw;
      // It ran in a graph of its own, where neither it nor its inputs had their names.
      const ErrorDetails& details = error.details();
      const bool of_input = details.where.starts_with("input ");
      const ops::NodeContext node(graph_, id);
      std::string where = details.where;
      for (std::size_t i = 0; of_input && i < node.input_count(); ++i) {
        if (where.starts_with("input " + std::to_string(i) + " ")) where = node.input_label(i);
      }
      node.fail(error.code(), error.message(), where, details.expected, details.found);
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
  graph::Folding& spent_;
  const std::int64_t most_;     // SessionOptions::max_folded_bytes
  std::set<const void*> seen_;  // tensors of Constant nodes
};

}  // namespace

void fold_constants(Graph& graph, PassContext& context) {
  Folder folder(graph, context);
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) folder.visit(id);
}

}  // namespace linnet::passes
