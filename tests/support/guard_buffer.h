// Memory that ends, or begins, at a page which nobody may touch: a kernel that reads or writes one number too far dies
// here.
//
//   GuardBuffer x(n);                        // x.data()[n] is a segmentation fault, or x.data()[-1]: GuardPages::side
//   GuardBuffer y(n, GuardBuffer::before);   // y.data()[-1] is one
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>
#include <vector>

namespace linnet::test {

struct GuardPages {
  enum Side { after, before };
  inline static Side side = after;  // where nothing else is said
  inline static long made = 0;
};

template <class T>
class Guarded : public GuardPages {
 public:
  /// All bits set, which as floats is NaN: what a kernel should not have read shows in its result.
  explicit Guarded(std::size_t size, Side where = side) : size_(size) {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t used = (size * sizeof(T) + page - 1) / page * page;
    mapped_ = used + 2 * page;
    base_ = static_cast<char*>(mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED) throw std::bad_alloc();
    if (used > 0 && mprotect(base_ + page, used, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
    char* first = base_ + page + (where == after ? used - size * sizeof(T) : 0);
    data_ = reinterpret_cast<T*>(first);
    std::memset(first, 0xff, size * sizeof(T));
    ++made;
  }
  explicit Guarded(const std::vector<T>& values, Side where = side) : Guarded(values.size(), where) {
    std::copy(values.begin(), values.end(), data_);
  }
  ~Guarded() { munmap(base_, mapped_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::vector<T> values() const { return {data_, data_ + size_}; }

 private:
  std::size_t size_ = 0, mapped_ = 0;
  char* base_ = nullptr;
  T* data_ = nullptr;
};

using GuardBuffer = Guarded<float>;

}  // namespace linnet::test
