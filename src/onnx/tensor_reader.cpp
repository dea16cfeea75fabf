#include "onnx/tensor_reader.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/checked_math.h"
#include "base/printable.h"
#include "linnet_onnx.pb.h"

namespace linnet::onnx {

namespace {

using base::quote_name;
using linnet_onnx::TensorProto;

// Below this a payload's pages are not worth a handle of their own.
constexpr std::size_t kReleasable = std::size_t{64} << 10;
constexpr std::size_t kOwnedTensorBytes = 256;  // what the allocations of one small owning tensor take

static_assert(std::endian::native == std::endian::little, "tensor payloads are views of the little-endian file");

bool is_numbers_field(int field) {
  return field == TensorProto::kFloatDataFieldNumber || field == TensorProto::kInt32DataFieldNumber ||
         field == TensorProto::kInt64DataFieldNumber || field == TensorProto::kDoubleDataFieldNumber ||
         field == TensorProto::kUint64DataFieldNumber;
}

/// The field that holds the elements of a type when raw_data does not.
int numbers_field_of(DataType type) {
  switch (type) {
    case DataType::float32: return TensorProto::kFloatDataFieldNumber;
    case DataType::float64: return TensorProto::kDoubleDataFieldNumber;
    case DataType::int64: return TensorProto::kInt64DataFieldNumber;
    case DataType::uint32:
    case DataType::uint64: return TensorProto::kUint64DataFieldNumber;
    default: return TensorProto::kInt32DataFieldNumber;
  }
}

WireType element_wire_type(int field) {
  if (field == TensorProto::kFloatDataFieldNumber) return WireType::fixed32;
  return field == TensorProto::kDoubleDataFieldNumber ? WireType::fixed64 : WireType::varint;
}

std::int64_t parse_number(std::string_view text, const Message& message) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    message.fail(ErrorCode::model, "external data: offset and length are decimal numbers", {}, quote_name(text));
  }
  return value;
}

/// One StringStringEntryProto of external_data.
void read_external_entry(const Message& message, ExternalEntry& entry, unsigned& seen, std::int64_t max_text) {
  using Pair = linnet_onnx::StringStringEntryProto;
  std::string_view key, value;
  MessageReader reader(message);
  while (reader.next()) {
    if (reader.field() == Pair::kKeyFieldNumber) key = reader.as_text(max_text);
    if (reader.field() == Pair::kValueFieldNumber) value = reader.as_text(max_text);
  }
  constexpr std::string_view kKeys[] = {"location", "offset", "length", "checksum"};
  const auto* const known = std::find(std::begin(kKeys), std::end(kKeys), key);
  if (known == std::end(kKeys)) message.fail(ErrorCode::model, "external data: unknown key " + quote_name(key));
  const unsigned bit = 1U << (known - std::begin(kKeys));
  if ((seen & bit) != 0) message.fail(ErrorCode::model, "external data: the key " + quote_name(key) + " stands twice");
  seen |= bit;
  if (key == "location") entry.location = value;
  if (key == "offset") entry.offset = parse_number(value, message);
  if (key == "length") entry.length = parse_number(value, message);
  if (key == "checksum") entry.checksum = value;
}

void add_numbers(const MessageReader& reader, TensorHeader& header) {
  const NumberRun run(reader, element_wire_type(reader.field()));
  if (run.byte_count() == 0) return;  // an empty packed run says nothing
  if (header.numbers_field != 0 && header.numbers_field != reader.field()) {
    reader.fail(ErrorCode::model, "elements stand in two fields");
  }
  header.numbers_field = reader.field();
  ++header.number_runs;
  header.number_bytes += run.byte_count();
  if (reader.wire_type() == WireType::length_delimited) header.numbers = reader.as_bytes();
}

std::string label(const TensorHeader& header) {
  return "tensor " + quote_name(header.name) + " " + data_type_name(header.type) + to_string(header.dims);
}

[[noreturn]] void refuse_payload(const TensorHeader& header, const std::string& what, std::size_t expected,
                                 std::size_t found) {
  header.message.fail(ErrorCode::model, label(header) + ": " + what, std::to_string(expected), std::to_string(found));
}

