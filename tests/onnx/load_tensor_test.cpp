// TensorProto: every way to store elements, and every way to get them wrong.
#include <bit>
#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "onnx/loading.h"
#include "support/temp_dir.h"

using namespace linnet;
using namespace linnet::test;

namespace {

// Fields of TensorProto.
constexpr int kFloatData = 4, kInt32Data = 5, kStringData = 6, kInt64Data = 7, kRawData = 9, kDoubleData = 10,
              kUint64Data = 11;

OnnxModel with_tensor(const ProtoWriter& tensor) {
  OnnxModel model = relu_model();
  model.graph.initializer(tensor);
  return model;
}

ProtoWriter header(DataType type, const std::vector<std::int64_t>& dims) {
  return onnx_tensor_header("w", static_cast<int>(type), dims);
}

template <typename T>
std::vector<T> load_values(const ProtoWriter& tensor) {
  const graph::Graph graph = load(with_tensor(tensor));
  const std::span<const T> values = constant(graph, "w").data<T>();
  return {values.begin(), values.end()};
}

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

ErrorCode code_of(const ProtoWriter& tensor) { return refusal(with_tensor(tensor)).code(); }

}  // namespace

TEST_CASE("raw data of every type") {
  const std::vector<std::int64_t> dims{2};
  CHECK(load_values<float>(header(DataType::float32, dims).bytes(kRawData, bytes_of<float>({1.5f, -2}))) ==
        std::vector<float>{1.5f, -2});
  CHECK(load_values<double>(header(DataType::float64, dims).bytes(kRawData, bytes_of<double>({1e300, -2}))) ==
        std::vector<double>{1e300, -2});
  CHECK(load_values<std::int64_t>(
            header(DataType::int64, dims).bytes(kRawData, bytes_of<std::int64_t>({-1, 1L << 60}))) ==
        std::vector<std::int64_t>{-1, 1L << 60});
  CHECK(
      load_values<std::uint64_t>(header(DataType::uint64, dims).bytes(kRawData, bytes_of<std::uint64_t>({~0UL, 1}))) ==
      std::vector<std::uint64_t>{~0UL, 1});
  CHECK(load_values<std::int32_t>(header(DataType::int32, dims).bytes(kRawData, bytes_of<std::int32_t>({-7, 7}))) ==
        std::vector<std::int32_t>{-7, 7});
  CHECK(load_values<std::uint32_t>(header(DataType::uint32, dims).bytes(kRawData, bytes_of<std::uint32_t>({~0U, 7}))) ==
        std::vector<std::uint32_t>{~0U, 7});
  CHECK(load_values<std::int16_t>(header(DataType::int16, dims).bytes(kRawData, bytes_of<std::int16_t>({-7, 7}))) ==
        std::vector<std::int16_t>{-7, 7});
  CHECK(
      load_values<std::uint16_t>(header(DataType::uint16, dims).bytes(kRawData, bytes_of<std::uint16_t>({65535, 7}))) ==
      std::vector<std::uint16_t>{65535, 7});
  CHECK(load_values<std::int8_t>(header(DataType::int8, dims).bytes(kRawData, "\xf9\x07")) ==
        std::vector<std::int8_t>{-7, 7});
  CHECK(load_values<std::uint8_t>(header(DataType::uint8, dims).bytes(kRawData, "\xf9\x07")) ==
        std::vector<std::uint8_t>{249, 7});
  CHECK(load_values<bool>(header(DataType::boolean, dims).bytes(kRawData, std::string_view("\1\0", 2))) ==
        std::vector<bool>{true, false});
  for (const DataType type : {DataType::float16, DataType::bfloat16}) {
    const graph::Graph graph =
        load(with_tensor(header(type, dims).bytes(kRawData, std::string_view("\x00\x3c\x01\x80", 4))));
    CHECK(constant(graph, "w").type() == type);
    CHECK(std::memcmp(constant(graph, "w").raw(), "\x00\x3c\x01\x80", 4) == 0);
  }
}

