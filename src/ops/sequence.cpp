// Sequences of tensors, and optional values.
#include <algorithm>
#include <string>

#include "base/checked_math.h"
#include "ops/extents.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

graph::TensorDesc sequence_of(DataType type) { return {type, std::nullopt, graph::Layout::plain, ValueKind::sequence}; }

/// Position of an element, or, for an insertion, of a gap; negative ones count from the end.
std::size_t position(const EagerContext& c, std::size_t input, std::size_t count) {
  const std::int64_t given = c.integer(input), n = static_cast<std::int64_t>(count);
  const std::int64_t at = given < 0 ? given + static_cast<std::int64_t>(c.sequence(0).size()) : given;
  if (at < 0 || at >= n)
    c.fail(ErrorCode::input, "a position is outside the sequence", c.input_label(input), "below " + std::to_string(n),
           std::to_string(given));
  return static_cast<std::size_t>(at);
}

/// A node of a plain operator, for evaluate().
graph::Node plain_node(std::string op_type, std::size_t outputs) {
  graph::Node node;
  node.op_type = std::move(op_type);
  node.opset = 13;
  for (std::size_t i = 0; i < outputs; ++i) node.outputs.push_back(static_cast<graph::ValueId>(i));
  return node;
}

/// One result, which a list in braces would copy.
std::vector<Datum> single(Datum result) {
  std::vector<Datum> results;
  results.push_back(std::move(result));
  return results;
}

void require_few_parts(const EagerContext& c, std::int64_t count) {
  if (count > kMostOfNothing)
    c.fail(ErrorCode::limit, "a sequence of so many parts", {}, "at most " + std::to_string(kMostOfNothing),
           std::to_string(count));
}

/// The parts into which SplitToSequence cuts an axis: given one by one, or as one size for all but perhaps the last.
std::vector<std::int64_t> parts_of(const EagerContext& c, std::int64_t whole) {
  if (!c.has_input(1)) {
    require_few_parts(c, whole);
    return std::vector<std::int64_t>(static_cast<std::size_t>(whole), 1);
  }
  const Tensor& split = c.tensor(1);
  std::vector<std::int64_t> parts;
  if (split.rank() == 0) {
    const std::int64_t size = c.integer(1);
    if (size < 1) c.fail(ErrorCode::input, "a part has no extent", c.input_label(1), "1 or more", std::to_string(size));
    const std::int64_t count = base::ceil_div(whole, size);
    require_few_parts(c, count);
    for (std::int64_t i = 0; i < count; ++i) parts.push_back(std::min(size, whole - i * size));
    return parts;
  }
  require_few_parts(c, split.size());
  if (split.type() == DataType::int64)
    parts.assign(split.data<std::int64_t>().begin(), split.data<std::int64_t>().end());
  else if (split.type() == DataType::int32)
    parts.assign(split.data<std::int32_t>().begin(), split.data<std::int32_t>().end());
  std::int64_t sum = 0;
  bool valid = split.rank() == 1;
  for (const std::int64_t part : parts) {
    valid = valid && part >= 0;
    sum = base::checked_add(sum, part, "split");
  }
  if (!valid || sum != whole)
    c.fail(ErrorCode::input, "the parts are not the whole", c.input_label(1), "a sum of " + std::to_string(whole),
           to_string(c.datum(1)));
  return parts;
}

Tensor squeezed(const Tensor& x, std::size_t axis) {
  Shape shape = x.shape();
  shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
  return x.reshaped(std::move(shape));
}

}  // namespace

void infer_sequence_construct(InferContext& c) {
  for (std::size_t i = 1; i < c.input_count(); ++i) {
    if (c.input(i).type != c.input(0).type && c.input(i).type != DataType::undefined &&
        c.input(0).type != DataType::undefined)
      c.fail(ErrorCode::model, "the elements of a sequence have one type", c.input_label(i),
             std::string(to_string(c.input(0).type)), std::string(to_string(c.input(i).type)));
  }
  c.set(0, sequence_of(c.input(0).type));
}

std::vector<Datum> run_sequence_construct(const EagerContext& c) {
  Sequence sequence;
  for (std::size_t i = 0; i < c.input_count(); ++i) sequence.push_back(c.tensor(i));
  return {std::move(sequence)};
}

void infer_sequence_empty(InferContext& c) {
  const std::int64_t type = c.attribute_int("dtype", static_cast<std::int64_t>(DataType::float32));
  if (type < 0 || type > static_cast<std::int64_t>(DataType::bfloat16) ||
      element_bytes(static_cast<DataType>(type)) == 0)
    c.fail(ErrorCode::unsupported, "no values of this type can be computed", "attribute 'dtype'", {},
           std::to_string(type));
  c.set(0, sequence_of(static_cast<DataType>(type)));
}

std::vector<Datum> run_sequence_empty(const EagerContext&) { return {Sequence()}; }

void infer_sequence_at(InferContext& c) { c.set_output_unknown_rank(0, c.input(0).type); }

std::vector<Datum> run_sequence_at(const EagerContext& c) {
  const Sequence& sequence = c.sequence(0);
  return {sequence[position(c, 1, sequence.size())]};
}

