#include "onnx/graph_reader.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/joined.h"
#include "base/printable.h"
#include "graph/index.h"
#include "linnet_onnx.pb.h"
#include "onnx/attribute_reader.h"
#include "onnx/tensor_reader.h"
#include "onnx/value_info_reader.h"
#include "ops/control_flow.h"
#include "ops/fused_operators.h"
#include "ops/op_def.h"

namespace linnet::onnx {

namespace {

using GraphProto = linnet_onnx::GraphProto;
using NodeProto = linnet_onnx::NodeProto;
using base::quote_name;
using graph::at;
using graph::kNoNode;
using graph::kNoValue;
using graph::NodeId;
using graph::ValueId;
using ops::kCaptures;
using ops::kFusedDomain;

constexpr std::int64_t kFirstOverridableIr = 4;
// NodeProto.overload, which older copies of onnx.proto do not have yet.
constexpr int kOverload = 8;
// How often read() goes through the fields of a graph.
constexpr std::size_t kWalks = 5;
// A name in the table of a function's call, and its value in the set of those that are invented.
constexpr std::size_t kScopeBytes = 128;
// An input or output of the graph in lists that double.
constexpr std::size_t kInputBytes = 6 * sizeof(ValueId);
// An entry of Graph::declared, whose extents have been charged.
constexpr std::size_t kDeclaredBytes = 96;
// An initializer that cannot be read, and why.
constexpr std::size_t kRefusedBytes = 144;
constexpr std::size_t kEntryBytes = sizeof(graph::Attributes::Entry);

/// How many of each a NodeProto has.
struct NodeCounts {
  std::size_t inputs = 0, outputs = 0, attributes = 0;
  std::size_t attribute_bytes = 0;  // of the file
};

NodeCounts count_fields(const Message& node) {
  NodeCounts counts;
  MessageReader reader(node);
  while (reader.next()) {
    switch (reader.field()) {
      case NodeProto::kInputFieldNumber: ++counts.inputs; break;
      case NodeProto::kOutputFieldNumber: ++counts.outputs; break;
      case NodeProto::kAttributeFieldNumber:
        ++counts.attributes;
        counts.attribute_bytes += reader.as_bytes().size();
        break;
      default: break;
    }
  }
  return counts;
}

// A value's list of consumers: its first allocation, and a use in it while it doubles.
constexpr std::size_t kConsumersBytes = block_bytes(1), kUseBytes = 3 * sizeof(NodeId);
// A list in the graph's index of uses.
constexpr std::size_t kPlacesBytes = sizeof(std::vector<std::size_t>);

constexpr std::size_t larger(std::size_t room) { return room + room / 2 + 1; }

std::size_t list_bytes(std::size_t ids) { return block_bytes(ids * sizeof(ValueId)); }

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
    leave_out();
    require_sources();
    graph_.sort();
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
      // read_facts has noted nodes; tensors note themselves.
      if (field != GraphProto::kNodeFieldNumber && field != GraphProto::kInitializerFieldNumber)
        context_.note_read(message.bytes.size(), message);
      sink(message);
    }
  }

  void read_facts() {
    std::size_t nodes = 0, values = 0, part_bytes = 0;
    MessageReader reader(message_);
    while (reader.next()) {
      if (reader.wire_type() == WireType::length_delimited) part_bytes += reader.as_bytes().size();
      switch (reader.field()) {
        case GraphProto::kNameFieldNumber:
          graph_.name = reader.as_text(context_.options.max_name_bytes);
          charge(text_bytes(graph_.name.size()), message_);
          break;
        case GraphProto::kInputFieldNumber:
        case GraphProto::kInitializerFieldNumber: ++values; break;
        case GraphProto::kNodeFieldNumber: {
          const Message node = reader.as_message("NodeProto");
          const NodeCounts counts = count_fields(node);
          ++nodes;
          values += counts.outputs;
          context_.note_read(node.bytes.size() - counts.attribute_bytes, node);  // those pay as they are read
          break;
        }
        case GraphProto::kSparseInitializerFieldNumber:
          context_.refusals.add("a sparse initializer", "sparse tensors are not supported", {});
          break;
        default: break;
      }
    }
    if (context_.read_before) context_.budget.reread(kWalks * (message_.bytes.size() - part_bytes), message_);
    context_.budget.add_nodes(nodes, message_);
    set_room(values, nodes, message_);
  }

  /// Objects of a body are there twice while it is inferred, which happens on a copy.
  void charge(std::size_t bytes, const Message& message) {
    context_.budget.charge(nested_ ? 2 * bytes : bytes, message);
  }

  void release(std::size_t bytes) { context_.budget.release(nested_ ? 2 * bytes : bytes); }

  /// What grows is there twice while it moves.
  void set_room(std::size_t values, std::size_t nodes, const Message& message) {
    const bool more_values = values != value_room_, more_nodes = nodes != node_room_;
    const std::size_t old = graph::Graph::bytes_for(more_values ? value_room_ : 0, more_nodes ? node_room_ : 0);
    charge(graph::Graph::bytes_for(more_values ? values : 0, more_nodes ? nodes : 0), message);
    graph_.reserve(values - at(graph_.value_count()), nodes - at(graph_.node_count()));
    release(old);
    value_room_ = values;
    node_room_ = nodes;
  }

  /// There is no room where nothing produces the name, and for what functions write out: read_facts has not counted those.
  ValueId add_value(std::string name, const Message& message, graph::TensorDesc desc = {}) {
    charge(kConsumersBytes + text_bytes(name.size()), message);
    if (std::cmp_equal(graph_.value_count(), value_room_)) set_room(larger(value_room_), node_room_, message);
    return graph_.add_value(std::move(name), std::move(desc));
  }
  NodeId add_node(graph::Node node, const Message& message) {
    charge(node.inputs.size() * kUseBytes + text_bytes(node.name.size()) + text_bytes(node.op_type.size()) +
               text_bytes(node.domain.size()),
           message);
    if (std::cmp_equal(graph_.node_count(), node_room_)) set_room(value_room_, larger(node_room_), message);
    return graph_.add_node(std::move(node));
  }

  void read_input(const Message& message) {
    NamedDesc value = read_value_info(message, context_);
    if (graph_.find_value(value.name) != kNoValue)
      message.fail(ErrorCode::model, "two inputs have the name " + quote_name(value.name));
    if (!value.unsupported.empty())
      context_.refusals.add("input " + quote_name(value.name), value.unsupported + " are not supported", {});
    else if (value.desc.type == DataType::undefined && !nested_) {
      message.fail(ErrorCode::model, "the input " + quote_name(value.name) + " has no type");
    }
    charge(kInputBytes, message);
    declared_inputs_.push_back(add_value(std::string(value.name), message, std::move(value.desc)));
  }

  void read_initializer(const Message& message) {
    const TensorHeader header = read_tensor_header(message, context_);
    charge(block_bytes(header.dims.size() * sizeof(graph::Dim)), message);
    if (header.name.empty()) message.fail(ErrorCode::model, "an initializer without a name");
    ValueId id = graph_.find_value(header.name);
    const bool declared = id != kNoValue && (graph_.value(id).desc.type != DataType::undefined ||
                                             graph_.value(id).desc.kind != ValueKind::tensor);
    if (id != kNoValue && (graph_.value(id).constant || refused_.contains(id))) {
      message.fail(ErrorCode::model, "two initializers have the name " + quote_name(header.name));
    }
    if (id == kNoValue) id = add_value(std::string(header.name), message);
    if (std::string why = why_unsupported(header); !why.empty()) {
      charge(kRefusedBytes, message);
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
    bool fits = value.desc.kind == ValueKind::tensor && value.desc.type == tensor.type();
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
    return add_value(std::string(name), message);
  }

  /// A name inside a function means the caller's value, or one that this call alone has.
  ValueId named_in_call(std::string_view name, const Message& message) {
    if (const auto known = call_->names.find(name); known != call_->names.end()) return known->second;
    charge(kScopeBytes + text_bytes(name.size()), message);
    const ValueId id = add_value(graph_.unique_name(base::joined(call_->label, "/", name)), message);
    invented_.insert(id);
    call_->names.emplace(name, id);
    return id;
  }

  /// Whether a subgraph in a function names an input that the call leaves out.
  [[nodiscard]] bool is_left_out(std::string_view name) const {
    if (call_ != nullptr || context_.call_names == nullptr) return false;
    if (const ValueId id = graph_.find_value(name); id != kNoValue && !invented_.contains(id)) return false;
    const auto known = context_.call_names->find(name);
    return known != context_.call_names->end() && known->second == kNoValue;
  }

  /// What a node reads under that name; kNoValue for what the call of a function leaves out, or hands on of that.
  ValueId read_name(std::string_view name, const Message& message) {
    const ValueId id = is_left_out(name) ? kNoValue : named(name, message);
    return left_out_.contains(id) ? kNoValue : id;
  }

  void read_node(const Message& message) {
    const NodeCounts counts = count_fields(message);
    if (call_ != nullptr) context_.note_read(message.bytes.size() - counts.attribute_bytes, message);
    require_few_attributes(counts.attributes, message);
    charge(list_bytes(counts.inputs) + list_bytes(counts.outputs) + block_bytes(counts.attributes * kEntryBytes),
           message);
    graph::Node node;
    node.inputs.reserve(counts.inputs);
    node.outputs.reserve(counts.outputs);
    node.attributes.reserve(counts.attributes);
    std::vector<std::string> reasons;
    bodies_.clear();
    overload_ = {};
    MessageReader reader(message);
    while (reader.next()) read_node_field(reader, node, reasons);
    if (node.domain == "ai.onnx") node.domain.clear();
    if (call_ != nullptr) node.name = base::joined(call_->label, "/", node.name.empty() ? node.op_type : node.name);
    const auto version = context_.imports->find(node.domain);
    node.opset = version == context_.imports->end() ? 0 : version->second;
    if (Function* function = called(node)) return expand(*function, std::move(node), reasons, message);
    if (!overload_.empty()) reasons.push_back("the model has no function of the overload " + quote_name(overload_));
    if (!bodies_.empty()) connect_bodies(node, message);
    if (node.op_type.empty())
      message.fail(ErrorCode::model, "a node without an operator", {}, "node " + quote_name(node.name));
    require_distinct_outputs(node, message);
    const NodeId id = add_node(std::move(node), message);
    collect_refusals(id, reasons);
  }

  [[nodiscard]] Function* called(const graph::Node& node) const {
    if (context_.functions.empty()) return nullptr;
    const auto function = context_.functions.find({node.domain, node.op_type, std::string(overload_)});
    return function == context_.functions.end() ? nullptr : &function->second;
  }

  /// No operator has more than a few dozen; Attributes looks names up one by one.
  void require_few_attributes(std::size_t count, const Message& message) const {
    if (std::cmp_less_equal(count, context_.options.max_attributes)) return;
    message.fail(ErrorCode::limit, "a node has too many attributes",
                 "at most " + std::to_string(context_.options.max_attributes) + " (max_attributes)",
                 std::to_string(count));
  }

  void read_node_field(const MessageReader& reader, graph::Node& node, std::vector<std::string>& reasons) {
    const std::int64_t max_name = context_.options.max_name_bytes;
    switch (reader.field()) {
      case NodeProto::kNameFieldNumber: node.name = reader.as_text(max_name); break;
      case NodeProto::kOpTypeFieldNumber: node.op_type = reader.as_text(max_name); break;
      case NodeProto::kDomainFieldNumber: node.domain = reader.as_text(max_name); break;
      case kOverload: overload_ = reader.as_text(max_name); break;
      case NodeProto::kInputFieldNumber:
        node.inputs.push_back(read_name(reader.as_text(max_name), reader.message()));
        break;
      case NodeProto::kOutputFieldNumber:
        node.outputs.push_back(named(reader.as_text(max_name), reader.message()));
        break;
      case NodeProto::kAttributeFieldNumber: add_attribute(reader, node, reasons); break;
      default: break;
    }
  }

  void add_attribute(const MessageReader& reader, graph::Node& node, std::vector<std::string>& reasons) {
    const Message message = reader.as_message("AttributeProto");
    NamedAttribute attribute = read_attribute(message, context_);
    if (attribute.name == kCaptures)
      message.fail(ErrorCode::model, "no operator has an attribute " + quote_name(kCaptures));
    if (node.attributes.has(attribute.name))
      message.fail(ErrorCode::model, "attribute " + quote_name(attribute.name) + " stands twice");
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
    for (const std::string& reason : reasons) {
      const bool tells = context_.refusals.tells_place(subject, reason);
      context_.refusals.add(subject, reason, tells ? "node " + quote_name(label) : std::string());
    }
    context_.refusals.throw_if_many(graph_.file);
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
      charge(kScopeBytes + text_bytes(name.size()) + (1 + bodies_.size()) * kInputBytes, message);
      node.inputs.push_back(read_name(name, message));
      if (node.inputs.back() == kNoValue) refuse_capture(name, message);
      for (const auto& [attribute, body] : bodies_) {
        ValueId inside = body->find_value(name);
        // A body that has the name for something of its own does not read the outer one.
        const bool own = inside != kNoValue && (body->value(inside).producer != kNoNode ||
                                                body->value(inside).constant || body->value(inside).graph_input);
        if (inside == kNoValue || own) {
          // Its room doubles, and is there twice while the body is inferred.
          charge(4 * (graph::Graph::bytes_for(1, 0) + text_bytes(name.size())), message);
          inside = body->add_value(body->unique_name(name));
        }
        body->add_input(inside);
      }
    }
    charge(block_bytes(2 * (node.attributes.entries().size() + bodies_.size() + 1) * kEntryBytes), message);
    node.attributes.set(kCaptures, static_cast<std::int64_t>(names.size()));
    for (auto& [name, body] : bodies_) node.attributes.set(name, std::shared_ptr<const graph::Graph>(std::move(body)));
  }

  /// Writes the function's nodes in the place of the call.
  void expand(Function& function, graph::Node node, std::vector<std::string>& reasons, const Message& message) {
    if (!bodies_.empty()) message.fail(ErrorCode::unsupported, "a call of a function with a subgraph as an attribute");
    if (node.outputs.empty())
      message.fail(ErrorCode::model,
                   "node " + quote_name(node.name) + ", a call of the function " + quote_name(node.op_type) +
                       ", has no outputs, so that nothing can read it: name them or remove the node",
                   "at least 1 output", "0");
    require_few_attributes(node.attributes.entries().size() + function.defaults.size(), message);
    Call call;
    call.label = node.name.empty() ? node.op_type + "#" + std::to_string(graph_.value_count()) : std::move(node.name);
    const Nesting level(context_, message);
    const std::size_t bytes = scope_bytes(function, node) + call.label.size();
    charge(bytes, message);
    for (std::size_t i = 0; i < function.inputs.size(); ++i)
      call.names.emplace(function.inputs[i], i < node.inputs.size() ? node.inputs[i] : kNoValue);
    if (node.inputs.size() > function.inputs.size() || node.outputs.size() > function.outputs.size())
      message.fail(ErrorCode::model,
                   "the function " + quote_name(node.op_type) + " does not have so many inputs or outputs");
    const bool outer_read_again = std::exchange(context_.read_again, true);
    const bool outer_read_before = std::exchange(context_.read_before, std::exchange(function.called, true));
    if (context_.read_before) context_.budget.reread(bytes, message);
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
    const auto outer_names = std::exchange(context_.call_names, &call.names);
    Call* const outer = std::exchange(call_, &call);
    for (const Message& inner : function.nodes) {
      context_.budget.add_call_node(message);
      read_node(inner);
    }
    call_ = outer;
    context_.call_names = outer_names;
    context_.call = outer_attributes;
    context_.imports = imports;
    context_.read_again = outer_read_again;
    context_.read_before = outer_read_before;
    for (const auto& [from, to] : copies) add_identity(from, to, message);
    release(bytes);
  }

  /// What a call takes until its nodes have been written out: its names, and its attributes with those left out.
  static std::size_t scope_bytes(const Function& function, const graph::Node& node) {
    std::size_t bytes = (node.attributes.entries().size() + function.defaults.size()) * 2 * kEntryBytes;
    for (const auto& [name, attribute] : node.attributes.entries()) bytes += graph::bytes_beside(attribute);
    for (const auto* names : {&function.inputs, &function.outputs}) {
      for (const std::string& name : *names) bytes += kScopeBytes + text_bytes(name.size());
    }
    return bytes;
  }

  void add_identity(ValueId from, ValueId to, const Message& message) {
    graph::Node identity;
    identity.op_type = "Identity";
    identity.opset = 1;
    identity.inputs = {from};
    identity.outputs = {to};
    charge(2 * list_bytes(1), message);
    std::vector<std::string> reasons;
    collect_refusals(add_node(std::move(identity), message), reasons);
    if (from != kNoValue) return;
    charge(kScopeBytes, message);
    left_out_.insert(to);
  }

  /// For nodes that stand before the call, too.
  void leave_out() {
    if (left_out_.empty()) return;
    for (NodeId id = 0; id < graph_.node_count(); ++id) {
      const graph::Node& node = graph_.node(id);
      if (!node.attributes.has(kCaptures)) continue;
      for (const ValueId input : node.inputs) {
        if (left_out_.contains(input)) refuse_capture(graph_.value(input).name, message_);
      }
    }
    charge_use_index();
    for (const ValueId id : left_out_) {
      graph_.replace_uses(id, kNoValue);
      graph_.remove_node(graph_.value(id).producer);
    }
  }

  /// What the graph's first edit makes: a list of places for each node and each value.
  void charge_use_index() {
    std::size_t bytes = (at(graph_.node_count()) + at(graph_.value_count())) * kPlacesBytes;
    for (NodeId id = 0; id < graph_.node_count(); ++id)
      bytes += block_bytes(graph_.node(id).inputs.size() * sizeof(std::size_t));
    for (ValueId id = 0; id < graph_.value_count(); ++id)
      bytes += block_bytes(graph_.value(id).consumers.size() * sizeof(std::size_t));
    charge(bytes, message_);
  }

  [[noreturn]] static void refuse_capture(const std::string& name, const Message& message) {
    message.fail(ErrorCode::unsupported,
                 "a subgraph uses " + quote_name(name) + ", which the call of a function leaves out");
  }

  void require_distinct_outputs(const graph::Node& node, const Message& message) const {
    if (node.outputs.size() < 2) return;
    std::vector<ValueId> sorted = node.outputs;
    std::erase(sorted, kNoValue);
    std::sort(sorted.begin(), sorted.end());
    const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
    if (twice == sorted.end()) return;
    message.fail(ErrorCode::model, "node " + quote_name(node.name) + " writes the value " +
                                       quote_name(graph_.value(*twice).name) + " twice");
  }

  /// A body's names may mean what is around it, but for those inside a function.
  [[nodiscard]] bool has_source(ValueId id) const {
    if (nested_ && !invented_.contains(id)) return true;
    const graph::Value& value = graph_.value(id);
    return value.producer != kNoNode || value.constant || value.graph_input || refused_.contains(id);
  }

  [[nodiscard]] std::string why_refused(const graph::Node& node) const {
    // Operators that take for granted what the passes, which make them, have checked.
    if (node.domain == kFusedDomain) return "the domain '" + std::string(kFusedDomain) + "' is not for models";
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
        context_.refusals.throw_if_any(graph_.file);  // it may be an initializer of a body
        throw Error(ErrorCode::model, "nothing in the model has the name that a node reads",
                    {.file = graph_.file,
                     .node = graph_.label(id),
                     .op = graph::op_label(node),
                     .where = "input " + std::to_string(i) + " " + quote_name(graph_.value(node.inputs[i]).name)});
      }
    }
  }

  void read_output(const Message& message) {
    NamedDesc value = read_value_info(message, context_);
    charge(kInputBytes, message);
    ValueId id = graph_.find_value(value.name);
    if (left_out_.contains(id))
      message.fail(ErrorCode::model,
                   "the output " + quote_name(value.name) + " is an input that the call of a function leaves out");
    if (id == kNoValue || invented_.contains(id) || !has_source(id)) {
      if (!nested_)
        message.fail(ErrorCode::model, "nothing in the model produces the output " + quote_name(value.name));
      id = named(value.name, message);
    }
    const auto refused = refused_.find(id);
    const std::string why = refused == refused_.end() ? value.unsupported : refused->second;
    if (!why.empty()) context_.refusals.add("output " + quote_name(value.name), why + " are not supported", {});
    if (graph_.value(id).desc.type == DataType::undefined) {
      if (std::optional<graph::DimList> shape = std::exchange(value.desc.shape, std::nullopt)) {
        charge(kDeclaredBytes, message);
        graph_.declared.emplace(id, *std::move(shape));
      }
      graph_.value(id).desc = std::move(value.desc);
    }
    graph_.add_output(id);
  }

  const Message& message_;
  LoadContext& context_;
  graph::Graph& graph_;
  const bool nested_;
  /// A function that is being written out.
  struct Call {
    CallNames names;
    std::string label;
  };
  Call* call_ = nullptr;
  std::set<ValueId> left_out_;  // outputs of functions that are inputs which the call leaves out
  std::set<ValueId> invented_;  // what is inside functions, under names that give way to the model's own
  std::vector<std::pair<std::string, std::shared_ptr<graph::Graph>>> bodies_;  // of the node that is being read
  std::string_view overload_;                                                  // that it calls
  std::size_t value_room_ = 0, node_room_ = 0;                                 // how many the graph has room for
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
  // It is there twice while it is inferred.
  context.budget.charge(2 * (block_bytes(sizeof(graph::Graph)) + text_bytes(context.file.path.size())), message);
  graph::Graph graph;
  graph.file = context.file.path;
  graph.ir_version = context.ir_version;
  GraphReader(message, context, graph, true).read();
  return graph;
}

}  // namespace linnet::onnx