TEST_CASE("B10: typed data, packed, unpacked and mixed") {
  const std::vector<std::int64_t> dims{3};
  const std::string floats = bytes_of<float>({1, 2, 3});
  const std::vector<float> wanted{1, 2, 3};
  CHECK(load_values<float>(header(DataType::float32, dims).bytes(kFloatData, floats)) == wanted);
  CHECK(load_values<float>(
            header(DataType::float32, dims).real(kFloatData, 1).real(kFloatData, 2).real(kFloatData, 3)) == wanted);
  CHECK(load_values<float>(header(DataType::float32, dims)
                               .real(kFloatData, 1)
                               .bytes(kFloatData, floats.substr(4))
                               .bytes(kFloatData, "")) == wanted);
  CHECK(load_values<float>(header(DataType::float32, {1}).real(kFloatData, 7)) == std::vector<float>{7});
  ProtoWriter doubles = header(DataType::float64, {2});
  doubles.fixed64(kDoubleData, std::bit_cast<std::uint64_t>(0.1)).bytes(kDoubleData, bytes_of<double>({0.2}));
  CHECK(load_values<double>(doubles) == std::vector<double>{0.1, 0.2});
  CHECK(load_values<std::int64_t>(
            header(DataType::int64, dims).number(kInt64Data, -1).packed(kInt64Data, {2, INT64_MIN})) ==
        std::vector<std::int64_t>{-1, 2, INT64_MIN});
  CHECK(load_values<std::int32_t>(header(DataType::int32, dims).packed(kInt32Data, {-1, INT32_MAX, INT32_MIN})) ==
        std::vector<std::int32_t>{-1, INT32_MAX, INT32_MIN});
  CHECK(load_values<std::int8_t>(header(DataType::int8, dims).packed(kInt32Data, {-128, 0, 127})) ==
        std::vector<std::int8_t>{-128, 0, 127});
  CHECK(load_values<std::uint8_t>(header(DataType::uint8, dims).packed(kInt32Data, {255, 0, 1})) ==
        std::vector<std::uint8_t>{255, 0, 1});
  CHECK(load_values<std::int16_t>(header(DataType::int16, dims).packed(kInt32Data, {-32768, 0, 1})) ==
        std::vector<std::int16_t>{-32768, 0, 1});
  CHECK(load_values<std::uint16_t>(header(DataType::uint16, dims).packed(kInt32Data, {65535, 0, 1})) ==
        std::vector<std::uint16_t>{65535, 0, 1});
  CHECK(load_values<bool>(header(DataType::boolean, dims).packed(kInt32Data, {1, 0, 1})) ==
        std::vector<bool>{true, false, true});
  CHECK(load_values<std::uint32_t>(header(DataType::uint32, dims).packed(kUint64Data, {0xffffffff, 0, 1})) ==
        std::vector<std::uint32_t>{~0U, 0, 1});
  CHECK(load_values<std::uint64_t>(header(DataType::uint64, dims).packed(kUint64Data, {-1, 0, 1})) ==
        std::vector<std::uint64_t>{~0UL, 0, 1});
  const graph::Graph half = load(with_tensor(header(DataType::float16, {2}).packed(kInt32Data, {0x3c00, 0xffff})));
  CHECK(constant(half, "w").data<Float16>()[0].bits == 0x3c00);
  CHECK(constant(half, "w").data<Float16>()[1].bits == 0xffff);
}

TEST_CASE("D06: elements that do not fit their type") {
  CHECK(code_of(header(DataType::int8, {1}).packed(kInt32Data, {128})) == ErrorCode::model);
  CHECK(code_of(header(DataType::uint8, {1}).packed(kInt32Data, {-1})) == ErrorCode::model);
  CHECK(code_of(header(DataType::float16, {1}).packed(kInt32Data, {0x10000})) == ErrorCode::model);
  CHECK(code_of(header(DataType::uint32, {1}).packed(kUint64Data, {0x100000000})) == ErrorCode::model);
  CHECK(code_of(header(DataType::boolean, {1}).packed(kInt32Data, {2})) == ErrorCode::model);
  CHECK(code_of(header(DataType::boolean, {1}).bytes(kRawData, "\x02")) == ErrorCode::model);
}

TEST_CASE("D04 D05 D06 D16 B11: the number of elements is the product of the dims") {
  const std::vector<std::int64_t> dims{3, 9};
  const Error raw = refusal(with_tensor(header(DataType::float32, dims).bytes(kRawData, "1234")));
  CHECK(raw.code() == ErrorCode::model);
  CHECK(contains(raw.message(), "'w' float[3,9]"));
  CHECK(raw.details().expected == "108");
  CHECK(raw.details().found == "4");
  CHECK(code_of(header(DataType::float32, dims)) == ErrorCode::model);
  CHECK(code_of(header(DataType::float32, {1}).bytes(kFloatData, "12345678")) == ErrorCode::model);
  CHECK(code_of(header(DataType::float32, {2}).bytes(kFloatData, "1234567")) == ErrorCode::model);
  CHECK(code_of(header(DataType::float32, {2}).real(kFloatData, 1).bytes(kFloatData, "123")) == ErrorCode::model);
  CHECK(code_of(header(DataType::int64, {2}).packed(kInt64Data, {1, 2, 3})) == ErrorCode::model);
  CHECK(code_of(header(DataType::int64, {4}).packed(kInt64Data, {1, 2, 3})) == ErrorCode::model);
  CHECK(code_of(header(DataType::int64, {4}).packed(kInt64Data, {1, 2, 300})) == ErrorCode::model);
  CHECK(code_of(header(DataType::int64, {1}).bytes(kInt64Data, "\x80")) == ErrorCode::format);
  CHECK(code_of(header(DataType::float32, {0}).bytes(kRawData, "1234")) == ErrorCode::model);
  CHECK(code_of(header(DataType::int32, {0}).packed(kInt32Data, {1})) == ErrorCode::model);
}

