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

#if defined(__SANITIZE_THREAD__)
#define LINNET_THREAD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LINNET_THREAD_SANITIZED 1
#endif
#endif
#ifndef LINNET_THREAD_SANITIZED
#define LINNET_THREAD_SANITIZED 0
#endif

namespace linnet::test {

inline constexpr bool kSanitized = LINNET_SANITIZED != 0;

}  // namespace linnet::test
