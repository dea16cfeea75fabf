// What an action costs and leaves behind besides its result: words on the standard streams, memory, processor time.
//
//   const Footprint footprint = footprint_of([&] { (void)Model::load(file); });
//   CHECK(footprint.words == "");
#pragma once

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>

#include "support/processor_seconds.h"
#include "support/sanitized.h"

namespace linnet::test {

/// The most bytes that were allocated at once since restart_peak(), above what there was then. 0 where the program does not
/// count them (allocation_failure_test.cpp does).
std::int64_t peak_bytes();
void restart_peak();

/// Standard output and error go to memory while it lives. Not under a sanitizer, whose reports must be seen.
class Listener {
 public:
  Listener() {
    if (kSanitized) return;
    std::fflush(stdout);
    for (std::size_t i = 0; i < saved_.size(); ++i) {
      saved_[i] = dup(kStreams[i]);
      dup2(file_, kStreams[i]);
    }
  }
  ~Listener() {
    if (kSanitized) return;
    std::fflush(stdout);
    for (std::size_t i = 0; i < saved_.size(); ++i) {
      if (saved_[i] < 0) {
        close(kStreams[i]);  // as it was
      } else {
        dup2(saved_[i], kStreams[i]);
        close(saved_[i]);
      }
    }
    close(file_);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// The start of what was written so far.
  [[nodiscard]] std::string words() const {
    if (kSanitized) return {};
    std::fflush(stdout);
    std::string text(500, '\0');
    const ssize_t bytes = pread(file_, text.data(), text.size(), 0);
    if (bytes < 0) return "(nothing could be listened to)";
    text.resize(static_cast<std::size_t>(bytes));
    return text;
  }

 private:
  static constexpr std::array<int, 2> kStreams = {STDOUT_FILENO, STDERR_FILENO};
  int file_ = kSanitized ? -1 : memfd_create("words", MFD_CLOEXEC);
  std::array<int, 2> saved_ = {-1, -1};
};

struct Footprint {
  std::string words;
  double seconds = 0;
  std::int64_t bytes = 0;
};

Footprint footprint_of(const auto& action) {
  const Listener listener;
  restart_peak();
  Footprint result;
  result.seconds = processor_seconds_of(action);
  result.bytes = peak_bytes();
  result.words = listener.words();
  return result;
}

}  // namespace linnet::test
