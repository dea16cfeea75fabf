// Names made of others.
#pragma once

#include <string>
#include <string_view>

namespace linnet::base {

/// One after the other, in no more room than that takes. What operator+ gives may have twice as much, which the name would keep:
/// a model that is small can make many long ones.
inline std::string joined(std::string_view a, std::string_view b, std::string_view c = {}) {
  std::string text;
  text.reserve(a.size() + b.size() + c.size());
  text.append(a).append(b).append(c);
  return text;
}

}  // namespace linnet::base
