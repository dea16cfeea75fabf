// Catalogue L10: each allocation of loading, planning and the first run fails in turn, once or from then on. The same hooks
// count the bytes for footprint.h.
#include <malloc.h>
#include <stdlib.h>

#include <atomic>

#include "reliability/allocation_failure.h"
#include "reliability/hostile.h"
#include "support/sanitized.h"

// The sanitizers bring their own malloc.
#if defined(__GLIBC__) && !LINNET_SANITIZED

namespace linnet::test::allocation_failure_test {

namespace {

AllocationFailure<std::atomic<long>, std::atomic<bool>> g_failure;
std::atomic<long> g_alive = 0;
std::atomic<std::int64_t> g_alive_bytes = 0, g_peak_bytes = 0, g_bytes_before = 0;

void* counted(void* block) {
  if (block == nullptr) return nullptr;
  ++g_alive;
  const std::int64_t bytes = g_alive_bytes += static_cast<std::int64_t>(malloc_usable_size(block));
  for (std::int64_t peak = g_peak_bytes; peak < bytes && !g_peak_bytes.compare_exchange_weak(peak, bytes);) {
  }
  return block;
}

void uncount(void* block) {
  if (block == nullptr) return;
  --g_alive;
  g_alive_bytes -= static_cast<std::int64_t>(malloc_usable_size(block));
}

}  // namespace

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);

void* malloc(size_t bytes) {
  if (g_failure.fails()) return nullptr;
  return counted(__libc_malloc(bytes));
}
void* calloc(size_t count, size_t bytes) {
  if (g_failure.fails()) return nullptr;
  return counted(__libc_calloc(count, bytes));
}
void* realloc(void* old, size_t bytes) {
  if (g_failure.fails()) return nullptr;
  uncount(old);
  void* const block = __libc_realloc(old, bytes);
  counted(block == nullptr && bytes != 0 ? old : block);  // where there is no room, the old block stays
  return block;
}
void* memalign(size_t alignment, size_t bytes) {
  if (g_failure.fails()) return nullptr;
  return counted(__libc_memalign(alignment, bytes));
}
void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** result, size_t alignment, size_t bytes) {
  *result = memalign(alignment, bytes);
  return *result == nullptr ? 12 : 0;  // ENOMEM
}
void free(void* p) {
  uncount(p);
  __libc_free(p);
}
}

}  // namespace linnet::test::allocation_failure_test

namespace linnet::test {

std::int64_t peak_bytes() { return allocation_failure_test::g_peak_bytes - allocation_failure_test::g_bytes_before; }
void restart_peak() {
  allocation_failure_test::g_bytes_before = allocation_failure_test::g_alive_bytes.load();
  allocation_failure_test::g_peak_bytes = allocation_failure_test::g_bytes_before.load();
}

}  // namespace linnet::test

