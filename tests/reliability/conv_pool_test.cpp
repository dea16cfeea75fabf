// Catalogue G: convolutions and pooling.
#include <cmath>

#include "reliability/footprint.h"
#include "reliability/hostile.h"

using namespace linnet;
using namespace linnet::test;

namespace {

struct Convolution2d {
  std::vector<std::pair<std::string, Ints>> lists = {};
  std::vector<std::pair<std::string, std::int64_t>> numbers = {};
  std::vector<OnnxDim> x = {1, 4, 6, 6};
  Shape w = {8, 4, 3, 3};
  std::optional<Tensor> bias = {};
  const char* auto_pad = nullptr;
};

OnnxModel conv(const Convolution2d& c) {
  OnnxNode node("Conv", c.bias ? std::vector<std::string>{"x", "w", "b"} : std::vector<std::string>{"x", "w"}, {"y"},
                "conv1");
  for (const auto& [name, list] : c.lists) node.set(name, list);
  for (const auto& [name, number] : c.numbers) node.set(name, number);
  if (c.auto_pad != nullptr) node.set("auto_pad", c.auto_pad);
  Constants constants = {{"w", floats_of(c.w)}};
  if (c.bias) constants.emplace_back("b", *c.bias);
  return model_of({node}, {{"x", c.x}}, constants);
}

OnnxModel pool(const std::string& op, const std::vector<std::pair<std::string, Ints>>& lists,
               const std::vector<std::pair<std::string, std::int64_t>>& numbers = {},
               const std::vector<OnnxDim>& x = {1, 1, 4, 4}) {
  OnnxNode node(op, {"x"}, {"y"}, "pool1");
  for (const auto& [name, list] : lists) node.set(name, list);
  for (const auto& [name, number] : numbers) node.set(name, number);
  return model_of({node}, {{"x", x}});
}

Tensor counting(Shape shape) {
  Tensor result(DataType::float32, std::move(shape));
  for (float i = 0; float& x : result.mutable_data<float>()) x = i++;
  return result;
}

}  // namespace

TEST_CASE("G01: a stride of 0 is refused") {
  CHECK_REFUSED(conv({.lists = {{"strides", {0, 1}}}}), ErrorCode::model, "conv1", "Conv", "strides", "found 0");
  CHECK_REFUSED(pool("MaxPool", {{"kernel_shape", {2, 2}}, {"strides", {1, 0}}}), ErrorCode::model, "pool1", "strides");
}

TEST_CASE("G02: negative strides and dilations and kernels are refused") {
  CHECK_REFUSED(conv({.lists = {{"strides", {-1, 1}}}}), ErrorCode::model, "strides", "-1");
  CHECK_REFUSED(conv({.lists = {{"dilations", {1, -2}}}}), ErrorCode::model, "dilations", "-2");
  CHECK_REFUSED(conv({.lists = {{"kernel_shape", {-3, 3}}}}), ErrorCode::model, "kernel_shape");
  CHECK_REFUSED(pool("AveragePool", {{"kernel_shape", {-1, 2}}}), ErrorCode::model, "kernel_shape", "-1");
}

TEST_CASE("G03: a stride beyond 16 bits is no stride of 0") {
  const std::vector<Tensor> y = run(conv({.lists = {{"strides", {65536, 65536}}}}));
  CHECK(y.at(0).shape() == Shape{1, 8, 1, 1});
  CHECK(run(pool("MaxPool", {{"kernel_shape", {2, 2}}, {"strides", {131072, 1}}})).at(0).shape() == Shape{1, 1, 1, 3});
  CHECK_REFUSED(conv({.lists = {{"strides", {std::int64_t{1} << 40, 1}}}}), ErrorCode::model, "strides");
}

