// Catalogue A, J, K and L: what goes on around a run: other threads, floating-point modes, a process that is short of
// threads, system calls or /proc, and its end.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atomic>
#include <cfenv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <new>
#include <regex>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/file.h"
#include "base/parallel_for.h"
#include "linnet/cpu.h"
#include "reliability/process.h"
#include "support/data_dir.h"
#include "support/sanitized.h"
#include "support/temp_dir.h"

namespace linnet::test::process_test {

namespace {

const Tensor& sample_input() {
  static const Tensor x = floats_of({1, 8, 16, 16}, 0.5F);
  return x;
}

std::vector<float> sample_run(int threads) {
  return floats(run(long_network(4), {sample_input()}, with_threads(threads)).at(0));
}

/// Everything that the public headers say.
std::string public_headers() {
  std::string text;
  for (const auto& entry : std::filesystem::directory_iterator(source_dir() / "include" / "linnet")) {
    const std::vector<std::byte> bytes = read_bytes(entry.path());
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  return text;
}

/// From now on these system calls fail with `error` in this process, as in a container that does not know them.
bool forbid_system_calls(const std::vector<long>& numbers, int error) {
  std::vector<sock_filter> program = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const long number : numbers) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error)));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog filter = {static_cast<unsigned short>(program.size()), program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

}  // namespace

TEST_CASE("A07: a file that grows while it is read is read as far as it went when it was opened") {
  const TempDir folder;
  const std::string path = (folder.path() / "growing").string();
  std::ofstream(path, std::ios::binary) << std::string(1 << 20, 'g');
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    const std::string piece(4096, 'g');
    std::ofstream stream(path, std::ios::binary | std::ios::app);
    while (!stop) {
      stream << piece << std::flush;
      std::this_thread::sleep_for(std::chrono::microseconds(20));  // some pieces a read, and a file that stays small
    }
  });
  int overlapped = 0;  // a read beside which the file did not grow shows nothing
  std::size_t smallest = 0;
  for (int i = 0; i < 10'000 && overlapped < 40; ++i) {
    const auto before = std::filesystem::file_size(path);
    const auto buffer = base::FileBuffer::read(path, std::int64_t{1} << 30);
    const auto after = std::filesystem::file_size(path);
    const auto bytes = buffer->bytes();
    overlapped += after > before ? 1 : 0;
    CHECK(bytes.size() >= before);
    CHECK(bytes.size() <= after);
    CHECK(bytes.size() >= smallest);
    smallest = bytes.size();
    CHECK(bytes.front() == std::byte{'g'});
    CHECK(std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);  // so all others are, too
  }
  stop = true;
  writer.join();
  CHECK(overlapped == 40);
}

TEST_CASE("J13: a model and a plan and other sessions may go while a session of theirs runs") {
  const auto file = long_network(40);
  const std::vector<float> expected = floats(run(file, {sample_input()}).at(0));
  auto model = std::make_unique<Model>(Model::load(file));
  auto plan = std::make_unique<Plan>(*model, one_thread());
  auto other = std::make_unique<Session>(*plan);
  Session session(*plan);
  std::atomic<int> runs = 0;
  std::atomic<bool> stop = false, same = true;
  std::thread runner([&] {
    while (!stop || runs < 3) {
      same = same && floats(session.run(sample_input()).at(0)) == expected;
      ++runs;
    }
  });
  while (runs == 0) std::this_thread::yield();
  model.reset();
  other.reset();
  plan.reset();
  stop = true;
  runner.join();
  CHECK(same);
}

TEST_CASE("J16 J17 J18: nobody's code is called back, and there is no interface but that of C++") {
  const std::string headers = public_headers();
  REQUIRE(headers.find("class Session") != std::string::npos);
  for (const char* const word : {"std::function", "std::pmr", "Allocator", "Logger", "extern \"C\"", "Python.h"}) {
    INFO(word);
    CHECK(headers.find(word) == std::string::npos);
  }
  const std::regex function_pointer(R"(\(\s*\*\s*\w*\s*\)\s*\()");
  CHECK(std::regex_search("void (*callback)(int);", function_pointer));
  CHECK_FALSE(std::regex_search(headers, function_pointer));
}

TEST_CASE("J19 L17: a session may be the last thing that a process destroys, and its threads do not keep it") {
  constexpr int kRight = 42;
  if (in_own_process("J19*", kRight)) return;
  struct Last {
    Session session{Model::load(long_network(4)), with_threads(3)};
    std::vector<float> expected = floats(session.run(sample_input()).at(0));
    ~Last() { _exit(floats(session.run(sample_input()).at(0)) == expected ? kRight : 1); }
  };
  static const Last last;
  CHECK_FALSE(last.expected.empty());
}

