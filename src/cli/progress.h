// One line on a terminal that says how far long work is.
#pragma once

#include <unistd.h>

#include <iostream>
#include <string>

namespace linnet::cli {

/// The line goes away with the object, so that an error begins on a clean one. Nothing is shown where stderr is no terminal.
class Progress {
 public:
  explicit Progress(bool wanted = true) : shown_(wanted && isatty(STDERR_FILENO) != 0) {}
  ~Progress() {
    if (shown_) std::cerr << "\r\033[K" << std::flush;
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(const std::string& text) const {
    if (shown_) std::cerr << '\r' << text << std::flush;
  }

 private:
  bool shown_;
};

}  // namespace linnet::cli
