// The oracle's own model: nodes over named tensors, in an order in which they can run.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "reference/tensor.h"

namespace linnet::reference {

using Attribute = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>,
                               std::vector<std::string>, Tensor>;

struct Node {
  std::string name;
  std::string op_type;
  std::string domain;  // "" is ai.onnx
  int opset = 0;
  std::vector<std::string> inputs;   // "": omitted
  std::vector<std::string> outputs;  // "": omitted
  std::map<std::string, Attribute> attributes;
};

using Tensors = std::map<std::string, Tensor>;

struct Model {
  std::vector<Node> nodes;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  Tensors constants;  // initializers; an input of the same name overrides one
};

}  // namespace linnet::reference
