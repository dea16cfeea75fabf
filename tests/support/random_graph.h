// Random networks with fixed seeds, as ONNX bytes and as the oracle's model.
//
//   const RandomGraph graph = make_random_graph(17);
//   Session session(Model::load(encode(graph)));
//   const reference::Tensors right = reference::run(graph.model, graph.inputs, options);
//
// All operators used keep the images of a batch apart, so that an image's result may not depend on its batch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "reference/interpreter.h"

namespace linnet::test {

enum class Numbers : std::uint8_t {
  real,   // random reals: results are compared within derived bounds
  exact,  // small integers and operators that are exact on them: results are compared with ==
};

struct RandomGraph {
  std::uint64_t seed = 0;
  reference::Model model;
  reference::Tensors inputs;
  int opset = 13;
  int ir_version = 8;
  bool symbolic_batch = false;
  std::vector<std::string> overridable;  // initializers that are inputs too
};

RandomGraph make_random_graph(std::uint64_t seed, Numbers numbers = Numbers::real);

/// The ONNX file.
std::vector<std::byte> encode(const RandomGraph& graph);
/// The nodes, a line each, for the report of a failure.
std::string describe(const RandomGraph& graph);

/// A smaller graph for which `fails` still holds: other outputs, nodes left out, values made inputs.
RandomGraph shrink(RandomGraph graph, const std::function<bool(const RandomGraph&)>& fails);

}  // namespace linnet::test
