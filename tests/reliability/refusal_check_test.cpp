// The check of refusals itself: it must see each thing that it is for.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <iostream>

#include "reliability/hostile.h"

namespace linnet::test::refusal_check_test {

namespace {

[[noreturn]] void refuse() { throw Error(ErrorCode::model, "no"); }

std::string fault_of(const auto& action) { return refusal_fault(action, ErrorCode::model, {"no"}); }

bool says(const std::string& fault, const char* part) { return fault.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a refusal that is not silent, complete, the same twice, or leaves a descriptor, is a fault") {
  CHECK(fault_of(refuse) == "");
  CHECK(says(fault_of([] {}), "accepted"));
  CHECK(says(refusal_fault(refuse, ErrorCode::input, {}), "another code"));
  CHECK(says(refusal_fault(refuse, ErrorCode::model, {"node 'conv1'"}), "node 'conv1'"));
  int count = 0;
  CHECK(says(fault_of([&] { throw Error(ErrorCode::model, "no " + std::to_string(count++)); }), "differ"));
  std::vector<int> open_files;
  CHECK(says(fault_of([&] {
               open_files.push_back(open("/dev/null", O_RDONLY));
               refuse();
             }),
             "descriptors"));
  for (const int fd : open_files) close(fd);
}

TEST_CASE("words of a refusal are heard, however they are written") {
  if (kSanitized) {
    SUCCEED();
    return;
  }  // whose own reports must not be caught
  const auto heard = [](const auto& write) {
    const std::string fault = fault_of([&] {
      write();
      refuse();
    });
    return says(fault, "silent: words");
  };
  CHECK(heard([] { std::printf("words"); }));
  CHECK(heard([] { std::cout << "words"; }));
  CHECK(heard([] { std::cerr << "words"; }));
  CHECK(heard([] { (void)!write(STDERR_FILENO, "words", 5); }));
  CHECK(fault_of(refuse) == "");  // and nothing is left to be heard
}

TEST_CASE("a refusal that takes too much memory or time is a fault") {
  if (!kSanitized) {
    CHECK(says(fault_of([] {
                 const std::vector<char> large(static_cast<std::size_t>(kFreeBytes) + 1);
                 refuse();
               }),
               "bytes to say"));
  }
  CHECK(says(fault_of([] {
               const std::clock_t start = std::clock();
               while (static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC <= kSecondsPerMegabyte) {
               }
               refuse();
             }),
             " s to say"));
}

}  // namespace linnet::test::refusal_check_test
