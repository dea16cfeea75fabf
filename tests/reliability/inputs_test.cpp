// Catalogue J and K: tensors at run time, misuse of the API, and numbers that break things.
#include <atomic>
#include <cerrno>
#include <cfenv>
#include <clocale>
#include <cmath>
#include <cstring>
#include <thread>

#include "reliability/hostile.h"
#include "support/compare.h"
#include "support/env_guard.h"
#include "support/guard_buffer.h"
#include "support/sanitized.h"

using namespace linnet;
using namespace linnet::test;

namespace {

/// x[N,3] -> Relu -> y
std::vector<std::byte> relu_file() { return model_of({OnnxNode("Relu", {"x"}, {"y"})}, {{"x", {"N", 3}}}).bytes(); }

/// A convolution with a residual and a pool: blocked and plain steps, several kernels.
std::vector<std::byte> small_network(const std::vector<OnnxDim>& x = {"N", 3, "H", "W"}) {
  Tensor w(DataType::float32, {5, 3, 3, 3});
  for (float i = -60; float& value : w.mutable_data<float>()) value = (i++) / 64;
  return model_of({OnnxNode("Conv", {"x", "w"}, {"c"}).set("pads", Ints{1, 1, 1, 1}), OnnxNode("Relu", {"c"}, {"r"}),
                   OnnxNode("MaxPool", {"r"}, {"p"}).set("kernel_shape", Ints{2, 2}),
                   OnnxNode("GlobalAveragePool", {"p"}, {"y"})},
                  {{"x", x}}, {{"w", w}})
      .bytes();
}

Tensor ramp(Shape shape) {
  Tensor result(DataType::float32, std::move(shape));
  for (float i = 0; float& x : result.mutable_data<float>()) x = std::sin(i++);
  return result;
}

/// `values` at an address that is `shift` bytes off any alignment.
struct Shifted {
  std::vector<std::byte> bytes;
  Tensor tensor;
  Shifted(const Tensor& values, std::size_t shift) : bytes(values.bytes() + 128) {
    std::byte* const start = bytes.data() + (64 - reinterpret_cast<std::uintptr_t>(bytes.data()) % 64) % 64;
    std::memcpy(start + shift, values.raw(), values.bytes());
    tensor = Tensor::view(values.type(), values.shape(), start + shift);
  }
};

}  // namespace

TEST_CASE("J01: missing and extra and double and misspelt inputs are refused with the names there are") {
  const auto file = relu_file();
  Session session(Model::load(file), one_thread());
  const Tensor x = floats_of({1, 3});
  CHECK_REFUSED([&] { (void)session.run(std::vector<NamedTensor>{}); }, ErrorCode::input, "'x'");
  CHECK_REFUSED([&] { (void)session.run({{"x", x}, {"z", x}}); }, ErrorCode::input, "'z'", "'x'");
  CHECK_REFUSED([&] { (void)session.run({{"x", x}, {"x", x}}); }, ErrorCode::input, "'x'", "twice");
  CHECK_REFUSED([&] { (void)session.run({{"X", x}}); }, ErrorCode::input, "'X'", "'x'");
  CHECK(session.run({{"x", x}}).size() == 1);  // and it still works
}

TEST_CASE("J02: the wrong type or rank or extent is refused with both") {
  const auto file = relu_file();
  Session session(Model::load(file), one_thread());
  CHECK_REFUSED(
      [&] {
        (void)session.run({{"x", Tensor(DataType::int64, {1, 3})}});
      },
      ErrorCode::input, "'x'", "float[N,3]", "int64");
  CHECK_REFUSED([&] { (void)session.run({{"x", floats_of({3})}}); }, ErrorCode::input, "'x'", "float[N,3]", "[3]");
  CHECK_REFUSED([&] { (void)session.run({{"x", floats_of({1, 4})}}); }, ErrorCode::input, "[1,4]");
  CHECK_REFUSED([&] { (void)session.run({{"x", Tensor()}}); }, ErrorCode::input, "'x'");
  const float one = 1;
  CHECK_REFUSED(
      [&] {
        (void)session.run({{"x", Tensor::view(DataType::float32, {std::int64_t{1} << 40, 3}, &one)}});
      },
      ErrorCode::limit, "");
}

