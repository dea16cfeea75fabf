// Catalogue L02 and L13: what an OpenMP program around the library does to it, and how little stack its threads need. The one
// file of tests that is compiled with OpenMP itself.
#include <omp.h>
#include <pthread.h>
#include <sys/resource.h>

#include <atomic>

#include "reliability/process.h"
#include "support/compare.h"
#include "support/every_convolution.h"

namespace linnet::test::parallel_region_test {

namespace {

Tensor picture() {
  Random random(3);
  return from_reference(random_reals(random, {2, 3, 24, 24}, -1, 1));
}

std::size_t stack_bytes() {
  pthread_attr_t attributes;
  std::size_t bytes = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return 0;
  pthread_attr_getstacksize(&attributes, &bytes);
  pthread_attr_destroy(&attributes);
  return bytes;
}

}  // namespace

TEST_CASE("L02: inside a parallel region of the caller each thread gets the same bits, nested regions or not") {
  const std::vector<std::byte> file = every_convolution();
  const Tensor x = picture();
  const Tensor expected = run(file, {x}).at(0);
  const Model model = Model::load(file);
  for (const int levels : {1, 2}) {
    omp_set_max_active_levels(levels);
    std::atomic<int> same = 0, wrong = 0, regions = 0;
#pragma omp parallel num_threads(3)
    {
      regions += omp_in_parallel();
      try {
        Session session(model, with_threads(2));
        for (int i = 0; i < 3; ++i) same_bits(session.run(x).at(0), expected) ? ++same : ++wrong;
      } catch (const Error&) {
        ++wrong;
      }
    }
    CHECK(regions == 3);
    CHECK(same == 9);
    CHECK(wrong == 0);
  }
  omp_set_max_active_levels(1);
  CHECK(same_bits(run(file, {x}, with_threads(2)).at(0), expected));
}

TEST_CASE("L02: one thread takes what several would do, each alone with images of its own") {
  const std::vector<std::byte> file = long_network(4, 32);
  Random random(4);
  const Tensor x = from_reference(random_reals(random, {600, 32, 16, 16}, -1, 1));
  const Tensor expected = run(file, {x}, with_threads(1)).at(0);
  Session session(Model::load(file), with_threads(4));
  omp_set_max_active_levels(1);
  Tensor found;
#pragma omp parallel num_threads(2)
#pragma omp single
  found = session.run(x).at(0);
  const std::string way = session.profile().steps.at(0).output;
  CAPTURE(way);
  CHECK(way.find(" a thread") != std::string::npos);
  CHECK(same_bits(found, expected));
}

TEST_CASE("L13: 256 KiB of stack for the program and 64 KiB for each of its threads do") {
  if (kSanitized) {
    SUCCEED();
    return;
  }  // sanitizers make frames larger
  if (std::getenv("OMP_STACKSIZE") == nullptr) {
    const rlimit little{256 << 10, 256 << 10};
    // What the test starts inherits the limit, and threads that are not OpenMP's take it as their size.
    CHECK(in_child([&] {
            if (setrlimit(RLIMIT_STACK, &little) != 0) return 2;
            return run_self("L13: 256*", {"OMP_STACKSIZE=64K"});
          }) == 0);
    return;
  }
  const std::vector<std::byte> file = every_convolution();
  const Tensor x = picture();
  const Tensor expected = run(file, {x}).at(0);
  std::atomic<std::size_t> most = 0;
#pragma omp parallel num_threads(3)
  if (omp_get_thread_num() != 0) {
    if (const std::size_t bytes = stack_bytes(); bytes > most) most = bytes;
  }
  CHECK(most > 0);
  CHECK(most <= 64 << 10);
  CHECK(same_bits(run(file, {x}, with_threads(3)).at(0), expected));
}

}  // namespace linnet::test::parallel_region_test
