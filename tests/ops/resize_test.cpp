#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "support/blocked_case.h"
#include "support/op_case.h"
#include "support/random_data.h"
#include "support/tensor_adapter.h"

namespace linnet::test::resize_test {
namespace {

using Floats = std::vector<float>;
using graph::Dim;

constexpr Tolerance kRounding = {1e-5, 1e-5};
const DataType kFloat = DataType::float32;

AttributeList with(AttributeList list, const AttributeList& more) {
  list.insert(list.end(), more.begin(), more.end());
  return list;
}
AttributeList mode(const char* name) { return {{"mode", std::string(name)}}; }
AttributeList transform(const char* name) { return {{"coordinate_transformation_mode", std::string(name)}}; }
std::pair<std::string, graph::Attribute> flag(const char* name) { return {name, std::int64_t{1}}; }

OpCase by_scales(const Tensor& x, const Floats& scales, const AttributeList& attributes, int opset = 19) {
  return op_case("Resize", opset, {x, Tensor(), tensor<float>({static_cast<std::int64_t>(scales.size())}, scales)},
                 attributes);
}
OpCase by_sizes(const Tensor& x, const std::vector<std::int64_t>& sizes, const AttributeList& attributes,
                int opset = 19) {
  return op_case("Resize", opset, {x, Tensor(), Tensor(), int64s(sizes)}, attributes);
}
Tensor random_image(Shape shape) {
  Random random(3);
  return from_reference(random_reals(random, std::move(shape), -1, 1));
}

const char* const kTransforms[] = {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric",
                                   "half_pixel_symmetric"};

TEST_CASE("Nearest Resize in all its roundings and transformations", "[ops]") {
  const Tensor x = counting(kFloat, {1, 2, 5, 4});
  for (const char* t : kTransforms) {
    for (const char* rounding : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}) {
      const AttributeList list = with(transform(t), {{"nearest_mode", std::string(rounding)}});
      CAPTURE(t, rounding);
      check_op(by_scales(x, {1, 1, 2, 2}, list));
      if (t != std::string("align_corners")) check_op(by_scales(x, {1, 1, 0.5f, 0.25f}, list));
      check_op(by_sizes(x, {1, 2, 10, 2}, list));
    }
  }
  check_op(by_scales(counting(DataType::uint8, {1, 1, 3, 3}), {1, 1, 3, 2}, {}));
  check_op(by_scales(counting(kFloat, {2, 8, 30, 30}), {1, 1, 2, 2}, transform("asymmetric")));
}

TEST_CASE("A scale of a third finds the third pixel", "[ops]") {
  // In double, 1 / float(1/3) is below 3, and floor would give pixel 2.
  const OpCase c = by_scales(tensor<float>({6}, {0, 1, 2, 3, 4, 5}), {1.0f / 3},
                             with(transform("asymmetric"), {{"nearest_mode", std::string("floor")}}));
  CHECK(values<float>(run(c)[0]) == Floats{0, 3});
}

TEST_CASE("Nearest Resize to given sizes: what lies halfway between two pixels does so exactly", "[ops]") {
  // Twice the distance from pixel 0, times 2 * out, in integers.
  const auto pixel = [](std::int64_t in, std::int64_t out, bool half_pixel, bool prefer_floor, std::int64_t x) {
    const std::int64_t at = half_pixel ? (2 * x + 1) * in - out : 2 * x * in;  // x_original * 2 * out
    const std::int64_t shifted = prefer_floor ? at - out : at + out;           // minus or plus 1/2
    const std::int64_t down = shifted >= 0 ? shifted / (2 * out) : -((-shifted + 2 * out - 1) / (2 * out));
    const bool whole = shifted == down * 2 * out;
    return std::clamp<std::int64_t>(prefer_floor && !whole ? down + 1 : down, 0, in - 1);
  };
  for (std::int64_t in = 1; in <= 30; ++in) {
    Tensor x(kFloat, {in});
    for (std::int64_t i = 0; i < in; ++i) x.mutable_data<float>()[static_cast<std::size_t>(i)] = static_cast<float>(i);
    for (std::int64_t out = 1; out <= 30; ++out) {
      if (in == out) continue;
      for (const bool half_pixel : {false, true}) {
        for (const bool prefer_floor : {false, true}) {
          const char* const rounding = prefer_floor ? "round_prefer_floor" : "round_prefer_ceil";
          const AttributeList list =
              with(transform(half_pixel ? "half_pixel" : "asymmetric"), {{"nearest_mode", std::string(rounding)}});
          const Tensor y = run(by_sizes(x, {out}, list)).at(0);
          Floats expected;
          for (std::int64_t i = 0; i < out; ++i)
            expected.push_back(static_cast<float>(pixel(in, out, half_pixel, prefer_floor, i)));
          CHECK(values<float>(y) == expected);
        }
      }
    }
  }
}

TEST_CASE("Linear and cubic Resize", "[ops]") {
  const Tensor x = random_image({1, 2, 5, 6});
  for (const char* m : {"linear", "cubic"}) {
    for (const char* t : kTransforms) {
      CAPTURE(m, t);
      const AttributeList list = with(mode(m), transform(t));
      check_op(by_scales(x, {1, 1, 2, 2}, list), kRounding);
      const bool whole = t == std::string("align_corners");
      check_op(by_scales(x, {1, 1, 0.6f, whole ? 1.5f : 1.7f}, list), kRounding);
      check_op(by_sizes(x, {1, 2, 3, 11}, list), kRounding);
      check_op(by_sizes(x, {1, 2, 1, 6}, list), kRounding);
    }
    check_op(by_scales(x, {1, 1, 0.6f, 0.8f}, with(mode(m), {flag("antialias")})), kRounding);
    check_op(by_scales(x, {1, 1, 1.5f, 0.3f}, with(mode(m), {flag("antialias"), flag("exclude_outside")})), kRounding);
    check_op(by_scales(x, {1, 1, 0.6f, 2}, with(mode(m), {flag("exclude_outside"), {"cubic_coeff_a", -0.5f}})),
             kRounding);
  }
  check_op(by_scales(random_image({2, 4, 40, 50}), {1, 1, 2, 2}, mode("linear")), kRounding);
  check_op(by_scales(random_image({2, 3, 4, 3, 2}), {1, 2, 1.5f, 2, 3}, mode("linear")), kRounding);
  CHECK(values<float>(run(by_scales(tensor<float>({2}, {0, 1}), {2}, mode("linear")))[0]) ==
        Floats{0, 0.25f, 0.75f, 1});
  CHECK(values<double>(run(by_scales(tensor<double>({2}, {0, 1}), {2}, mode("linear")))[0]) ==
        std::vector<double>{0, 0.25, 0.75, 1});
}

TEST_CASE("Weights far from the first pixel are as exact as those near it", "[ops]") {
  // A coordinate near 19 in float would be off by 1e-6, and so would the result.
  check_op(by_sizes(random_image({2, 3, 4, 20}), {2, 3, 4, 57}, with(mode("linear"), transform("align_corners"))),
           {2e-7, 1e-7});
}

TEST_CASE("Resize refuses what ONNX's text and reference implementation answer differently", "[ops]") {
  const Tensor x = random_image({1, 1, 4, 4}), whole = tensor<float>({8}, {0, 0, 0, 0, 1, 1, 1, 1});
  for (const char* m : {"nearest", "linear", "cubic"}) {
    const AttributeList list = with(mode(m), transform("align_corners"));
    CHECK(refusal(by_scales(x, {1, 1, 0.8f, 1}, list)) == ErrorCode::unsupported);
    CHECK(refusal(by_scales(x, {1, 1, 1, 1.6f}, list)) == ErrorCode::unsupported);
    CHECK(run(by_scales(x, {1, 1, 0.3f, 2.5f}, list))[0].shape() == Shape{1, 1, 1, 10});  // one pixel is the first
    CHECK(refusal(op_case("Resize", 13, {x, whole, tensor<float>({4}, {1, 1, 0.8f, 1})},
                          with(mode(m), transform("tf_crop_and_resize")))) == ErrorCode::unsupported);
  }
}

TEST_CASE("Resize crops a region and fills what lies outside of the image", "[ops]") {
  const Tensor x = random_image({1, 1, 4, 4}), roi = tensor<float>({8}, {0, 0, 0.25f, -0.5f, 1, 1, 0.75f, 1.5f});
  for (const char* m : {"nearest", "linear", "cubic"}) {
    const OpCase c = op_case("Resize", 13, {x, roi, Tensor(), int64s({1, 1, 3, 5})},
                             with(with(mode(m), transform("tf_crop_and_resize")), {{"extrapolation_value", 10.0f}}));
    check_op(c, kRounding);
    CHECK(values<float>(run(c)[0])[0] == 10);
    const OpCase scaled = op_case("Resize", 13, {x, roi, tensor<float>({4}, {1, 1, 3, 1.5f})},
                                  with(mode(m), transform("tf_crop_and_resize")));
    check_op(scaled, kRounding);
    CHECK(run(scaled)[0].shape() == Shape{1, 1, 6, 12});  // half of the rows, twice the columns
  }
  CHECK(refusal(op_case("Resize", 13, {x, Tensor(), Tensor(), int64s({1, 1, 3, 3})},
                        transform("tf_crop_and_resize"))) == ErrorCode::model);
  const Tensor nowhere = tensor<float>({8}, {0, 0, NAN, INFINITY, 1, 1, 1, 1});
  const OpCase c = op_case("Resize", 13, {x, nowhere, Tensor(), int64s({1, 1, 2, 2})},
                           with(mode("linear"), transform("tf_crop_and_resize")));
  CHECK(values<float>(run(c)[0]) == Floats(4, 0));
}

TEST_CASE("Resize of some axes, keeping their ratio", "[ops]") {
  const Tensor x = random_image({1, 2, 4, 6});
  const AttributeList axes = {{"axes", ints({-1, 2})}};
  check_op(by_scales(x, {2, 1.5f}, with(mode("linear"), axes)), kRounding);
  check_op(by_sizes(x, {9, 7}, with(mode("linear"), axes)), kRounding);
  for (const char* policy : {"stretch", "not_larger", "not_smaller"}) {
    const AttributeList list = with(axes, {{"keep_aspect_ratio_policy", std::string(policy)}});
    check_op(by_sizes(x, {9, 7}, list));
    check_op(by_sizes(x, {3, 7}, with(mode("linear"), list)), kRounding);
  }
}

TEST_CASE("Resize by a ratio that gives more than an extent counts is over a limit", "[ops]") {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t size : {std::int64_t{1} << 61, std::int64_t{1} << 62, kMost}) {
    CHECK(refusal(by_sizes(random_image({1, 1, 1, 8}), {1, 1, size, 1},
                           {{"keep_aspect_ratio_policy", std::string("not_smaller")}})) == ErrorCode::limit);
  }
}

