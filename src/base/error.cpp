#include "linnet/error.h"

#include <new>
#include <utility>

#include "base/printable.h"

namespace linnet {

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::usage: return "usage";
    case ErrorCode::io: return "io";
    case ErrorCode::format: return "format";
    case ErrorCode::model: return "model";
    case ErrorCode::unsupported: return "unsupported";
    case ErrorCode::limit: return "limit";
    case ErrorCode::input: return "input";
    case ErrorCode::image: return "image";
    case ErrorCode::no_memory: return "no_memory";
    case ErrorCode::cancelled: return "cancelled";
    case ErrorCode::internal: return "internal";
  }
  return "internal";
}

namespace {

// A name of 4096 bytes is legal in a model, and of no use in a message.
constexpr std::size_t kMaxFieldBytes = 256;

std::string compose(ErrorCode code, const std::string& message, const ErrorDetails& d) {
  std::string fields;
  auto add = [&fields](const std::string& text) {
    if (!fields.empty()) fields += ", ";
    fields += text;
  };
  const auto cut = [](const std::string& field) { return base::printable(field, kMaxFieldBytes); };
  if (!d.file.empty()) add("file '" + base::printable(d.file) + "'");
  if (!d.node.empty()) add("node '" + cut(d.node) + "'");
  if (!d.op.empty()) add("op " + cut(d.op));
  if (!d.where.empty()) add(cut(d.where));
  if (!d.expected.empty()) add("expected " + cut(d.expected));
  if (!d.found.empty()) add("found " + cut(d.found));
  std::string text(to_string(code));
  text += ": " + base::printable(message);
  if (!fields.empty()) text += " (" + fields + ")";
  return text;
}

}  // namespace

Error::Error(ErrorCode code, std::string message, ErrorDetails details)
    : code_(code), message_(std::move(message)), details_(std::move(details)) {
  try {
    text_ = compose(code_, message_, details_);
  } catch (const std::bad_alloc&) {
    text_ = message_;  // short in the one case that matters: the error for want of memory must not fail for want of it
  }
}

}  // namespace linnet
