// GridSample, AffineGrid, RoiAlign, MaxRoiPool, Col2Im, CenterCropPad. Expected numbers without a derivation beside them are
// ONNX Runtime's, version 1.32.
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <string>

#include "support/op_case.h"

namespace linnet::test::sampling_test {
namespace {

using List = std::vector<std::int64_t>;
using Floats = std::vector<float>;

/// The result of any number of threads, which is one thread's bit for bit.
Floats result(const OpCase& c) {
  const Tensor y = run(c)[0];
  for (const int threads : {2, 3, 7}) CHECK(bit_difference(run_split(c, threads)[0], y) == "");
  return values<float>(y);
}

void check_near(const Floats& found, const Floats& expected) {
  REQUIRE(found.size() == expected.size());
  // The expected numbers are rounded to five decimals, and none is larger than 12.
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(found[i] == Approx(expected[i]).margin(1e-5 + 12 * 6e-7));
}

const Tensor& picture() {
  static const Tensor x = counting(DataType::float32, {1, 1, 3, 4});
  return x;
}
/// The picture, and its negative.
Tensor two_pictures() {
  Tensor x(DataType::float32, {2, 1, 3, 4});
  for (std::size_t i = 0; i < 12; ++i) {
    x.mutable_data<float>()[i] = static_cast<float>(i);
    x.mutable_data<float>()[12 + i] = -static_cast<float>(i);
  }
  return x;
}

struct GridCase {
  const char* mode;
  const char* padding;
  std::int64_t align;
  Floats expected;
};

TEST_CASE("GridSample in two dimensions", "[ops]") {
  const Tensor grid =
      tensor<float>({1, 2, 3, 2}, {-1.5f, -1, -0.25f, 0.3f, 0.5f, -0.1f, 1.75f, 0.9f, 0, 0, 0.99f, -1.9f});
  const GridCase cases[] = {
      {"bilinear", "zeros", 0, {0, 6.8f, 5.9f, 0, 5.5f, 0}},
      {"bilinear", "zeros", 1, {0, 6.325f, 5.85f, 0, 5.5f, 0.2985f}},
      {"bilinear", "border", 0, {0, 6.8f, 5.9f, 11, 5.5f, 3}},
      {"bilinear", "border", 1, {0, 6.325f, 5.85f, 10.6f, 5.5f, 2.985f}},
      {"bilinear", "reflection", 0, {0.5f, 6.8f, 5.9f, 10, 5.5f, 6.4f}},
      {"bilinear", "reflection", 1, {0.75f, 6.325f, 5.85f, 9.475f, 5.5f, 6.585f}},
      {"nearest", "zeros", 0, {0, 5, 6, 0, 6, 0}},
      {"nearest", "zeros", 1, {0, 5, 6, 0, 6, 0}},
      {"nearest", "border", 0, {0, 5, 6, 11, 6, 3}},
      {"nearest", "border", 1, {0, 5, 6, 11, 6, 3}},
      {"nearest", "reflection", 0, {1, 5, 6, 10, 6, 7}},
      {"nearest", "reflection", 1, {1, 5, 6, 10, 6, 7}},
      {"bicubic", "zeros", 0, {0.03516f, 7.93541f, 6.377f, 0, 5.5f, -0.02388f}},
      {"bicubic", "zeros", 1, {-0.03516f, 7.15611f, 6.0035f, -0.81591f, 5.5f, 0.22047f}},
      {"bicubic", "border", 0, {-0.375f, 7.18363f, 5.75787f, 11.44363f, 5.5f, 3.09734f}},
      {"bicubic", "border", 1, {-0.03516f, 6.72302f, 5.76103f, 10.699f, 5.5f, 2.96175f}},
      {"bicubic", "reflection", 0, {-0.34375f, 7.18363f, 5.75787f, 10.6825f, 5.5f, 6.35132f}},
      {"bicubic", "reflection", 1, {0.63281f, 6.91202f, 5.76919f, 9.77598f, 5.5f, 6.40167f}},
  };
  for (const GridCase& c : cases) {
    INFO(c.mode << ' ' << c.padding << ' ' << c.align);
    const auto attributes = [&](const std::string& mode) {
      return AttributeList{{"mode", mode}, {"padding_mode", std::string(c.padding)}, {"align_corners", c.align}};
    };
    const Floats found = result(op_case("GridSample", 16, {picture(), grid}, attributes(c.mode)));
    check_near(found, c.expected);
    // Opset 20 has other names for the same.
    const std::string mode(c.mode);
    const std::string renamed = mode == "nearest" ? mode : mode.substr(2);
    CHECK(result(op_case("GridSample", 20, {picture(), grid}, attributes(renamed))) == found);
  }
}

TEST_CASE("GridSample of volumes, other types and places that are none", "[ops]") {
  const Tensor volume = counting(DataType::float64, {1, 2, 2, 2, 2});
  const Tensor middle = tensor<double>({1, 1, 1, 1, 3}, {0, 0, 0});
  CHECK(values<double>(run(op_case("GridSample", 20, {volume, middle}))[0]) == std::vector<double>{3.5, 11.5});
  CHECK(refusal(op_case("GridSample", 16, {volume, middle})) == ErrorCode::unsupported);
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  const Tensor nowhere = tensor<float>({1, 1, 4, 2}, {nan, nan, infinity, 0, -infinity, infinity, 1e30f, -1e30f});
  for (const char* mode : {"bilinear", "nearest", "bicubic"}) {
    CHECK(result(op_case("GridSample", 16, {picture(), nowhere}, {{"mode", std::string(mode)}})) == Floats{0, 0, 0, 0});
    for (const char* padding : {"border", "reflection"}) {
      const OpCase c = op_case("GridSample", 16, {picture(), nowhere},
                               {{"mode", std::string(mode)}, {"padding_mode", std::string(padding)}});
      for (const float y : result(c)) CHECK(std::isfinite(y));
    }
  }
  CHECK(refusal(op_case("GridSample", 16, {picture(), tensor<float>({1, 1, 1, 3}, {0, 0, 0})})) == ErrorCode::model);
  CHECK(refusal(op_case("GridSample", 20, {picture(), nowhere}, {{"mode", std::string("bilinear")}})) ==
        ErrorCode::model);
  CHECK(refusal(op_case("GridSample", 16, {picture(), nowhere}, {{"padding_mode", std::string("none")}})) ==
        ErrorCode::model);
}

TEST_CASE("AffineGrid", "[ops]") {
  // Turned by a quarter: x of the grid is minus y of the place.
  const Tensor theta = tensor<float>({1, 2, 3}, {0, -1, 0.5f, 1, 0, 0});
  CHECK(result(op_case("AffineGrid", 20, {theta, int64s({1, 1, 2, 2})})) ==
        Floats{1, -0.5f, 1, 0.5f, 0, -0.5f, 0, 0.5f});
  CHECK(result(op_case("AffineGrid", 20, {theta, int64s({1, 1, 2, 2})}, {{"align_corners", std::int64_t{1}}})) ==
        Floats{1.5f, -1, 1.5f, 1, -0.5f, -1, -0.5f, 1});
  const Tensor volume = tensor<float>({1, 3, 4}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0});
  CHECK(result(op_case("AffineGrid", 20, {volume, int64s({1, 1, 1, 1, 2})})) == Floats{-0.5f, 0, 0, 0.5f, 0, 0});
  CHECK(refusal(op_case("AffineGrid", 20, {theta, int64s({1, 1, 1, 2, 2})})) == ErrorCode::model);
  CHECK(refusal(op_case("AffineGrid", 20, {theta, int64s({1, 1, 2})})) == ErrorCode::model);
}

TEST_CASE("AffineGrid of extents that are known at run time only", "[ops]") {
  const auto of_size = [](graph::Dim count) {
    return inferred(op_case("AffineGrid", 20, {}),
                    {desc(DataType::float32, {1, 2, 3}), desc(DataType::int64, {std::move(count)})});
  };
  CHECK(of_size(4) == "float[?,?,?,?]");
  CHECK(of_size(5) == "float[?,?,?,?,?]");
  for (const std::int64_t count : {std::int64_t{3}, std::int64_t{1} << 60}) CHECK_THROWS_AS(of_size(count), Error);
}

TEST_CASE("RoiAlign", "[ops]") {
  const Tensor rois = tensor<float>({2, 4}, {0.5f, 0.5f, 3, 2.5f, 1, 0, 9, 9});
  const auto aligned = [&](AttributeList attributes, const Tensor& batch = int64s({0, 1})) {
    attributes.insert(
        attributes.end(),
        {{"output_height", std::int64_t{2}}, {"output_width", std::int64_t{2}}, {"spatial_scale", 0.75f}});
    return op_case("RoiAlign", 16, {two_pictures(), rois, batch}, attributes);
  };
  check_near(result(aligned({})), {1.34375f, 2.28125f, 4.34375f, 5.28125f, -6.125f, -2.45833f, 0, 0});
  check_near(result(aligned({{"coordinate_transformation_mode", std::string("output_half_pixel")}})),
             {3.84375f, 4.78125f, 6.84375f, 7.78125f, -7.85417f, 0, 0, 0});
  const std::pair<std::string, graph::Attribute> two = {"sampling_ratio", std::int64_t{2}};
  check_near(result(aligned({two})), {1.34375f, 2.28125f, 4.34375f, 5.28125f, -6.4375f, -3.84375f, 0, 0});
  check_near(result(aligned({two, {"mode", std::string("max")}})),
             {1.55859f, 2.08496f, 2.89453f, 3.87207f, 0, 0, 0, 0});
  CHECK(refusal(aligned({}, int64s({0, 2}))) == ErrorCode::input);
  CHECK(refusal(aligned({{"mode", std::string("sum")}})) == ErrorCode::model);
  const Tensor endless = tensor<float>({1, 4}, {0, 0, 1e20f, 1e20f});
  CHECK(refusal(op_case("RoiAlign", 16, {two_pictures(), endless, int64s({0})})) == ErrorCode::input);
  CHECK(refusal(op_case("RoiAlign", 16, {Tensor(DataType::float32, {1, 1, 0, 4}), endless, int64s({0})})) ==
        ErrorCode::model);
}

TEST_CASE("MaxRoiPool", "[ops]") {
  const Tensor rois = tensor<float>({3, 5}, {0, 0, 0, 3, 2, 1, 1, 1, 9, 9, 0, 2, 2, 1, 1});
  const OpCase c = op_case("MaxRoiPool", 1, {two_pictures(), rois}, {{"pooled_shape", List{2, 2}}});
  CHECK(result(c) == Floats{5, 7, 9, 11, -5, 0, 0, 0, 10, 10, 10, 10});
  CHECK(refusal(op_case("MaxRoiPool", 1, {two_pictures(), rois})) == ErrorCode::model);
  const Tensor nowhere = tensor<float>({1, 5}, {7, 0, 0, 1, 1});
  CHECK(refusal(op_case("MaxRoiPool", 1, {two_pictures(), nowhere}, {{"pooled_shape", List{1, 1}}})) ==
        ErrorCode::input);
}

TEST_CASE("GridSample of integers and truths is cut to them, and the nearest is taken as it is", "[ops]") {
  const std::int64_t odd = (std::int64_t{1} << 53) + 1;  // no double
  const Tensor corner = tensor<float>({1, 1, 1, 2}, {-1, -1}), middle = tensor<float>({1, 1, 1, 2}, {0, 0});
  const Tensor wide = tensor<std::int64_t>({1, 1, 2, 2}, {odd, 1, 2, -8});
  CHECK(values<std::int64_t>(run(
            op_case("GridSample", 16, {wide, corner}, {{"mode", std::string("nearest")}, {"align_corners", 1}}))[0]) ==
        std::vector<std::int64_t>{odd});
  const Tensor small = tensor<std::uint8_t>({1, 1, 2, 2}, {1, 2, 3, 5});  // 11 / 4
  CHECK(values<std::uint8_t>(run(op_case("GridSample", 16, {small, middle}))[0]) == std::vector<std::uint8_t>{2});
  const Tensor below = tensor<std::int16_t>({1, 1, 2, 2}, {-1, -2, -3, -5});
  CHECK(values<std::int16_t>(run(op_case("GridSample", 20, {below, middle}))[0]) == std::vector<std::int16_t>{-2});
  const Tensor truths = tensor<bool>({1, 1, 2, 2}, {false, false, true, false});
  CHECK(values<bool>(run(op_case("GridSample", 20, {truths, middle}))[0]) == std::vector<bool>{true});
}

TEST_CASE("Col2Im of truths is true where one of the blocks is", "[ops]") {
  const Tensor columns = tensor<bool>({1, 2, 3}, {false, true, false, true, false, false});
  CHECK(values<bool>(run(op_case("Col2Im", 18, {columns, int64s({4}), int64s({2})}))[0]) ==
        std::vector<bool>{false, true, false, false});
}

TEST_CASE("Col2Im sums what blocks share", "[ops]") {
  // Blocks of 2 over 4 elements with a stride of 1: the inner elements lie in two blocks.
  const Tensor columns = tensor<float>({1, 2, 3}, {1, 2, 3, 10, 20, 30});
  CHECK(result(op_case("Col2Im", 18, {columns, int64s({4}), int64s({2})})) == Floats{1, 12, 23, 30});
  Tensor x(DataType::int32, {2, 8, 6});
  for (std::int32_t& v : x.mutable_data<std::int32_t>()) v = 1;
  const OpCase c = op_case("Col2Im", 18, {x, int64s({3, 4}), int64s({2, 2})});
  CHECK(run(c)[0].shape() == Shape{2, 2, 3, 4});
  const std::vector<std::int32_t> sums = values<std::int32_t>(run(c)[0]);
  CHECK(std::vector<std::int32_t>(sums.begin(), sums.begin() + 12) ==
        std::vector<std::int32_t>{1, 2, 2, 1, 2, 4, 4, 2, 1, 2, 2, 1});
  const AttributeList spread = {{"dilations", List{2}}, {"pads", List{1, 0}}, {"strides", List{2}}};
  CHECK(result(op_case("Col2Im", 18, {tensor<float>({1, 2, 2}, {1, 2, 30, 40}), int64s({4}), int64s({2})}, spread)) ==
        Floats{0, 32, 0, 40});
  CHECK(refusal(op_case("Col2Im", 18, {columns, int64s({5}), int64s({2})})) == ErrorCode::model);
  CHECK(refusal(op_case("Col2Im", 18, {columns, int64s({4, 4}), int64s({2})})) == ErrorCode::model);
}

TEST_CASE("CenterCropPad", "[ops]") {
  const Tensor x = tensor<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(result(op_case("CenterCropPad", 18, {x, int64s({3, 2})})) == Floats{1, 2, 4, 5, 0, 0});
  CHECK(result(op_case("CenterCropPad", 18, {x, int64s({6})}, {{"axes", List{-1}}})) ==
        Floats{0, 1, 2, 3, 0, 0, 0, 4, 5, 6, 0, 0});
  const Tensor bytes = tensor<std::int8_t>({4}, {1, 2, 3, 4});
  CHECK(values<std::int8_t>(run(op_case("CenterCropPad", 18, {bytes, int64s({1})}))[0]) == std::vector<std::int8_t>{2});
  CHECK(refusal(op_case("CenterCropPad", 18, {x, int64s({3})})) == ErrorCode::model);
  CHECK(refusal(op_case("CenterCropPad", 18, {x, int64s({3, -1})})) == ErrorCode::model);
}

}  // namespace
}  // namespace linnet::test::sampling_test
