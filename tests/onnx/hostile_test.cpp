// Damaged and malicious bytes: refused or loaded, in bounded memory and time, and nothing else.
#include <catch2/catch.hpp>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "onnx/loading.h"
#include "support/sanitized.h"
#include "support/temp_dir.h"

using namespace linnet;
using namespace linnet::test;

namespace {

/// One of everything that the loader reads.
OnnxModel sample() {
  OnnxModel model(8, 13);
  model.import("com.example", 1).metadata("key", "value");
  OnnxGraph body;
  body.node(OnnxNode("Relu", {"x"}, {"inner"})).output("inner", DataType::float32, {2});
  model.graph.name("g")
      .node(OnnxNode("Add", {"x", "w"}, {"a"}, "add"))
      .node(OnnxNode("Concat", {"a", "t"}, {"b"}, "cat").set("axis", 0))
      .node(OnnxNode("Transpose", {"b"}, {"c"}).set("perm", std::vector<std::int64_t>{0}))
      .node(OnnxNode("Relu", {"c"}, {"y"}, "relu"))
      .initializer("w", tensor_of<float>({2}, {1, 2}))
      .initializer(onnx_tensor_header("t", 1, {2}).real(4, 1).real(4, 2))
      .initializer(onnx_tensor_header("i", 7, {2}).packed(7, {-1, 300}))
      .initializer(onnx_external_tensor("e", 1, {0}, {{"location", "e.bin"}, {"offset", "0"}}))
      .initializer("flag", tensor_of<std::uint8_t>({1}, {1}))
      .input("x", DataType::float32, {"N"})
      .output("y", DataType::float32, {"M"});
  return model;
}

/// True if the bytes load; false for a refusal of a kind that bytes can earn.
bool loads_or_refuses(const std::vector<std::byte>& file) {
  LoadOptions options;
  options.external_data_dir = "/nonexistent";
  try {
    const graph::Graph graph = load(file, options);
    // Touch every constant: a bad view shows under a sanitizer.
    unsigned sum = 0;
    for (graph::ValueId id = 0; id < graph.value_count(); ++id) {
      if (const auto& tensor = graph.value(id).constant) {
        for (std::size_t i = 0; i < tensor->bytes(); ++i) sum += static_cast<const std::uint8_t*>(tensor->raw())[i];
      }
    }
    return sum != 0xffffffff;
  } catch (const Error& error) {
    const ErrorCode code = error.code();
    const bool expected = code == ErrorCode::format || code == ErrorCode::model || code == ErrorCode::unsupported ||
                          code == ErrorCode::limit || code == ErrorCode::io;
    INFO(error.what());
    CHECK(expected);
    CHECK(error.details().file.size() > 0);
    return false;
  }
}

/// The most resident memory that `action` took beyond what there was, in bytes; -1 where the system does not tell.
template <typename Action>
std::int64_t peak_bytes_of(const Action& action) {
  const auto status = [](const std::string& key) -> std::int64_t {
    std::ifstream stream("/proc/self/status");
    for (std::string line; std::getline(stream, line);) {
      if (line.starts_with(key)) return std::stoll(line.substr(key.size() + 1)) * 1024;
    }
    return -1;
  };
  std::ofstream("/proc/self/clear_refs") << "5";  // the high-water mark starts anew
  const std::int64_t before = status("VmRSS");
  action();
  return before < 0 || kSanitized ? -1 : status("VmHWM") - before;
}

}  // namespace

TEST_CASE("the sample loads") {
  const TempDir folder;
  std::ofstream(folder.path() / "e.bin").close();
  LoadOptions options;
  options.external_data_dir = folder.path().string();
  CHECK(load(sample(), options).order().size() == 4);
}

TEST_CASE("B01: every truncation is refused or loaded") {
  const std::vector<std::byte> file = sample().bytes();
  for (std::size_t length = 0; length < file.size(); ++length) {
    // A copy of its own, so that a sanitizer sees a read beyond its end.
    loads_or_refuses(std::vector<std::byte>(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(length)));
  }
}