TEST_CASE("K05: a run in another rounding mode keeps that mode and spoils nothing for the next") {
  Session session(Model::load(long_network(4)), one_thread());
  const std::vector<float> expected = floats(session.run(sample_input()).at(0));
  for (const int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
    REQUIRE(fesetround(mode) == 0);
    const std::vector<float> found = floats(session.run(sample_input()).at(0));
    const int kept = fegetround();
    REQUIRE(fesetround(FE_TONEAREST) == 0);
    CHECK(kept == mode);
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (!(std::fabs(found[i] - expected[i]) <= 1e-3F * std::fabs(expected[i]))) FAIL_CHECK(i << ": " << found[i]);
    }
    CHECK(floats(session.run(sample_input()).at(0)) == expected);
  }
}

#if defined(__x86_64__)
TEST_CASE("K06: flushing to zero, as a program linked with -ffast-math has it, is kept and passes with it") {
  Session session(
      Model::load(model_of({OnnxNode("Mul", {"x", "w"}, {"y"})}, {{"x", {4}}}, {{"w", floats_of({1}, 0.5F)}}).bytes()),
      one_thread());
  const Tensor x = tensor<float>({4}, {1e-38F, 1, -1e-38F, 0});
  const std::vector<float> expected = floats(session.run(x).at(0));
  CHECK(expected[0] > 0);  // a denormal number
  constexpr unsigned kFlush = 0x8040;
  const unsigned usual = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(usual | kFlush);
  const std::vector<float> flushed = floats(session.run(x).at(0));
  const unsigned kept = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(usual);
  CHECK((kept & kFlush) == kFlush);
  CHECK(flushed == std::vector<float>{0, 0.5F, 0, 0});
  CHECK(floats(session.run(x).at(0)) == expected);
}
#endif