TEST_CASE("B09 D05: elements in two places or in the wrong one") {
  CHECK(code_of(header(DataType::float32, {1}).bytes(kRawData, "1234").real(kFloatData, 1)) == ErrorCode::model);
  CHECK(code_of(header(DataType::float32, {1}).packed(kInt64Data, {1}).real(kFloatData, 1)) == ErrorCode::model);
  CHECK(code_of(header(DataType::float32, {1}).packed(kInt64Data, {1})) == ErrorCode::model);
  CHECK(code_of(header(DataType::int64, {1}).packed(kInt32Data, {1})) == ErrorCode::model);
  CHECK(code_of(header(DataType::float32, {1}).bytes(kRawData, "1234").bytes(kRawData, "1234")) == ErrorCode::format);
}

TEST_CASE("D15: scalars and empty tensors") {
  CHECK(load_values<float>(header(DataType::float32, {}).real(kFloatData, 4)) == std::vector<float>{4});
  CHECK(load_values<float>(header(DataType::float32, {0, 3})).empty());
  CHECK(load_values<float>(header(DataType::float32, {0}).bytes(kRawData, "")).empty());
  CHECK(load_values<std::int64_t>(header(DataType::int64, {0}).bytes(kRawData, "")).empty());
  ProtoWriter packed_dims = ProtoWriter().packed(1, {1, 2}).number(2, 1).bytes(8, "w").bytes(kRawData, "12345678");
  CHECK(load_values<float>(packed_dims).size() == 2);
}

TEST_CASE("D01 D02 D03 D15: dims that cannot be") {
  CHECK(code_of(header(DataType::float32, {-1})) == ErrorCode::model);
  CHECK(code_of(header(DataType::float32, {INT64_MIN})) == ErrorCode::model);
  const Error overflow = refusal(with_tensor(header(DataType::float32, {1L << 32, 1L << 32}).bytes(kRawData, "")));
  CHECK(overflow.code() == ErrorCode::limit);
  CHECK(contains(overflow.message(), "'w'"));
  // No elements, but strides that overflow.
  CHECK(code_of(header(DataType::float32, {1L << 62, 0, 1L << 62})) == ErrorCode::limit);
  CHECK(code_of(header(DataType::float64, {1L << 61}).bytes(kRawData, "")) == ErrorCode::limit);
  CHECK(code_of(header(DataType::float32, std::vector<std::int64_t>(33, 1)).bytes(kRawData, "1234")) ==
        ErrorCode::limit);
  LoadOptions options;
  options.max_tensor_bytes = 3;
  CHECK(refusal(with_tensor(header(DataType::float32, {1}).bytes(kRawData, "1234")), options).code() ==
        ErrorCode::limit);
}

TEST_CASE("D07 D17: types that Linnet has not are refused where they are used") {
  const ProtoWriter strings = header(DataType::string, {1}).bytes(kStringData, "text");
  CHECK_NOTHROW(load(with_tensor(strings)));
  const auto used = [](const ProtoWriter& tensor) {
    OnnxModel model(8, 13);
    model.graph.node(OnnxNode("Add", {"x", "w"}, {"y"}, "n"))
        .initializer(tensor)
        .input("x", DataType::float32, {1})
        .output("y", DataType::float32, {1});
    return refusal(model);
  };
  const Error error = used(strings);
  CHECK(error.code() == ErrorCode::unsupported);
  CHECK(contains(error.message(), "Add-13 (float): input 'w': tensors of string are not supported [node 'n']"));
  CHECK(contains(used(onnx_tensor_header("w", 17, {1})).message(), "float8e4m3fn"));
  CHECK(contains(used(onnx_tensor_header("w", 99, {1})).message(), "type 99"));
  CHECK(contains(used(onnx_tensor_header("w", -1, {1})).message(), "type -1"));
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  CHECK(contains(used(onnx_tensor_header("w", 1, {1}).number(2, kLeast)).message(), "type " + std::to_string(kLeast)));
  CHECK(contains(used(onnx_tensor_header("w", 0, {1})).message(), "type 0"));
  CHECK(contains(used(header(DataType::complex64, {1})).message(), "complex64"));
  CHECK(contains(used(header(DataType::float32, {1}).message(3, ProtoWriter().number(1, 0))).message(), "segments"));
  OnnxModel output = relu_model();
  output.graph.initializer(strings).output("w", DataType::string, {1});
  CHECK(refusal(output).code() == ErrorCode::unsupported);
}

