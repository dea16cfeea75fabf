// The version of these headers.
//
//   static_assert(linnet::kVersionMajor == 0);
#pragma once

#include <string_view>

namespace linnet {

constexpr int kVersionMajor = 0;
constexpr int kVersionMinor = 1;
constexpr int kVersionPatch = 0;
constexpr std::string_view kVersion = "0.1.0";

}  // namespace linnet