TEST_CASE("G04: a dilation of 0 is refused") {
  CHECK_REFUSED(conv({.lists = {{"dilations", {0, 1}}}}), ErrorCode::model, "dilations", "found 0");
  CHECK_REFUSED(pool("MaxPool", {{"kernel_shape", {2, 2}}, {"dilations", {0, 0}}}), ErrorCode::model, "dilations");
}

TEST_CASE("G05: a dilation whose reach overflows is refused") {
  CHECK_REFUSED(conv({.lists = {{"dilations", {kHuge, 1}}}}), ErrorCode::model, "dilations");
  CHECK_REFUSED(conv({.lists = {{"dilations", {std::int64_t{1} << 31, 1}}}}), ErrorCode::model,
                "larger than the padded input");
}

TEST_CASE("G06: lists of the wrong length are refused") {
  for (const char* name : {"strides", "dilations"}) {
    for (const Ints& list : {Ints{1}, Ints{1, 1, 1}, Ints{1, 1, 1, 1, 1}}) {
      CHECK_REFUSED(conv({.lists = {{name, list}}}), ErrorCode::model, name, "expected 2");
      CHECK_REFUSED(pool("MaxPool", {{"kernel_shape", {2, 2}}, {name, list}}), ErrorCode::model, name, "expected 2");
    }
  }
  for (const Ints& list : {Ints{0}, Ints{0, 0}, Ints{0, 0, 0}, Ints{0, 0, 0, 0, 0}}) {
    CHECK_REFUSED(conv({.lists = {{"pads", list}}}), ErrorCode::model, "pads", "expected 4");
    CHECK_REFUSED(pool("MaxPool", {{"kernel_shape", {2, 2}}, {"pads", list}}), ErrorCode::model, "pads", "expected 4");
  }
  for (const Ints& list : {Ints{3}, Ints{3, 3, 3}}) {
    CHECK_REFUSED(conv({.lists = {{"kernel_shape", list}}}), ErrorCode::model, "kernel_shape");
    CHECK_REFUSED(pool("AveragePool", {{"kernel_shape", list}}), ErrorCode::model, "kernel_shape");
  }
}

TEST_CASE("windows that begin far before the input are not looked at one by one") {
  constexpr std::int64_t kMost = 2147483647;
  CHECK_REFUSED(pool("MaxPool", {{"kernel_shape", {kMost, 1}}, {"pads", {kMost - 1, 0, 1 << 30, 0}}}), ErrorCode::limit,
                "arena");
  CHECK_REFUSED(
      pool("MaxPool",
           {{"kernel_shape", {2, 1}}, {"dilations", {kMost - 47, 1}}, {"pads", {kMost - 47, 0, kMost - 47, 0}}}),
      ErrorCode::unsupported, "too many windows");
  // The window that begins at -1 reads -1 and 4, neither of which is there.
  CHECK_REFUSED(
      pool("MaxPool", {{"kernel_shape", {2, 1}}, {"dilations", {5, 1}}, {"pads", {4, 0, 4, 0}}}, {}, {1, 1, 4, 4}),
      ErrorCode::unsupported, "in the padding altogether");
}

TEST_CASE("G07: negative pads are refused; huge ones are over a limit; uneven ones work") {
  CHECK_REFUSED(conv({.lists = {{"pads", {-1, 0, 0, 0}}}}), ErrorCode::model, "pads", "-1");
  CHECK_REFUSED(conv({.lists = {{"pads", {1 << 20, 1 << 20, 0, 0}}}}), ErrorCode::limit, "arena");
  CHECK_REFUSED(conv({.lists = {{"pads", {kHuge, 0, 0, 0}}}}), ErrorCode::model, "pads");
  CHECK(run(conv({.lists = {{"pads", {0, 1, 2, 3}}}})).at(0).shape() == Shape{1, 8, 6, 8});
}

