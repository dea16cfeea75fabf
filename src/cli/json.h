// JSON as all verbs print it.
#pragma once

#include <iostream>
#include <nlohmann/json.hpp>

namespace linnet::cli {

using Json = nlohmann::ordered_json;

/// Names of strangers need not be UTF-8: what is not becomes U+FFFD.
inline void write_json(const Json& json) {
  std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace linnet::cli