TEST_CASE("J03: shapes with negative extents and data that are not there make no tensor") {
  CHECK_REFUSED([] { (void)Tensor(DataType::float32, {2, -1}); }, ErrorCode::usage, "-1");
  CHECK_REFUSED([] { (void)Tensor::view(DataType::float32, {2}, nullptr); }, ErrorCode::usage, "");
  CHECK_REFUSED([] { (void)tensor<float>({2}, {1, 2, 3}); }, ErrorCode::usage, "");
  CHECK_REFUSED([] { (void)Tensor(DataType::float32, {std::int64_t{1} << 62, 8}); }, ErrorCode::limit, "");
}

TEST_CASE("J04: inputs at odd addresses give the same bits") {
  const auto file = small_network();
  const Tensor x = ramp({1, 3, 7, 9});
  const Tensor expected = run(file, {x}).at(0);
  for (const std::size_t shift : {1U, 2U, 3U, 4U, 8U, 12U, 20U}) {
    const Shifted shifted(x, shift);
    CHECK(same_bits(run(file, {shifted.tensor}).at(0), expected));
  }
}

TEST_CASE("J05: inputs and outputs that end or begin at a page nobody may touch") {
  const auto file = small_network();
  for (const auto side : {GuardBuffer::after, GuardBuffer::before}) {
    for (const std::int64_t width : {2, 3, 7, 8, 9, 15, 16, 17, 31, 33}) {
      const Tensor x = ramp({1, 3, 5, width});
      const GuardBuffer input(floats(x), side);
      Session session(Model::load(file), one_thread());
      const Tensor view = Tensor::view(DataType::float32, x.shape(), input.data());
      const std::vector<NamedTensor> inputs = {{"x", view}};
      CHECK(same_bits(session.run(inputs).at(0), run(file, {x}).at(0)));
    }
  }
}

TEST_CASE("J06: an output that is an input's memory") {
  const auto file = relu_file();
  Session session(Model::load(file), one_thread());
  Tensor x = tensor<float>({1, 3}, {-1, 2, -3});
  const std::vector<NamedTensor> inputs = {{"x", Tensor::view(DataType::float32, {1, 3}, x.raw())}};
  std::vector<Tensor> outputs;
  outputs.push_back(std::move(x));
  session.run(inputs, outputs);
  CHECK(floats(outputs[0]) == std::vector<float>{0, 2, 0});
}

TEST_CASE("J07: outputs that are too small or of another type or too few are refused") {
  const auto file = relu_file();
  Session session(Model::load(file), one_thread());
  const std::vector<NamedTensor> inputs = {{"x", floats_of({2, 3})}};
  std::vector<Tensor> none, small = {floats_of({1, 3})}, other = {Tensor(DataType::int64, {2, 3})};
  CHECK_REFUSED([&] { session.run(inputs, none); }, ErrorCode::input, "expected 1", "found 0");
  CHECK_REFUSED([&] { session.run(inputs, small); }, ErrorCode::input, "'y'", "float[2,3]", "float[1,3]");
  CHECK_REFUSED([&] { session.run(inputs, other); }, ErrorCode::input, "'y'", "int64");
}

TEST_CASE("J08 J09: a batch of none is an empty output; other batches are planned as they come") {
  const auto file = small_network();
  Session session(Model::load(file), one_thread());
  CHECK(session.run({{"x", Tensor(DataType::float32, {0, 3, 6, 6})}}).at(0).shape() == Shape{0, 5, 1, 1});
  for (const std::int64_t n : {1, 5, 2, 7})
    CHECK(session.run({{"x", ramp({n, 3, 6, 6})}}).at(0).shape() == Shape{n, 5, 1, 1});
  SessionOptions small = one_thread();
  small.max_arena_bytes = 1 << 20;
  Session limited(Model::load(file), small);
  CHECK_REFUSED(
      [&] {
        (void)limited.run({{"x", ramp({64, 3, 64, 64})}});
      },
      ErrorCode::limit, "max_arena_bytes", "node '");
  CHECK(limited.run({{"x", ramp({1, 3, 6, 6})}}).size() == 1);
}

