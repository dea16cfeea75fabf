#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "base/half.h"
#include "support/op_case.h"

namespace linnet::test::cast_test {
namespace {

using base::to_bfloat16;
using base::to_float;
using base::to_float16;

OpCase cast(const Tensor& x, DataType to) { return op_case("Cast", 13, {x}, {{"to", static_cast<std::int64_t>(to)}}); }
template <typename To, typename From>
To cast_one(From x) {
  return values<To>(run(cast(tensor<From>({1}, {x}), data_type_of<To>()))[0])[0];
}

TEST_CASE("Cast between all types", "[ops]") {
  const DataType all[] = {DataType::float32, DataType::float64, DataType::float16, DataType::bfloat16,
                          DataType::boolean, DataType::uint8,   DataType::int8,    DataType::uint16,
                          DataType::int16,   DataType::uint32,  DataType::int32,   DataType::uint64,
                          DataType::int64};
  for (const DataType from : all) {
    for (const DataType to : all) check_op(cast(counting(from, {5, 9}), to));
  }
  check_op(cast(counting(DataType::float32, {300, 100}), DataType::int32));
  check_op(cast(counting(DataType::float32, {0}), DataType::int32));
  check_op(op_case("CastLike", 15, {counting(DataType::float32, {3}), counting(DataType::int8, {1})}));
  const Tensor x = counting(DataType::float32, {3});
  CHECK(run(cast(x, DataType::float32))[0].raw() == x.raw());
}

TEST_CASE("Cast of floats truncates, and saturates where ONNX leaves it open", "[ops]") {
  CHECK(cast_one<std::int32_t>(-1.9f) == -1);
  CHECK(cast_one<std::uint8_t>(255.9f) == 255);
  CHECK(cast_one<std::uint8_t>(256.0f) == 255);
  CHECK(cast_one<std::uint8_t>(-3.0f) == 0);
  CHECK(cast_one<std::int8_t>(-128.9) == -128);
  CHECK(cast_one<std::int64_t>(9.3e18f) == std::numeric_limits<std::int64_t>::max());
  CHECK(cast_one<std::int64_t>(-INFINITY) == std::numeric_limits<std::int64_t>::min());
  CHECK(cast_one<std::uint64_t>(1e30) == std::numeric_limits<std::uint64_t>::max());
  CHECK(cast_one<std::int32_t>(NAN) == 0);
  CHECK(cast_one<bool>(0.25f));
  CHECK_FALSE(cast_one<bool>(-0.0f));
  CHECK(cast_one<bool>(std::nan("")));
}

TEST_CASE("Cast of integers wraps", "[ops]") {
  CHECK(cast_one<std::uint8_t>(std::int32_t{300}) == 44);
  CHECK(cast_one<std::int8_t>(std::int64_t{200}) == -56);
  CHECK(cast_one<std::uint64_t>(std::int8_t{-1}) == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("float16 and bfloat16 are rounded once, ties to even", "[ops]") {
  CHECK(to_float16(1.0).bits == 0x3c00);
  CHECK(to_float16(65504.0).bits == 0x7bff);
  CHECK(to_float16(65519.9).bits == 0x7bff);
  CHECK(to_float16(65520.0).bits == 0x7c00);
  CHECK(to_float16(-1e300).bits == 0xfc00);
  CHECK(to_float16(1 + 0x1p-11).bits == 0x3c00);            // half way, to even
  CHECK(to_float16(1 + 3 * 0x1p-11).bits == 0x3c02);        // half way, to even
  CHECK(to_float16(1 + 0x1p-11 + 0x1p-40).bits == 0x3c01);  // a float would have lost the last bit
  CHECK(to_float16(0x1p-24).bits == 1);
  CHECK(to_float16(0x1p-25).bits == 0);
  CHECK(to_float16(0x1.8p-25).bits == 1);
  CHECK(to_float16(0x1p-14 - 0x1p-26).bits == 0x400);  // rounds up to the smallest normal number
  CHECK(to_float16(-0.0).bits == 0x8000);
  CHECK(to_float16(std::nan("")).bits == 0x7e00);
  CHECK(to_bfloat16(1 + 0x1p-8).bits == 0x3f80);
  CHECK(to_bfloat16(1 + 0x1p-8 + 0x1p-40).bits == 0x3f81);
  CHECK(to_bfloat16(3.4e38).bits == 0x7f80);
  CHECK(to_bfloat16(0x1p-133).bits == 1);
  int changed = 0;
  for (unsigned bits = 0; bits < 0x10000; ++bits) {  // there and back
    const auto b = static_cast<std::uint16_t>(bits);
    const float half = to_float(Float16{b}), brain = to_float(BFloat16{b});
    changed += !std::isnan(half) && to_float16(static_cast<double>(half)).bits != b ? 1 : 0;
    changed += !std::isnan(brain) && to_bfloat16(static_cast<double>(brain)).bits != b ? 1 : 0;
  }
  CHECK(changed == 0);
}

TEST_CASE("Cast refuses types without elements", "[ops]") {
  const Tensor x = counting(DataType::float32, {3});
  CHECK(refusal(op_case("Cast", 13, {x}, {{"to", std::int64_t{8}}})) == ErrorCode::unsupported);
  CHECK(refusal(op_case("Cast", 13, {x}, {{"to", std::int64_t{17}}})) == ErrorCode::unsupported);
  CHECK(refusal(op_case("Cast", 13, {x}, {{"to", std::int64_t{-1}}})) == ErrorCode::unsupported);
  CHECK(refusal(op_case("Cast", 13, {x})) == ErrorCode::model);
  CHECK_THROWS_AS(infer(cast(x, DataType::int32), {desc(DataType::string, {3})}), Error);
}

TEST_CASE("BitCast keeps the bytes", "[ops]") {
  const auto cast = [](const Tensor& x, DataType to) {
    return op_case("BitCast", 26, {x}, {{"to", static_cast<std::int64_t>(to)}});
  };
  CHECK(values<std::int32_t>(run(cast(tensor<float>({2}, {1, -2}), DataType::int32))[0]) ==
        std::vector<std::int32_t>{0x3f800000, static_cast<std::int32_t>(0xc0000000)});
  CHECK(values<double>(run(cast(tensor<std::uint64_t>({1}, {0x3ff0000000000000}), DataType::float64))[0]) ==
        std::vector<double>{1});
  CHECK(values<std::int8_t>(run(cast(tensor<std::uint8_t>({1}, {255}), DataType::int8))[0])[0] == -1);
  CHECK(refusal(cast(tensor<float>({1}, {1}), DataType::int64)) == ErrorCode::model);
  CHECK(refusal(cast(tensor<float>({1}, {1}), DataType::string)) == ErrorCode::unsupported);
  CHECK(refusal(op_case("BitCast", 25, {tensor<float>({1}, {1})})) == ErrorCode::unsupported);
}

}  // namespace
}  // namespace linnet::test::cast_test
