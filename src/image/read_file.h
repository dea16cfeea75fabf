// Reading a whole regular file under a limit. Used for pictures and label files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace linnet::image {

/// The file's bytes. `io` if it cannot be read or is not a regular file (a pipe could block for ever, a device never end);
/// `limit`, before anything is read, if it is larger than `max_bytes`. Errors carry the path in details().file.
std::vector<std::byte> read_file(const std::filesystem::path& path, std::int64_t max_bytes);

}  // namespace linnet::image
