// Names and texts out of a model's file, on a terminal.
#pragma once

#include <string>
#include <string_view>

namespace linnet::cli {

/// `text` with control characters as \xNN: they cannot steer the terminal, nor break a table's lines.
inline std::string shown(std::string_view text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string safe;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F) {
      safe += c;
    } else {
      safe += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return safe;
}

}  // namespace linnet::cli
