#include "onnx/graph_reader.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "linnet_onnx.pb.h"
#include "onnx/attribute_reader.h"
#include "onnx/tensor_reader.h"
#include "onnx/value_info_reader.h"
#include "ops/op_def.h"

namespace linnet::onnx {

namespace {

using GraphProto = linnet_onnx::GraphProto;
using NodeProto = linnet_onnx::NodeProto;
using base::quote_name;
using graph::kNoNode;
using graph::kNoValue;
using graph::NodeId;
using graph::ValueId;

// The operators that passes make take for granted what those passes have checked.
constexpr std::string_view kOwnDomain = "linnet";
constexpr std::int64_t kFirstOverridableIr = 4;
// What a value takes with its entry in the table of names, and a node with its lists, allocator overhead included.
constexpr std::size_t kValueBytes = sizeof(graph::Value) + 112;
constexpr std::size_t kNodeBytes = sizeof(graph::Node) + 68;
// A name in the table of a function's call.
constexpr std::size_t kScopeBytes = 96;
// The attribute in which the number of captures stands (ops/control_flow.h).
constexpr std::string_view kCaptures = "captures";
// What is set aside before anything is looked at: address space, not memory.
constexpr std::size_t kMaxReserve = std::size_t{1} << 20;
// An input stands in the value's list of consumers as well.
constexpr std::size_t kUseBytes = 2 * sizeof(ValueId);
// An extent of an initializer, in its Tensor and its TensorDesc.
constexpr std::size_t kDimBytes = sizeof(std::int64_t) + sizeof(graph::Dim);

/// What a name takes beyond the string object that holds it.
std::size_t name_bytes(std::string_view name) { return name.size() < 16 ? 0 : name.size() + 16; }

class GraphReader {
 public:
  GraphReader(const Message& message, LoadContext& context, graph::Graph& graph, bool nested)
      : message_(message), context_(context), graph_(graph), nested_(nested) {}

  void read() {
    read_facts();
    for_each(GraphProto::kInputFieldNumber, "ValueInfoProto", [this](const Message& m) { read_input(m); });
    for_each(GraphProto::kInitializerFieldNumber, "TensorProto", [this](const Message& m) { read_initializer(m); });
    for (const ValueId id : declared_inputs_) {
      // Below IR 4 every initializer had to be declared as an input too, and was a constant all the same.
      if (!graph_.value(id).constant || context_.ir_version >= kFirstOverridableIr) graph_.add_input(id);
    }
    for_each(GraphProto::kNodeFieldNumber, "NodeProto", [this](const Message& m) { read_node(m); });
    if (!nested_) require_sources();
    if (unsorted_) graph_.sort();
    for_each(GraphProto::kOutputFieldNumber, "ValueInfoProto", [this](const Message& m) { read_output(m); });
    if (graph_.outputs.empty() && !nested_) message_.fail(ErrorCode::model, "the graph has no output");
  }

 private:
  template <typename Sink>
  void for_each(int field, std::string_view type, const Sink& sink) {
    MessageReader reader(message_);
    while (reader.next()) {
      if (reader.field() != field) continue;
      const Message message = reader.as_message(type);
      // What is nested was paid for with the node around it.
      if (!nested_) context_.budget.credit(message.bytes.size());
      sink(message);
    }
  }

  void read_facts() {
    std::size_t nodes = 0, values = 0;
    MessageReader reader(message_);
    while (reader.next()) {
      switch (reader.field()) {
        case GraphProto::kNameFieldNumber: graph_.name = reader.as_text(context_.options.max_name_bytes); break;
        case GraphProto::kInputFieldNumber:
        case GraphProto::kInitializerFieldNumber: ++values; break;
        case GraphProto::kNodeFieldNumber:
          ++nodes;
          values += count_outputs(reader.as_message("NodeProto"));
          break;
        case GraphProto::kSparseInitializerFieldNumber:
          context_.refusals.add("a sparse initializer", "sparse tensors are not supported", {});
          break;
        default: break;
      }
    }
    graph_.reserve(std::min(values, kMaxReserve), std::min(nodes, kMaxReserve));
  }

