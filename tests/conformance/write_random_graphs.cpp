// write_random_graphs OUT FIRST COUNT: draws random graphs by seed and writes each as OUT/<seed>: model.onnx, and in
// test_data_set_0 its inputs, Linnet's outputs, and beside each output_<i>.pb a bound_<i>.pb: how far a float32 engine may be
// from the exact result, element by element, by the analysis of the oracle in tests/reference.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "linnet/linnet.h"
#include "support/compare.h"
#include "support/onnx_builder.h"
#include "support/random_graph.h"
#include "support/tensor_adapter.h"

namespace {

using namespace linnet;
using test::RandomGraph;
namespace fs = std::filesystem;

void write_file(const fs::path& path, const std::string& text) {
  std::ofstream stream(path, std::ios::binary);
  stream << text;
  stream.close();
  if (!stream) throw Error(ErrorCode::io, "cannot write", {.file = path.string()});
}

void write_tensor(const fs::path& path, const std::string& name, const Tensor& tensor) {
  write_file(path, test::onnx_tensor(name, tensor).text());
}

reference::Tensor bound_of(const reference::Tensor& exact) {
  reference::Tensor bound = reference::Tensor::make(reference::Type::float64, exact.shape);
  for (std::int64_t i = 0; i < exact.size(); ++i)
    bound.reals[static_cast<std::size_t>(i)] = test::allowed_error(exact, i);
  return bound;
}

void write_graph(const RandomGraph& graph, const fs::path& folder) {
  const fs::path data = folder / "test_data_set_0";
  fs::create_directories(data);
  const std::vector<std::byte> file = test::encode(graph);
  write_file(folder / "model.onnx", std::string(reinterpret_cast<const char*>(file.data()), file.size()));

  std::vector<NamedTensor> inputs;
  for (const auto& [name, tensor] : graph.inputs) {
    inputs.emplace_back(name, test::from_reference(tensor));
    write_tensor(data / ("input_" + std::to_string(inputs.size() - 1) + ".pb"), name, inputs.back().second);
  }
  reference::Options options;
  options.bound_errors = true;
  options.winograd = true;
  const reference::Tensors exact = reference::run(graph.model, graph.inputs, options);
  Session session(Model::load(file));
  const std::vector<Tensor> outputs = session.run(inputs);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = graph.model.outputs[i];
    write_tensor(data / ("output_" + std::to_string(i) + ".pb"), name, outputs[i]);
    write_tensor(data / ("bound_" + std::to_string(i) + ".pb"), name, test::from_reference(bound_of(exact.at(name))));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "write_random_graphs OUT FIRST COUNT\n";
    return exit_code(ErrorCode::usage);
  }
  try {
    const std::uint64_t first = std::stoull(argv[2]), count = std::stoull(argv[3]);
    for (std::uint64_t seed = first; seed < first + count; ++seed)
      write_graph(test::make_random_graph(seed), fs::path(argv[1]) / std::to_string(seed));
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
