// The oracle itself, against someone else's answers: the ONNX backend test data.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>

#include "linnet/error.h"
#include "onnx/load.h"
#include "reference/interpreter.h"
#include "support/compare.h"
#include "support/data_dir.h"
#include "support/graph_adapter.h"
#include "support/onnx_case.h"
#include "support/tensor_adapter.h"

namespace {

using namespace linnet;

struct Tally {
  int passed = 0;
  int failed = 0;
  int left_open = 0;  // the oracle or the data set says so
  int refused_by_loader = 0;
  std::map<std::string, int> missing;  // operators the oracle lacks, and how many cases need them
  std::string failures;

  [[nodiscard]] std::string summary(const std::string& folder) const {
    std::ostringstream text;
    text << folder << ": " << passed << " passed, " << failed << " failed, " << left_open << " left open, "
         << refused_by_loader << " not loaded";
    if (!missing.empty()) text << "; without a reference:";
    for (const auto& [name, count] : missing) text << ' ' << name << '(' << count << ')';
    return text.str();
  }
};

std::set<std::string> missing_operators(const graph::Graph& graph) {
  std::set<std::string> missing;
  for (const graph::NodeId id : graph.order()) {
    const graph::Node& node = graph.node(id);
    if (!reference::knows(node.domain, node.op_type)) missing.insert(node.op_type);
  }
  return missing;
}

/// Data sets of before ONNX could store bfloat16 call its bits uint16.
void require_declared(const graph::Graph& graph, graph::ValueId id, const linnet::Tensor& tensor) {
  const DataType declared = graph.value(id).desc.type;
  if (declared != DataType::undefined && declared != tensor.type())
    throw reference::Unjudged("the data set contradicts the model: '" + graph.value(id).name + "'");
}

/// Inputs by name where the files have names that the graph knows, else by their place.
reference::Tensors bind_inputs(const graph::Graph& graph, const test::DataSet& data) {
  reference::Tensors inputs;
  for (std::size_t i = 0; i < data.inputs.size(); ++i) {
    const auto& [name, tensor] = data.inputs[i];
    const graph::ValueId named = graph.find_value(name);
    const bool is_input = named != graph::kNoValue && graph.value(named).graph_input;
    const graph::ValueId id = is_input ? named : graph.inputs.at(i);
    require_declared(graph, id, tensor);
    inputs[graph.value(id).name] = test::to_reference(tensor);
  }
  return inputs;
}

/// Empty if all outputs of all data sets agree.
std::string check_case(const std::filesystem::path& folder, const graph::Graph& graph) {
  reference::Options options;
  options.round_results = true;
  for (const auto& data_folder : test::data_sets_of(folder)) {
    const test::DataSet data = test::load_data_set(data_folder);
    const auto inputs = bind_inputs(graph, data);
    for (std::size_t i = 0; i < data.outputs.size(); ++i)
      require_declared(graph, graph.outputs.at(i), data.outputs[i].second);
    const auto outputs = test::interpret(graph, inputs, options);
    for (std::size_t i = 0; i < data.outputs.size(); ++i) {
      const auto expected = test::to_reference(data.outputs[i].second);
      const test::Comparison comparison = test::compare(outputs.at(i), expected, test::kOnnxTolerance);
      if (!comparison.ok) return data.name + " output " + std::to_string(i) + ": " + comparison.text;
    }
  }
  return {};
}

std::optional<graph::Graph> load_case(const std::filesystem::path& folder) {
  try {
    return onnx::load_graph((folder / "model.onnx").string(), {});
  } catch (const Error&) {
    return std::nullopt;
  }
}

Tally run_folder(const std::filesystem::path& folder) {
  Tally tally;
  for (const auto& path : test::folders_of(folder)) {
    const std::string name = path.filename().string();
    const auto graph = load_case(path);
    if (!graph) {
      ++tally.refused_by_loader;
      continue;
    }
    std::set<std::string> missing = missing_operators(*graph);
    const auto is_tensor = [&](linnet::graph::ValueId id) {
      return graph->value(id).desc.kind == linnet::ValueKind::tensor;
    };
    if (!std::all_of(graph->inputs.begin(), graph->inputs.end(), is_tensor))
      missing.insert("inputs that are no tensors");
    for (const std::string& op_type : missing) ++tally.missing[op_type];
    if (!missing.empty()) continue;
    std::string failure;
    try {
      failure = check_case(path, *graph);
    } catch (const reference::Unjudged&) {
      ++tally.left_open;
      continue;
    } catch (const std::exception& error) {
      failure = error.what();
    }
    if (failure.empty()) {
      ++tally.passed;
    } else {
      ++tally.failed;
      tally.failures += "  " + name + ": " + failure + "\n";
    }
  }
  return tally;
}

void check_folder(const std::string& name, int at_least) {
  const auto folder = test::onnx_testdata_dir() / name;
  if (test::skip_without(folder)) return;
  const Tally tally = run_folder(folder);
  UNSCOPED_INFO(tally.failures);
  WARN(tally.summary(name));
  CHECK(tally.failed == 0);
  CHECK(tally.passed >= at_least);
}

}  // namespace

TEST_CASE("the interpreter agrees with ONNX's node tests") { check_folder("node", 600); }
TEST_CASE("the interpreter agrees with ONNX's pytorch-converted tests") { check_folder("pytorch-converted", 60); }
TEST_CASE("the interpreter agrees with ONNX's pytorch-operator tests") { check_folder("pytorch-operator", 30); }
TEST_CASE("the interpreter agrees with ONNX's simple tests") { check_folder("simple", 1); }