  static std::size_t count_outputs(const Message& node) {
    std::size_t count = 0;
    MessageReader reader(node);
    while (reader.next()) {
      if (reader.field() == NodeProto::kOutputFieldNumber) ++count;
    }
    return count;
  }

  void read_input(const Message& message) {
    NamedDesc value = read_value_info(message, context_);
    context_.budget.charge(kValueBytes + 2 * name_bytes(value.name), message);
    if (graph_.find_value(value.name) != kNoValue)
      message.fail(ErrorCode::model, "two inputs have the name " + quote_name(value.name));
    if (!value.unsupported.empty())
      context_.refusals.add("input " + quote_name(value.name), value.unsupported + " are not supported", {});
    else if (value.desc.type == DataType::undefined && !nested_) {
      message.fail(ErrorCode::model, "the input " + quote_name(value.name) + " has no type");
    }
    declared_inputs_.push_back(graph_.add_value(std::string(value.name), std::move(value.desc)));
  }

  void read_initializer(const Message& message) {
    const TensorHeader header = read_tensor_header(message, context_);
    context_.budget.charge(kValueBytes + 2 * name_bytes(header.name) + header.dims.size() * kDimBytes, message);
    if (header.name.empty()) message.fail(ErrorCode::model, "an initializer without a name");
    ValueId id = graph_.find_value(header.name);
    const bool declared = id != kNoValue && graph_.value(id).desc.type != DataType::undefined;
    if (id != kNoValue && (graph_.value(id).constant || refused_.contains(id))) {
      message.fail(ErrorCode::model, "two initializers have the name " + quote_name(header.name));
    }
    if (id == kNoValue) id = graph_.add_value(std::string(header.name));
    if (std::string why = why_unsupported(header); !why.empty()) {
      refused_.emplace(id, std::move(why));
      return;
    }
    Tensor tensor = read_tensor(header, context_);
    if (declared) require_declared(graph_.value(id), tensor, message);
    graph::Value& value = graph_.value(id);
    if (!declared || context_.ir_version < kFirstOverridableIr) {
      value.desc = {.type = tensor.type(), .shape = graph::DimList(tensor.shape().begin(), tensor.shape().end())};
    }
    value.constant = std::move(tensor);
  }

  static void require_declared(const graph::Value& value, const Tensor& tensor, const Message& message) {
    bool fits = value.desc.type == tensor.type();
    if (fits && value.desc.shape) {
      const graph::DimList& dims = *value.desc.shape;
      fits = std::equal(dims.begin(), dims.end(), tensor.shape().begin(), tensor.shape().end(),
                        [](const graph::Dim& dim, std::int64_t extent) { return !dim.known() || dim.value == extent; });
    }
    if (fits) return;
    message.fail(ErrorCode::model, "the initializer " + quote_name(value.name) + " differs from the input of its name",
                 graph::to_string(value.desc), std::string(to_string(tensor.type())) + to_string(tensor.shape()));
  }

  /// The value that a node names, whether or not anything has produced it yet; kNoValue for an omitted one.
  ValueId named(std::string_view name, const Message& message) {
    if (name.empty()) return kNoValue;
    if (call_ != nullptr) return named_in_call(name, message);
    const ValueId id = graph_.find_value(name);
    if (id != kNoValue && !invented_.contains(id)) return id;
    if (id != kNoValue) graph_.rename_value(id, graph_.unique_name(name));
    context_.budget.charge(kValueBytes + 2 * name_bytes(name), message);
    return graph_.add_value(std::string(name));
  }

  /// A name inside a function means the caller's value, or one that this call alone has.
  ValueId named_in_call(std::string_view name, const Message& message) {
    if (const auto known = call_->names.find(name); known != call_->names.end()) return known->second;
    const std::string stem = call_->label + "/" + std::string(name);
    context_.budget.charge(kValueBytes + kScopeBytes + 2 * stem.size() + 2 * name.size(), message);
    const ValueId id = graph_.add_value(graph_.unique_name(stem));
    invented_.insert(id);
    call_->names.emplace(name, id);
    return id;
  }