TEST_CASE("G07: windows whose reach the kernels cannot count are over a limit") {
  constexpr std::int64_t kMost = 2147483647, kFar = 1500000000, kPast = (1 << 20) + 1;
  const auto depthwise = [](const Ints& strides, const Ints& dilations, const Ints& pads) {
    return conv({.lists = {{"strides", strides}, {"dilations", dilations}, {"pads", pads}},
                 .numbers = {{"group", 32}},
                 .x = {1, 32, 5, 5},
                 .w = {32, 1, 3, 3}});
  };
  CHECK_REFUSED(depthwise({1, kMost}, {1, 1}, {1, 2, 1, 2}), ErrorCode::limit, "conv1", "axis 1");
  CHECK_REFUSED(depthwise({kMost + 1, 1}, {1, 1}, {2, 1, 2, 1}), ErrorCode::limit, "conv1", "axis 0");
  CHECK_REFUSED(depthwise({1, 1}, {1, kFar}, {1, kFar, 1, kFar}), ErrorCode::limit, "conv1", "axis 1");
  CHECK_REFUSED(depthwise({kFar, kFar}, {1, 1}, {0, kFar, 0, 0}), ErrorCode::limit, "conv1", "axis 1");
  // Read as a halo, of which there is not so much.
  for (const std::int64_t kernel : {1, 3}) {
    const auto padded = [&](std::int64_t pad) {
      return conv({.lists = {{"strides", {1, pad}}, {"pads", {0, pad, 0, 0}}},
                   .x = {1, 16, kernel, 4},
                   .w = {16, 16, kernel, kernel}});
    };
    CHECK_REFUSED(padded(kPast), ErrorCode::limit, "conv1", "pads");
    CHECK_REFUSED(padded(4 * kPast), ErrorCode::limit, "conv1", "pads");
    const Tensor y = run(padded(kPast - 1), {floats_of({1, 16, kernel, 4})}).at(0);
    const auto sum = static_cast<float>(16 * kernel * kernel);
    CHECK(y.data<float>()[0] == 0);
    CHECK(y.data<float>()[1] == sum);
  }
  const std::vector<std::pair<std::string, Ints>> far = {
      {"kernel_shape", {1, 3}}, {"dilations", {1, kFar}}, {"pads", {0, kFar, 0, kFar}}};
  CHECK_REFUSED(pool("MaxPool", far, {}, {1, 1, 1, 1}), ErrorCode::limit, "pool1", "axis 1");
  CHECK_REFUSED(pool("AveragePool",
                     {{"kernel_shape", {1, 1600000000}}, {"strides", {1, 1400000004}}, {"pads", {0, kFar, 0, kFar}}},
                     {{"count_include_pad", 1}}),
                ErrorCode::limit, "pool1", "axis 1");
}

TEST_CASE("G07: a mean over more elements than an int counts") {
  OnnxNode node("AveragePool", {"x"}, {"y"}, "pool1");
  node.set("kernel_shape", Ints{65536, 65536}).set("pads", Ints{65535, 65535, 65535, 65535});
  node.set("strides", Ints{65535, 65535}).set("count_include_pad", 1);
  const std::vector<float> ones(4, 1);
  CHECK(floats(run(model_of({node}, {{"x", {1, 1, 1, 1}}}), {floats_of({1, 1, 1, 1}, 0x1p32F)}).at(0)) == ones);
  // Between convolutions, on blocks of channels.
  node = OnnxNode("AveragePool", {"c"}, {"p"}, "pool1");
  node.set("kernel_shape", Ints{65536, 65536}).set("pads", Ints{65535, 65535, 65535, 65535});
  node.set("strides", Ints{65535, 65535}).set("count_include_pad", 1);
  const OnnxModel blocked =
      model_of({OnnxNode("Conv", {"x", "w"}, {"c"}), node, OnnxNode("Conv", {"p", "v"}, {"y"})}, {{"x", {1, 16, 1, 1}}},
               {{"w", floats_of({16, 16, 1, 1}, 1.0F / 16)}, {"v", floats_of({1, 16, 1, 1}, 1.0F / 16)}});
  CHECK(floats(run(blocked, {floats_of({1, 16, 1, 1}, 0x1p32F)}).at(0)) == ones);
}

