#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "base/checked_math.h"
#include "base/parallel_for.h"
#include "linnet/error.h"

namespace linnet::base {

namespace {

constexpr std::size_t kFirstRead = std::size_t{1} << 16;  // a pipe's usual capacity
constexpr std::int64_t kPart = 4 << 20;                   // bytes of a file that one thread reads at a time
constexpr unsigned kMostReaders = 4;                      // copying is soon bound by memory, not by processors

[[noreturn]] void io_error(const std::string& what, const std::string& path, int error_number = 0) {
  std::string text = what;
  if (error_number != 0) text += ": " + std::string(std::strerror(error_number));
  throw Error(ErrorCode::io, std::move(text), {.file = path});
}

[[noreturn]] void too_large(const std::string& path, const std::string& bytes, std::int64_t max_bytes) {
  throw Error(ErrorCode::limit, "the file is too large",
              {.file = path, .expected = "at most " + std::to_string(max_bytes) + " bytes", .found = bytes});
}

/// read(2) through interruptions; 0 at the end.
std::size_t read_some(int fd, std::byte* into, std::size_t bytes, const std::string& path) {
  for (;;) {
    const ssize_t got = ::read(fd, into, bytes);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) io_error("cannot read", path, errno);
  }
}

std::string kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "no regular file";
}

}  // namespace

FileHandle::~FileHandle() {
  if (fd_ >= 0) ::close(fd_);
}

FileHandle::FileHandle(FileHandle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileHandle open_regular_file(const std::string& path) {
  if (path.find('\0') != std::string::npos) io_error("a path cannot hold a NUL character", path);
  FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.is_open()) io_error("cannot open", path, errno);
  (void)regular_file_facts(file, path);
  return file;
}

FileFacts regular_file_facts(const FileHandle& file, const std::string& path) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) io_error("cannot examine", path, errno);
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorCode::io, "cannot read",
                {.file = path, .expected = "a regular file", .found = kind_of(status.st_mode)});
  }
  return {.bytes = status.st_size, .links = status.st_nlink, .device = status.st_dev, .inode = status.st_ino};
}

void read_exactly(const FileHandle& file, std::int64_t offset, std::span<std::byte> into, const std::string& path) {
  while (!into.empty()) {
    const ssize_t got = ::pread(file.get(), into.data(), into.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) io_error("cannot read", path, errno);
    if (got == 0) io_error("the file became shorter while it was read", path);
    into = into.subspan(static_cast<std::size_t>(got));
    offset += got;
  }
}

std::shared_ptr<FileBuffer> FileBuffer::read(const std::string& path, std::int64_t max_bytes) {
  const FileHandle file = open_regular_file(path);
  const FileFacts facts = regular_file_facts(file, path);
  if (facts.bytes > max_bytes) too_large(path, std::to_string(facts.bytes), max_bytes);
  auto buffer = std::make_shared<FileBuffer>();
  buffer->size_ = static_cast<std::size_t>(facts.bytes);
  buffer->memory_ = AlignedBuffer(buffer->size_, AlignedBuffer::Fill::none);
  // Copying out of the system's cache, and making the pages it goes to, is work for more than one processor.
  const auto threads = std::min(kMostReaders, std::thread::hardware_concurrency());
  parallel_for(static_cast<int>(threads), ceil_div(facts.bytes, kPart), [&](std::int64_t part) {
    const auto first = static_cast<std::size_t>(part * kPart);
    const std::span<std::byte> rest = buffer->bytes().subspan(first);
    read_exactly(file, part * kPart, rest.first(std::min(rest.size(), static_cast<std::size_t>(kPart))), path);
  });
  return buffer;
}

std::shared_ptr<FileBuffer> FileBuffer::read_stdin(std::int64_t max_bytes) {
  const std::string name = "-";
  auto buffer = std::make_shared<FileBuffer>();
  for (;;) {
    if (buffer->size_ == buffer->memory_.bytes()) {  // full: twice as much room
      AlignedBuffer larger(std::max(kFirstRead, 2 * buffer->size_), AlignedBuffer::Fill::none);
      if (buffer->size_ != 0) std::memcpy(larger.data(), buffer->memory_.data(), buffer->size_);
      buffer->memory_ = std::move(larger);
    }
    const std::size_t room = buffer->memory_.bytes() - buffer->size_;
    const std::size_t got = read_some(STDIN_FILENO, buffer->memory_.data() + buffer->size_, room, name);
    if (got == 0) return buffer;
    buffer->size_ += got;
    if (std::cmp_greater(buffer->size_, max_bytes)) too_large(name, "more", max_bytes);
  }
}

void FileBuffer::release(std::span<const std::byte> part) noexcept {
#if defined(__linux__)
  if (part.empty()) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto base = reinterpret_cast<std::uintptr_t>(memory_.data());  // page-aligned only where the buffer is large
  const auto first = reinterpret_cast<std::uintptr_t>(part.data());
  const std::uintptr_t from = (first + page - 1) / page * page;
  const std::uintptr_t to = (first + part.size()) / page * page;
  if (from < to && from >= base) {
    // A refusal only costs memory, so the answer is not looked at.
    (void)::madvise(memory_.data() + (from - base), to - from, MADV_DONTNEED);
  }
#else
  (void)part;
#endif
}

std::shared_ptr<const void> lend(std::shared_ptr<FileBuffer> buffer, std::span<const std::byte> part) {
  const std::byte* start = part.data();
  return {start, [buffer = std::move(buffer), part](const void*) { buffer->release(part); }};
}

}  // namespace linnet::base
