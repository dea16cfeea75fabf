// Where a model says that its tensors lie: key=value lines become the entries of one tensor with external data.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/fuzz_target.h"
#include "onnx/load.h"
#include "support/onnx_builder.h"
#include "support/temp_dir.h"

namespace {

using namespace linnet;

/// A folder with a data file, a folder and a link in it, and beside it a file that must never be read.
struct Folders {
  test::TempDir outer;
  std::filesystem::path folder = outer.path() / "model";
  Folders() {
    std::filesystem::create_directories(folder / "sub");
    std::ofstream(folder / "w.bin") << std::string(64, 'w');
    std::ofstream(folder / "sub" / "w.bin") << std::string(64, 's');
    std::ofstream(outer.path() / "secret") << std::string(64, 'X');
    std::filesystem::create_symlink(outer.path() / "secret", folder / "link");
    std::filesystem::create_directory_symlink(outer.path(), folder / "up");
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folders folders;
  std::vector<std::pair<std::string, std::string>> entries;
  std::string_view text = fuzz::text_of(data, size);
  while (!text.empty() && entries.size() < 8) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t equals = std::min(line.find('='), line.size());
    entries.emplace_back(line.substr(0, equals), line.substr(std::min(equals + 1, line.size())));
  }
  test::OnnxModel model(8, 13);
  model.graph.name("g")
      .node(test::OnnxNode("Add", {"x", "w"}, {"y"}))
      .initializer(test::onnx_external_tensor("w", 1, {4}, entries))
      .input("x", DataType::float32, {4})
      .output("y", DataType::float32, {4});
  fuzz::may_refuse([&] {
    LoadOptions options = fuzz::small_load();
    options.external_data_dir = folders.folder.string();
    const graph::Graph graph = onnx::load_graph(model.bytes(), nullptr, "fuzz.onnx", options);
    const auto& constant = graph.value(graph.find_value("w")).constant;
    if (constant && *static_cast<const char*>(constant->raw()) == 'X') std::abort();  // it has left its folder
  });
  return 0;
}
