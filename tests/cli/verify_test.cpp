// linnet verify as a process: data sets and folders of cases that pass, fail and are refused.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "linnet/error.h"
#include "support/onnx_builder.h"
#include "support/program.h"

namespace {

using namespace linnet;
using namespace linnet::test;
using Json = nlohmann::json;
namespace fs = std::filesystem;

Tensor floats(const std::vector<float>& values) {
  return Tensor::of<float>({static_cast<std::int64_t>(values.size())}, values);
}

void write_tensor(const fs::path& path, const Tensor& tensor, const std::string& name = {}) {
  write_text(path, onnx_tensor(name, tensor).text());
}

/// y = op(x) with one data set.
void write_case(const fs::path& folder, const std::string& op, const Tensor& x, const Tensor& y) {
  write_text(folder / "model.onnx", onnx_single_node(OnnxNode(op, {"x"}, {"y"}), {"N"}).text());
  write_tensor(folder / "test_data_set_0" / "input_0.pb", x);
  write_tensor(folder / "test_data_set_0" / "output_0.pb", y);
}

/// What verify says of y = op(x), tensors of one extent.
Json verify_one(const std::string& op, const Tensor& x, const Tensor& y) {
  const TempDir dir;
  OnnxModel model;
  model.graph.name("g").input("x", x.type(), {"N"}).node(OnnxNode(op, {"x"}, {"y"}));
  model.graph.output("y", y.type(), {"N"});
  write_text(dir.path() / "model.onnx", model.text());
  write_tensor(dir.path() / "test_data_set_0" / "input_0.pb", x);
  write_tensor(dir.path() / "test_data_set_0" / "output_0.pb", y);
  return run_program({"verify", dir.path(), "--json"}).json();
}

const Tensor kX = floats({-1, 2}), kRelu = floats({0, 2}), kWrong = floats({0, 2.5F});

}  // namespace

TEST_CASE("verify passes what agrees and fails what does not") {
  const TempDir dir;
  write_case(dir.path(), "Relu", kX, kRelu);
  const std::string model = dir.path() / "model.onnx";
  const Ran passed = run_program({"verify", model});
  CHECK(passed.code == 0);
  CHECK(passed.err.empty());
  CHECK(passed.out.find("[PASS] test_data_set_0") == 0);
  CHECK(passed.out.find("1 passed, 0 failed, 0 refused") != std::string::npos);

  write_tensor(dir.path() / "test_data_set_1" / "input_0.pb", kX, "x");
  write_tensor(dir.path() / "test_data_set_1" / "output_0.pb", kWrong);
  const Ran both = run_program({"verify", dir.path(), "--json"});
  CHECK(both.code == 1);
  const Json json = both.json();
  CHECK(json["passed"] == 1);
  CHECK(json["failed"] == 1);
  CHECK(json["refused"] == 0);
  REQUIRE(json["cases"].size() == 2);
  CHECK(json["cases"][0]["status"] == "passed");
  CHECK(json["cases"][1]["name"] == "test_data_set_1");
  CHECK(json["cases"][1]["status"] == "failed");
  CHECK(json["cases"][1]["max_abs"] == 0.5);
  CHECK(json["cases"][1]["max_ulp"] == 2097152);  // 2 and 2.5 are a quarter of a binade apart
  CHECK(json["cases"][1]["reason"] == "output 'y' element 1 is 2, expected 2.5");

  // Of the data sets that are named only those count, and tolerances are the caller's.
  CHECK(run_program({"verify", model, dir.path() / "test_data_set_0"}).code == 0);
  CHECK(run_program({"verify", model, dir.path() / "test_data_set_1"}).code == 1);
  CHECK(run_program({"verify", model, "--rtol", "0.2"}).code == 0);
  CHECK(run_program({"verify", model, "--rtol", "0", "--atol", "0.5"}).code == 0);
  CHECK(run_program({"verify", model, "--rtol", "0", "--atol", "0.49"}).code == 1);
}

TEST_CASE("verify wants the type, the shape and the non-finite values exactly") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const auto code = [](const Tensor& x, const Tensor& y) {
    const TempDir dir;
    write_case(dir.path(), "Abs", x, y);
    return run_program({"verify", dir.path()}).code;
  };
  CHECK(code(floats({-inf, nan}), floats({inf, nan})) == 0);
  CHECK(code(floats({1, 1}), floats({1, nan})) == 1);
  CHECK(code(floats({1, nan}), floats({1, 1})) == 1);
  CHECK(code(floats({1, 3e38F}), floats({1, inf})) == 1);
  CHECK(code(floats({1, inf}), floats({1, -inf})) == 1);
  CHECK(code(floats({1, 2}), floats({1, 2}).reshaped({2, 1})) == 1);
  CHECK(code(floats({1, 2}), Tensor::of<double>({2}, std::vector<double>{1, 2})) == 1);
}