TEST_CASE("Resize of rows and columns in nchw16c gives the bits of the plain one", "[ops]") {
  const Tensor x = random_image({2, 21, 5, 7});
  for (const char* m : {"nearest", "linear", "cubic"}) {
    for (const char* t : kTransforms) {
      CAPTURE(m, t);
      const AttributeList list = with(mode(m), transform(t));
      check_blocked(by_scales(x, {1, 1, 2, 3}, list), 0b100);
      check_blocked(by_sizes(x, {2, 21, 5, 11}, list), 0b1000);
      if (t != std::string("align_corners")) check_blocked(by_scales(x, {1, 1, 0.5f, 0.4f}, list), 0b100);
    }
    check_blocked(by_sizes(x, {2, 21, 3, 4}, with(mode(m), {flag("antialias")})), 0b1000);
  }
  check_blocked(op_case("Upsample", 9, {x, tensor<float>({4}, {1, 1, 2, 2})}, mode("linear")), 0b10);
  const auto is_plain = [](const OpCase& c, std::uint32_t constants) {
    return layout_rule(c, constants).preference == ops::LayoutRule::Preference::plain;
  };
  CHECK(is_plain(by_scales(x, {1, 2, 2, 2}, {}), 0b100));
  CHECK(is_plain(
      op_case("Resize", 19, {x, tensor<float>({8}, {0, 0, 0, 0, 1, 1, 2, 2}), tensor<float>({4}, {1, 1, 2, 2})},
              transform("tf_crop_and_resize")),
      0b110));
}

