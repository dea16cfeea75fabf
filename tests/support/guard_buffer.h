// Memory that ends, or begins, at a page which nobody may touch: a kernel that reads or writes one float too far dies
// here.
//
//   GuardBuffer x(n);                        // x.data()[n] is a segmentation fault
//   GuardBuffer y(n, GuardBuffer::before);   // y.data()[-1] is one
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <new>
#include <vector>

namespace linnet::test {

class GuardBuffer {
 public:
  enum Side { after, before };
  inline static long made = 0;

  /// Floats, all NaN: what a kernel should not have read shows in its result.
  explicit GuardBuffer(std::size_t floats, Side side = after) : floats_(floats) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t used = (floats * sizeof(float) + page - 1) / page * page;
    mapped_ = used + 2 * page;
    base_ = static_cast<char*>(mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED) throw std::bad_alloc();
    if (used > 0 && mprotect(base_ + page, used, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
    char* first = base_ + page + (side == after ? used - floats * sizeof(float) : 0);
    data_ = reinterpret_cast<float*>(first);
    std::fill_n(data_, floats_, std::numeric_limits<float>::quiet_NaN());
    ++made;
  }
  explicit GuardBuffer(const std::vector<float>& values, Side side = after) : GuardBuffer(values.size(), side) {
    std::copy(values.begin(), values.end(), data_);
  }
  ~GuardBuffer() { munmap(base_, mapped_); }
  GuardBuffer(const GuardBuffer&) = delete;
  GuardBuffer& operator=(const GuardBuffer&) = delete;

  float* data() { return data_; }
  const float* data() const { return data_; }
  std::size_t size() const { return floats_; }
  std::vector<float> values() const { return {data_, data_ + floats_}; }

 private:
  std::size_t floats_ = 0, mapped_ = 0;
  char* base_ = nullptr;
  float* data_ = nullptr;
};

}  // namespace linnet::test