TEST_CASE("J10: a thousand changes of shape give what fresh sessions give") {
  const auto file = small_network();
  Session session(Model::load(file), one_thread());
  std::vector<Tensor> expected;
  for (std::int64_t i = 0; i < 10; ++i) expected.push_back(run(file, {ramp({1, 3, 3 + i, 4 + i})}).at(0));
  for (int round = 0; round < 100; ++round) {
    for (std::int64_t i = 0; i < 10; ++i) {
      if (!same_bits(session.run({{"x", ramp({1, 3, 3 + i, 4 + i})}}).at(0), expected[static_cast<std::size_t>(i)]))
        FAIL("round " << round);
    }
  }
  SUCCEED();
}

TEST_CASE("J11: a session that was moved from is refused, not followed") {
  const auto file = relu_file();
  Session session(Model::load(file), one_thread());
  Session moved = std::move(session);
  CHECK_REFUSED(
      [&] {
        (void)session.run({{"x", floats_of({1, 3})}});
      },
      ErrorCode::usage, "moved");  // NOLINT(bugprone-use-after-move)
  CHECK_REFUSED([&] { (void)session.plan(); }, ErrorCode::usage, "moved");
  CHECK(moved.run({{"x", floats_of({1, 3})}}).size() == 1);
}

TEST_CASE("J12: what fails to load leaves what there was") {
  const auto file = relu_file();
  Model model = Model::load(file);
  CHECK_REFUSED([&] { model = Model::load("/nonexistent.onnx"); }, ErrorCode::io, "/nonexistent.onnx");
  CHECK(model.inputs().at(0).name == "x");
}