TEST_CASE("G07: an output of ConvTranspose that is too far from what an empty input gives is over a limit") {
  OnnxNode node("ConvTranspose", {"x", "w"}, {"y"}, "conv1");
  node.set("strides", Ints{std::int64_t{1} << 31, 1});
  node.set("output_shape", Ints{std::numeric_limits<std::int64_t>::max(), 1});
  CHECK_REFUSED(model_of({node}, {{"x", {0, 1, 0, 1}}}, {{"w", floats_of({1, 1, 1, 1})}}), ErrorCode::limit, "63 bits");
}

TEST_CASE("G08: a filter without channels takes no time for its taps") {
  constexpr std::int64_t kTaps = 1 << 20;
  const auto seconds = [&](const OnnxNode& node, DataType type) {
    OnnxModel model = model_of({node}, {}, {{"x", Tensor(type, {1, 0, 1})}, {"w", Tensor(type, {1, 0, kTaps})}});
    return footprint_of([&] {
             const Tensor y = run(model).at(0);
             CHECK(y.shape() == Shape{1, 1, kTaps + 2});
           })
        .seconds;
  };
  for (const DataType type : {DataType::float32, DataType::float64})
    CHECK(seconds(OnnxNode("Conv", {"x", "w"}, {"y"}).set("pads", Ints{kTaps, kTaps}), type) < 2 * kSlowness);
  CHECK(seconds(OnnxNode("ConvInteger", {"x", "w"}, {"y"}).set("pads", Ints{kTaps, kTaps}), DataType::uint8) <
        2 * kSlowness);
}

TEST_CASE("G08: blocks as long as the picture take time in proportion to it") {
  constexpr std::int64_t n = 1 << 18;
  for (const std::int64_t blocks : {1, 2}) {
    OnnxNode node("Col2Im", {"x", "image", "block"}, {"y"});
    node.set("strides", Ints{n / 2});
    const std::int64_t block = blocks == 1 ? n : n / 2;
    const OnnxModel model =
        model_of({node}, {{"x", {1, block, blocks}}},
                 {{"image", tensor<std::int64_t>({1}, {n})}, {"block", tensor<std::int64_t>({1}, {block})}}, 18);
    std::vector<float> y;
    CHECK(footprint_of([&] { y = floats(run(model, {floats_of({1, block, blocks})}).at(0)); }).seconds < 2 * kSlowness);
    CHECK(y == std::vector<float>(static_cast<std::size_t>(n), 1));
  }
}

TEST_CASE("G07: pads of Pad that have no negative are over a limit") {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  for (const Ints& pads : {Ints{kLeast, 0}, Ints{kLeast, -(kLeast + 1)}, Ints{0, kHuge}}) {
    CHECK_REFUSED(
        model_of({OnnxNode("Pad", {"x", "p"}, {"y"}, "pad1")}, {{"x", {5}}}, {{"p", tensor<std::int64_t>({2}, pads)}}),
        ErrorCode::limit, "pad1", "pads");
  }
}

TEST_CASE("G08: a kernel larger than the padded input is refused") {
  CHECK_REFUSED(conv({.x = {1, 4, 2, 6}}), ErrorCode::model, "larger than the padded input", "expected at most 2",
                "found 3");
  CHECK_REFUSED(pool("MaxPool", {{"kernel_shape", {5, 5}}}), ErrorCode::model, "larger than the padded input");
}

TEST_CASE("G09: a kernel_shape that is not the filter's is refused") {
  CHECK_REFUSED(conv({.lists = {{"kernel_shape", {5, 5}}}}), ErrorCode::model, "kernel_shape", "[3,3]", "[5,5]");
}

