// Whether this program runs under a sanitizer: its memory, its time and its allocator are not its own then.
#pragma once

#if defined(__has_feature)
#define LINNET_HAS_FEATURE(name) __has_feature(name)
#else
#define LINNET_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_THREAD__) || LINNET_HAS_FEATURE(thread_sanitizer)
#define LINNET_THREAD_SANITIZED 1
#else
#define LINNET_THREAD_SANITIZED 0
#endif
#if defined(__SANITIZE_ADDRESS__) || LINNET_HAS_FEATURE(address_sanitizer) || LINNET_THREAD_SANITIZED
#define LINNET_SANITIZED 1
#else
#define LINNET_SANITIZED 0
#endif

namespace linnet::test {

inline constexpr bool kSanitized = LINNET_SANITIZED != 0;

}  // namespace linnet::test
