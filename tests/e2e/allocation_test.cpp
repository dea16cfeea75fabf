// Promise 4: after planning, run() allocates nothing. Every allocation of the process is counted.
#include <malloc.h>
#include <stdlib.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "linnet/linnet.h"
#include "support/data_dir.h"
#include "support/sanitized.h"

// The sanitizers bring their own malloc.
#if defined(__GLIBC__) && !LINNET_SANITIZED
#define LINNET_COUNTS_ALLOCATIONS 1

namespace {
std::atomic<long> g_allocations = 0;
}

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

// operator new of libstdc++ comes here too.
void* malloc(size_t bytes) {
  ++g_allocations;
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  ++g_allocations;
  return __libc_calloc(count, bytes);
}
void* realloc(void* old, size_t bytes) {
  ++g_allocations;
  return __libc_realloc(old, bytes);
}
void* memalign(size_t alignment, size_t bytes) {
  ++g_allocations;
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) {
  ++g_allocations;
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** result, size_t alignment, size_t bytes) {
  ++g_allocations;
  *result = __libc_memalign(alignment, bytes);
  return *result == nullptr ? 12 : 0;  // ENOMEM
}
}
#endif

namespace {

using namespace linnet;

#ifdef LINNET_COUNTS_ALLOCATIONS

/// Allocations of one run into the caller's tensors, once runs with these shapes have been made.
long allocations_of_a_run(const std::string& path, const Shape& image, int threads) {
  SessionOptions options;
  options.threads = threads;
  Session session(Model::load(path), options);
  const std::vector<NamedTensor> inputs = {{session.plan().inputs().at(0).name, Tensor(DataType::float32, image)}};
  std::vector<Tensor> outputs = session.run(inputs);
  for (Tensor& output : outputs) output = output.clone();
  session.run(inputs, outputs);
  const long before = g_allocations;
  session.run(inputs, outputs);
  return g_allocations - before;
}

#endif

}  // namespace

#ifdef LINNET_COUNTS_ALLOCATIONS

TEST_CASE("the counter of allocations counts") {
  const long before = g_allocations;
  const std::vector<int> some(100);
  void* aligned = nullptr;
  REQUIRE(posix_memalign(&aligned, 64, 64) == 0);
  free(aligned);
  CHECK(g_allocations >= before + 2);
  CHECK(some.size() == 100);
}

TEST_CASE("a run of the bundled network allocates nothing") {
  const auto path = test::bundled_model();
  for (const int threads : {1, 2, 3}) {
    INFO(threads << " threads");
    CHECK(allocations_of_a_run(path.string(), {1, 3, 32, 32}, threads) == 0);
    CHECK(allocations_of_a_run(path.string(), {5, 3, 32, 32}, threads) == 0);
  }
}

TEST_CASE("runs of the real networks allocate nothing") {
  const auto check = [](const std::string& name, const Shape& image) {
    const auto model = test::data_dir() / "models" / name / "model.onnx";
    if (!test::skip_without(model)) CHECK(allocations_of_a_run(model.string(), image, 2) == 0);
  };
  check("resnet18", {1, 3, 224, 224});
  check("squeezenet1.0", {1, 3, 227, 227});
  check("mnist-8", {1, 1, 28, 28});
  check("ultraface", {1, 3, 240, 320});
}

#else

TEST_CASE("a run of the bundled network allocates nothing") {
  WARN("skipped: allocations are counted with glibc and without sanitizers only");
  SUCCEED();
}

#endif
