// The one exception type of Linnet and its codes.
//
//   try {
//     auto model = linnet::Model::load("network.onnx");
//   } catch (const linnet::Error& error) {
//     std::cerr << error.what() << '\n';                 // one complete sentence, every field included
//     return linnet::exit_code(error.code());
//   }
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace linnet {

/// What kind of refusal an Error is. The numbers are also the exit codes of the program `linnet` (1 is left to
/// "verification failed").
enum class ErrorCode : std::uint8_t {
  usage = 2,        ///< the caller's arguments or options make no sense
  io = 3,           ///< a file cannot be opened, read or written
  format = 4,       ///< the bytes are not what they claim to be (not a protobuf, truncated, wrong lengths)
  model = 5,        ///< a well-formed file that breaks ONNX's rules (unknown value, cycle, shape mismatch)
  unsupported = 6,  ///< valid ONNX that Linnet does not run
  limit = 7,        ///< a documented limit of LoadOptions or SessionOptions is exceeded
  input = 8,        ///< a tensor given to run() does not fit the model
  image = 9,        ///< a picture cannot be decoded or does not fit the preset
  no_memory = 10,   ///< an allocation failed
  cancelled = 11,   ///< the caller's token or deadline stopped the run
  internal = 12,    ///< a defect in Linnet: please report it
};

/// "usage", "io", ...: the enumerator's own name.
std::string_view to_string(ErrorCode code) noexcept;

/// The process exit code that the program `linnet` uses for `code`.
constexpr int exit_code(ErrorCode code) noexcept { return static_cast<int>(code); }

/// Where an error was found. Empty fields are unknown or do not apply.
struct ErrorDetails {
  std::string file;      ///< path of the model, picture or label file
  std::string node;      ///< the node's name (or "#12" for the twelfth, unnamed one)
  std::string op;        ///< operator, with the domain where it is not ai.onnx, and the opset: "Conv-11"
  std::string where;     ///< the attribute, input, output or field: "attribute 'pads'", "input 2 'W'"
  std::string expected;  ///< what would have been right
  std::string found;     ///< what was there
};

/// The only exception that Linnet throws on purpose. what() is one line: the message, then every field that is set.
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message, ErrorDetails details = {});

  [[nodiscard]] ErrorCode code() const noexcept { return code_; }
  /// What is wrong, without the fields.
  [[nodiscard]] const std::string& message() const noexcept { return message_; }
  [[nodiscard]] const ErrorDetails& details() const noexcept { return details_; }
  /// "model: Conv needs a 4-D input (file 'a.onnx', node 'conv1', op Conv-11, input 0 'x': expected 4-D, found 3-D)".
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

 private:
  ErrorCode code_;
  std::string message_;
  ErrorDetails details_;
  std::string text_;
};

}  // namespace linnet