/// Bytes between the start of a length-delimited field and its payload, at least: the tag and the length.
std::size_t bytes_before(Bytes payload) {
  std::size_t bytes = 2;
  for (std::size_t length = payload.size(); length >= 128; length /= 128) ++bytes;
  return bytes;
}

/// What a tensor that is no view of the file takes. The file's bytes pay for its elements, once.
void charge_owned(const TensorHeader& header, std::size_t bytes, LoadContext& context) {
  context.budget.charge(kOwnedTensorBytes + (context.read_before ? bytes : 0), header.message);
}

/// Whether its numbers are one run that nobody has to walk through.
bool is_one_stretch(const TensorHeader& header) {
  return header.number_runs <= 1 && element_wire_type(header.numbers_field) != WireType::varint;
}

/// A tensor on a stretch of the file.
Tensor share(const TensorHeader& header, DataType type, Bytes payload, LoadContext& context) {
  const std::size_t shift = reinterpret_cast<std::uintptr_t>(payload.data()) % element_bytes(type);
  const bool movable = context.buffer != nullptr && !context.read_again && shift <= bytes_before(payload);
  if (payload.empty() || (shift != 0 && !movable)) {
    charge_owned(header, payload.size(), context);
    Tensor tensor(type, header.dims);
    if (!payload.empty()) std::memcpy(tensor.mutable_raw(), payload.data(), payload.size());
    return tensor;
  }
  if (shift != 0) {
    // Over its own tag and length, which nobody reads again: cheaper than a copy of a 100 MB model in memory, and the buffer
    // is ours to write.
    std::byte* const start = context.buffer->bytes().data() + (payload.data() - context.file.bytes.data());
    std::memmove(start - shift, start, payload.size());
    payload = {start - shift, payload.size()};
  }
  context.budget.charge(block_bytes(header.dims.size() * sizeof(std::int64_t)), header.message);
  // What is read again, as a function's tensors at its next call, must still be there then.
  const bool releasable = context.buffer != nullptr && !context.read_again && payload.size() >= kReleasable;
  return Tensor::share(type, header.dims, payload.data(),
                       releasable ? base::lend(context.buffer, payload) : context.owner);
}

/// Calls sink(number) for each element of the typed field.
template <typename Sink>
void for_each_number(const TensorHeader& header, const Sink& sink) {
  MessageReader reader(header.message);
  while (reader.next()) {
    if (reader.field() != header.numbers_field) continue;
    NumberRun run(reader, element_wire_type(reader.field()));
    std::uint64_t number = 0;
    while (run.next(number)) sink(number);
  }
}

/// Narrows numbers into the tensor's elements. Stored is the field's type: int32_data drops the upper bits as protobuf does.
template <typename Element, typename Stored>
void narrow_into(Tensor& tensor, const TensorHeader& header) {
  auto* out = static_cast<Element*>(tensor.mutable_raw());
  const auto size = static_cast<std::size_t>(tensor.size());
  std::size_t count = 0;
  for_each_number(header, [&](std::uint64_t number) {
    if (count == size) refuse_payload(header, "too many elements", size, size + 1);
    const auto value = static_cast<Stored>(number);
    if (!std::in_range<Element>(value)) {
      header.message.fail(ErrorCode::model,
                          "tensor " + quote_name(header.name) + ": element " + std::to_string(count) +
                              " does not fit " + data_type_name(header.type),
                          {}, std::to_string(value));
    }
    out[count++] = static_cast<Element>(value);
  });
  if (count != size) refuse_payload(header, "too few elements", size, count);
}

/// float_data and double_data in several runs.
template <typename Bits>
void copy_into(Tensor& tensor, const TensorHeader& header) {
  auto* out = static_cast<std::byte*>(tensor.mutable_raw());
  for_each_number(header, [&out](std::uint64_t number) {
    const auto bits = static_cast<Bits>(number);
    std::memcpy(out, &bits, sizeof bits);
    out += sizeof bits;
  });
}

