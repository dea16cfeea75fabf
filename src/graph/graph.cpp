#include "graph/graph.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "base/joined.h"
#include "graph/index.h"
#include "linnet/error.h"

namespace linnet::graph {

bool TensorDesc::is_static() const noexcept {
  return shape.has_value() && std::all_of(shape->begin(), shape->end(), [](const Dim& d) { return d.known(); });
}

bool same_shape(const TensorDesc& a, const TensorDesc& b) {
  return a.has_rank() && b.has_rank() &&
         std::equal(a.shape->begin(), a.shape->end(), b.shape->begin(), b.shape->end(),
                    [](const Dim& x, const Dim& y) { return x.same_as(y); });
}

Shape TensorDesc::static_shape() const {
  Shape result;
  result.reserve(shape->size());
  for (const Dim& d : *shape) result.push_back(d.value);
  return result;
}

std::string to_string(const TensorDesc& desc) {
  std::string text(to_string(desc.type));
  if (desc.kind != ValueKind::tensor) return (desc.kind == ValueKind::sequence ? "sequence of " : "optional ") + text;
  if (desc.layout == Layout::nchw16c) text += " nchw16c";
  if (!desc.shape) return text + " of unknown rank";
  text += '[';
  for (std::size_t i = 0; i < desc.shape->size(); ++i) {
    const Dim& d = (*desc.shape)[i];
    if (i != 0) text += ',';
    text += d.known() ? std::to_string(d.value) : (d.symbol.empty() ? "?" : std::string(d.symbol.text()));
  }
  return text + "]";
}

std::string op_label(const Node& node) {
  std::string label = node.domain;
  if (!label.empty()) label += '.';
  label += node.op_type;
  label += '-';
  return label += std::to_string(node.opset);
}

TensorDesc Graph::described(ValueId id) const {
  TensorDesc desc = value(id).desc;
  const auto stated = declared.find(id);
  if (stated == declared.end() || desc.kind != ValueKind::tensor) return desc;
  if (!desc.has_rank()) desc.shape = stated->second;
  if (desc.shape->size() != stated->second.size()) return desc;
  for (std::size_t i = 0; i < desc.shape->size(); ++i) {
    Dim& dim = (*desc.shape)[i];
    if (!dim.known() && dim.symbol.empty()) dim = stated->second[i];
  }
  return desc;
}

ValueId Graph::find_value(std::string_view value_name) const {
  return names_.find(names_.hash(value_name), [&](ValueId id) { return value(id).name == value_name; });
}

std::string Graph::label(NodeId id) const {
  const std::string& node_name = node(id).name;
  return node_name.empty() ? "#" + std::to_string(id) : node_name;
}

std::string Graph::unique_name(std::string_view stem) const {
  std::string candidate(stem);
  // The count of values makes the first guess nearly always free, so that this stays linear over a whole pass. A model that
  // has taken these very names is not walked through: each further guess is twice as far away.
  for (std::size_t n = values_.size(), step = 1; candidate.empty() || find_value(candidate) != kNoValue;
       n += step, step = 2 * step + 1) {
    candidate = base::joined(stem, "#", std::to_string(n));
  }
  return candidate;
}

void Graph::reserve(std::size_t values, std::size_t nodes) {
  values_.reserve(values_.size() + values);
  nodes_.reserve(nodes_.size() + nodes);
  order_.reserve(order_.size() + nodes);
  names_.reserve(values_.size() + values);
}

ValueId Graph::add_value(std::string value_name, TensorDesc desc) {
  if (value_name.empty()) value_name = unique_name("value");
  const auto id = static_cast<ValueId>(values_.size());
  const std::uint32_t hash = names_.hash(value_name);
  if (names_.find(hash, [&](ValueId other) { return value(other).name == value_name; }) != kNoValue) {
    throw Error(ErrorCode::model, "two values have the name '" + value_name + "'", {.file = file});
  }
  Value& added = values_.emplace_back();
  added.name = std::move(value_name);
  added.desc = std::move(desc);
  names_.insert(hash, id);
  lean_ = false;
  return id;
}

ValueId Graph::add_constant(std::string value_name, Tensor tensor) {
  TensorDesc desc;
  desc.type = tensor.type();
  desc.shape = DimList(tensor.shape().begin(), tensor.shape().end());
  const ValueId id = add_value(std::move(value_name), std::move(desc));
  value(id).constant = std::move(tensor);
  return id;
}

void Graph::rename_value(ValueId id, std::string to) {
  names_.erase(names_.hash(value(id).name), id);
  value(id).name = std::move(to);
  names_.insert(names_.hash(value(id).name), id);
}

void Graph::add_input(ValueId id) {
  value(id).graph_input = true;
  inputs.push_back(id);
}

void Graph::add_output(ValueId id) {
  value(id).graph_output = true;
  outputs.push_back(id);
}

void Graph::clear_outputs() {
  for (const ValueId id : outputs) value(id).graph_output = false;
  outputs.clear();
  lean_ = false;
}

void Graph::index_uses() {
  if (uses_) return;
  uses_.emplace();
  uses_->places.resize(nodes_.size());
  uses_->slots.resize(values_.size());
  for (ValueId id = 0; id < value_count(); ++id) {
    uses_->slots[at(id)].reserve(value(id).consumers.size());
    value(id).consumers.clear();
  }
  for (NodeId id = 0; id < node_count(); ++id) {
    for (std::size_t i = 0; i < node(id).inputs.size(); ++i) link(id, i);
  }
}

void Graph::link(NodeId id, std::size_t i) {
  const ValueId input = node(id).inputs[i];
  if (input == kNoValue) return;
  std::vector<NodeId>& consumers = value(input).consumers;
  consumers.push_back(id);
  if (!uses_) return;
  uses_->slots.resize(values_.size());
  uses_->places.resize(nodes_.size());
  uses_->places[at(id)].resize(node(id).inputs.size());
  uses_->slots[at(input)].push_back(i);
  uses_->places[at(id)][i] = consumers.size() - 1;
}

void Graph::unlink(NodeId id, std::size_t i) {
  const ValueId input = node(id).inputs[i];
  if (input == kNoValue) return;
  std::vector<NodeId>& consumers = value(input).consumers;
  std::vector<std::size_t>& slots = uses_->slots[at(input)];
  const std::size_t place = uses_->places[at(id)][i];
  // The last one moves into the gap.
  consumers[place] = consumers.back();
  slots[place] = slots.back();
  uses_->places[at(consumers[place])][slots[place]] = place;
  consumers.pop_back();
  slots.pop_back();
}

void Graph::detach(NodeId id) {
  index_uses();
  const Node& n = node(id);
  for (std::size_t i = 0; i < n.inputs.size(); ++i) unlink(id, i);
  for (const ValueId output : n.outputs) {
    if (output != kNoValue && value(output).producer == id) value(output).producer = kNoNode;
  }
  lean_ = false;
}

NodeId Graph::add_node(Node new_node) {
  const auto id = static_cast<NodeId>(nodes_.size());
  nodes_.push_back(std::move(new_node));
  for (const ValueId output : node(id).outputs) {
    if (output == kNoValue) continue;
    const Value& v = value(output);
    if (v.producer != kNoNode || v.constant || v.graph_input) {
      const ErrorDetails details{.file = file, .node = label(id), .op = op_label(node(id))};
      const std::string value_name = v.name;
      nodes_.pop_back();
      throw Error(ErrorCode::model, "the value '" + value_name + "' is written twice", details);
    }
  }
  order_.push_back(id);
  for (std::size_t i = 0; i < node(id).inputs.size(); ++i) link(id, i);
  for (const ValueId output : node(id).outputs) {
    if (output == kNoValue) continue;
    value(output).producer = id;
    if (!value(output).consumers.empty()) sorted_ = false;  // by a node before this one, or by itself
  }
  lean_ = false;
  return id;
}

void Graph::remove_node(NodeId id) {
  detach(id);
  Node& n = nodes_[at(id)];
  n.alive = false;
  n.inputs.clear();
  n.outputs.clear();
  removed_ = true;
}

void Graph::purge() const {
  std::erase_if(order_, [this](NodeId id) { return !node(id).alive; });
  removed_ = false;
}

void Graph::set_input(NodeId id, std::size_t index, ValueId new_value) {
  index_uses();
  auto& list = nodes_[at(id)].inputs;
  if (index < list.size()) {
    unlink(id, index);
  } else {
    list.resize(index + 1, kNoValue);
  }
  list[index] = new_value;
  link(id, index);
  sorted_ = lean_ = false;
}

void Graph::set_output(NodeId id, std::size_t index, ValueId new_value) {
  auto& list = nodes_[at(id)].outputs;
  if (index >= list.size()) list.resize(index + 1, kNoValue);
  if (list[index] != kNoValue && value(list[index]).producer == id) value(list[index]).producer = kNoNode;
  list[index] = new_value;
  if (new_value != kNoValue) value(new_value).producer = id;
  sorted_ = lean_ = false;
}

void Graph::replace_uses(ValueId from, ValueId to) {
  index_uses();
  uses_->slots.resize(values_.size());
  const std::vector<NodeId> users = std::move(value(from).consumers);
  const std::vector<std::size_t> slots = std::move(uses_->slots[at(from)]);
  value(from).consumers.clear();
  uses_->slots[at(from)].clear();
  for (std::size_t i = 0; i < users.size(); ++i) {
    nodes_[at(users[i])].inputs[slots[i]] = to;
    link(users[i], slots[i]);
  }
  sorted_ = lean_ = false;
}

void Graph::set_op(NodeId id, std::string op_type, std::string domain, int opset) {
  Node& n = nodes_[at(id)];
  n.op_type = std::move(op_type);
  n.domain = std::move(domain);
  n.opset = opset;
}

void Graph::sort() {
  if (sorted_) return;
  purge();
  std::vector<std::int32_t> waiting(nodes_.size(), 0);  // inputs not yet produced
  std::priority_queue<NodeId, std::vector<NodeId>, std::greater<>> ready;
  // Ties go to the place in the present order, which keeps a sorted list as it is.
  std::vector<std::int32_t> place(nodes_.size(), 0);
  for (std::size_t i = 0; i < order_.size(); ++i) place[at(order_[i])] = static_cast<std::int32_t>(i);
  for (const NodeId id : order_) {
    for (const ValueId input : node(id).inputs) {
      if (input != kNoValue && value(input).producer != kNoNode) ++waiting[at(id)];
    }
    if (waiting[at(id)] == 0) ready.push(place[at(id)]);
  }
  std::vector<NodeId> sorted;
  sorted.reserve(order_.size());
  while (!ready.empty()) {
    const NodeId id = order_[at(ready.top())];
    ready.pop();
    sorted.push_back(id);
    for (const ValueId output : node(id).outputs) {
      if (output == kNoValue) continue;
      for (const NodeId user : value(output).consumers) {
        if (--waiting[at(user)] == 0) ready.push(place[at(user)]);
      }
    }
  }
  if (sorted.size() != order_.size()) {
    for (const NodeId id : order_) {
      if (waiting[at(id)] > 0) {
        throw Error(ErrorCode::model, "the graph has a cycle",
                    {.file = file, .node = label(id), .op = op_label(node(id))});
      }
    }
  }
  order_ = std::move(sorted);
  sorted_ = true;
}

void Graph::remove_dead() {
  if (lean_) return;
  purge();
  std::vector<NodeId> kept;
  kept.reserve(order_.size());
  for (auto it = order_.rbegin(); it != order_.rend(); ++it) {
    const Node& n = node(*it);
    const bool used = std::any_of(n.outputs.begin(), n.outputs.end(), [this](ValueId output) {
      return output != kNoValue && (value(output).graph_output || !value(output).consumers.empty());
    });
    if (used) {
      kept.push_back(*it);
    } else {
      detach(*it);
      Node& dead = nodes_[at(*it)];
      dead.alive = false;
      dead.inputs.clear();
      dead.outputs.clear();
    }
  }
  order_.assign(kept.rbegin(), kept.rend());
  for (Value& v : values_) {
    if (v.constant && v.consumers.empty() && !v.graph_output && !v.graph_input) v.constant.reset();
  }
  lean_ = true;
}

}  // namespace linnet::graph