/// y = Constant, from a sparse tensor of the given parts.
OnnxModel sparse_constant(const std::vector<std::int64_t>& dims, const ProtoWriter& values,
                          const ProtoWriter& indices) {
  ProtoWriter sparse = ProtoWriter().message(1, values).message(2, indices).packed(3, dims);
  OnnxModel model(8, 13);
  model.graph
      .node(OnnxNode("Constant", {}, {"y"}, "c")
                .attribute(ProtoWriter().bytes(1, "sparse_value").message(22, sparse).number(20, 11)))
      .output("y", DataType::undefined, {});
  return model;
}
Tensor sparse_value(const OnnxModel& model) {
  const auto file = std::make_shared<std::vector<std::byte>>(model.bytes());
  const graph::Graph graph = onnx::load_graph(*file, file, "test.onnx", {});
  return std::get<Tensor>(*graph.node(graph.order().at(0)).attributes.find("sparse_value")).clone();
}
ProtoWriter int64s(const std::vector<std::int64_t>& dims, const std::vector<std::int64_t>& values) {
  return header(DataType::int64, dims).packed(kInt64Data, values);
}

TEST_CASE("a Constant's sparse tensor is written out") {
  const ProtoWriter three = header(DataType::float32, {3}).bytes(kFloatData, bytes_of<float>({5, 6, 7}));
  const std::vector<float> expected{0, 5, 0, 6, 0, 7};
  const Tensor linear = sparse_value(sparse_constant({2, 3}, three, int64s({3}, {1, 3, 5})));
  CHECK(linear.shape() == Shape{2, 3});
  CHECK(std::vector<float>(linear.data<float>().begin(), linear.data<float>().end()) == expected);
  const Tensor rows = sparse_value(sparse_constant({2, 3}, three, int64s({3, 2}, {0, 1, 1, 0, 1, 2})));
  CHECK(std::vector<float>(rows.data<float>().begin(), rows.data<float>().end()) == expected);
  const Tensor none = sparse_value(sparse_constant({2}, int64s({0}, {}), int64s({0}, {})));
  CHECK(std::vector<std::int64_t>(none.data<std::int64_t>().begin(), none.data<std::int64_t>().end()) ==
        std::vector<std::int64_t>{0, 0});
  CHECK(sparse_value(sparse_constant({0, 4}, int64s({0}, {}), int64s({0, 2}, {}))).size() == 0);
}

TEST_CASE("sparse tensors that cannot be are refused") {
  const ProtoWriter two = header(DataType::float32, {2}).bytes(kFloatData, bytes_of<float>({5, 6}));
  const auto code = [&](const std::vector<std::int64_t>& dims, const ProtoWriter& values, const ProtoWriter& indices) {
    return refusal(sparse_constant(dims, values, indices)).code();
  };
  CHECK(code({4}, two, int64s({2}, {1, 4})) == ErrorCode::model);              // outside
  CHECK(code({4}, two, int64s({2}, {-1, 1})) == ErrorCode::model);             // outside
  CHECK(code({4}, two, int64s({2}, {2, 1})) == ErrorCode::model);              // not ascending
  CHECK(code({4}, two, int64s({2}, {1, 1})) == ErrorCode::model);              // twice
  CHECK(code({2, 2}, two, int64s({2, 2}, {0, 1, 0, 2})) == ErrorCode::model);  // outside its row, inside the tensor
  CHECK(code({4}, two, int64s({3}, {0, 1, 2})) == ErrorCode::model);           // more than the values
  CHECK(code({4}, two, header(DataType::int32, {2}).packed(kInt32Data, {0, 1})) == ErrorCode::model);
  CHECK(code({4}, header(DataType::float32, {1, 2}).bytes(kRawData, "12345678"), int64s({2}, {0, 1})) ==
        ErrorCode::model);
  CHECK(code({-4}, two, int64s({2}, {0, 1})) == ErrorCode::model);
  CHECK(code({1L << 62, 4}, two, int64s({2}, {0, 1})) == ErrorCode::limit);
  CHECK(code({1L << 28}, two, int64s({2}, {0, 1})) == ErrorCode::limit);  // a gigabyte from some bytes
  CHECK(code({}, two, int64s({2, 0}, {})) == ErrorCode::model);           // two values of a scalar
  CHECK(code({4}, header(DataType::string, {1}).bytes(kStringData, "text"), int64s({1}, {0})) ==
        ErrorCode::unsupported);
}