TEST_CASE("Upsample and the first Resize", "[ops]") {
  const Tensor x = counting(kFloat, {1, 1, 2, 4});
  check_op(op_case("Upsample", 7, {x}, {{"scales", Floats{1, 1, 2, 3}}}));
  check_op(op_case("Upsample", 9, {x, tensor<float>({4}, {1, 1, 2, 3})}, mode("linear")), kRounding);
  check_op(op_case("Resize", 10, {x, tensor<float>({4}, {1, 1, 2, 3})}));
  CHECK(values<float>(run(op_case("Resize", 10, {x, tensor<float>({4}, {1, 1, 0.6f, 0.6f})}))[0]) == Floats{0, 2});
  CHECK(refusal(op_case("Upsample", 9, {x, tensor<float>({4}, {1, 1, 0.5f, 1})})) == ErrorCode::model);
  CHECK(refusal(op_case("Upsample", 10, {x, tensor<float>({4}, {1, 1, 2, 2})})) == ErrorCode::unsupported);
}

TEST_CASE("Resize refuses what makes no sense", "[ops]") {
  const Tensor x = counting(kFloat, {1, 1, 2, 2});
  CHECK(refusal(by_scales(x, {1, 1, 2}, {})) == ErrorCode::model);
  CHECK(refusal(by_scales(x, {1, 1, 0, 1}, {})) == ErrorCode::model);
  CHECK(refusal(by_scales(x, {1, 1, NAN, 1}, {})) == ErrorCode::model);
  CHECK(refusal(by_scales(x, {1, 1, 1e30f, 1}, {})) == ErrorCode::limit);
  CHECK(refusal(by_scales(x, {1, 1, 1e9f, 1e9f}, {})) == ErrorCode::limit);
  CHECK(refusal(by_sizes(x, {1, 1, -1, 1}, {})) == ErrorCode::model);
  CHECK(refusal(op_case("Resize", 13, {x})) == ErrorCode::model);
  CHECK(refusal(op_case("Resize", 13, {x, Tensor(), tensor<float>({4}, {1, 1, 1, 1}), int64s({1, 1, 2, 2})})) ==
        ErrorCode::model);
  CHECK(refusal(by_scales(x, {1, 1, 2, 2}, mode("sharp"))) == ErrorCode::model);
  CHECK(refusal(by_scales(counting(DataType::int32, {1, 1, 2, 2}), {1, 1, 2, 2}, mode("linear"))) ==
        ErrorCode::unsupported);
  CHECK(refusal(op_case("Upsample", 9, {counting(DataType::uint8, {1, 1, 2, 2}), tensor<float>({4}, {1, 1, 2, 2})},
                        mode("linear"))) == ErrorCode::unsupported);
  CHECK(refusal(by_sizes(counting(kFloat, {1, 1, 0, 2}), {1, 1, 2, 2}, {})) == ErrorCode::model);
  CHECK(run(by_scales(counting(kFloat, {0, 1, 2, 2}), {1, 1, 1e15f, 2}, mode("linear")))[0].size() == 0);
  for (const float scale :
       {1e-7f, 1e-20f}) {  // a region so wide that each pixel is a sum of more than there is room for
    const Tensor wide = tensor<float>({8}, {0, 0, 0, 0, 1, 1, 1, 1 / scale});
    CHECK(refusal(op_case("Resize", 18, {x, wide, tensor<float>({4}, {1, 1, 1, scale})},
                          with(with(mode("linear"), transform("tf_crop_and_resize")), {flag("antialias")}))) ==
          ErrorCode::limit);
  }
}