Tensor read_numbers(const TensorHeader& header, DataType type, std::size_t bytes, LoadContext& context) {
  if (header.numbers_field != 0 && header.numbers_field != numbers_field_of(type)) {
    header.message.fail(ErrorCode::model,
                        "tensor " + quote_name(header.name) + " of " + data_type_name(header.type) +
                            " has its elements in the wrong field",
                        "field " + std::to_string(numbers_field_of(type)),
                        "field " + std::to_string(header.numbers_field));
  }
  const bool fixed = type == DataType::float32 || type == DataType::float64;
  if (fixed && header.number_bytes != bytes)
    refuse_payload(header, "the bytes of its elements", bytes, header.number_bytes);
  if (fixed && header.number_runs == 1 && header.numbers.size() == bytes)
    return share(header, type, header.numbers, context);
  // A varint has at least a byte, so this bounds the allocation by the file.
  const std::size_t elements = bytes / element_bytes(type);
  if (!fixed && header.number_bytes < elements)
    refuse_payload(header, "too few elements", elements, header.number_bytes);
  charge_owned(header, bytes, context);
  Tensor tensor(type, header.dims);
  switch (type) {
    case DataType::float32: copy_into<std::uint32_t>(tensor, header); break;
    case DataType::float64: copy_into<std::uint64_t>(tensor, header); break;
    case DataType::int64: narrow_into<std::int64_t, std::int64_t>(tensor, header); break;
    case DataType::uint64: narrow_into<std::uint64_t, std::uint64_t>(tensor, header); break;
    case DataType::uint32: narrow_into<std::uint32_t, std::uint64_t>(tensor, header); break;
    case DataType::int32: narrow_into<std::int32_t, std::int32_t>(tensor, header); break;
    case DataType::int16: narrow_into<std::int16_t, std::int32_t>(tensor, header); break;
    case DataType::int8: narrow_into<std::int8_t, std::int32_t>(tensor, header); break;
    case DataType::boolean:
    case DataType::uint8: narrow_into<std::uint8_t, std::int32_t>(tensor, header); break;
    default:
      narrow_into<std::uint16_t, std::int32_t>(tensor, header);
      break;  // uint16, and float16 and bfloat16 as bits
  }
  return tensor;
}

/// A bool that is neither 0 nor 1 has no defined meaning in C++.
void check_booleans(const TensorHeader& header, const Tensor& tensor) {
  const auto* const first = static_cast<const std::uint8_t*>(tensor.raw());
  const auto* const wrong = std::find_if(first, first + tensor.bytes(), [](std::uint8_t x) { return x > 1; });
  if (wrong == first + tensor.bytes()) return;
  header.message.fail(
      ErrorCode::model,
      "tensor " + quote_name(header.name) + ": element " + std::to_string(wrong - first) + " is no bool", "0 or 1",
      std::to_string(*wrong));
}

}  // namespace

DataType to_data_type(std::int64_t onnx_type) {
  // DataType is numbered as TensorProto.DataType.
  if (onnx_type < 0 || onnx_type > static_cast<std::int64_t>(DataType::bfloat16)) return DataType::undefined;
  return static_cast<DataType>(onnx_type);
}

std::string data_type_name(std::int64_t onnx_type) {
  const DataType type = to_data_type(onnx_type);
  if (type != DataType::undefined) return std::string(to_string(type));
  // Newer than the installed definitions.
  constexpr std::string_view kNewer[] = {"float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz",
                                         "uint4",        "int4",           "float4e2m1", "float8e8m0"};
  constexpr std::int64_t kFirstNewer = 17;  // compared before it is subtracted: the type may be any number
  if (onnx_type >= kFirstNewer && std::cmp_less(onnx_type - kFirstNewer, std::size(kNewer)))
    return std::string(kNewer[onnx_type - kFirstNewer]);
  return "type " + std::to_string(onnx_type);
}

void require_rank_above(std::size_t count, const MessageReader& reader, const LoadContext& context) {
  if (std::cmp_less(count, context.options.max_rank)) return;
  reader.fail(ErrorCode::limit, "more than " + std::to_string(context.options.max_rank) + " dims (max_rank)");
}

