// The version of these headers.
//
//   static_assert(linnet::kVersion.starts_with("0."));
#pragma once

#include <string_view>

namespace linnet {

constexpr std::string_view kVersion = "0.1.0";

}  // namespace linnet
