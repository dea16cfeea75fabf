#include "linnet/error.h"

#include <utility>

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

std::string compose(ErrorCode code, const std::string& message, const ErrorDetails& d) {
  std::string fields;
  auto add = [&fields](const std::string& text) {
    if (!fields.empty()) fields += ", ";
    fields += text;
  };
  if (!d.file.empty()) add("file '" + d.file + "'");
  if (!d.node.empty()) add("node '" + d.node + "'");
  if (!d.op.empty()) add("op " + d.op);
  if (!d.where.empty()) add(d.where);
  if (!d.expected.empty()) add("expected " + d.expected);
  if (!d.found.empty()) add("found " + d.found);
  std::string text(to_string(code));
  text += ": " + message;
  if (!fields.empty()) text += " (" + fields + ")";
  return text;
}

}  // namespace

Error::Error(ErrorCode code, std::string message, ErrorDetails details)
    : code_(code), message_(std::move(message)), details_(std::move(details)), text_(compose(code_, message_, details_)) {}

}  // namespace linnet