TEST_CASE("G10: a filter of another rank is refused") {
  CHECK_REFUSED(conv({.w = {8, 4, 3, 3, 3}}), ErrorCode::model, "rank");
  CHECK_REFUSED(conv({.w = {8, 4, 3}}), ErrorCode::model, "rank");
  CHECK_REFUSED(conv({.w = {8}}), ErrorCode::model, "rank");
}

TEST_CASE("G11: inputs of every rank convolve or are refused") {
  CHECK_REFUSED(conv({.x = {1, 4}, .w = {8, 4}}), ErrorCode::model, "3-D or more");
  CHECK_REFUSED(conv({.x = {}, .w = {8, 4, 3, 3}}), ErrorCode::model, "3-D or more");
  CHECK(run(conv({.x = {1, 4, 6}, .w = {8, 4, 3}})).at(0).shape() == Shape{1, 8, 4});
  CHECK(run(conv({.x = {1, 4, 6, 6, 6}, .w = {8, 4, 3, 3, 3}})).at(0).shape() == Shape{1, 8, 4, 4, 4});
}

TEST_CASE("G12: groups that do not divide the channels are refused") {
  for (const std::int64_t group : {std::int64_t{0}, std::int64_t{-1}}) {
    CHECK_REFUSED(conv({.numbers = {{"group", group}}}), ErrorCode::model, "group", "at least 1");
  }
  CHECK_REFUSED(conv({.numbers = {{"group", std::int64_t{1} << 40}}}), ErrorCode::model, "group");
  CHECK_REFUSED(conv({.numbers = {{"group", kHuge}}}), ErrorCode::limit, "channels");
  CHECK_REFUSED(conv({.numbers = {{"group", 3}}, .w = {8, 1, 3, 3}}), ErrorCode::model, "group");
  CHECK_REFUSED(conv({.numbers = {{"group", 4}}, .w = {6, 1, 3, 3}}), ErrorCode::model, "multiple of 4", "found 6");
}

TEST_CASE("G13: a filter for other channels is refused with all three numbers") {
  CHECK_REFUSED(conv({.w = {8, 5, 3, 3}}), ErrorCode::model, "expected 4 channels", "found 5 x group 1");
}

TEST_CASE("G14: a bias of another length or rank or type is refused") {
  CHECK_REFUSED(conv({.bias = floats_of({1})}), ErrorCode::model, "input 2 'b'", "[8]");
  CHECK_REFUSED(conv({.bias = floats_of({9})}), ErrorCode::model, "input 2 'b'");
  CHECK_REFUSED(conv({.bias = floats_of({1, 8})}), ErrorCode::model, "input 2 'b'");
  CHECK_REFUSED(conv({.bias = floats_of({})}), ErrorCode::model, "input 2 'b'");
  CHECK_REFUSED(conv({.bias = Tensor(DataType::int64, {8})}), ErrorCode::model, "input 2 'b'", "int64");
}

TEST_CASE("G15: filters without an element") {
  CHECK_REFUSED(conv({.w = {8, 4, 0, 3}}), ErrorCode::model, "kernel");
  CHECK_REFUSED(conv({.w = {8, 0, 3, 3}}), ErrorCode::model, "channels");
  CHECK(run(conv({.w = {0, 4, 3, 3}})).at(0).shape() == Shape{1, 0, 4, 4});
}

TEST_CASE("G16: no bias is a bias of zeros") {
  const OnnxModel named =
      model_of({OnnxNode("Conv", {"x", "w", ""}, {"y"})}, {{"x", {1, 4, 6, 6}}}, {{"w", floats_of({8, 4, 3, 3})}});
  const std::vector<Tensor> x = {floats_of({1, 4, 6, 6})};
  CHECK(floats(run(named, x).at(0)) == floats(run(conv({}), x).at(0)));
  CHECK(floats(run(conv({}), x).at(0)).at(0) == 36);
}