  void read_node(const Message& message) {
    context_.budget.add_node(message);
    context_.budget.charge(kNodeBytes, message);
    graph::Node node;
    std::vector<std::string> reasons;
    bodies_.clear();
    MessageReader reader(message);
    while (reader.next()) read_node_field(reader, node, reasons);
    if (node.domain == "ai.onnx") node.domain.clear();
    if (call_ != nullptr) node.name = call_->label + "/" + (node.name.empty() ? node.op_type : node.name);
    const auto version = context_.imports->find(node.domain);
    node.opset = version == context_.imports->end() ? 0 : version->second;
    const auto function = context_.functions.find({node.domain, node.op_type});
    if (function != context_.functions.end()) return expand(function->second, node, reasons, message);
    if (!bodies_.empty()) connect_bodies(node, message);
    if (node.op_type.empty())
      message.fail(ErrorCode::model, "a node without an operator", {}, "node " + quote_name(node.name));
    require_distinct_outputs(node, message);
    unsorted_ = unsorted_ || std::any_of(node.inputs.begin(), node.inputs.end(),
                                         [this](ValueId id) { return id != kNoValue && !has_source(id); });
    context_.budget.charge(name_bytes(node.name) + name_bytes(node.op_type) + name_bytes(node.domain), message);
    const NodeId id = graph_.add_node(std::move(node));
    collect_refusals(id, reasons);
  }

  void read_node_field(const MessageReader& reader, graph::Node& node, std::vector<std::string>& reasons) {
    const std::int64_t max_name = context_.options.max_name_bytes;
    switch (reader.field()) {
      case NodeProto::kNameFieldNumber: node.name = reader.as_text(max_name); break;
      case NodeProto::kOpTypeFieldNumber: node.op_type = reader.as_text(max_name); break;
      case NodeProto::kDomainFieldNumber: node.domain = reader.as_text(max_name); break;
      case NodeProto::kInputFieldNumber: add_use(node.inputs, reader); break;
      case NodeProto::kOutputFieldNumber: add_use(node.outputs, reader); break;
      case NodeProto::kAttributeFieldNumber: add_attribute(reader, node, reasons); break;
      default: break;
    }
  }

  void add_use(std::vector<ValueId>& uses, const MessageReader& reader) {
    context_.budget.charge(kUseBytes, reader.message());
    uses.push_back(named(reader.as_text(context_.options.max_name_bytes), reader.message()));
  }

  void add_attribute(const MessageReader& reader, graph::Node& node, std::vector<std::string>& reasons) {
    const Message message = reader.as_message("AttributeProto");
    NamedAttribute attribute = read_attribute(message, context_);
    if (attribute.name == kCaptures)
      message.fail(ErrorCode::model, "no operator has an attribute " + quote_name(kCaptures));
    if (node.attributes.has(attribute.name))
      message.fail(ErrorCode::model, "attribute " + quote_name(attribute.name) + " stands twice");
    // No operator has more than a few dozen; Attributes looks names up one by one.
    const std::size_t count = node.attributes.entries().size() + bodies_.size() + reasons.size();
    if (std::cmp_greater_equal(count, context_.options.max_attributes)) {
      message.fail(ErrorCode::limit, "a node has too many attributes",
                   "at most " + std::to_string(context_.options.max_attributes) + " (max_attributes)");
    }
    if (attribute.value) {
      node.attributes.set(attribute.name, std::move(*attribute.value));
    } else if (attribute.body != nullptr) {
      bodies_.emplace_back(attribute.name, std::move(attribute.body));
    } else {
      note_unsupported(attribute, reasons);
    }
  }

  static void note_unsupported(const NamedAttribute& attribute, std::vector<std::string>& reasons) {
    if (attribute.unsupported.empty()) return;
    reasons.push_back("attribute " + quote_name(attribute.name) + ": " + attribute.unsupported + " are not supported");
  }

  void refuse(const std::string& subject, const std::vector<std::string>& reasons, const std::string& label) {
    for (const std::string& reason : reasons) context_.refusals.add(subject, reason, "node " + quote_name(label));
  }

