#include "base/aligned_buffer.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "base/checked_math.h"
#include "linnet/error.h"
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace linnet::base {

void AlignedBuffer::Free::operator()(std::byte* p) const noexcept { std::free(p); }

AlignedBuffer::AlignedBuffer(std::size_t bytes, Fill fill) : bytes_(bytes) {
  const bool huge = bytes >= kHugeFrom;
  const std::size_t alignment = huge ? kHugePage : kLine;
  const std::size_t rounded = round_up(bytes, kLine);
  if (rounded < bytes)
    throw Error(ErrorCode::limit, "a buffer of " + std::to_string(bytes) + " bytes cannot be aligned");
  void* p = nullptr;
  if (posix_memalign(&p, alignment, rounded == 0 ? kLine : rounded) != 0) {
    throw Error(ErrorCode::no_memory, "cannot allocate " + std::to_string(bytes) + " bytes");
  }
  data_.reset(static_cast<std::byte*>(p));
#if defined(__linux__)
  // A refusal only costs speed, so the answer is not looked at.
  if (huge) (void)madvise(p, rounded, MADV_HUGEPAGE);
#endif
  if (fill == Fill::zero) std::memset(p, 0, rounded);
}

}  // namespace linnet::base