TEST_CASE("G17: weights that are an input convolve as constants do") {
  const OnnxModel model = model_of({OnnxNode("Conv", {"x", "w"}, {"y"})}, {{"x", {1, 4, 6, 6}}, {"w", {8, 4, 3, 3}}});
  const Tensor x = counting({1, 4, 6, 6});
  CHECK(floats(run(model, {x, floats_of({8, 4, 3, 3})}).at(0)) == floats(run(conv({}), {x}).at(0)));
}

TEST_CASE("G18: auto_pad") {
  CHECK_REFUSED(conv({.auto_pad = "SAME"}), ErrorCode::model, "auto_pad", "SAME_UPPER");
  CHECK(run(conv({.lists = {{"dilations", {2, 2}}}, .auto_pad = "SAME_UPPER"})).at(0).shape() == Shape{1, 8, 6, 6});
  CHECK(run(conv({.auto_pad = "VALID"})).at(0).shape() == Shape{1, 8, 4, 4});
  // The odd pixel of padding is at the end or at the beginning.
  const auto corner = [](const char* auto_pad) {
    return floats(
        run(conv({.x = {1, 1, 2, 2}, .w = {1, 1, 2, 2}, .auto_pad = auto_pad}), {counting({1, 1, 2, 2})}).at(0));
  };
  CHECK(corner("SAME_UPPER") == std::vector<float>{6, 4, 5, 3});
  CHECK(corner("SAME_LOWER") == std::vector<float>{0, 1, 2, 6});
}

TEST_CASE("G19: pooling without a window is refused") {
  CHECK_REFUSED(pool("MaxPool", {}), ErrorCode::model, "kernel_shape");
  CHECK_REFUSED(pool("MaxPool", {{"kernel_shape", {0, 2}}}), ErrorCode::model, "kernel_shape", "found 0");
  CHECK_REFUSED(pool("AveragePool", {{"kernel_shape", {}}}), ErrorCode::model, "kernel_shape");
}

TEST_CASE("G20: with ceil_mode a window that starts in the right padding does not count") {
  const std::vector<Tensor> y = run(
      pool("MaxPool", {{"kernel_shape", {1, 1}}, {"strides", {3, 3}}}, {{"ceil_mode", 1}}), {counting({1, 1, 4, 4})});
  CHECK(y.at(0).shape() == Shape{1, 1, 2, 2});
  const OnnxModel padded = pool("AveragePool", {{"kernel_shape", {2, 2}}, {"strides", {2, 2}}, {"pads", {1, 1, 1, 1}}},
                                {{"ceil_mode", 1}}, {1, 1, 5, 5});
  CHECK(run(padded, {counting({1, 1, 5, 5})}).at(0).shape() == Shape{1, 1, 3, 3});
  for (const float x : floats(run(padded, {counting({1, 1, 5, 5})}).at(0))) CHECK(std::isfinite(x));
}

TEST_CASE("G21: a window that sees nothing but padding is refused") {
  CHECK_REFUSED(pool("MaxPool", {{"kernel_shape", {2, 2}}, {"pads", {2, 2, 2, 2}}}), ErrorCode::unsupported, "pool1");
  CHECK_REFUSED(pool("AveragePool", {{"kernel_shape", {2, 2}}, {"pads", {0, 0, 3, 3}}}), ErrorCode::unsupported,
                "pool1");
}