TEST_CASE("Resize keeps symbols where nothing is scaled", "[ops]") {
  const graph::TensorDesc d = desc(kFloat, {Dim::symbolic("N"), 3, Dim::symbolic("H"), 8});
  CHECK(inferred(by_scales(Tensor(), {1, 1, 2, 2}, {}), {d}) == "float[N,3,?,16]");
  CHECK(inferred(by_scales(Tensor(), {1, 1, 1, 2}, {}), {d}) == "float[N,3,H,16]");
  CHECK(inferred(by_sizes(Tensor(), {1, 3, 9, 9}, {}), {d}) == "float[1,3,9,9]");
  CHECK(inferred(op_case("Resize", 13, {}), {d, {}, {}, desc(DataType::int64, {4})}) == "float[?,?,?,?]");
  // A region that is not known yet decides nothing where nothing is cropped, and everything where it is.
  const std::vector<graph::TensorDesc> with_region = {d, desc(kFloat, {8})};
  const auto sized = [](const AttributeList& list) {
    return op_case("Resize", 13, {Tensor(), Tensor(), Tensor(), int64s({1, 3, 9, 9})}, list);
  };
  CHECK(inferred(sized({}), with_region) == "float[1,3,9,9]");
  CHECK(inferred(sized(transform("tf_crop_and_resize")), with_region) == "float[?,?,?,?]");
}

}  // namespace
}  // namespace linnet::test::resize_test