namespace linnet::test::allocation_failure_test {

namespace {

std::vector<std::byte> network() {
  return model_of(
             {OnnxNode("Conv", {"x", "w", "b"}, {"c"}).set("pads", Ints{1, 1, 1, 1}),
              OnnxNode("BatchNormalization", {"c", "b", "b", "b", "b"}, {"n"}), OnnxNode("Relu", {"n"}, {"r"}),
              OnnxNode("Add", {"r", "x"}, {"s"}), OnnxNode("MaxPool", {"s"}, {"p"}).set("kernel_shape", Ints{2, 2}),
              OnnxNode("Shape", {"p"}, {"shape"}), OnnxNode("Flatten", {"p"}, {"f"}),
              OnnxNode("Gemm", {"f", "g"}, {"q"}), OnnxNode("Softmax", {"q"}, {"y"})},
             {{"x", {1, 4, 6, 6}}},
             {{"w", floats_of({4, 4, 3, 3}, 0.1F)}, {"b", floats_of({4})}, {"g", floats_of({100, 3}, 0.01F)}})
      .bytes();
}

}  // namespace

TEST_CASE("the most bytes at once are counted") {
  restart_peak();
  { const std::vector<char> large(1'000'000); }
  const std::vector<char> small(1000);
  CHECK(peak_bytes() >= 1'000'000);
  CHECK(peak_bytes() < 1'010'000);
}

TEST_CASE("L10: every allocation of load and plan and first run fails in turn") {
  const std::vector<std::byte> file = network();
  const Tensor x = floats_of({1, 4, 6, 6});
  const std::vector<float> expected = floats(run(file, {x}).at(0));
  const std::vector<NamedTensor> inputs = {{"x", x}};
  const SessionOptions options = one_thread();
  for (const bool keeps_failing : {false, true}) {
    long points = 0;
    for (long n = 1; n < 100'000; ++n) {
      const long before = g_alive;
      const std::string outcome = g_failure.outcome_of(
          [&] {
            Session session(Model::load(file), options);
            (void)session.run(inputs);
          },
          n, keeps_failing);
      if (outcome == "done") break;
      ++points;
      if (outcome != "") FAIL_CHECK("allocation " << n << ": " << outcome);
      if (g_alive > before + 1) FAIL_CHECK("allocation " << n << " leaks " << g_alive - before << " blocks");
    }
    CHECK(points > 100);  // so many at least: the graph, its plan and its arena are not made of nothing
    CHECK(floats(run(file, {x}).at(0)) == expected);
    WARN(points << " allocations failed in turn" << (keeps_failing ? ", for good" : ""));
  }
}

TEST_CASE("L10: a session whose run fails for want of memory runs when there is some") {
  const std::vector<std::byte> file = network();
  const Tensor x = floats_of({1, 4, 6, 6});
  const std::vector<float> expected = floats(run(file, {x}).at(0));
  const std::vector<NamedTensor> inputs = {{"x", x}};
  const Plan plan(Model::load(file), one_thread());
  for (long n = 1; n < 1000; ++n) {
    Session session(plan);
    const std::string outcome = g_failure.outcome_of([&] { (void)session.run(inputs); }, n, false);
    if (floats(session.run(inputs).at(0)) != expected) FAIL_CHECK("after allocation " << n);
    if (outcome == "done") {
      SUCCEED();
      return;
    }
    if (outcome != "") FAIL_CHECK("allocation " << n << ": " << outcome);
  }
  FAIL("no end");
}

TEST_CASE("L10: a session that cannot turn to other shapes for want of memory does so when there is some") {
  const OnnxNode relu("Relu", {"x"}, {"r"});
  const std::vector<std::byte> one_plan =
      model_of({relu, OnnxNode("Softmax", {"r"}, {"y"})}, {{"x", {"N", 4}}}).bytes();
  const std::vector<std::byte> in_parts =
      model_of({relu, OnnxNode("NonZero", {"r"}, {"at"}), OnnxNode("Transpose", {"at"}, {"rows"}),
                OnnxNode("GatherND", {"x", "rows"}, {"some"}), OnnxNode("Softmax", {"some"}, {"y"})},
               {{"x", {"N", 4}}})
          .bytes();
  const std::vector<NamedTensor> first = {{"x", floats_of({2, 4})}}, other = {{"x", floats_of({3, 4})}};
  for (const auto* file : {&one_plan, &in_parts}) {
    const Plan plan(Model::load(*file), one_thread());
    std::string outcome;
    for (long n = 1; n < 1000 && outcome != "done"; ++n) {
      Session session(plan);
      session.enable_profile(true);
      const std::vector<float> expected = floats(session.run(first).at(0));
      outcome = g_failure.outcome_of([&] { (void)session.run(other); }, n, false);
      if (outcome != "" && outcome != "done") FAIL_CHECK("allocation " << n << ": " << outcome);
      (void)session.profile();
      CHECK(floats(session.run(other).at(0)).size() == expected.size() / 2 * 3);
      CHECK(floats(session.run(first).at(0)) == expected);
    }
    CHECK(outcome == "done");
  }
}

}  // namespace linnet::test::allocation_failure_test

#else

std::int64_t linnet::test::peak_bytes() { return 0; }
void linnet::test::restart_peak() {}

TEST_CASE("L10: every allocation of load and plan and first run fails in turn") {
  WARN("skipped: allocations are made to fail with glibc and without sanitizers only");
  SUCCEED();
}

#endif