TEST_CASE("G22: what an average divides by: every combination of counting and ceiling and uneven pads") {
  // By hand, along one axis at a time.
  for (const std::int64_t ceiling : {0, 1}) {
    for (const std::int64_t counted : {0, 1}) {
      for (std::int64_t code = 0; code < 3 * 3 * 3 * 3; ++code) {
        const std::int64_t kernel = 2 + code % 3, stride = 1 + code / 3 % 3;
        const std::int64_t before = std::min<std::int64_t>(code / 9 % 3, kernel - 1),
                           after = std::min<std::int64_t>(code / 27 % 3, kernel - 1);
        const std::int64_t in = 5;
        const std::int64_t room = in + before + after - kernel;
        std::int64_t out = (ceiling ? (room + stride - 1) / stride : room / stride) + 1;
        if (ceiling && (out - 1) * stride >= in + before) --out;
        std::vector<float> expected;
        for (std::int64_t o = 0; o < out; ++o) {
          double sum = 0, count = 0;
          for (std::int64_t k = 0; k < kernel; ++k) {
            const std::int64_t at = o * stride - before + k;
            if (at >= 0 && at < in) sum += static_cast<double>(at);
            if ((at >= 0 && at < in) || (counted && at < in + after)) ++count;
          }
          expected.push_back(static_cast<float>(sum / count));
        }
        const OnnxModel model = pool(
            "AveragePool", {{"kernel_shape", {1, kernel}}, {"strides", {1, stride}}, {"pads", {0, before, 0, after}}},
            {{"ceil_mode", ceiling}, {"count_include_pad", counted}}, {1, 1, 1, in});
        INFO("kernel " << kernel << " stride " << stride << " pads " << before << ' ' << after << " ceil " << ceiling
                       << " counted " << counted);
        const std::vector<float> y = floats(run(model, {counting({1, 1, 1, in})}).at(0));
        REQUIRE(y.size() == expected.size());
        for (std::size_t i = 0; i < y.size(); ++i) CHECK(y[i] == Approx(expected[i]).epsilon(1e-6));
      }
    }
  }
}

TEST_CASE("G23: MaxPool with indices in either order, and dilated") {
  for (const std::int64_t column_major : {0, 1}) {
    const OnnxModel model = model_of({OnnxNode("MaxPool", {"x"}, {"v", "y"})
                                          .set("kernel_shape", Ints{2, 2})
                                          .set("dilations", Ints{2, 2})
                                          .set("storage_order", column_major)},
                                     {{"x", {1, 1, 4, 4}}});
    const Tensor indices = run(model, {counting({1, 1, 4, 4})}).at(0);
    const Ints expected = column_major != 0 ? Ints{10, 14, 11, 15} : Ints{10, 11, 14, 15};
    CHECK(Ints(indices.data<std::int64_t>().begin(), indices.data<std::int64_t>().end()) == expected);
  }
}

TEST_CASE("G24: depthwise convolutions of every form see one channel each") {
  for (const std::int64_t channels : {1, 3, 16, 17}) {
    for (const std::int64_t multiplier : {1, 2}) {
      const Tensor y =
          run(conv({.numbers = {{"group", channels}}, .x = {1, channels, 3, 3}, .w = {channels * multiplier, 1, 3, 3}}),
              {counting({1, channels, 3, 3})})
              .at(0);
      for (std::int64_t m = 0; m < channels * multiplier; ++m) {
        CHECK(y.data<float>()[static_cast<std::size_t>(m)] == static_cast<float>(36 + 81 * (m / multiplier)));
      }
    }
  }
}

TEST_CASE("G25: a workspace beyond the limit is refused before anything of it is touched") {
  CHECK_REFUSED(conv({.lists = {{"pads", {1, 1, 1, 1}}}, .x = {1, 4, 100000, 100000}}), ErrorCode::limit, "bytes");
  CHECK_REFUSED(conv({.x = {1 << 20, 4, 1 << 20, 1 << 20}}), ErrorCode::limit, "");
  // Nor are the tables of a step made whose result has no room.
  const OnnxNode spread = OnnxNode("ConvTranspose", {"x", "w"}, {"y"}).set("strides", Ints{1 << 28, 2});
  CHECK_REFUSED(model_of({spread}, {{"x", {1, 2, 8, 8}}}, {{"w", floats_of({2, 2, 3, 3})}}), ErrorCode::limit, "bytes");
}

