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

/// The data of a set by number: each file holds what the model says its input or output is.
std::vector<NamedDatum> load_numbered(const std::filesystem::path& folder, const std::string& stem,
                                      const std::vector<ValueInfo>& infos) {
  std::vector<NamedDatum> data;
  for (std::size_t i = 0;; ++i) {
    const auto path = folder / (stem + "_" + std::to_string(i) + ".pb");
    if (!std::filesystem::exists(path)) return data;
    std::string name;
    Datum datum = load_datum(path.string(), infos.at(i).kind, &name);
    const bool named = std::any_of(infos.begin(), infos.end(), [&](const ValueInfo& info) { return info.name == name; });
    data.emplace_back(named ? name : infos.at(i).name, std::move(datum));
  }
}

/// Empty if they agree.
std::string compare(const Datum& found, const Datum& expected) {
  if (found.index() != expected.index()) return to_string(found) + " instead of " + to_string(expected);
  if (const auto* tensor = std::get_if<Tensor>(&expected)) {
    const auto comparison = test::compare(test::to_reference(std::get<Tensor>(found)), test::to_reference(*tensor), test::kOnnxTolerance);
    return comparison.ok ? "" : comparison.text;
  }
  const auto* sequence = std::get_if<Sequence>(&expected);
  if (sequence == nullptr) return {};
  if (sequence->size() != std::get<Sequence>(found).size()) return to_string(found) + " instead of " + to_string(expected);
  for (std::size_t i = 0; i < sequence->size(); ++i) {
    const std::string text = compare(std::get<Sequence>(found)[i], (*sequence)[i]);
    if (!text.empty()) return "element " + std::to_string(i) + ": " + text;
  }
  return {};
}

/// Empty if everything agrees.
std::string check_case(const std::filesystem::path& folder) {
  Session session(Model::load((folder / "model.onnx").string()));
  for (const auto& path : test::data_sets_of(folder)) {
    const std::vector<NamedDatum> expected = load_numbered(path, "output", session.plan().outputs());
    const std::vector<Datum> outputs = session.run_data(load_numbered(path, "input", session.plan().inputs()));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const std::string difference = compare(outputs.at(i), expected[i].second);
      if (!difference.empty()) return "output " + std::to_string(i) + ": " + difference;
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

TEST_CASE("ONNX's node tests pass or are refused") { check_folder("node", 740); }
TEST_CASE("ONNX's simple tests pass or are refused") { check_folder("simple", 15); }
TEST_CASE("ONNX's pytorch-converted tests pass") { check_folder("pytorch-converted", 82); }
TEST_CASE("ONNX's pytorch-operator tests pass") { check_folder("pytorch-operator", 35); }
