#include "base/printable.h"

#include <cstdint>

namespace linnet::base {

namespace {

constexpr std::size_t kMaxNameBytes = 128;

/// Controls, and what makes a line read otherwise than its bytes run: marks of direction, and separators of lines.
bool is_control(std::string_view character) {
  const auto at = [character](std::size_t i) { return static_cast<std::uint8_t>(character[i]); };
  if (character.size() == 1) return at(0) < 0x20 || at(0) == 0x7F;
  if (character.size() == 2) {
    const bool arabic_mark = at(0) == 0xD8 && at(1) == 0x9C;  // U+061C
    return (at(0) == 0xC2 && at(1) < 0xA0) || arabic_mark;    // C1: 0x9B is a CSI
  }
  if (character.size() != 3 || at(0) != 0xE2) return false;
  if (at(1) == 0x80)
    return at(2) == 0x8E || at(2) == 0x8F || (at(2) >= 0xA8 && at(2) <= 0xAE);  // U+200E/F, U+2028 to 202E
  return at(1) == 0x81 && at(2) >= 0xA6 && at(2) <= 0xA9;                       // U+2066 to 2069
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const auto at = [text](std::size_t i) {
    return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
  };
  const auto follows = [at](std::size_t i) { return (at(i) & 0xC0U) == 0x80U; };
  const std::uint8_t first = at(0), second = at(1);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !follows(1)) return 0;
  if (first < 0xE0) return 2;
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool outside =
      (first == 0xED && second > 0x9F) || (first == 0xF4 && second > 0x8F);  // surrogates, above U+10FFFF
  if (overlong || outside || !follows(2)) return 0;
  if (first < 0xF0) return 3;
  return follows(3) ? 4 : 0;
}

std::string printable(std::string_view text, std::size_t max_bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string result;
  while (!text.empty()) {
    if (result.size() >= max_bytes) return result + "...";
    const std::size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, length == 0 ? 1 : length);
    if (length != 0 && !is_control(character)) {
      result += character;
    } else {
      for (const char c : character) {
        const auto byte = static_cast<std::uint8_t>(c);
        result += {'\\', 'x', kDigits[byte >> 4U], kDigits[byte & 15U]};
      }
    }
    text.remove_prefix(character.size());
  }
  return result;
}

std::string quote_name(std::string_view name) { return "'" + printable(name, kMaxNameBytes) + "'"; }

}  // namespace linnet::base
