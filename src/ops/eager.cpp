#include "ops/eager.h"

#include <algorithm>
#include <string_view>

#include "ops/convert.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

/// Operators with inputs whose elements a plan depends on. Those that read such an input where it is constant, and do
/// without otherwise (the filter of a Conv), are not among them.
struct ValueInputs {
  std::string_view name;
  int since;  // opset from which on it is an input
  std::uint32_t inputs;
};
constexpr std::uint32_t kFirst = 1, kSecond = 2, kThird = 4, kFourth = 8, kFifth = 16;
constexpr ValueInputs kValueInputs[] = {
    {"AffineGrid", 20, kSecond},
    {"CenterCropPad", 18, kSecond},
    {"Col2Im", 18, kSecond | kThird},
    {"ConstantOfShape", 9, kFirst},
    {"Dropout", 12, kSecond | kThird},
    {"Expand", 8, kSecond},
    {"MaxUnpool", 9, kThird},
    {"OneHot", 9, kSecond},
    {"Pad", 11, kSecond | kFourth},
    {"Range", 11, kFirst | kSecond | kThird},
    {"ReduceL1", 18, kSecond},
    {"ReduceL2", 18, kSecond},
    {"ReduceLogSum", 18, kSecond},
    {"ReduceLogSumExp", 18, kSecond},
    {"ReduceMax", 18, kSecond},
    {"ReduceMean", 18, kSecond},
    {"ReduceMin", 18, kSecond},
    {"ReduceProd", 18, kSecond},
    {"ReduceSum", 13, kSecond},
    {"ReduceSumSquare", 18, kSecond},
    {"Reshape", 5, kSecond},
    {"Resize", 10, kSecond | kThird | kFourth},
    {"Slice", 10, kSecond | kThird | kFourth | kFifth},
    {"Split", 13, kSecond},
    {"Squeeze", 13, kSecond},
    {"Tile", 1, kSecond | kThird},
    {"TopK", 10, kSecond},
    {"Trilu", 14, kSecond},
    {"Unsqueeze", 13, kSecond},
    {"Upsample", 9, kSecond},
    {"BlackmanWindow", 17, kFirst},
    {"HammingWindow", 17, kFirst},
    {"HannWindow", 17, kFirst},
    {"DFT", 17, kSecond | kThird},
    {"MelWeightMatrix", 17, kFirst | kSecond | kThird | kFourth | kFifth},
    {"STFT", 17, kSecond | kFourth},
};

}  // namespace

const Datum& EagerContext::datum(std::size_t i) const {
  if (!has_input(i) || i >= inputs_.size()) fail(ErrorCode::model, "an input is missing", input_label(i));
  return *inputs_[i];
}

Datum EagerContext::take(std::size_t i) const {
  (void)datum(i);
  return ops::take(inputs_[i]);
}

const Tensor& EagerContext::tensor(std::size_t i) const {
  if (const auto* tensor = std::get_if<Tensor>(&datum(i))) return *tensor;
  fail(ErrorCode::input, "an input is not a tensor", input_label(i), "a tensor", to_string(datum(i)));
}

const Sequence& EagerContext::sequence(std::size_t i) const {
  if (const auto* sequence = std::get_if<Sequence>(&datum(i))) return *sequence;
  fail(ErrorCode::input, "an input is not a sequence", input_label(i), "a sequence", to_string(datum(i)));
}

std::int64_t EagerContext::integer(std::size_t i) const {
  const Tensor& x = tensor(i);
  if (x.size() == 1 && x.type() == DataType::int64) return x.data<std::int64_t>()[0];
  if (x.size() == 1 && x.type() == DataType::int32) return x.data<std::int32_t>()[0];
  fail(ErrorCode::input, "an input is not one integer", input_label(i), "int64[] or int32[]", to_string(datum(i)));
}

double EagerContext::real(std::size_t i) const {
  const Tensor& x = tensor(i);
  if (x.size() != 1) fail(ErrorCode::input, "an input is not one number", input_label(i), "[]", to_string(datum(i)));
  double value = 0;
  visit_element_type(x.type(), [&](auto element) { value = convert<double>(x.data<decltype(element)>()[0]); });
  return value;
}

bool EagerContext::truth(std::size_t i) const {
  const Tensor& x = tensor(i);
  if (x.size() != 1 || x.type() != DataType::boolean)
    fail(ErrorCode::input, "an input is not one truth value", input_label(i), "bool[]", to_string(datum(i)));
  return x.data<bool>()[0];
}

bool is_dynamic(const graph::Node& node) {
  const OpDef* def = find_operator(node.domain, node.op_type, node.opset);
  return def != nullptr && def->plan == nullptr;
}

std::vector<Datum> run_eager(const graph::Graph& graph, graph::NodeId id, std::span<const SharedDatum> inputs) {
  const OpDef& def = require_operator(graph, id);
  return def.run(EagerContext(graph, id, inputs));
}

std::uint32_t value_inputs(const graph::Node& node) {
  if (!node.domain.empty()) return 0;
  const auto* const found = std::find_if(std::begin(kValueInputs), std::end(kValueInputs), [&](const ValueInputs& v) {
    return v.name == node.op_type && v.since <= node.opset;
  });
  return found == std::end(kValueInputs) ? 0 : found->inputs;
}

bool tells_shape(const graph::Node& node) {
  return node.domain.empty() && (node.op_type == "Shape" || node.op_type == "Size");
}

}  // namespace linnet::ops
