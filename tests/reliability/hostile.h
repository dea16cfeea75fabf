// What the catalogue's tests share: a model goes all the way from bytes to a run, and is either refused by one complete
// error, the same every time, without a trace and at a cost in proportion, or it computes.
//
//   CHECK_REFUSED(conv({.strides = {0, 0}}), ErrorCode::model, "strides");
//   CHECK(floats(run(model, {tensor<float>({1, 2}, {-1, 2})}).at(0)) == std::vector<float>{0, 2});
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "linnet/linnet.h"
#include "reliability/footprint.h"
#include "support/onnx_builder.h"

namespace linnet::test {

using Ints = std::vector<std::int64_t>;

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr std::int64_t kHuge = std::int64_t{1} << 62;

template <typename T>
Tensor tensor(Shape shape, const std::vector<std::type_identity_t<T>>& values) {
  return Tensor::of<T>(std::move(shape), std::span<const T>(values));
}
inline Tensor floats_of(Shape shape, float value = 1) {
  Tensor result(DataType::float32, std::move(shape));
  for (float& x : result.mutable_data<float>()) x = value;
  return result;
}
inline std::vector<float> floats(const Tensor& t) { return {t.data<float>().begin(), t.data<float>().end()}; }

/// Zeros for every input that the model needs; open extents are 1.
inline std::vector<NamedTensor> zeros_for(const Plan& plan) {
  std::vector<NamedTensor> inputs;
  for (const ValueInfo& info : plan.inputs()) {
    if (info.optional) continue;
    Shape shape;
    for (const ValueInfo::Dim& dim : info.shape) shape.push_back(dim.value < 0 ? 1 : dim.value);
    inputs.emplace_back(info.name, Tensor(info.type, std::move(shape)));
  }
  return inputs;
}

inline SessionOptions one_thread() {
  SessionOptions options;
  options.threads = 1;
  return options;
}

/// Loads, plans and runs; tensors go to the inputs in their order, zeros where there are none.
inline std::vector<Tensor> run(const std::vector<std::byte>& file, const std::vector<Tensor>& given = {},
                               const SessionOptions& options = one_thread(), const LoadOptions& load = {}) {
  Session session(Model::load(file, load), options);
  if (given.empty()) return session.run(zeros_for(session.plan()));
  std::vector<NamedTensor> inputs;
  for (std::size_t i = 0; i < given.size(); ++i) inputs.emplace_back(session.plan().inputs().at(i).name, given[i]);
  return session.run(inputs);
}
inline std::vector<Tensor> run(const OnnxModel& model, const std::vector<Tensor>& given = {},
                               const SessionOptions& options = one_thread()) {
  return run(model.bytes(), given, options);
}

inline std::optional<std::size_t> open_descriptors() {
  std::error_code error;
  std::filesystem::directory_iterator all("/proc/self/fd", error);
  if (error) return std::nullopt;
  return static_cast<std::size_t>(std::distance(all, std::filesystem::directory_iterator()));
}

/// The Error that `action` throws; none where it throws nothing.
template <typename Action>
std::optional<Error> error_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

/// What a refusal may cost: memory and time in proportion to the file, and what any file may take: 64 MiB while it is loaded, and
/// 64 MiB of constants that planning folds (max_folded_bytes). Time is the processor's, of the cheaper of two refusals.
inline constexpr std::int64_t kFreeBytes = std::int64_t{128} << 20, kBytesPerFileByte = 4;
inline constexpr double kSecondsPerMegabyte = 0.1 * kSlowness;

/// Empty if `action` is refused, twice in the same words, with this code and every part in what it says, writes nothing to the
/// standard streams, costs no more than a file of so many bytes may, and leaves no descriptor open.
template <typename Action>
std::string refusal_fault(const Action& action, ErrorCode code, std::initializer_list<std::string_view> parts,
                          std::size_t file_bytes = 0) {
  const auto before = open_descriptors();
  std::optional<Error> first, second;
  const Footprint once = footprint_of([&] { first = error_of(action); });
  const Footprint again = footprint_of([&] { second = error_of(action); });
  if (open_descriptors() != before) return "descriptors are left open";
  if (!first || !second) return "it was accepted";
  const std::string what = first->what();
  if (what != second->what()) return "two refusals differ: " + what + " / " + second->what();
  if (first->code() != code) return "another code: " + what;
  for (const std::string_view part : parts) {
    if (what.find(part) == std::string::npos) return "'" + std::string(part) + "' is not in: " + what;
  }
  if (const std::string words = once.words + again.words; !words.empty()) return "it was not silent: " + words;
  const std::int64_t bytes = std::max(once.bytes, again.bytes);
  if (bytes > kFreeBytes + kBytesPerFileByte * static_cast<std::int64_t>(file_bytes))
    return "it took " + std::to_string(bytes) + " bytes to say: " + what;
  const double seconds = std::min(once.seconds, again.seconds);
  if (seconds > kSecondsPerMegabyte * (1 + static_cast<double>(file_bytes) / 1e6))
    return "it took " + std::to_string(seconds) + " s to say: " + what;
  return {};
}

inline std::string refusal_fault(const std::vector<std::byte>& file, ErrorCode code,
                                 std::initializer_list<std::string_view> parts) {
  return refusal_fault([&] { (void)run(file); }, code, parts, file.size());
}
inline std::string refusal_fault(const OnnxModel& model, ErrorCode code,
                                 std::initializer_list<std::string_view> parts) {
  return refusal_fault(model.bytes(), code, parts);
}

/// CHECK_REFUSED(model or bytes or lambda, code, parts of the message...)
#define CHECK_REFUSED(subject, code, ...) CHECK(linnet::test::refusal_fault(subject, code, {__VA_ARGS__}) == "")

struct Input {
  std::string name;
  std::vector<OnnxDim> dims;
  DataType type = DataType::float32;
};
using Constants = std::vector<std::pair<std::string, Tensor>>;

/// A model of these nodes; its output is "y".
inline OnnxModel model_of(const std::vector<OnnxNode>& nodes, const std::vector<Input>& inputs,
                          const Constants& constants = {}, std::int64_t opset = 13, std::int64_t ir_version = 8) {
  OnnxModel model(ir_version, opset);
  model.graph.name("g");
  for (const OnnxNode& node : nodes) model.graph.node(node);
  for (const auto& [name, value] : constants) model.graph.initializer(name, value);
  for (const Input& input : inputs) model.graph.input(input.name, input.type, input.dims);
  model.graph.fields().message(12, ProtoWriter().bytes(1, "y"));  // an output of which nothing is declared
  return model;
}

}  // namespace linnet::test
