// Mutations that know what an ONNX file is made of: messages are duplicated, dropped and exchanged, names and numbers are
// replaced by others of the file or by ones that break things, and all lengths stay right. Byte-wise mutation of a protobuf
// mostly finds out that lengths are checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace linnet::fuzz {

/// One mutation chosen by `seed`; what is no model comes back as it is.
std::string mutate_model(std::string_view file, std::uint32_t seed);

}  // namespace linnet::fuzz
