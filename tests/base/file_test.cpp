#include "base/file.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "linnet/error.h"
#include "support/temp_dir.h"

using namespace linnet;
namespace fs = std::filesystem;

namespace {

Error read_error(const std::string& path, std::int64_t max_bytes = 1000) {
  try {
    (void)base::FileBuffer::read(path, max_bytes);
  } catch (const Error& error) {
    return error;
  }
  FAIL("nothing was thrown");
  throw 0;  // not reached
}

std::string text_of(const base::FileBuffer& buffer) {
  return {reinterpret_cast<const char*>(buffer.bytes().data()), buffer.bytes().size()};
}

/// Standard input from another file while it lives.
class StdinFrom {
 public:
  explicit StdinFrom(int fd) : saved_(dup(STDIN_FILENO)) { dup2(fd, STDIN_FILENO); }
  ~StdinFrom() {
    dup2(saved_, STDIN_FILENO);
    close(saved_);
  }

 private:
  int saved_;
};

}  // namespace

TEST_CASE("a file is read whole") {
  const test::TempDir folder;
  const std::string path = (folder.path() / "file").string();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{5'000'001}}) {
    std::ofstream(path, std::ios::binary) << std::string(size, 'x');
    CHECK(text_of(*base::FileBuffer::read(path, 10'000'000)) == std::string(size, 'x'));
  }
}

TEST_CASE("A01 A02 A03 A04 A13: what cannot be read is named") {
  const test::TempDir folder;
  const std::string missing = (folder.path() / "missing").string();
  CHECK(read_error(missing).code() == ErrorCode::io);
  CHECK(read_error(missing).message() == "cannot open: No such file or directory");
  CHECK(read_error(missing).details().file == missing);
  CHECK(read_error(folder.path().string()).details().found == "a directory");
  const std::string pipe = (folder.path() / "pipe").string();
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(read_error(pipe).details().found == "a pipe");
  CHECK(read_error("/dev/zero").details().found == "a device");
  CHECK(read_error(std::string("/dev/null\0x", 11)).code() == ErrorCode::io);
  CHECK(read_error(std::string(10'000, 'p')).code() == ErrorCode::io);
}

TEST_CASE("A08: a size limit is checked before a byte is read") {
  const test::TempDir folder;
  const std::string path = (folder.path() / "sparse").string();
  std::ofstream(path).close();
  fs::resize_file(path, std::uintmax_t{1} << 40);
  const Error error = read_error(path);
  CHECK(error.code() == ErrorCode::limit);
  CHECK(error.details().found == "1099511627776");
}

TEST_CASE("A06: a range beyond the end is an error") {
  const test::TempDir folder;
  const std::string path = (folder.path() / "file").string();
  std::ofstream(path) << "12345";
  const base::FileHandle file = base::open_regular_file(path);
  std::byte bytes[4];
  CHECK_NOTHROW(base::read_exactly(file, 1, bytes, path));
  CHECK_THROWS_AS(base::read_exactly(file, 2, bytes, path), Error);
}

TEST_CASE("A10: standard input is read to its end, within the limit") {
  const test::TempDir folder;
  const std::string path = (folder.path() / "file").string();
  const std::string text(200'000, 'i');
  std::ofstream(path) << text;
  const auto from_stdin = [&](std::int64_t max_bytes) {
    const base::FileHandle file = base::open_regular_file(path);
    const StdinFrom redirected(file.get());
    return text_of(*base::FileBuffer::read_stdin(max_bytes));
  };
  CHECK(from_stdin(200'000) == text);
  CHECK_THROWS_AS(from_stdin(199'999), Error);
}

TEST_CASE("a lent part is released with its last handle, its neighbours stay") {
  const test::TempDir folder;
  const std::string path = (folder.path() / "file").string();
  const std::size_t size = 10 << 20;
  std::ofstream(path, std::ios::binary) << std::string(size, 'x');
  auto buffer = base::FileBuffer::read(path, 100'000'000);
  const std::size_t first = 1'000'001, length = 5'000'000;
  auto handle = base::lend(buffer, buffer->bytes().subspan(first, length));
  const auto copy = handle;
  handle.reset();
  CHECK(text_of(*buffer) == std::string(size, 'x'));
  const_cast<std::shared_ptr<const void>&>(copy).reset();
  const std::string after = text_of(*buffer);
  CHECK(after.substr(0, first) == std::string(first, 'x'));
  CHECK(after.substr(first + length) == std::string(size - first - length, 'x'));
}