void infer_sequence_length(InferContext& c) { c.set_output(0, DataType::int64, {}); }

std::vector<Datum> run_sequence_length(const EagerContext& c) {
  return {int64_list({static_cast<std::int64_t>(c.sequence(0).size())}).reshaped({})};
}

void infer_sequence_insert(InferContext& c) {
  const DataType type = c.input(0).type;
  c.set(0, sequence_of(type == DataType::undefined ? c.input(1).type : type));
}

std::vector<Datum> run_sequence_insert(const EagerContext& c) {
  const std::size_t count = c.sequence(0).size(), at = c.has_input(2) ? position(c, 2, count + 1) : count;
  const Tensor& tensor = c.tensor(1);
  Datum result = c.take(0);
  auto& sequence = std::get<Sequence>(result);
  sequence.insert(sequence.begin() + static_cast<std::ptrdiff_t>(at), tensor);
  return single(std::move(result));
}

void infer_sequence_erase(InferContext& c) { c.set(0, sequence_of(c.input(0).type)); }

std::vector<Datum> run_sequence_erase(const EagerContext& c) {
  const std::size_t count = c.sequence(0).size();
  if (count == 0) c.fail(ErrorCode::input, "nothing can be erased from an empty sequence", c.input_label(0));
  const std::size_t at = c.has_input(1) ? position(c, 1, count) : count - 1;
  Datum result = c.take(0);
  auto& sequence = std::get<Sequence>(result);
  sequence.erase(sequence.begin() + static_cast<std::ptrdiff_t>(at));
  return single(std::move(result));
}

void infer_split_to_sequence(InferContext& c) { c.set(0, sequence_of(c.input(0).type)); }

std::vector<Datum> run_split_to_sequence(const EagerContext& c) {
  const Tensor& x = c.tensor(0);
  const std::size_t axis = c.axis(c.attribute_int("axis", 0), x.rank());
  const std::vector<std::int64_t> parts = parts_of(c, x.shape()[axis]);
  if (parts.empty()) return {Sequence()};
  graph::Node split = plain_node("Split", parts.size());
  split.attributes.set("axis", static_cast<std::int64_t>(axis));
  const Tensor inputs[] = {x, int64_list(parts)};
  Sequence sequence = evaluate(split, inputs);
  // keepdims counts only where the parts are not given.
  if (!c.has_input(1) && c.attribute_int("keepdims", 1) == 0) {
    for (Tensor& part : sequence) part = squeezed(part, axis);
  }
  return {std::move(sequence)};
}

void infer_concat_from_sequence(InferContext& c) {
  if (!c.has_attribute("axis")) c.fail(ErrorCode::model, "a required attribute is missing", "attribute 'axis'");
  c.set_output_unknown_rank(0, c.input(0).type);
}

std::vector<Datum> run_concat_from_sequence(const EagerContext& c) {
  Sequence parts = c.sequence(0);
  if (parts.empty()) c.fail(ErrorCode::input, "an empty sequence has no concatenation", c.input_label(0));
  const bool stacked = c.attribute_int("new_axis", 0) != 0;
  const std::size_t axis = c.axis(c.attribute_int("axis", 0), parts[0].rank() + (stacked ? 1 : 0));
  for (Tensor& part : parts) {
    if (!stacked) continue;
    Shape shape = part.shape();
    if (axis > shape.size())
      c.fail(ErrorCode::input, "the elements have different ranks", c.input_label(0), {}, to_string(c.datum(0)));
    shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), 1);
    part = part.reshaped(std::move(shape));
  }
  graph::Node concat = plain_node("Concat", 1);
  concat.attributes.set("axis", static_cast<std::int64_t>(axis));
  return {evaluate(concat, parts)[0]};
}

void infer_optional(InferContext& c) {
  graph::TensorDesc desc{DataType::undefined, std::nullopt, graph::Layout::plain, ValueKind::optional};
  // The loader writes the type's element type there.
  if (c.has_input(0)) desc.type = c.input(0).type;
  else if (c.has_attribute("type")) desc.type = static_cast<DataType>(c.attribute_int("type", 0));
  else c.fail(ErrorCode::model, "an empty optional needs a type", "attribute 'type'");
  c.set(0, desc);
}

std::vector<Datum> run_optional(const EagerContext& c) {
  return single(c.has_input(0) ? c.take(0) : Datum(std::monostate()));
}

void infer_optional_has_element(InferContext& c) { c.set_output(0, DataType::boolean, {}); }

std::vector<Datum> run_optional_has_element(const EagerContext& c) {
  Tensor result(DataType::boolean, {});
  result.mutable_data<bool>()[0] = c.has_input(0) && !std::holds_alternative<std::monostate>(c.datum(0));
  return {std::move(result)};
}

void infer_optional_get_element(InferContext& c) {
  // Whether a tensor or a sequence comes out of an optional, its type does not say here: it stays what may be either.
  c.set(0, c.input(0));
}

std::vector<Datum> run_optional_get_element(const EagerContext& c) {
  if (std::holds_alternative<std::monostate>(c.datum(0)))
    c.fail(ErrorCode::input, "an empty optional has no element", c.input_label(0));
  return single(c.take(0));
}

}  // namespace linnet::ops
