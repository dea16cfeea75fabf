// Allocations that fail on purpose: a test's own allocator asks fails() at each, and outcome_of() says what became of an action.
#pragma once

#include <exception>
#include <functional>
#include <string>

#include "linnet/error.h"

namespace linnet::test {

/// `Count` and `Flag`: long and bool, or their atomics where several threads allocate.
template <typename Count, typename Flag>
class AllocationFailure {
 public:
  bool fails() {
    if (until_failure_ < 0) return false;
    if (until_failure_ > 0) --until_failure_;
    if (until_failure_ > 0) return false;
    if (!keeps_failing_) until_failure_ = -1;
    return true;
  }

  /// The allocation `fail_at` (1: the first) of `action` fails, and all after it if it `keeps_failing`. "" for Error(no_memory), or
  /// for success without the block that was refused; "done" if there was no such allocation any more; else what was wrong.
  std::string outcome_of(const std::function<void()>& action, long fail_at, bool keeps_failing) {
    std::string outcome = "done";
    outcome.reserve(64);
    keeps_failing_ = keeps_failing;
    until_failure_ = fail_at;
    try {
      action();
      if (until_failure_ <= 0) outcome.clear();
      until_failure_ = -1;
    } catch (const Error& error) {
      until_failure_ = -1;
      outcome = error.code() == ErrorCode::no_memory ? "" : error.what();
    } catch (const std::exception& error) {
      until_failure_ = -1;
      outcome = std::string("escaped: ") + error.what();
    }
    return outcome;
  }

 private:
  Count until_failure_ = -1;  // 1: the next one fails; 0: it fails, as all do from now on; -1: none
  Flag keeps_failing_ = false;
};

}  // namespace linnet::test
