// Whole files in private memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/aligned_buffer.h"

namespace linnet::base {

/// A descriptor that closes itself.
class FileHandle {
 public:
  FileHandle() = default;
  explicit FileHandle(int fd) noexcept : fd_(fd) {}
  ~FileHandle();
  FileHandle(FileHandle&& other) noexcept;
  FileHandle& operator=(FileHandle&& other) noexcept;
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// What fstat() says of an open regular file.
struct FileFacts {
  std::int64_t bytes = 0;
  std::uint64_t links = 1;              // names the file has: above 1 there are hard links
  std::uint64_t device = 0, inode = 0;  // together its identity
};

/// Opens for reading without following what may block: a FIFO without a writer would hang a plain open(). Throws Error(io)
/// for anything that is not a regular file or cannot be opened.
FileHandle open_regular_file(const std::string& path);
/// Throws Error(io) unless `file` is a regular file. `path` is for messages.
FileFacts regular_file_facts(const FileHandle& file, const std::string& path);
/// Fills `into` from `offset` on; throws Error(io) if the file ends before.
void read_exactly(const FileHandle& file, std::int64_t offset, std::span<std::byte> into, const std::string& path);

/// The bytes of a file, read and not mapped: a mapped file that shrinks kills the process with SIGBUS, and reading the 102 MB
/// of ResNet-50 into huge pages takes no longer than touching a mapping of them. They are ours alone, so they may be
/// changed, and parts that are done with may be given back early.
class FileBuffer {
 public:
  /// Throws Error: `io`, `limit` (larger than max_bytes), `no_memory`.
  static std::shared_ptr<FileBuffer> read(const std::string& path, std::int64_t max_bytes);
  /// Standard input up to its end.
  static std::shared_ptr<FileBuffer> read_stdin(std::int64_t max_bytes);

  [[nodiscard]] std::span<std::byte> bytes() noexcept { return {memory_.data(), size_}; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {memory_.data(), size_}; }

  /// Gives the whole pages inside `part` back to the system; their contents are lost. Only speed and memory depend on it.
  void release(std::span<const std::byte> part) noexcept;

 private:
  AlignedBuffer memory_;
  std::size_t size_ = 0;
};

/// A handle that keeps `buffer` alive and, when its last copy goes, releases `part`. Nobody else may use `part`.
std::shared_ptr<const void> lend(std::shared_ptr<FileBuffer> buffer, std::span<const std::byte> part);

}  // namespace linnet::base
