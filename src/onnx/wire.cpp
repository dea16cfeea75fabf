#include "onnx/wire.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace linnet::onnx {

namespace {

using google::protobuf::io::CodedInputStream;

const std::uint8_t* raw(Bytes bytes) { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }
// The loader refuses files of 2 GiB and more, so that every stretch of one fits protobuf's int.
int length_of(Bytes bytes) { return static_cast<int>(bytes.size()); }

bool read_number(CodedInputStream& stream, WireType type, std::uint64_t& value) {
  if (type == WireType::varint) return stream.ReadVarint64(&value);
  if (type == WireType::fixed64) return stream.ReadLittleEndian64(&value);
  std::uint32_t narrow = 0;
  const bool complete = stream.ReadLittleEndian32(&narrow);
  value = narrow;
  return complete;
}

std::string_view name_of(WireType type) {
  switch (type) {
    case WireType::varint: return "varint";
    case WireType::fixed64: return "fixed64";
    case WireType::length_delimited: return "length-delimited";
    case WireType::fixed32: return "fixed32";
  }
  return "unknown";
}

[[noreturn]] void fail_at(const Message& message, std::size_t start, ErrorCode code, const std::string& what,
                          std::string expected = {}, std::string found = {}) {
  const auto offset = static_cast<std::size_t>(message.bytes.data() - message.file->bytes.data()) + start;
  throw Error(code, std::string(message.type) + ": " + what,
              {.file = message.file->path,
               .where = "byte " + std::to_string(offset),
               .expected = std::move(expected),
               .found = std::move(found)});
}

}  // namespace

void Message::fail(ErrorCode code, const std::string& what, std::string expected, std::string found) const {
  fail_at(*this, 0, code, what, std::move(expected), std::move(found));
}

MessageReader::MessageReader(const Message& message)
    : message_(message), stream_(raw(message.bytes), length_of(message.bytes)) {}

bool MessageReader::next() {
  start_ = static_cast<std::size_t>(stream_.CurrentPosition());
  if (start_ == message_.bytes.size()) return false;
  const std::uint32_t tag = stream_.ReadTagNoLastTag();
  field_ = static_cast<int>(tag >> 3U);
  if (field_ == 0) fail(ErrorCode::format, "no field starts here");
  const std::uint32_t type = tag & 7U;
  if (type == 3 || type == 4) fail(ErrorCode::format, "a group, which ONNX does not have");
  if (type > 5) fail(ErrorCode::format, "the wire type " + std::to_string(type) + " does not exist");
  type_ = static_cast<WireType>(type);
  read_value();
  return true;
}

void MessageReader::read_value() {
  std::uint64_t value = 0;
  if (!read_number(stream_, type_ == WireType::length_delimited ? WireType::varint : type_, value)) {
    fail(ErrorCode::format, "field " + std::to_string(field_) + " is cut off");
  }
  if (type_ != WireType::length_delimited) {
    number_ = value;
    return;
  }
  const auto position = static_cast<std::size_t>(stream_.CurrentPosition());
  const std::size_t rest = message_.bytes.size() - position;
  if (value > rest) {
    fail_at(message_, start_, ErrorCode::format, "field " + std::to_string(field_) + " is cut off",
            std::to_string(value) + " bytes", std::to_string(rest));
  }
  const auto length = static_cast<std::size_t>(value);
  bytes_ = message_.bytes.subspan(position, length);
  stream_.Skip(static_cast<int>(length));
}

void MessageReader::fail(ErrorCode code, const std::string& what) const { fail_at(message_, start_, code, what); }

void MessageReader::require(WireType type) const {
  if (type_ == type) return;
  fail_at(message_, start_, ErrorCode::format, "field " + std::to_string(field_) + " has the wrong wire type",
          std::string(name_of(type)), std::string(name_of(type_)));
}

std::int64_t MessageReader::as_int64() const {
  require(WireType::varint);
  return static_cast<std::int64_t>(number_);
}

float MessageReader::as_float() const {
  require(WireType::fixed32);
  return std::bit_cast<float>(static_cast<std::uint32_t>(number_));
}

Bytes MessageReader::as_bytes() const {
  require(WireType::length_delimited);
  return bytes_;
}

std::string_view MessageReader::as_text(std::int64_t max_bytes) const {
  require(WireType::length_delimited);
  if (std::cmp_greater(bytes_.size(), max_bytes)) {
    fail_at(message_, start_, ErrorCode::limit, "field " + std::to_string(field_) + " is too long",
            "at most " + std::to_string(max_bytes) + " bytes", std::to_string(bytes_.size()));
  }
  return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
}

Message MessageReader::as_message(std::string_view type) const {
  require(WireType::length_delimited);
  if (message_.depth >= message_.file->max_depth) {
    fail(ErrorCode::limit,
         "messages nest deeper than " + std::to_string(message_.file->max_depth) + " levels (max_depth)");
  }
  return {.file = message_.file, .type = type, .bytes = bytes_, .depth = message_.depth + 1};
}

void MessageReader::refuse_second(bool seen) const {
  if (seen) fail(ErrorCode::format, "field " + std::to_string(field_) + " stands here a second time");
}

NumberRun::NumberRun(const MessageReader& reader, WireType element)
    : reader_(reader),
      element_(element),
      packed_(reader.type_ == WireType::length_delimited),
      stream_(raw(packed_ ? reader.bytes_ : Bytes{}), length_of(packed_ ? reader.bytes_ : Bytes{})) {
  if (!packed_) reader.require(element);
}

bool NumberRun::next(std::uint64_t& value) {
  if (!packed_) {
    value = reader_.number_;
    return !std::exchange(done_, true);
  }
  if (std::cmp_equal(stream_.CurrentPosition(), reader_.bytes_.size())) return false;
  if (!read_number(stream_, element_, value)) reader_.fail(ErrorCode::format, "a packed number is cut off");
  return true;
}

std::size_t NumberRun::count() const {
  if (!packed_) return 1;
  if (element_ == WireType::fixed32) return reader_.bytes_.size() / 4;
  if (element_ == WireType::fixed64) return reader_.bytes_.size() / 8;
  // Each varint ends with its only byte below 128.
  return static_cast<std::size_t>(
      std::count_if(reader_.bytes_.begin(), reader_.bytes_.end(), [](std::byte b) { return b < std::byte{0x80}; }));
}

std::size_t NumberRun::byte_count() const {
  if (packed_) return reader_.bytes_.size();
  return element_ == WireType::fixed32 ? 4 : 8;
}

}  // namespace linnet::onnx