TEST_CASE("verify runs a folder of cases and says what is refused") {
  const TempDir dir;
  write_case(dir.path() / "a" / "relu", "Relu", kX, kRelu);
  write_case(dir.path() / "b" / "foreign", "Nonsense", kX, kRelu);
  const Ran some = run_program({"verify", dir.path(), "--json"});
  CHECK(some.code == 0);
  CHECK(some.json()["passed"] == 1);
  CHECK(some.json()["refused"] == 1);
  CHECK(some.json()["cases"][0]["name"] == "a/relu/test_data_set_0");
  CHECK(some.json()["cases"][1]["status"] == "refused");
  CHECK(some.json()["cases"][1]["reason"].get<std::string>().find("Nonsense") != std::string::npos);
  CHECK(run_program({"verify", dir.path() / "b" / "foreign"}).code == exit_code(ErrorCode::unsupported));
  write_case(dir.path() / "c", "Relu", kX, kWrong);
  CHECK(run_program({"verify", dir.path()}).code == 1);
}

TEST_CASE("verify --suite counts by operator") {
  const TempDir dir;
  write_case(dir.path() / "foreign", "Nonsense", kX, kRelu);
  write_case(dir.path() / "relu", "Relu", kX, kRelu);
  OnnxModel two;
  two.graph.name("g").input("x", DataType::float32, {"N"}).node(OnnxNode("Relu", {"x"}, {"t"}));
  two.graph.node(OnnxNode("Abs", {"t"}, {"y"})).output("y", DataType::float32, {"N"});
  write_case(dir.path() / "two", "Relu", kX, kRelu);
  write_text(dir.path() / "two" / "model.onnx", two.text());
  const Ran ran = run_program({"verify", "--suite", dir.path(), "--json"});
  CHECK(ran.code == 0);
  const Json operators = ran.json()["operators"];
  CHECK(operators.size() == 3);
  CHECK(operators["Relu"]["passed"] == 1);
  CHECK(operators["(several operators)"]["passed"] == 1);
  CHECK(operators["(refused models)"]["refused"] == 1);
  write_case(dir.path() / "wrong", "Relu", kX, kWrong);
  const Ran text = run_program({"verify", "--suite", dir.path()});
  CHECK(text.code == 1);
  CHECK(text.out.find("Relu                               1       1        0") != std::string::npos);
  CHECK(run_program({"verify", "--suite", dir.path(), dir.path()}).code == exit_code(ErrorCode::usage));
  CHECK(run_program({"verify"}).code == exit_code(ErrorCode::usage));
  CHECK(run_program({"verify", "--suite", dir.path() / "none"}).code == exit_code(ErrorCode::io));
}

TEST_CASE("verify fails a data set that is not complete") {
  const TempDir dir;
  OnnxModel model;
  model.graph.name("g").input("x", DataType::float32, {"N"}).node(OnnxNode("Relu", {"x"}, {"y"}));
  model.graph.node(OnnxNode("Neg", {"y"}, {"z"}))
      .output("y", DataType::float32, {"N"})
      .output("z", DataType::float32, {"N"});
  write_text(dir.path() / "model.onnx", model.text());
  const fs::path set = dir.path() / "test_data_set_0";
  write_tensor(set / "input_0.pb", kX);
  const Ran none = run_program({"verify", dir.path()});
  CHECK(none.code == 1);
  CHECK(none.out.find("no output_0.pb") != std::string::npos);
  write_tensor(set / "output_0.pb", kRelu);
  const Ran one = run_program({"verify", dir.path()});
  CHECK(one.code == 1);
  CHECK(one.out.find("the model has 2 outputs, the data set 1") != std::string::npos);
  write_tensor(set / "output_1.pb", floats({0, -2}));
  CHECK(run_program({"verify", dir.path()}).code == 0);
}

