#include "reference/call.h"

#include <stdexcept>

namespace linnet::reference {

namespace {

template <typename T>
T get(const Call& call, const std::string& name, T fallback) {
  const auto found = call.node().attributes.find(name);
  if (found == call.node().attributes.end()) return fallback;
  const T* value = std::get_if<T>(&found->second);
  if (value == nullptr) call.fail("attribute '" + name + "' has another kind");
  return *value;
}

}  // namespace

const Tensor& Call::in(std::size_t i) const {
  if (!has(i)) fail("input " + std::to_string(i) + " is missing");
  return inputs_[i];
}

std::vector<std::int64_t> Call::integers(std::size_t i) const {
  const Tensor& tensor = in(i);
  require(!is_real(tensor.type), "input " + std::to_string(i) + " is not of integers");
  return tensor.integers;
}

std::int64_t Call::attribute(const std::string& name, std::int64_t fallback) const {
  return get(*this, name, fallback);
}
double Call::attribute(const std::string& name, double fallback) const { return get(*this, name, fallback); }
std::string Call::attribute(const std::string& name, const std::string& fallback) const {
  return get(*this, name, fallback);
}
std::vector<std::int64_t> Call::attribute(const std::string& name, std::vector<std::int64_t> fallback) const {
  return get(*this, name, std::move(fallback));
}
std::vector<double> Call::reals_attribute(const std::string& name) const {
  return get(*this, name, std::vector<double>());
}

const Tensor* Call::tensor_attribute(const std::string& name) const {
  const auto found = node_.attributes.find(name);
  return found == node_.attributes.end() ? nullptr : std::get_if<Tensor>(&found->second);
}

std::int64_t Call::axis(std::int64_t value, std::int64_t rank) const {
  require(value >= -rank && value < rank, "axis " + std::to_string(value) + " is outside rank " + std::to_string(rank));
  return value < 0 ? value + rank : value;
}

std::vector<std::int64_t> Call::input_or_attribute(std::size_t input, const std::string& name) const {
  return has(input) ? integers(input) : attribute(name, std::vector<std::int64_t>());
}

namespace {

std::string described(const Node& node, const std::string& why) {
  const std::string domain = node.domain.empty() ? "" : node.domain + ".";
  return domain + node.op_type + "-" + std::to_string(node.opset) + " '" + node.name + "': " + why;
}

}  // namespace

void Call::fail(const std::string& why) const { throw std::runtime_error(described(node_, why)); }

void Call::leave_open(const std::string& why) const { throw Unjudged(described(node_, why)); }

Tensor Call::make(Type type, Shape shape) const {
  Tensor tensor = Tensor::make(type, std::move(shape));
  if (options_.bound_errors) tensor.carry_errors();
  return tensor;
}

}  // namespace linnet::reference