namespace {

/// Sixteen threads, each with a session of its own and one that they share.
void check_sixteen_threads(int runs) {
  const auto file = small_network();
  const Tensor x = ramp({1, 3, 9, 9});
  const Plan plan(Model::load(file), one_thread());
  const Tensor expected = Session(plan).run({{"x", x}}).at(0);
  Session shared(plan);
  std::atomic<int> wrong = 0, refused = 0, done = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] {
      Session own(plan);
      for (int k = 0; k < runs; ++k) {
        if (!same_bits(own.run({{"x", x}}).at(0), expected)) ++wrong;
        try {
          if (!same_bits(shared.run({{"x", x}}).at(0), expected)) ++wrong;
          ++done;
        } catch (const Error& error) {
          error.code() == ErrorCode::usage ? ++refused : ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(done > 0);
  CHECK(done + refused == 16 * runs);
}

}  // namespace

TEST_CASE(
    "J14 L16: sixteen threads on one session: one runs and the others are refused; on sessions of their own all run") {
  check_sixteen_threads(kSanitized ? 100 : 1'000);
}
TEST_CASE("L16: sixteen threads of ten thousand runs each", "[.nightly]") { check_sixteen_threads(10'000); }

TEST_CASE("J15: sessions and plans made and dropped in many threads") {
  const auto file = small_network();
  const Model model = Model::load(file);
  const Tensor x = ramp({1, 3, 9, 9});
  const Tensor expected = Session(Plan(model, one_thread())).run({{"x", x}}).at(0);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      SessionOptions options;
      options.threads = 1 + i % 3;
      for (int k = 0; k < 10; ++k) {
        if (!same_bits(Session(Plan(model, options)).run({{"x", x}}).at(0), expected)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("J22: a run leaves the rounding mode and the error number and the locale as they were") {
  const auto file = small_network();
  SessionOptions two;
  two.threads = 2;
  Session session(Model::load(file), two);
  const Tensor x = ramp({1, 3, 9, 9});
  (void)session.run({{"x", x}});
  errno = 77;
  const int rounding = std::fegetround();
  const std::string locale = std::setlocale(LC_ALL, nullptr);
  (void)session.run({{"x", x}});
  CHECK(errno == 77);
  CHECK(std::fegetround() == rounding);
  CHECK(locale == std::setlocale(LC_ALL, nullptr));
}

TEST_CASE("K01 K02: NaN and infinities and minus zero go through vectors and tails alike") {
  for (const char* op : {"Relu", "Sigmoid", "Tanh", "LeakyRelu", "Neg", "Abs"}) {
    const auto file = model_of({OnnxNode(op, {"x"}, {"y"})}, {{"x", {"N"}}}).bytes();
    const std::vector<float> alone =
        floats(run(file, {tensor<float>({4}, {kNan, kInfinity, -kInfinity, -0.0F})}).at(0));
    CHECK(std::isnan(alone[0]));
    for (std::int64_t n = 1; n <= 67; ++n) {
      for (const std::size_t special : {0U, 1U, 2U, 3U}) {
        const float value = std::vector<float>{kNan, kInfinity, -kInfinity, -0.0F}[special];
        const std::vector<float> y = floats(run(file, {floats_of({n}, value)}).at(0));
        for (const float each : y) {
          if (std::memcmp(&each, &alone[special], sizeof each) != 0 &&
              !(std::isnan(each) && std::isnan(alone[special])))
            FAIL_CHECK(op << ' ' << n << ' ' << value);
        }
      }
    }
  }
  const auto pool =
      model_of({OnnxNode("MaxPool", {"x"}, {"y"}).set("kernel_shape", Ints{1, 2})}, {{"x", {1, 1, 1, "W"}}}).bytes();
  for (std::int64_t w = 2; w <= 40; ++w) {
    for (std::int64_t at = 0; at < w; ++at) {
      Tensor x = floats_of({1, 1, 1, w});
      x.mutable_data<float>()[static_cast<std::size_t>(at)] = kNan;
      const std::vector<float> y = floats(run(pool, {x}).at(0));
      for (std::int64_t i = 0; i < w - 1; ++i) {
        if (std::isnan(y[static_cast<std::size_t>(i)]) != (i == at || i + 1 == at))
          FAIL_CHECK("width " << w << ", NaN at " << at);
      }
    }
  }
}

TEST_CASE("K04: denormal numbers are numbers") {
  const auto file = model_of({OnnxNode("Add", {"x", "x"}, {"y"})}, {{"x", {"N"}}}).bytes();
  CHECK(floats(run(file, {floats_of({33}, 1e-45F)}).at(0)) == std::vector<float>(33, 2 * 1e-45F));
}

TEST_CASE("K08: the instruction set is capped by LINNET_MAX_ISA and nonsense there is refused") {
  const auto file = small_network();
  const Tensor x = ramp({1, 3, 9, 9});
  const Tensor expected = run(file, {x}).at(0);
  {
    const EnvGuard cap("LINNET_MAX_ISA", "scalar");
    CHECK(Plan(Model::load(file), one_thread()).report().isa == "scalar");
    CHECK(same_bits(run(file, {x}).at(0), expected));
  }
  const EnvGuard nonsense("LINNET_MAX_ISA", "sse9");
  CHECK_REFUSED(file, ErrorCode::usage, "LINNET_MAX_ISA", "sse9");
}

TEST_CASE("K10: threads and places in the batch and what ran before change no bit") {
  const auto file = small_network();
  const Tensor x = ramp({3, 3, 17, 19});
  const Tensor expected = run(file, {x}).at(0);
  // The most first: LLVM 14's OpenMP leaks the tables of a team that grows, and the leak sanitizer sees it.
  for (const int threads : {16, 7, 3, 2, 1}) {
    SessionOptions options;
    options.threads = threads;
    CHECK(same_bits(run(file, {x}, options).at(0), expected));
  }
  (void)run(relu_file(), {floats_of({5, 3}, kNan)});
  CHECK(same_bits(run(file, {x}).at(0), expected));
}

TEST_CASE("K14: floats that no integer holds are converted without undefined behaviour") {
  for (const int to : {2, 3, 5, 6, 7, 9, 12, 13}) {
    const auto file = model_of({OnnxNode("Cast", {"x"}, {"y"}).set("to", to)}, {{"x", {6}}}).bytes();
    CHECK(run(file, {tensor<float>({6}, {kNan, kInfinity, -kInfinity, 1e30F, -1e30F, -1})}).at(0).shape() == Shape{6});
  }
  Tensor scales = tensor<float>({4}, {1, 1, 1e30F, 1});
  const OnnxModel resize =
      model_of({OnnxNode("Resize", {"x", "", "s"}, {"y"}, "resize1")}, {{"x", {1, 1, 2, 2}}}, {{"s", scales}});
  CHECK(error_of([&] { (void)run(resize); }).has_value());
  for (float& s : scales.mutable_data<float>()) s = kNan;
  CHECK(error_of([&] {
          (void)run(
              model_of({OnnxNode("Resize", {"x", "", "s"}, {"y"}, "resize1")}, {{"x", {1, 1, 2, 2}}}, {{"s", scales}}));
        }).has_value());
}
