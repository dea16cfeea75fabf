// The wire reader and the loader: bytes to a graph, every constant of which is then read.
#include "fuzz/fuzz_target.h"
#include "graph/verify.h"
#include "onnx/load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace linnet;
  fuzz::may_refuse([&] {
    const graph::Graph graph = onnx::load_graph(fuzz::bytes_of(data, size), nullptr, "fuzz.onnx", fuzz::small_load());
    graph::verify(graph);
    volatile unsigned sum = 0;
    for (graph::ValueId id = 0; id < graph.value_count(); ++id) {
      const auto& constant = graph.value(id).constant;
      if (!constant) continue;
      const auto* const bytes = static_cast<const std::uint8_t*>(constant->raw());
      for (std::size_t i = 0; i < constant->bytes(); ++i) sum = sum + bytes[i];
    }
  });
  return 0;
}
