// Whether this program runs under a sanitizer: its memory, its time and its allocator are not its own then.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LINNET_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LINNET_SANITIZED 1
#endif
#endif
#ifndef LINNET_SANITIZED
#define LINNET_SANITIZED 0
#endif

#ifdef __clang__
#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#define LINNET_SANITIZED_LEAKS_OF_LLVM 1
#endif
#endif

namespace linnet::test {

inline constexpr bool kSanitized = LINNET_SANITIZED != 0;

/// While it lives, what this thread allocates is not held to be given back: for the leaks of LLVM's OpenMP runtime.
struct LeaksOfOthers {
#ifdef LINNET_SANITIZED_LEAKS_OF_LLVM
  LeaksOfOthers() { __lsan_disable(); }
  ~LeaksOfOthers() { __lsan_enable(); }
#else
  LeaksOfOthers() {}  // NOLINT(modernize-use-equals-default): one with a body is not warned of as unused
#endif
  LeaksOfOthers(const LeaksOfOthers&) = delete;
  LeaksOfOthers& operator=(const LeaksOfOthers&) = delete;
};

}  // namespace linnet::test
