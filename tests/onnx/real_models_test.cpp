// Files that others wrote.
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>

#include "onnx/loading.h"
#include "support/data_dir.h"

using namespace linnet;
using namespace linnet::test;
namespace fs = std::filesystem;

namespace {

/// Loads every .onnx file below `folder`. Whatever is refused must be so for an operator or type that Linnet has not.
void load_all(const fs::path& folder) {
  if (skip_without(folder)) return;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".onnx") continue;
    INFO(entry.path().string());
    try {
      const graph::Graph graph = onnx::load_graph(entry.path().string(), {});
      CHECK_FALSE(graph.outputs.empty());
    } catch (const Error& error) {
      INFO(error.what());
      CHECK(error.code() == ErrorCode::unsupported);
    }
  }
}

}  // namespace

TEST_CASE("the models of the data folder are read") { load_all(data_dir() / "models"); }

TEST_CASE("the models of the ONNX backend tests are read") { load_all(onnx_testdata_dir()); }

TEST_CASE("the bundled model loads from its path and from memory alike") {
  const fs::path path = bundled_model();
  const graph::Graph from_file = onnx::load_graph(path.string(), {});
  const std::vector<std::byte> bytes = read_bytes(path);
  const graph::Graph from_memory = load(bytes);
  REQUIRE(from_file.value_count() == from_memory.value_count());
  for (graph::ValueId id = 0; id < from_file.value_count(); ++id) {
    const auto& a = from_file.value(id).constant;
    const auto& b = from_memory.value(id).constant;
    REQUIRE(a.has_value() == b.has_value());
    if (a) CHECK(std::memcmp(a->raw(), b->raw(), a->bytes()) == 0);
  }
}
