// Convolutions of float64, which have loops of their own, and grouped ones of float; the others of float are tested with
// their kernels and passes.
#include <catch2/catch.hpp>
#include <limits>

#include "support/blocked_case.h"
#include "support/op_case.h"

namespace linnet::test::conv_test {
namespace {

using List = std::vector<std::int64_t>;

Tensor doubles(Shape shape, double step) {
  Tensor result(DataType::float64, std::move(shape));
  double value = -1;
  for (double& x : result.mutable_data<double>()) {
    x = value;
    value += step;
    if (value > 1) value -= 2;
  }
  return result;
}

constexpr Tolerance kTight = {1e-12, 1e-12};

TEST_CASE("Conv of float64", "[ops]") {
  const Tensor bias = doubles({4}, 0.3);
  check_op(op_case("Conv", 11, {doubles({2, 3, 9}, 0.37), doubles({4, 3, 2}, 0.23), bias}), kTight);
  check_op(op_case("Conv", 11, {doubles({2, 4, 7, 9}, 0.37), doubles({4, 2, 3, 2}, 0.23), bias},
                   {{"group", std::int64_t{2}}, {"strides", List{2, 1}}, {"auto_pad", std::string("SAME_LOWER")}}),
           kTight);
  check_op(op_case("Conv", 11, {doubles({1, 2, 4, 5, 6}, 0.37), doubles({4, 2, 2, 2, 2}, 0.23)},
                   {{"dilations", List{1, 2, 2}}, {"pads", List{0, 1, 0, 1, 1, 2}}}),
           kTight);
  CHECK(refusal(op_case("Conv", 11, {doubles({1, 1, 3}, 1), tensor<float>({1, 1, 1}, {1})})) == ErrorCode::model);
}

TEST_CASE("ConvTranspose of float64", "[ops]") {
  const Tensor x = doubles({2, 4, 5, 3}, 0.37), w = doubles({4, 3, 3, 2}, 0.23), bias = doubles({6}, 0.3);
  const AttributeList grouped = {{"group", std::int64_t{2}}, {"strides", List{2, 3}}, {"output_padding", List{1, 0}}};
  check_op(op_case("ConvTranspose", 11, {x, w, bias}, grouped), kTight);
  check_op(op_case("ConvTranspose", 11, {x, w, Tensor()},
                   {{"group", std::int64_t{2}}, {"dilations", List{2, 1}}, {"pads", List{1, 0, 2, 1}}}),
           kTight);
  check_op(op_case("ConvTranspose", 11, {doubles({1, 2, 4}, 0.3), doubles({2, 1, 3}, 0.7)},
                   {{"strides", List{2}}, {"output_shape", List{8}}}),
           kTight);
}

Tensor integers(Shape shape, int seed) {
  Tensor result(DataType::float32, std::move(shape));
  for (float& x : result.mutable_data<float>()) x = static_cast<float>((seed = seed * 31 % 1009) % 7 - 3);
  return result;
}

TEST_CASE("Windows beyond 64 bits are refused", "[ops]") {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const graph::TensorDesc filter = desc(DataType::float32, {1, 1, 2});
  const auto code = [&](const char* op, std::int64_t extent, const AttributeList& attributes) {
    const graph::TensorDesc x = desc(DataType::float32, {1, 1, extent});
    std::vector<graph::TensorDesc> inputs = {x, filter};
    if (op == std::string("MaxPool")) inputs = {x};
    if (op == std::string("MaxUnpool")) inputs = {x, desc(DataType::int64, {1, 1, extent})};
    try {
      (void)infer(op_case(op, 11, {}, attributes), inputs);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  CHECK(code("ConvTranspose", 3, {{"output_padding", List{kMost - 1}}}) == ErrorCode::limit);
  CHECK(code("ConvTranspose", 3, {{"output_padding", List{-1}}}) == ErrorCode::model);
  CHECK(code("ConvTranspose", kMost / 2, {{"strides", List{3}}, {"auto_pad", std::string("SAME_UPPER")}}) ==
        ErrorCode::limit);
  const std::pair<std::string, graph::Attribute> same = {"auto_pad", std::string("SAME_UPPER")};
  CHECK(code("Conv", kMost, {{"dilations", List{2}}, same}) == ErrorCode::limit);
  CHECK(code("MaxPool", kMost, {{"kernel_shape", List{2}}, {"strides", List{1000}}, {"ceil_mode", std::int64_t{1}}}) ==
        ErrorCode::limit);
  CHECK(code("MaxUnpool", kMost, {{"kernel_shape", List{std::int64_t{1} << 16}}}) == ErrorCode::limit);
}

TEST_CASE("ConvTranspose by phases", "[ops]") {
  struct Window {
    List kernel, strides;
    AttributeList others;
  };
  const std::vector<Window> windows = {
      {{2, 2}, {2, 2}, {}},                                                            // all phases read one pixel
      {{4, 4}, {2, 2}, {{"pads", List{1, 1, 1, 1}}}},                                  // each phase four of its own
      {{3, 3}, {2, 2}, {{"pads", List{1, 1, 1, 1}}, {"output_padding", List{1, 1}}}},  // one, two, two and four
      {{3, 2}, {1, 2}, {{"pads", List{0, 1, 1, 0}}}},                                  // a stride along one axis only
      {{5, 3}, {3, 2}, {{"auto_pad", std::string("SAME_LOWER")}}},                     //
      {{3, 4}, {2, 3}, {{"dilations", List{3, 2}}, {"pads", List{2, 0, 1, 3}}}},       // taps three phases apart
      {{3, 3}, {1, 1}, {{"pads", List{2, 2, 2, 2}}}},                                  // cut to the middle
      {{2, 3}, {2, 2}, {{"output_shape", List{13, 20}}}},                              // wider than all taps reach
      {{8, 8}, {8, 8}, {}},                                                            // 64 phases
  };
  for (const Window& window : windows) {
    for (const List& channels : {List{3, 1}, List{16, 5}, List{17, 15}, List{5, 16}, List{33, 40}}) {
      AttributeList attributes = window.others;
      attributes.emplace_back("strides", window.strides);
      INFO("kernel " << to_string(window.kernel) << ", channels " << to_string(channels));
      const Tensor x = integers({2, channels[0], 5, 7}, 3), bias = integers({channels[1]}, 7);
      const Tensor w = integers({channels[0], channels[1], window.kernel[0], window.kernel[1]}, 5);
      const OpCase c = op_case("ConvTranspose", 11, {x, w, bias}, attributes);
      CHECK(layout_rule(c, 0b110).plain_outputs == (channels[1] < 16));
      check_blocked(c, 0b110);
    }
  }
  const Tensor x = integers({1, 32, 9, 6}, 3), w = integers({32, 16, 3, 3}, 5);
  check_blocked(op_case("ConvTranspose", 11, {x, w, Tensor()}, {{"group", std::int64_t{2}}, {"strides", List{2, 2}}}),
                0b010);
  const auto is_plain = [](const OpCase& c) {
    return layout_rule(c, 0b110).preference == ops::LayoutRule::Preference::plain;
  };
  CHECK(is_plain(op_case("ConvTranspose", 11, {x, w}, {{"strides", List{4, 2}}})));  // phases without a tap
  CHECK(is_plain(op_case("ConvTranspose", 11, {x, w}, {{"strides", List{2, 2}}, {"dilations", List{1, 2}}})));
  CHECK(
      is_plain(op_case("ConvTranspose", 11, {x, w}, {{"output_shape", List{4000, 10}}})));  // a halo out of proportion
}

// As many phases as taps, which one by one would be compared with each other.
TEST_CASE("ConvTranspose of thousands of phases", "[ops]") {
  const Tensor x = integers({1, 1, 1, 2}, 3);
  const auto check = [&](const List& kernel, const AttributeList& attributes) {
    const OpCase c =
        op_case("ConvTranspose", 11, {x, integers({1, 1, kernel[0], kernel[1]}, 5), integers({1}, 7)}, attributes);
    CHECK(layout_rule(c, 0b110).preference == ops::LayoutRule::Preference::blocked);
    check_blocked(c, 0b110);
  };
  check({1, 2000}, {{"strides", List{1, 2000}}});  // they read the same
  check({50, 50},                                  // each of them something else
        {{"strides", List{50, 50}}, {"dilations", List{51, 51}}, {"output_shape", List{50, 50}}});
}

// Without channels there is nothing to compute, however long the kernel: no place is told for each output and tap.
TEST_CASE("Conv and ConvTranspose of a kernel as long as the input", "[ops]") {
  check_op(op_case("Conv", 11, {integers({1, 1, 4000}, 3), integers({1, 1, 2000}, 5)}));
  check_op(op_case("ConvTranspose", 11, {integers({1, 1, 2000}, 3), integers({1, 1, 2000}, 5)}));
  constexpr std::int64_t kLong = std::int64_t{1} << 18;
  check_op(op_case("Conv", 11, {integers({1, 1, 2 * kLong}, 3), integers({0, 1, kLong}, 5)}));
  check_op(op_case("Conv", 11, {integers({1, 0, 2 * kLong}, 3), integers({1, 0, kLong}, 5), integers({1}, 7)}));
  check_op(op_case("ConvTranspose", 11, {integers({1, 0, kLong}, 3), integers({0, 1, kLong}, 5), integers({1}, 7)}));
}

// Winograd writes whole tiles; what is no clamp comes after.
TEST_CASE("an activation that is no clamp after a 3x3 convolution", "[ops]") {
  for (const char* activation : {"Swish", "Sigmoid", "LeakyRelu"}) {
    for (const List& extent : {List{12, 12}, List{13, 30}, List{5, 9}}) {
      Tensor x = integers({2, 19, extent[0], extent[1]}, 3);
      for (float& value : x.mutable_data<float>()) value /= 64;
      const Tensor w = integers({32, 19, 3, 3}, 5), residual = integers({2, 32, extent[0], extent[1]}, 11);
      OpCase c =
          op_case("FusedConv", 1, {x, w, integers({32}, 7), Tensor(), residual},
                  {{"pads", List{1, 1, 1, 1}}, {"activation", std::string(activation)}, {"activation_alpha", 0.5f}});
      c.node.domain = "linnet";
      INFO(activation << " at " << to_string(extent));
      check_blocked(c, 0b110, {1e-5, 1e-4});
    }
  }
}

TEST_CASE("a residual of another shape than the sum is never read", "[ops]") {
  OpCase c = op_case("FusedConv", 1,
                     {integers({2, 16, 6, 6}, 3), integers({16, 16, 1, 1}, 5), integers({16}, 7), Tensor(),
                      integers({1, 16, 6, 6}, 11)});
  c.node.domain = "linnet";
  CHECK(refusal(c) == ErrorCode::internal);
}

// By Winograd from 64 channels on: whatever the padding, odd extents, and one output in the last row or column.
TEST_CASE("a 3x3 convolution of stride 2 over many channels", "[ops]") {
  for (const List& extent : {List{8, 8}, List{9, 16}, List{13, 11}, List{14, 15}}) {
    for (const List& pads : {List{1, 1, 1, 1}, List{0, 0, 1, 1}, List{0, 1, 0, 2}}) {
      Tensor x = integers({2, 80, extent[0], extent[1]}, 3);
      for (float& value : x.mutable_data<float>()) value /= 64;
      for (const char* activation : {"Relu", "Sigmoid"}) {
        OpCase c = op_case("FusedConv", 1, {x, integers({64, 80, 3, 3}, 5), integers({64}, 7)},
                           {{"strides", List{2, 2}}, {"pads", pads}, {"activation", std::string(activation)}});
        c.node.domain = "linnet";
        INFO(to_string(extent) << ", pads " << to_string(pads) << ", " << activation);
        check_blocked(c, 0b110, {1e-5, 1e-4});
      }
    }
  }
}

// By Winograd on filters that are transformed on the way.
TEST_CASE("a 3x3 convolution of a small plane over very many channels", "[ops]") {
  for (const List& extent : {List{7, 7}, List{8, 5}, List{14, 14}, List{13, 18}}) {
    Tensor x = integers({2, 272, extent[0], extent[1]}, 3);
    for (float& value : x.mutable_data<float>()) value /= 1024;
    const Tensor residual = integers({2, 256, extent[0], extent[1]}, 11);
    OpCase c = op_case("FusedConv", 1, {x, integers({256, 272, 3, 3}, 5), integers({256}, 7), Tensor(), residual},
                       {{"pads", List{1, 1, 1, 1}}, {"activation", std::string("Relu")}});
    c.node.domain = "linnet";
    INFO(to_string(extent));
    check_blocked(c, 0b110, {1e-5, 1e-4});
  }
}

// A first layer of stride 2 by Winograd on the pixels of even and odd rows and columns: whatever the padding, odd extents, kernels
// that fill the last taps or not, and two images.
TEST_CASE("a first layer of stride 2 and a large kernel", "[ops]") {
  struct First {
    std::int64_t channels, outputs, height, width;
    List kernel, pads;
  };
  for (const First& first : {First{3, 64, 29, 30, {7, 7}, {3, 3, 3, 3}},
                             {1, 32, 31, 27, {8, 7}, {0, 1, 2, 0}},
                             {4, 48, 30, 33, {7, 8}, {2, 3, 4, 5}},
                             {3, 40, 28, 41, {5, 5}, {2, 2, 2, 2}},
                             {2, 33, 27, 26, {6, 5}, {0, 0, 1, 1}}}) {
    Tensor x = integers({2, first.channels, first.height, first.width}, 3);
    for (float& value : x.mutable_data<float>()) value /= 64;
    const Tensor w = integers({first.outputs, first.channels, first.kernel[0], first.kernel[1]}, 5);
    for (const char* activation : {"Relu", "Sigmoid"}) {
      if (first.outputs % 16 != 0 && activation == std::string("Sigmoid")) continue;  // its zero is not zero
      OpCase c = op_case("FusedConv", 1, {x, w, integers({first.outputs}, 7)},
                         {{"strides", List{2, 2}}, {"pads", first.pads}, {"activation", std::string(activation)}});
      c.node.domain = "linnet";
      INFO(to_string(x.shape()) << " by " << to_string(w.shape()) << ", " << activation);
      check_blocked(c, 0b110, {1e-5, 1e-4});
    }
  }
}

TEST_CASE("Conv in groups, of which a block of 16 channels holds one or several", "[ops]") {
  for (const std::int64_t channels : {1, 2, 4, 8, 12, 16, 24, 32}) {
    for (const std::int64_t stride : {1, 2}) {
      const std::int64_t all = channels == 12 ? 48 : channels == 24 ? 96 : 64, groups = all / channels;
      INFO(channels << " channels a group, stride " << stride);
      // Without padding, which the planner grants as a halo of the input and this check does not.
      const AttributeList attributes = {{"group", groups}, {"strides", List{stride, stride}}};
      const OpCase grouped =
          op_case("Conv", 11, {integers({2, all, 9, 7}, 5), integers({all, channels, 3, 3}, 11), integers({all}, 3)},
                  attributes);
      check_blocked(grouped, 0b110);
    }
  }
  // Groups that begin and end inside of blocks.
  struct Odd {
    std::int64_t groups, inputs, outputs, kernel, stride;
  };
  for (const Odd odd : {Odd{13, 8, 8, 3, 1},
                        {13, 8, 8, 3, 2},
                        {5, 24, 24, 3, 1},
                        {5, 24, 24, 1, 2},
                        {7, 4, 4, 3, 1},
                        {3, 5, 7, 3, 1},
                        {11, 10, 6, 1, 1},
                        {2, 9, 9, 2, 1},
                        {9, 2, 40, 3, 2},
                        {3, 100, 36, 1, 2}}) {
    const std::int64_t in = odd.groups * odd.inputs, out = odd.groups * odd.outputs;
    INFO(odd.groups << " groups of " << odd.inputs << " to " << odd.outputs << ", kernel " << odd.kernel);
    check_blocked(op_case("Conv", 11,
                          {integers({2, in, 9, 7}, 5), integers({out, odd.inputs, odd.kernel, odd.kernel}, 11),
                           integers({out}, 3)},
                          {{"group", odd.groups}, {"strides", List{odd.stride, odd.stride}}}),
                  0b110);
  }
  // More outputs than inputs a group: the blocks of both no longer hold the same groups.
  check_blocked(
      op_case("Conv", 11, {integers({1, 32, 5, 5}, 5), integers({64, 8, 1, 1}, 11)}, {{"group", std::int64_t{4}}}),
      0b10);
}

}  // namespace
}  // namespace linnet::test::conv_test
