#include "image/read_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "linnet/error.h"

namespace linnet::image {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return value_; }

 private:
  int value_;
};

[[noreturn]] void fail(const std::string& what, const std::filesystem::path& path) {
  throw Error(ErrorCode::io, what + ": " + std::generic_category().message(errno), {.file = path.string()});
}

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  if (S_ISSOCK(mode)) return "a socket";
  return "something else";
}

}  // namespace

std::vector<std::byte> read_file(const std::filesystem::path& path, std::int64_t max_bytes) {
  // O_NONBLOCK: opening a pipe that nobody writes to would wait for ever. What was opened is examined, not the name.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (file.get() < 0) fail("the file cannot be opened", path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) fail("the file cannot be examined", path);
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::io, "not a regular file", {.file = path.string(), .expected = "a file", .found = kind_of(status.st_mode)});
  }
  if (status.st_size > max_bytes) {
    throw Error(ErrorCode::limit, "the file is larger than its limit",
                {.file = path.string(), .expected = "at most " + std::to_string(max_bytes) + " bytes",
                 .found = std::to_string(status.st_size)});
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("the file cannot be read", path);
    if (got == 0) break;  // it shrank meanwhile: what is left speaks for itself
    done += static_cast<std::size_t>(got);
  }
  bytes.resize(done);
  return bytes;
}

}  // namespace linnet::image
