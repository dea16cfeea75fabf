// Text of strangers in messages: names out of a model file may hold anything.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace linnet::base {

/// `text` with control characters and invalid UTF-8 as \xNN, so that it cannot steer a terminal, and cut to about max_bytes.
/// Does nothing to text that it has made.
std::string printable(std::string_view text, std::size_t max_bytes = std::string_view::npos);

/// Bytes of the well-formed UTF-8 sequence that `text` starts with (table 3-7 of the Unicode standard); 0 for none.
std::size_t utf8_length(std::string_view text);

/// A name for a message: printable, at most about 128 bytes, in single quotes.
std::string quote_name(std::string_view name);

}  // namespace linnet::base
