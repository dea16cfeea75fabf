#include "ops/node_context.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace linnet::ops {

namespace {

std::string attribute_label(std::string_view name) { return "attribute '" + std::string(name) + "'"; }

/// The attribute as a T; null where absent.
template <typename T>
const T* attribute(const NodeContext& context, std::string_view name, const char* kind) {
  const graph::Attribute* found = context.node().attributes.find(name);
  if (found == nullptr) return nullptr;
  const T* value = std::get_if<T>(found);
  if (value == nullptr) {
    context.fail(ErrorCode::model, "an attribute is of the wrong kind", attribute_label(name), kind, to_string(*found));
  }
  return value;
}

template <typename T>
T attribute_or(const NodeContext& context, std::string_view name, const char* kind, T fallback) {
  const T* value = attribute<T>(context, name, kind);
  return value == nullptr ? std::move(fallback) : *value;
}

/// One extent of a broadcast result; false where the two cannot meet.
bool broadcast_dim(const graph::Dim& a, const graph::Dim& b, graph::Dim& result) {
  const auto is_one = [](const graph::Dim& d) { return d.known() && d.value == 1; };
  if (is_one(a)) {
    result = b;
  } else if (is_one(b) || a.same_as(b)) {
    result = a;
  } else if (a.known() && b.known()) {
    return false;
  } else if (a.known() || b.known()) {
    result = a.known() ? a : b;  // the unknown one is this or 1, or the model is broken
  } else {
    result = graph::Dim();
  }
  return true;
}

}  // namespace

bool NodeContext::has_input(std::size_t i) const {
  return i < node().inputs.size() && node().inputs[i] != graph::kNoValue;
}

bool NodeContext::has_output(std::size_t i) const {
  return i < node().outputs.size() && node().outputs[i] != graph::kNoValue;
}

const graph::TensorDesc& NodeContext::input(std::size_t i) const {
  if (!has_input(i)) fail(ErrorCode::model, "a required input is missing", "input " + std::to_string(i));
  return graph_.value(node().inputs[i]).desc;
}

const Tensor* NodeContext::constant(std::size_t i) const {
  if (!has_input(i)) return nullptr;
  const graph::Value& value = graph_.value(node().inputs[i]);
  return value.is_constant() ? &*value.constant : nullptr;
}

std::vector<std::int64_t> NodeContext::constant_ints(std::size_t i) const {
  const graph::TensorDesc& desc = input(i);
  const bool integers = desc.type == DataType::int64 || desc.type == DataType::int32;
  if (!integers) {
    fail(ErrorCode::model, "an input is of the wrong type", input_label(i), "int64 or int32",
         std::string(to_string(desc.type)));
  }
  const Tensor* tensor = constant(i);
  if (tensor == nullptr) {
    fail(ErrorCode::unsupported, "this input must be known before the model runs", input_label(i), "a constant",
         graph::to_string(desc));
  }
  if (tensor->rank() > 1)
    fail(ErrorCode::model, "an input is not a list", input_label(i), "1-D", graph::to_string(desc));
  if (tensor->type() == DataType::int64)
    return {tensor->data<std::int64_t>().begin(), tensor->data<std::int64_t>().end()};
  return {tensor->data<std::int32_t>().begin(), tensor->data<std::int32_t>().end()};
}

std::int64_t NodeContext::constant_int(std::size_t i) const {
  const std::vector<std::int64_t> list = constant_ints(i);
  if (list.size() == 1) return list.front();
  fail(ErrorCode::model, "an input is not one number", input_label(i), "one element", std::to_string(list.size()));
}

std::int64_t NodeContext::attribute_int(std::string_view name, std::int64_t fallback) const {
  return attribute_or<std::int64_t>(*this, name, "an integer", fallback);
}

float NodeContext::attribute_float(std::string_view name, float fallback) const {
  return attribute_or<float>(*this, name, "a float", fallback);
}

std::string NodeContext::attribute_string(std::string_view name, std::string_view fallback) const {
  return attribute_or<std::string>(*this, name, "a string", std::string(fallback));
}

std::vector<std::int64_t> NodeContext::attribute_ints(std::string_view name, std::vector<std::int64_t> fallback) const {
  return attribute_or<std::vector<std::int64_t>>(*this, name, "a list of integers", std::move(fallback));
}

std::vector<float> NodeContext::attribute_floats(std::string_view name, std::vector<float> fallback) const {
  return attribute_or<std::vector<float>>(*this, name, "a list of floats", std::move(fallback));
}

const Tensor* NodeContext::attribute_tensor(std::string_view name) const {
  return attribute<Tensor>(*this, name, "a tensor");
}

std::size_t NodeContext::axis(std::int64_t value, std::size_t rank, std::string_view where) const {
  const auto n = static_cast<std::int64_t>(rank);
  if (value < -n || value >= n) {
    fail(ErrorCode::model, "an axis is out of range", std::string(where),
         "from " + std::to_string(-n) + " to " + std::to_string(n - 1), std::to_string(value));
  }
  return static_cast<std::size_t>(value < 0 ? value + n : value);
}

void NodeContext::fail(ErrorCode code, std::string message, std::string where, std::string expected,
                       std::string found) const {
  throw Error(code, std::move(message),
              {.file = graph_.file,
               .node = graph_.label(id_),
               .op = op_label(node()),
               .where = std::move(where),
               .expected = std::move(expected),
               .found = std::move(found)});
}

std::string NodeContext::input_label(std::size_t i) const {
  std::string text = "input " + std::to_string(i);
  if (has_input(i)) text += " '" + graph_.value(node().inputs[i]).name + "'";
  return text;
}

graph::DimList broadcast(const NodeContext& context, const graph::DimList& a, const graph::DimList& b) {
  graph::DimList result(std::max(a.size(), b.size()));
  for (std::size_t i = 0; i < result.size(); ++i) {  // counted from the innermost axis
    const graph::Dim& x = i < a.size() ? a[a.size() - 1 - i] : graph::Dim(1);
    const graph::Dim& y = i < b.size() ? b[b.size() - 1 - i] : graph::Dim(1);
    if (!broadcast_dim(x, y, result[result.size() - 1 - i])) {
      const graph::TensorDesc left{DataType::undefined, a, graph::Layout::plain};
      const graph::TensorDesc right{DataType::undefined, b, graph::Layout::plain};
      context.fail(ErrorCode::model, "two shapes cannot be broadcast to each other", {}, {},
                   graph::to_string(left) + " and " + graph::to_string(right));
    }
  }
  return result;
}

}  // namespace linnet::ops
