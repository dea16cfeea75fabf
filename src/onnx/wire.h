// The protobuf wire format, read in place: a Message is a stretch of the file, a MessageReader walks its fields.
//
// Nothing is made of what is read: the caller turns fields into objects or skips them at no cost. That is what bounds memory
// (a plain protobuf parse makes 138 bytes of objects of each byte of empty messages) and what gives errors their offset.
#pragma once

#include <google/protobuf/io/coded_stream.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "linnet/error.h"

namespace linnet::onnx {

using Bytes = std::span<const std::byte>;

/// The file that is being read, for messages and limits.
struct FileContext {
  Bytes bytes;       // all of it
  std::string path;  // may be empty
  int max_depth = 64;
};

/// A message that is not yet looked into.
struct Message {
  const FileContext* file = nullptr;
  std::string_view type;  // "NodeProto": a literal
  Bytes bytes;
  int depth = 1;  // the file's own message has 1

  /// Throws an Error that says where in the file the message starts.
  [[noreturn]] void fail(ErrorCode code, const std::string& what, std::string expected = {},
                         std::string found = {}) const;
};

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, length_delimited = 2, fixed32 = 5 };

class MessageReader {
 public:
  explicit MessageReader(const Message& message);

  /// Steps to the next field; false at the end of the message. Throws Error(format) for anything malformed.
  bool next();
  [[nodiscard]] int field() const noexcept { return field_; }
  [[nodiscard]] WireType wire_type() const noexcept { return type_; }
  [[nodiscard]] const Message& message() const noexcept { return message_; }

  // The value of the present field. Each throws Error(format) where the wire type is another.
  [[nodiscard]] std::int64_t as_int64() const;
  [[nodiscard]] float as_float() const;
  [[nodiscard]] Bytes as_bytes() const;
  /// A view into the file. Throws Error(limit) if it is longer than max_bytes.
  [[nodiscard]] std::string_view as_text(std::int64_t max_bytes) const;
  /// Throws Error(limit) beyond the file's max_depth.
  [[nodiscard]] Message as_message(std::string_view type) const;

  /// For a field that must not stand twice: protobuf would merge two messages and take the last of two payloads, and a
  /// scanner that reads it otherwise than we do would see another model.
  void refuse_second(bool seen) const;
  [[noreturn]] void fail(ErrorCode code, const std::string& what) const;

 private:
  friend class NumberRun;
  void require(WireType type) const;
  void read_value();

  const Message message_;
  google::protobuf::io::CodedInputStream stream_;
  std::size_t start_ = 0;  // of the present field, inside the message
  int field_ = 0;
  WireType type_ = WireType::varint;
  std::uint64_t number_ = 0;  // varint, fixed64, fixed32
  Bytes bytes_;               // length_delimited
};

/// The numbers of the present field of a repeated scalar: one, or a packed run of them.
class NumberRun {
 public:
  /// `element` is the wire type of one number.
  NumberRun(const MessageReader& reader, WireType element);
  /// False at the end. Throws Error(format) for a damaged run.
  bool next(std::uint64_t& value);
  /// How many there are, without reading them.
  [[nodiscard]] std::size_t count() const;
  /// The bytes of all numbers together.
  [[nodiscard]] std::size_t byte_count() const;

 private:
  const MessageReader& reader_;
  WireType element_;
  bool packed_;
  bool done_ = false;  // of a single number
  google::protobuf::io::CodedInputStream stream_;
};

}  // namespace linnet::onnx