TEST_CASE("G25: tables of positions and weights beyond the limit are refused before they are made") {
  const auto model = [](const OnnxNode& node, const std::vector<OnnxDim>& x, const Ints& list) {
    return model_of({node}, {{"x", x}}, {{"s", tensor<std::int64_t>({static_cast<std::int64_t>(list.size())}, list)}},
                    18);
  };
  // A window over all of an axis, for a result of one element: also over one that no memory holds.
  for (const std::int64_t extent : {std::int64_t{1} << 32, std::int64_t{1} << 40, std::int64_t{1} << 60}) {
    for (const char* mode : {"linear", "cubic"}) {
      const OnnxNode shrink =
          OnnxNode("Resize", {"x", "", "", "s"}, {"y"}, "shrink").set("mode", mode).set("antialias", 1);
      CHECK_REFUSED(model(shrink, {1, extent}, {1, 1}), ErrorCode::limit,
                    extent < std::int64_t{1} << 60 ? "max_arena_bytes" : "63 bits");
    }
  }
  const std::pair<OnnxNode, Ints> spread[] = {
      {OnnxNode("Resize", {"x", "", "", "s"}, {"y"}, "n"), {1, 1 << 20}},
      {OnnxNode("Pad", {"x", "s"}, {"y"}, "n").set("mode", "edge"), {0, 0, 0, 1 << 20}},
      {OnnxNode("CenterCropPad", {"x", "s"}, {"y"}, "n"), {1, 1 << 20}}};
  for (const auto& [node, list] : spread) {
    const std::vector<std::byte> file = model(node, {1, 1}, list).bytes();
    SessionOptions small = one_thread();
    small.max_arena_bytes = 5 << 20;
    CHECK_REFUSED([&] { (void)Plan(Model::load(file), small); }, ErrorCode::limit, "'n'", "tables", "max_arena_bytes");
    const auto footprint = footprint_of([&] { (void)Plan(Model::load(file), one_thread()); });
    CHECK(footprint.bytes < 20 << 20);
  }
}

TEST_CASE("G26: extents of 1 and channels that fill no block") {
  for (const std::int64_t channels : {1, 7, 15, 16, 17, 33}) {
    for (const auto& [height, width] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {1, 7}, {7, 1}, {2, 17}}) {
      const Convolution2d c{
          .lists = {{"pads", {1, 1, 1, 1}}}, .x = {1, channels, height, width}, .w = {channels, channels, 3, 3}};
      const std::vector<float> y = floats(run(conv(c), {floats_of({1, channels, height, width})}).at(0));
      const std::int64_t in_corner = std::min<std::int64_t>(height, 2) * std::min<std::int64_t>(width, 2) * channels;
      CHECK(y.front() == static_cast<float>(in_corner));
      CHECK(y.back() == static_cast<float>(in_corner));
    }
  }
}

TEST_CASE("G27: the mean of no pixels is refused; the mean of many is exact enough") {
  const auto mean = [](const std::vector<OnnxDim>& x) {
    return model_of({OnnxNode("GlobalAveragePool", {"x"}, {"y"}, "gap")}, {{"x", x}});
  };
  CHECK_REFUSED(mean({1, 4, 0, 5}), ErrorCode::model, "gap");
  const Tensor y = run(mean({1, 1, 4096, 4096}), {floats_of({1, 1, 4096, 4096}, 1.1F)}).at(0);
  CHECK(y.data<float>()[0] == Approx(1.1F).epsilon(1e-5));
}

TEST_CASE("G28: a plane of 2^31 rows is over a limit") {
  CHECK_REFUSED(conv({.x = {1, 4, std::int64_t{1} << 31, 3}}), ErrorCode::limit, "");
  CHECK_REFUSED(pool("MaxPool", {{"kernel_shape", {1, 1}}}, {}, {1, 1, std::int64_t{1} << 33, 1}), ErrorCode::limit,
                "");
}