TEST_CASE("K13: elements beyond the 2^31st are found") {
  constexpr std::int64_t kElements = (std::int64_t{1} << 31) + 17;
  SessionOptions options = with_threads(2);
  options.max_arena_bytes = std::int64_t{16} << 30;
  // Pages that nobody writes to are one page of zeros: a few pages of memory instead of two gigabytes.
  void* const pages = mmap(nullptr, static_cast<std::size_t>(kElements), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(pages != MAP_FAILED);
  auto* const bytes = static_cast<std::uint8_t*>(pages);
  constexpr std::int64_t kMarked[] = {kElements - 1, (std::int64_t{1} << 31) + 1, std::int64_t{1} << 31, 5};
  for (std::uint8_t mark = 1; const std::int64_t i : kMarked) bytes[i] = mark++;
  const Tensor x = Tensor::view(DataType::uint8, {kElements}, pages);
  const std::vector<Input> inputs = {{"x", {"N"}, DataType::uint8}};
  const auto found = [&](const OnnxModel& model) {
    const Tensor y = Session(Model::load(model.bytes()), options).run(x).at(0);
    return std::vector<int>(y.data<std::uint8_t>().begin(), y.data<std::uint8_t>().end());
  };
  const Tensor at = tensor<std::int64_t>({5}, {kMarked[0], kMarked[1], kMarked[2], kMarked[3], -kElements + 5});
  CHECK(found(model_of({OnnxNode("Gather", {"x", "i"}, {"y"})}, inputs, {{"i", at}})) ==
        std::vector<int>{1, 2, 3, 4, 4});
  const Constants slice = {{"start", tensor<std::int64_t>({1}, {kMarked[2]})},
                           {"end", tensor<std::int64_t>({1}, {kElements})},
                           {"axis", tensor<std::int64_t>({1}, {0})},
                           {"step", tensor<std::int64_t>({1}, {16})}};
  CHECK(found(model_of({OnnxNode("Slice", {"x", "start", "end", "axis", "step"}, {"y"})}, inputs, slice)) ==
        std::vector<int>{3, 1});
  munmap(pages, static_cast<std::size_t>(kElements));
}

TEST_CASE("K13: a tensor of more than 2^31 elements", "[.nightly]") {
  constexpr std::int64_t kElements = (std::int64_t{1} << 31) + 17;
  SessionOptions options = with_threads(2);
  options.max_arena_bytes = std::int64_t{16} << 30;
  Session session(Model::load(model_of({OnnxNode("Not", {"x"}, {"y"})}, {{"x", {"N"}, DataType::boolean}}).bytes()),
                  options);
  Tensor x(DataType::boolean, {kElements});
  auto* const bytes = static_cast<std::uint8_t*>(x.mutable_raw());
  for (const std::int64_t i : {std::int64_t{0}, std::int64_t{1} << 31, kElements - 1}) bytes[i] = 1;
  const Tensor y = session.run(x).at(0);
  REQUIRE(y.size() == kElements);
  const auto* const found = static_cast<const std::uint8_t*>(y.raw());
  std::int64_t zeros = 0;
  for (std::int64_t i = 0; i < kElements; ++i) zeros += found[i] == 0 ? 1 : 0;
  CHECK(zeros == 3);
  CHECK(found[kElements - 1] == 0);
  CHECK(found[std::int64_t{1} << 31] == 0);
}

TEST_CASE("L03: where the system refuses threads, fewer do the work") {
  if (kSanitized) {
    SUCCEED();
    return;
  }  // a sanitizer starts threads of its own
  const std::vector<float> expected = sample_run(1);
  if (in_own_process("L03*")) return;
  // The limit does not bind root.
  constexpr unsigned kNobody = 65534;
  if (geteuid() == 0 && (setgid(kNobody) != 0 || setuid(kNobody) != 0)) return;
  const rlimit none{0, 0};
  REQUIRE(setrlimit(RLIMIT_NPROC, &none) == 0);
  Session session(Model::load(long_network(4)), with_threads(3));
  CHECK(session.plan().report().threads == 1);
  CHECK(floats(session.run(sample_input()).at(0)) == expected);
}

TEST_CASE("L05: what one thread throws comes out of the loop once, and the next loop runs") {
  for (const int threads : {1, 3}) {
    std::atomic<int> done = 0;
    const auto body = [&](std::int64_t i) {
      ++done;
      if (i % 3 == 1) throw std::runtime_error("item");
    };
    CHECK_THROWS_AS(base::parallel_for(threads, 10, body), std::runtime_error);
    CHECK(done >= 2);
    CHECK_THROWS_AS(base::parallel_for(threads, 4, [](std::int64_t) { throw std::bad_alloc(); }), std::bad_alloc);
    done = 0;
    base::parallel_for(threads, 10, [&](std::int64_t) { ++done; });
    CHECK(done == 10);
  }
}

TEST_CASE("L12: memory that the machine may not have is refused before it is asked for") {
  const auto file = long_network(2);
  SessionOptions options = one_thread();
  options.max_arena_bytes = 1 << 20;
  Session session(Model::load(file), options);
  const Tensor x(DataType::float32, {1000, 8, 16, 16});
  const std::int64_t before = resident_bytes();
  CHECK_REFUSED([&] { (void)session.run(x); }, ErrorCode::limit, "1048576");
  if (!kSanitized) CHECK(resident_bytes() - before < 1 << 20);
  CHECK(session.run(sample_input()).size() == 1);
}

TEST_CASE("L18: without /proc and /sys, without locked memory and huge pages") {
  if (kSanitized) {
    WARN("skipped: the leak sanitizer itself needs /proc");
    return;
  }
  const std::vector<float> expected = sample_run(1);
  if (in_own_process("L18*")) return;
  const rlimit none{0, 0};
  CHECK(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
  if (unshare(CLONE_NEWNS) == 0 && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0) {
    for (const char* const folder : {"/proc", "/sys"}) {
      CHECK(mount("none", folder, "tmpfs", 0, nullptr) == 0);
    }
    CHECK_FALSE(std::filesystem::exists("/proc/self"));
  }
  CHECK(cpu_info().default_threads >= 1);
  for (const int threads : {0, 1, 2}) CHECK(sample_run(threads) == expected);
}

TEST_CASE("L19: in an old container that knows neither openat2 nor sched_getaffinity") {
  if (in_own_process("L19*")) return;
  std::vector<long> unknown = {SYS_sched_getaffinity, SYS_madvise, SYS_getcpu};
#ifdef SYS_openat2
  unknown.push_back(SYS_openat2);
#endif
  REQUIRE(forbid_system_calls(unknown, ENOSYS));
  cpu_set_t set;
  REQUIRE(sched_getaffinity(0, sizeof set, &set) != 0);
  CHECK(cpu_info().default_threads >= 1);
  // Nothing has run before: the OpenMP runtime, too, starts without these calls.
  const std::vector<float> alone = sample_run(1);
  // (A leak sanitizer would see the 192 bytes that LLVM's OpenMP loses when it looks for the processors in vain.)
  if (!kSanitized) {
    for (const int threads : {0, 2}) CHECK(sample_run(threads) == alone);
  }
  const TempDir folder;
  write_bytes(folder.path() / "w.bin", std::vector<std::byte>(8));
  OnnxModel model = model_of({OnnxNode("Add", {"x", "w"}, {"y"})}, {{"x", {2}}});
  model.graph.initializer(onnx_external_tensor("w", 1, {2}, {{"location", "w.bin"}}));
  LoadOptions options;
  options.external_data_dir = folder.path().string();
  CHECK(floats(run(model.bytes(), {tensor<float>({2}, {1, 2})}, one_thread(), options).at(0)) ==
        std::vector<float>{1, 2});
}

}  // namespace linnet::test::process_test
