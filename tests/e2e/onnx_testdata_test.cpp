// The engine on the ONNX backend test data, by way of the public API: right, or refused with a reason.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "linnet/linnet.h"
#include "support/compare.h"
#include "support/data_dir.h"
#include "support/onnx_case.h"
#include "support/tensor_adapter.h"

namespace {

using namespace linnet;

struct Tally {
  int passed = 0;
  int failed = 0;
  int refused = 0;
  std::string failures;
  std::string refusals;
};

std::vector<NamedTensor> bind(const Session& session, const test::DataSet& data) {
  std::vector<NamedTensor> inputs;
  const std::vector<ValueInfo>& infos = session.plan().inputs();
  for (std::size_t i = 0; i < data.inputs.size(); ++i) {
    const auto& [name, tensor] = data.inputs[i];
    const bool named = std::any_of(infos.begin(), infos.end(),
                                   [&wanted = name](const ValueInfo& info) { return info.name == wanted; });
    inputs.emplace_back(named ? name : infos.at(i).name, tensor);
  }
  return inputs;
}

/// Empty if everything agrees.
std::string check_case(const std::filesystem::path& folder) {
  Session session(Model::load((folder / "model.onnx").string()));
  for (const auto& path : test::data_sets_of(folder)) {
    const test::DataSet data = test::load_data_set(path);
    const std::vector<Tensor> outputs = session.run(bind(session, data));
    for (std::size_t i = 0; i < data.outputs.size(); ++i) {
      const auto comparison = test::compare(test::to_reference(outputs.at(i)),
                                            test::to_reference(data.outputs[i].second), test::kOnnxTolerance);
      if (!comparison.ok) return "output " + std::to_string(i) + ": " + comparison.text;
    }
  }
  return {};
}

/// Its expected outputs break the operator's text, or the files hold another type than the model says.
bool is_exception(const std::string& name) {
  const auto contains = [&](const char* part) { return name.find(part) != std::string::npos; };
  return contains("BFLOAT16") || (contains("downsample_scales") && contains("align_corners"));
}

Tally run_folder(const std::filesystem::path& folder) {
  Tally tally;
  for (const auto& path : test::folders_of(folder)) {
    const std::string name = path.filename().string();
    if (is_exception(name)) continue;
    std::string failure;
    try {
      failure = check_case(path);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::unsupported) {
        ++tally.refused;
        tally.refusals += "  " + name + ": " + error.what() + "\n";
        continue;
      }
      failure = error.what();
    }
    if (failure.empty()) {
      ++tally.passed;
      continue;
    }
    ++tally.failed;
    tally.failures += "  " + name + ": " + failure + "\n";
  }
  return tally;
}

void check_folder(const std::string& name, int at_least) {
  const auto folder = test::onnx_testdata_dir() / name;
  if (test::skip_without(folder)) return;
  const Tally tally = run_folder(folder);
  WARN(name << ": " << tally.passed << " passed, " << tally.failed << " failed, " << tally.refused << " refused");
  UNSCOPED_INFO(tally.failures);
  CHECK(tally.failed == 0);
  UNSCOPED_INFO(tally.refusals);
  CHECK(tally.passed >= at_least);
}

}  // namespace

TEST_CASE("ONNX's node tests pass or are refused") { check_folder("node", 630); }
TEST_CASE("ONNX's pytorch-converted tests pass") { check_folder("pytorch-converted", 78); }
TEST_CASE("ONNX's pytorch-operator tests pass") { check_folder("pytorch-operator", 32); }