void add_dims(const MessageReader& reader, Shape& dims, const LoadContext& context) {
  NumberRun run(reader, WireType::varint);
  std::uint64_t dim = 0;
  while (run.next(dim)) {
    require_rank_above(dims.size(), reader, context);
    dims.push_back(static_cast<std::int64_t>(dim));
    if (dims.back() < 0)
      reader.fail(ErrorCode::model, "dim " + std::to_string(dims.size() - 1) + " is " + std::to_string(dims.back()));
  }
}

std::size_t checked_bytes(const Message& message, const std::string& label, DataType type, const Shape& dims,
                          const LoadContext& context) {
  std::int64_t bytes = 0;
  try {
    bytes = base::checked_mul(base::checked_product(dims, "the elements"),
                              static_cast<std::int64_t>(element_bytes(type)), "the bytes");
  } catch (const Error& error) {
    message.fail(error.code(), label + ": " + error.message());
  }
  if (bytes > context.options.max_tensor_bytes) {
    message.fail(ErrorCode::limit, label + " is too large",
                 "at most " + std::to_string(context.options.max_tensor_bytes) + " bytes (max_tensor_bytes)",
                 std::to_string(bytes));
  }
  return base::to_size(bytes, "a tensor's bytes");
}

TensorHeader read_tensor_header(const Message& message, LoadContext& context) {
  TensorHeader header;
  header.message = message;
  const std::int64_t max_text = context.options.max_name_bytes;
  ExternalEntry external;
  unsigned external_keys = 0;
  bool is_external = false;
  MessageReader reader(message);
  while (reader.next()) {
    switch (reader.field()) {
      case TensorProto::kNameFieldNumber: header.name = reader.as_text(max_text); break;
      case TensorProto::kDataTypeFieldNumber: header.type = reader.as_int64(); break;
      case TensorProto::kDimsFieldNumber: add_dims(reader, header.dims, context); break;
      case TensorProto::kSegmentFieldNumber: header.segmented = true; break;
      case TensorProto::kDataLocationFieldNumber: is_external = reader.as_int64() == TensorProto::EXTERNAL; break;
      case TensorProto::kExternalDataFieldNumber:
        read_external_entry(reader.as_message("StringStringEntryProto"), external, external_keys, max_text);
        break;
      case TensorProto::kRawDataFieldNumber:
        reader.refuse_second(header.raw.has_value());
        header.raw = reader.as_bytes();
        break;
      default:
        if (is_numbers_field(reader.field())) add_numbers(reader, header);
    }
  }
  if (header.raw && header.raw->empty() && header.numbers_field != 0) header.raw.reset();
  if (is_external) header.external = std::move(external);
  if ((header.raw && !header.raw->empty()) + (header.numbers_field != 0) + is_external > 1) {
    message.fail(ErrorCode::model, "tensor " + quote_name(header.name) + " has its elements in two places");
  }
  context.note_read(message.bytes.size() - (header.raw ? header.raw->size() : 0) - header.number_bytes, message);
  if (context.read_before && header.numbers_field != 0 && !is_one_stretch(header))
    context.budget.reread(header.number_bytes, message);
  return header;
}

std::string why_unsupported(const TensorHeader& header) {
  if (header.segmented) return "tensors in segments";
  if (element_bytes(to_data_type(header.type)) == 0) return "tensors of " + data_type_name(header.type);
  return {};
}

Tensor read_tensor(const TensorHeader& header, LoadContext& context) {
  const DataType type = to_data_type(header.type);
  const std::size_t bytes = checked_bytes(header.message, label(header), type, header.dims, context);
  Tensor tensor;
  if (header.external) {
    tensor = context.external.read(*header.external, type, header.dims, bytes, header.message);
  } else if (header.raw) {
    if (header.raw->size() != bytes) refuse_payload(header, "the bytes of its raw_data", bytes, header.raw->size());
    tensor = share(header, type, *header.raw, context);
  } else {
    tensor = read_numbers(header, type, bytes, context);
  }
  if (type == DataType::boolean && !context.read_before) check_booleans(header, tensor);
  return tensor;
}

}  // namespace linnet::onnx