TEST_CASE("verify refuses a data set that contradicts the model") {
  const TempDir dir;
  OnnxModel model;
  model.graph.name("g").input("x", DataType::bfloat16, {"N"}).node(OnnxNode("Identity", {"x"}, {"y"}));
  model.graph.output("y", DataType::bfloat16, {"N"});
  write_text(dir.path() / "model.onnx", model.text());
  // As data sets of ONNX 1.12 have it: the bits of bfloat16, called uint16.
  const Tensor bits = Tensor::of<std::uint16_t>({2}, std::vector<std::uint16_t>{0x3F80, 0xC000});
  Tensor right(DataType::bfloat16, {2});
  std::memcpy(right.mutable_raw(), bits.raw(), bits.bytes());
  const auto verify = [&](const Tensor& x, const Tensor& y) {
    write_tensor(dir.path() / "test_data_set_0" / "input_0.pb", x);
    write_tensor(dir.path() / "test_data_set_0" / "output_0.pb", y);
    return run_program({"verify", dir.path()});
  };
  CHECK(verify(right, right).code == 0);
  for (const Ran& refused : {verify(bits, right), verify(right, bits)}) {
    CHECK(refused.code == exit_code(ErrorCode::unsupported));
    CHECK(refused.out.find("contradicts the model") != std::string::npos);
  }
  CHECK(verify(right.reshaped({2, 1}), right).code == exit_code(ErrorCode::unsupported));
  CHECK(verify(right, right.reshaped({2, 1})).code ==
        1);  // a wrong shape of a result is Linnet's until shown otherwise
}

TEST_CASE("verify compares integers exactly, sequences tensor by tensor, and counts the ULP of each type of float") {
  const auto integers = [](std::int64_t last) {
    return Tensor::of<std::int64_t>({2}, std::vector<std::int64_t>{1, last});
  };
  CHECK(verify_one("Abs", integers(-100000), integers(100000))["passed"] == 1);
  CHECK(verify_one("Abs", integers(-100000), integers(100001))["failed"] == 1);
  const auto doubles = [](double last) { return Tensor::of<double>({1}, std::vector<double>{last}); };
  CHECK(verify_one("Abs", doubles(-1), doubles(std::nextafter(1.0, 2.0)))["cases"][0]["max_ulp"] == 1);
  Tensor one(DataType::float16, {1}), next(DataType::float16, {1});
  one.mutable_data<Float16>()[0] = {0x3C00};
  next.mutable_data<Float16>()[0] = {0x3C01};
  CHECK(verify_one("Abs", one, next)["cases"][0]["max_ulp"] == 1);
}

TEST_CASE("verify shows numbers that differ with all the digits that tell them apart") {
  const auto reason = [](const auto& actual, const auto& expected) {
    using T = std::decay_t<decltype(actual)>;
    const Json json = verify_one("Identity", Tensor::of<T>({1}, {&actual, 1}), Tensor::of<T>({1}, {&expected, 1}));
    return json["cases"][0]["reason"].get<std::string>();
  };
  const std::int64_t large = std::int64_t{1} << 62;
  CHECK(reason(large, large + 1) == "output 'y' element 0 is 4611686018427387904, expected 4611686018427387905");
  CHECK(reason(std::numeric_limits<std::uint64_t>::max(), std::uint64_t{0}) ==
        "output 'y' element 0 is 18446744073709551615, expected 0");
  CHECK(reason(std::int8_t{-65}, std::int8_t{66}) == "output 'y' element 0 is -65, expected 66");
  CHECK(reason(true, false) == "output 'y' element 0 is 1, expected 0");
  CHECK(reason(2.0, 2.5) == "output 'y' element 0 is 2, expected 2.5");
  CHECK(reason(1.0, 1.0625 + 0x1p-40) == "output 'y' element 0 is 1, expected 1.0625000000009095");
}

TEST_CASE("verify says what it misses") {
  const TempDir dir;
  const Ran empty = run_program({"verify", dir.path()});
  CHECK(empty.code == exit_code(ErrorCode::usage));
  CHECK(empty.out.empty());
  CHECK(empty.err.find("no test data sets here") != std::string::npos);
  CHECK(run_program({"verify", dir.path() / "none.onnx"}).code == exit_code(ErrorCode::io));
  write_text(dir.path() / "model.onnx", onnx_single_node(OnnxNode("Relu", {"x"}, {"y"}), {"N"}).text());
  CHECK(run_program({"verify", dir.path() / "model.onnx"}).code == exit_code(ErrorCode::usage));
  CHECK(run_program({"verify", dir.path() / "model.onnx", dir.path() / "none"}).code == exit_code(ErrorCode::io));
  write_tensor(dir.path() / "test_data_set_0" / "output_0.pb", kRelu);
  write_text(dir.path() / "test_data_set_0" / "input_0.pb", "no tensor");
  const Ran damaged = run_program({"verify", dir.path() / "model.onnx"});
  CHECK(damaged.code == 1);
  CHECK(damaged.out.find("input_0.pb") != std::string::npos);
}