TEST_CASE("B02: every flip of one bit is refused or loaded") {
  const std::vector<std::byte> file = sample().bytes();
  for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
    std::vector<std::byte> damaged = file;
    damaged[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    loads_or_refuses(damaged);
  }
}

TEST_CASE("B17: noise is refused") {
  std::mt19937 random(1);
  for (const std::size_t size : {std::size_t{1}, std::size_t{1000}, std::size_t{1'000'000}}) {
    std::vector<std::byte> noise(size);
    for (std::byte& b : noise) b = static_cast<std::byte>(random());
    CHECK_FALSE(loads_or_refuses(noise));
    CHECK_FALSE(loads_or_refuses(std::vector<std::byte>(size, std::byte{0})));
    CHECK_FALSE(loads_or_refuses(std::vector<std::byte>(size, std::byte{0xff})));
  }
}

TEST_CASE("B03 B04 B05 B06 B13: malformed fields") {
  const std::string start = relu_model().text();
  const std::string endings[] = {
      std::string(1, '\0'),                            // a zero byte at the end
      "\x03\x01",                                      // field 0
      "\x0b",                                          // a group starts
      "\x0c",                                          // a group ends
      "\x0e",                                          // wire type 6
      "\x0f",                                          // wire type 7
      "\x0d\x01\x02",                                  // fixed32, cut off
      "\x09\x01\x02\x03",                              // fixed64, cut off
      "\x08",                                          // varint, missing
      "\x08\x80",                                      // varint, cut off
      "\x08" + std::string(10, '\xff') + "\x01",       // varint of 11 bytes
      "\x0a\x05xx",                                    // a length beyond the end
      "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",      // 2^63 - 1
      "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",  // 2^64 - 1
      "\x0a\xff\xff\xff\xff\x07",                      // 2^31 - 1
      "\x3d\x01\x02\x03\x04",                          // the graph as fixed32
      "\x0a\x01x",                                     // the IR version as text
  };
  for (const std::string& ending : endings) {
    const Error error = refusal(to_bytes(start + ending));
    INFO(error.what());
    CHECK(error.code() == ErrorCode::format);
    CHECK(error.details().where.starts_with("byte "));
  }
}

TEST_CASE("lists of numbers grow no more than eightfold") {
  std::string ints(1'000'000, '\1');
  OnnxModel model = relu_model();
  model.graph.node(OnnxNode("Relu", {"x"}, {"z"}).attribute(ProtoWriter().bytes(1, "a").number(20, 7).bytes(8, ints)));
  const std::vector<std::byte> file = model.bytes();
  CHECK(peak_bytes_of([&] { CHECK(refusal(file).code() == ErrorCode::unsupported); }) < 20'000'000);
  OnnxModel larger = relu_model();
  ints.assign(20'000'000, '\1');
  larger.graph.node(OnnxNode("Relu", {"x"}, {"z"}).attribute(ProtoWriter().bytes(1, "a").number(20, 7).bytes(8, ints)));
  CHECK(refusal(larger).code() == ErrorCode::limit);
}

TEST_CASE("B08: nesting is bounded") {
  OnnxGraph graph;
  graph.node(OnnxNode("Relu", {"x"}, {"y"})).output("y", DataType::float32, {1});
  for (int depth = 0; depth < 1000; ++depth) {
    OnnxGraph outer;
    outer.node(OnnxNode("If", {"x"}, {"y"}).set("then_branch", graph)).output("y", DataType::float32, {1});
    graph = outer;
  }
  OnnxModel model(8, 13);
  model.graph = graph;
  const Error error = refusal(model);
  CHECK(error.code() == ErrorCode::limit);
  CHECK(contains(error.message(), "64 levels"));
}

TEST_CASE("F09: long names") {
  OnnxModel model = relu_model();
  model.graph.node(OnnxNode("Relu", {"x"}, {std::string(1'000'000, 'n')}));
  const Error error = refusal(model);
  CHECK(error.code() == ErrorCode::limit);
  CHECK(std::string(error.what()).size() < 1000);
  OnnxModel op = relu_model();
  op.graph.node(OnnxNode(std::string(4000, 'o'), {"x"}, {"z"}));
  CHECK(std::string(refusal(op).what()).size() < 1000);
}
