// The guard pages themselves: what all tests of kernels rest on.
#include "support/guard_buffer.h"

#include <catch2/catch.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstddef>

using linnet::test::GuardBuffer;
using linnet::test::GuardPages;

namespace {

bool may_be_read(const float* address) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);  // Catch2's handler would report a failure
    (void)*const_cast<const volatile float*>(address);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return !(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

}  // namespace

TEST_CASE("a guard buffer ends its program at the first float outside, and not before") {
  for (const std::size_t floats : {1, 17, 1024, 1025}) {
    INFO(floats << " floats");
    GuardPages::side = GuardPages::after;
    GuardBuffer ends(floats);
    GuardPages::side = GuardPages::before;
    GuardBuffer begins(floats);
    CHECK(may_be_read(ends.data() + floats - 1));
    CHECK_FALSE(may_be_read(ends.data() + floats));
    CHECK(may_be_read(begins.data()));
    CHECK_FALSE(may_be_read(begins.data() - 1));
  }
}
