// Whatever passes are switched off, a network computes the same function.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "linnet/linnet.h"
#include "support/compare.h"
#include "support/data_dir.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace {

using namespace linnet;

/// Two ways to compute a network in float32 may differ by the roundings of its layers: some ten units in the last place of
/// its largest output.
void check_close(const Tensor& actual, const Tensor& expected) {
  const reference::Tensor right = test::to_reference(expected);
  double largest = 0;
  for (const double value : right.reals) largest = std::max(largest, std::fabs(value));
  const auto comparison = test::compare(test::to_reference(actual), right, {0, 2e-5 * largest});
  INFO(comparison.text);
  CHECK(comparison.ok);
}

void check_passes(const std::string& path, const Shape& shape) {
  test::Random random(11);
  const Tensor input = test::from_reference(test::random_reals(random, shape, -2, 2));
  const Model model = Model::load(path);
  Session usual(model);
  const Tensor expected = usual.run(input).at(0);
  SessionOptions none;
  for (const PassReport& pass : usual.plan().report().passes) {
    INFO("without " << pass.name);
    none.disabled_passes.push_back(pass.name);
    SessionOptions options;
    options.disabled_passes = {pass.name};
    Session session(model, options);
    check_close(session.run(input).at(0), expected);
  }
  INFO("without any pass");
  Session session(model, none);
  check_close(session.run(input).at(0), expected);
}

}  // namespace

TEST_CASE("the bundled network computes the same without any one of its passes") {
  check_passes((test::source_dir() / "examples" / "cifar10-resnet20" / "model" / "model.onnx").string(),
               {2, 3, 32, 32});
}

TEST_CASE("real networks compute the same without any one of their passes") {
  const auto check = [](const std::string& name, const Shape& image) {
    const auto model = test::data_dir() / "models" / name / "model.onnx";
    if (!test::skip_without(model)) check_passes(model.string(), image);
  };
  check("resnet18", {1, 3, 224, 224});
  check("mnist-8", {1, 1, 28, 28});
  check("ultraface", {1, 3, 240, 320});
}

TEST_CASE("an unknown pass is refused") {
  const auto path = test::source_dir() / "examples" / "cifar10-resnet20" / "model" / "model.onnx";
  SessionOptions options;
  options.disabled_passes = {"no_such_pass"};
  CHECK_THROWS_AS(Session(Model::load(path.string()), options), Error);
}