  /// What the bodies read of the graphs around them becomes inputs: the last ones of the node, and of each body alike.
  void connect_bodies(graph::Node& node, const Message& message) {
    std::set<std::string> names;
    for (const auto& [name, body] : bodies_) {
      for (ValueId id = 0; id < body->value_count(); ++id) {
        const graph::Value& value = body->value(id);
        const bool captured = value.producer == kNoNode && !value.constant && !value.graph_input;
        if (captured && (value.graph_output || !value.consumers.empty())) names.insert(value.name);
      }
    }
    for (const std::string& name : names) {
      context_.budget.charge(kUseBytes + bodies_.size() * (kValueBytes + 3 * name_bytes(name)), message);
      node.inputs.push_back(named(name, message));
      for (const auto& [attribute, body] : bodies_) {
        const ValueId inside = body->find_value(name);
        // A body that has the name for something of its own does not read the outer one.
        const bool own = inside != kNoValue && (body->value(inside).producer != kNoNode ||
                                                body->value(inside).constant || body->value(inside).graph_input);
        body->add_input(inside == kNoValue || own ? body->add_value(body->unique_name(name)) : inside);
      }
    }
    node.attributes.set(kCaptures, static_cast<std::int64_t>(names.size()));
    for (auto& [name, body] : bodies_) node.attributes.set(name, std::shared_ptr<const graph::Graph>(std::move(body)));
  }

  /// Writes the function's nodes in the place of the call.
  void expand(const Function& function, const graph::Node& node, std::vector<std::string>& reasons,
              const Message& message) {
    if (!bodies_.empty()) message.fail(ErrorCode::unsupported, "a call of a function with a subgraph as an attribute");
    if (node.outputs.empty())
      message.fail(ErrorCode::model,
                   "node " + quote_name(node.name) + ", a call of the function " + quote_name(node.op_type) +
                       ", has no outputs, so that nothing can read it: name them or remove the node",
                   "at least 1 output", "0");
    Call call;
    call.label = node.name.empty() ? node.op_type + "#" + std::to_string(graph_.value_count()) : node.name;
    const Nesting level(context_, message);
    const std::size_t names = function.inputs.size() + function.outputs.size();
    context_.budget.charge(
        names * kScopeBytes + function.defaults.size() * sizeof(graph::Attribute) + call.label.size(), message);
    for (std::size_t i = 0; i < function.inputs.size(); ++i)
      call.names.emplace(function.inputs[i], i < node.inputs.size() ? node.inputs[i] : kNoValue);
    if (node.inputs.size() > function.inputs.size() || node.outputs.size() > function.outputs.size())
      message.fail(ErrorCode::model,
                   "the function " + quote_name(node.op_type) + " does not have so many inputs or outputs");
    const bool outer_read_again = std::exchange(context_.read_again, true);
    graph::Attributes attributes = node.attributes;
    for (const Message& fallback : function.defaults) {
      NamedAttribute attribute = read_attribute(fallback, context_);
      if (attributes.has(attribute.name)) continue;
      if (attribute.value) attributes.set(attribute.name, std::move(*attribute.value));
      note_unsupported(attribute, reasons);
    }
    refuse(graph::op_label(node), reasons, call.label);
    std::vector<std::pair<ValueId, ValueId>> copies;  // outputs that are inputs
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      const auto [known, added] = call.names.emplace(function.outputs[i], node.outputs[i]);
      if (!added) copies.emplace_back(known->second, node.outputs[i]);
    }
    const auto imports = std::exchange(context_.imports, &function.opsets);
    const auto outer_attributes = std::exchange(context_.call, &attributes);
    Call* const outer = std::exchange(call_, &call);
    for (const Message& inner : function.nodes) {
      context_.budget.add_call_node(message);
      read_node(inner);
    }
    call_ = outer;
    context_.call = outer_attributes;
    context_.imports = imports;
    context_.read_again = outer_read_again;
    for (const auto& [from, to] : copies) add_identity(from, to);
    unsorted_ = true;  // the function's nodes may be in any order
  }

  void add_identity(ValueId from, ValueId to) {
    graph::Node identity;
    identity.op_type = "Identity";
    identity.opset = 1;
    identity.inputs = {from};
    identity.outputs = {to};
    graph_.add_node(std::move(identity));
  }

  void require_distinct_outputs(const graph::Node& node, const Message& message) const {
    std::vector<ValueId> sorted = node.outputs;
    std::erase(sorted, kNoValue);
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice == sorted.end()) return;
    message.fail(ErrorCode::model, "node " + quote_name(node.name) + " writes the value " +
                                       quote_name(graph_.value(*twice).name) + " twice");
  }

