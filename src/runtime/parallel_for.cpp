#include "runtime/parallel_for.h"

namespace linnet::runtime {

void parallel_for(int threads, std::int64_t n, const std::function<void(std::int64_t)>& body) {
#pragma omp parallel for num_threads(threads) schedule(dynamic)
  for (std::int64_t i = 0; i < n; ++i) body(i);
}

}  // namespace linnet::runtime