TEST_CASE("C08: sparse initializers are refused") {
  OnnxModel model = relu_model();
  model.graph.fields().bytes(15, "");
  CHECK(refusal(model).code() == ErrorCode::unsupported);
}

TEST_CASE("D19: tensors lie aligned whatever the file's offsets, and are views where they may be") {
  const TempDir folder;
  for (int padding = 0; padding < 9; ++padding) {
    OnnxModel model = relu_model();
    const std::vector<float> small{1, 2, 3};
    const std::vector<float> large(100'000, 0.25f);
    const std::vector<std::int64_t> wide(20'000, -5);
    model.graph.initializer(std::string(static_cast<std::size_t>(padding) + 1, 's'), tensor_of<float>({3}, small))
        .initializer("large", tensor_of<float>({100'000}, large))
        .initializer("wide", tensor_of<std::int64_t>({20'000}, wide))
        .initializer(header(DataType::float32, {2}).bytes(kFloatData, bytes_of<float>({8, 9})));
    const std::string path = (folder.path() / "model.onnx").string();
    std::ofstream(path, std::ios::binary) << model.text();
    graph::Graph from_file = onnx::load_graph(path, {});
    graph::Graph from_memory = load(model);
    for (const graph::Graph* graph : {&from_file, &from_memory}) {
      for (const char* name : {"large", "wide", "w"}) {
        const Tensor& tensor = constant(*graph, name);
        CHECK(reinterpret_cast<std::uintptr_t>(tensor.raw()) % element_bytes(tensor.type()) == 0);
      }
      CHECK(std::ranges::equal(constant(*graph, "large").data<float>(), large));
      CHECK(std::ranges::equal(constant(*graph, "wide").data<std::int64_t>(), wide));
      CHECK(std::ranges::equal(constant(*graph, "w").data<float>(), std::vector<float>{8, 9}));
    }
    // Dropping one large tensor gives its pages back and leaves its neighbours alone.
    from_file.value(from_file.find_value("large")).constant.reset();
    CHECK(std::ranges::equal(constant(from_file, "wide").data<std::int64_t>(), wide));
    CHECK(std::ranges::equal(constant(from_file, std::string(static_cast<std::size_t>(padding) + 1, 's')).data<float>(),
                             small));
  }
}

TEST_CASE("an aligned tensor of the caller's bytes is not copied") {
  const std::vector<float> values(1000, 3);
  std::vector<std::byte> file;
  for (int padding = 0; padding < 4; ++padding) {
    OnnxModel model = relu_model();
    model.graph.initializer("w" + std::string(static_cast<std::size_t>(padding), '_'),
                            tensor_of<float>({1000}, values));
    file = model.bytes();
    const graph::Graph graph = load(file);
    const auto* const data =
        static_cast<const std::byte*>(constant(graph, "w" + std::string(static_cast<std::size_t>(padding), '_')).raw());
    const bool is_view = data >= file.data() && data < file.data() + file.size();
    const std::string text = model.text();
    const auto payload = text.find(bytes_of(values));
    CHECK(is_view == (reinterpret_cast<std::uintptr_t>(file.data() + payload) % 4 == 0));
  }
}

TEST_CASE("load_tensor reads the tensors of test data") {
  std::string name;
  const Tensor tensor =
      onnx::load_tensor(to_bytes(onnx_tensor("input", tensor_of<float>({2}, {1, 2})).text()), "input_0.pb", &name);
  CHECK(name == "input");
  CHECK(tensor.shape() == Shape{2});
  CHECK(tensor.data<float>()[1] == 2);
  const auto load_text = [](const std::string& text) {
    return error_of([&] { (void)onnx::load_tensor(to_bytes(text), "a.pb"); });
  };
  CHECK(load_text("").code() == ErrorCode::format);
  CHECK(load_text(header(DataType::string, {1}).text()).code() == ErrorCode::unsupported);
  CHECK(load_text(header(DataType::float32, {2}).text()).details().file == "a.pb");
  CHECK(load_text(onnx_external_tensor("w", 1, {1}, {{"location", "x"}}).text()).code() == ErrorCode::unsupported);
}
