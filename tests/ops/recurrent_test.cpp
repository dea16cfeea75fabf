#include <catch2/catch.hpp>
#include <cmath>

#include "support/op_case.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test::recurrent_test {
namespace {

/// Both sum in double; the engine rounds what it writes.
const Tolerance kRounded = {0x1p-22, 1e-7};
/// Sums of up to 90 numbers in float32, five steps one on the other.
const Tolerance kSummedInFloat = {1e-5, 1e-6};

struct Sizes {
  std::int64_t steps = 5, batch = 3, inputs = 7, hidden = 11, directions = 1;
};

std::vector<Tensor> operands(const char* op, const Sizes& s, bool batch_first = false) {
  const std::int64_t gates = op[0] == 'L' ? 4 : (op[0] == 'G' ? 3 : 1);
  Random numbers(8);
  const auto random = [&](Shape shape) { return from_reference(random_reals(numbers, std::move(shape), -1, 1)); };
  const Shape x = batch_first ? Shape{s.batch, s.steps, s.inputs} : Shape{s.steps, s.batch, s.inputs};
  const Shape state = batch_first ? Shape{s.batch, s.directions, s.hidden} : Shape{s.directions, s.batch, s.hidden};
  std::vector<Tensor> result = {random(x),
                                random({s.directions, gates * s.hidden, s.inputs}),
                                random({s.directions, gates * s.hidden, s.hidden}),
                                random({s.directions, 2 * gates * s.hidden}),
                                tensor<std::int32_t>({s.batch}, {5, 2, 0}),
                                random(state)};
  if (gates == 4) {
    result.push_back(random(state));
    result.push_back(random({s.directions, 3 * s.hidden}));
  }
  return result;
}

int outputs_of(const char* op) { return op[0] == 'L' ? 3 : 2; }

TEST_CASE("A recurrent network of one number", "[ops]") {
  const auto one = [](float value) { return tensor<float>({1, 1, 1}, {value}); };
  const Tensor x = tensor<float>({3, 1, 1}, {1, 2, 3});
  AttributeList relu = {{"activations", std::vector<std::string>{"Relu"}}};
  std::vector<Tensor> y = run(op_case("RNN", 14, {x, one(1), one(2)}, relu, 2));
  CHECK(values<float>(y[0]) == std::vector<float>{1, 4, 11});
  CHECK(values<float>(y[1]) == std::vector<float>{11});
  relu.emplace_back("direction", std::string("reverse"));
  y = run(op_case("RNN", 14, {x, one(1), one(2)}, relu, 2));
  CHECK(values<float>(y[0]) == std::vector<float>{17, 8, 3});
  CHECK(values<float>(y[1]) == std::vector<float>{17});
  relu.emplace_back("clip", 5.0f);
  CHECK(values<float>(run(op_case("RNN", 14, {x, one(1), one(2)}, relu, 2))[0]) == std::vector<float>{5, 5, 3});
}

TEST_CASE("RNN, GRU and LSTM with every input, in every direction and layout", "[ops]") {
  for (const char* op : {"RNN", "GRU", "LSTM"}) {
    for (const char* direction : {"forward", "reverse", "bidirectional"}) {
      for (const std::int64_t layout : {0, 1}) {
        CAPTURE(op, direction, layout);
        const Sizes sizes{.directions = direction[0] == 'b' ? 2 : 1};
        AttributeList attributes = {
            {"direction", std::string(direction)}, {"hidden_size", sizes.hidden}, {"layout", layout}};
        const std::vector<Tensor> all = operands(op, sizes, layout != 0);
        check_op(op_case(op, 14, all, attributes, outputs_of(op)), kRounded);
        check_op(op_case(op, 22, {all[0], all[1], all[2]}, attributes, outputs_of(op)),
                 op[0] == 'L' ? kSummedInFloat : kRounded);
      }
    }
    const std::vector<Tensor> wide = operands(op, {.steps = 5, .inputs = 64, .hidden = 70});
    check_op(op_case(op, 7, wide, {{"clip", 0.5f}}, outputs_of(op)), kRounded);
  }
  check_op(op_case("LSTM", 7, operands("LSTM", {}), {{"input_forget", std::int64_t{1}}}, 3), kRounded);
  const AttributeList named = {{"activations", std::vector<std::string>{"Sigmoid", "LeakyRelu", "Tanh"}},
                               {"activation_alpha", std::vector<float>{0.25f}}};
  check_op(op_case("LSTM", 14, operands("LSTM", {}), named, 3), kRounded);
}

TEST_CASE("LSTM without peepholes and GRU with a reset behind the product, as matrix products", "[ops]") {
  for (const char* op : {"GRU", "LSTM"}) {
    for (const char* direction : {"forward", "reverse", "bidirectional"}) {
      for (const std::int64_t hidden : {1, 11, 16, 70}) {
        for (const std::int64_t layout : {0, 1}) {
          CAPTURE(op, direction, hidden, layout);
          const Sizes sizes{.inputs = 20, .hidden = hidden, .directions = direction[0] == 'b' ? 2 : 1};
          const AttributeList attributes = {
              {"direction", std::string(direction)}, {"linear_before_reset", std::int64_t{1}}, {"layout", layout}};
          std::vector<Tensor> all = operands(op, sizes, layout != 0);
          if (op[0] == 'L') all.pop_back();
          // As large as a trained network's: with larger ones each step would multiply the last one's rounding.
          for (const std::size_t weights : {1, 2}) {
            for (float& x : all[weights].mutable_data<float>()) x /= 8;
          }
          const AttributeList of_lstm = {attributes[0], attributes[2]};
          check_op(op_case(op, 14, all, op[0] == 'L' ? of_lstm : attributes, outputs_of(op)), kSummedInFloat);
          all.resize(3);
          check_op(op_case(op, 14, all, op[0] == 'L' ? of_lstm : attributes, outputs_of(op)), kSummedInFloat);
        }
      }
    }
  }
}

TEST_CASE("Recurrent operators refuse what does not fit", "[ops]") {
  std::vector<Tensor> all = operands("GRU", {});
  const auto refuse = [&](std::size_t i, const Tensor& wrong) {
    std::vector<Tensor> inputs = all;
    inputs[i] = wrong;
    return refusal(op_case("GRU", 14, inputs, {}, 2));
  };
  CHECK(refuse(1, all[2]) == ErrorCode::model);
  CHECK(refuse(3, counting(DataType::float32, {1, 65})) == ErrorCode::model);
  CHECK(refuse(4, int64s({1, 1, 1})) == ErrorCode::model);
  CHECK(refuse(4, tensor<std::int32_t>({3}, {6, 1, 1})) == ErrorCode::input);
  CHECK(refuse(4, tensor<std::int32_t>({3}, {-1, 1, 1})) == ErrorCode::input);
  CHECK(refusal(op_case("GRU", 14, all, {{"activations", std::vector<std::string>{"Tanh"}}})) == ErrorCode::model);
  CHECK(refusal(op_case("GRU", 14, all, {{"activations", std::vector<std::string>{"Tanh", "Cosh"}}})) ==
        ErrorCode::model);
  CHECK(refusal(op_case("GRU", 14, all, {{"direction", std::string("up")}})) == ErrorCode::model);
  CHECK(refusal(op_case("GRU", 6, all)) == ErrorCode::unsupported);
  const graph::Dim n = graph::Dim::symbolic("N");
  CHECK(inferred(op_case("LSTM", 14, {}), {desc(DataType::float32, {9, n, 4}), desc(DataType::float32, {1, 8, 4}),
                                           desc(DataType::float32, {1, 8, 2})}) == "float[9,1,N,2]");
}

}  // namespace
}  // namespace linnet::test::recurrent_test