  [[nodiscard]] bool has_source(ValueId id) const {
    const graph::Value& value = graph_.value(id);
    return value.producer != kNoNode || value.constant || value.graph_input || refused_.contains(id);
  }

  [[nodiscard]] std::string why_refused(const graph::Node& node) const {
    if (node.domain == kOwnDomain) return "the domain '" + std::string(kOwnDomain) + "' is not for models";
    if (node.opset != 0) return ops::why_unsupported(node);
    return "the model does not import the domain " + quote_name(node.domain.empty() ? "ai.onnx" : node.domain);
  }

  void collect_refusals(NodeId id, std::vector<std::string>& reasons) {
    const graph::Node& node = graph_.node(id);
    for (const ValueId input : node.inputs) {
      if (const auto refused = refused_.find(input); refused != refused_.end()) {
        reasons.push_back("input " + quote_name(graph_.value(input).name) + ": " + refused->second +
                          " are not supported");
      }
    }
    if (std::string why = why_refused(node); !why.empty()) reasons.push_back(std::move(why));
    if (reasons.empty()) return;
    const auto typed = std::find_if(node.inputs.begin(), node.inputs.end(), [this](ValueId input) {
      return input != kNoValue && graph_.value(input).desc.type != DataType::undefined;
    });
    std::string subject = graph::op_label(node);
    if (typed != node.inputs.end()) subject += " (" + std::string(to_string(graph_.value(*typed).desc.type)) + ")";
    refuse(subject, reasons, graph_.label(id));
  }

  /// Every name that a node reads must come from somewhere.
  void require_sources() const {
    for (const NodeId id : graph_.order()) {
      const graph::Node& node = graph_.node(id);
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        if (node.inputs[i] == kNoValue || has_source(node.inputs[i])) continue;
        throw Error(ErrorCode::model, "nothing in the model has the name that a node reads",
                    {.file = graph_.file,
                     .node = graph_.label(id),
                     .op = graph::op_label(node),
                     .where = "input " + std::to_string(i) + " " + quote_name(graph_.value(node.inputs[i]).name)});
      }
    }
  }

  void read_output(const Message& message) {
    const NamedDesc value = read_value_info(message, context_);
    ValueId id = graph_.find_value(value.name);
    if (id == kNoValue || !has_source(id)) {
      if (!nested_)
        message.fail(ErrorCode::model, "nothing in the model produces the output " + quote_name(value.name));
      id = named(value.name, message);
    }
    const auto refused = refused_.find(id);
    const std::string why = refused == refused_.end() ? value.unsupported : refused->second;
    if (!why.empty()) context_.refusals.add("output " + quote_name(value.name), why + " are not supported", {});
    if (graph_.value(id).desc.type == DataType::undefined) graph_.value(id).desc = value.desc;
    graph_.add_output(id);
  }

  const Message& message_;
  LoadContext& context_;
  graph::Graph& graph_;
  const bool nested_;
  /// A function that is being written out.
  struct Call {
    std::map<std::string, ValueId, std::less<>> names;
    std::string label;
  };
  Call* call_ = nullptr;
  std::set<ValueId> invented_;  // what is inside functions, under names that give way to the model's own
  std::vector<std::pair<std::string, std::shared_ptr<graph::Graph>>> bodies_;  // of the node that is being read
  bool unsorted_ = false;  // some node reads a value that stands behind it
  std::vector<ValueId> declared_inputs_;
  std::map<ValueId, std::string> refused_;  // initializers without a Tensor, and why
};

}  // namespace

void read_main_graph(const Message& message, LoadContext& context, graph::Graph& graph) {
  GraphReader(message, context, graph, false).read();
}

graph::Graph read_nested_graph(const Message& message, LoadContext& context) {
  const Nesting level(context, message);
  // The imports are the model's, and each node has its opset: a copy for every body could be made to cost a lot.
  context.budget.charge(sizeof(graph::Graph) + context.file.path.size(), message);
  graph::Graph graph;
  graph.file = context.file.path;
  graph.ir_version = context.ir_version;
  GraphReader(message, context, graph, true).read();
  return graph;
}

}  // namespace linnet::onnx
