// Catalogue A06: a disk that fails, a file that shrinks while it is read, interruptions and short reads. The library's pread
// is the one below, so each happens when the test wants it.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "base/file.h"
#include "reliability/process.h"
#include "support/temp_dir.h"

namespace linnet::test::reading_test {

namespace {

/// The bytes that the next reads are cut to; or what they fail with, negative. Empty: no one interferes. Only this test's
/// thread reads while it is set.
std::function<ssize_t(std::size_t bytes)> g_next_read;

}  // namespace

}  // namespace linnet::test::reading_test

#if defined(__linux__) && defined(SYS_pread64) && !LINNET_SANITIZED

extern "C" ssize_t pread(int fd, void* into, size_t bytes, off_t offset) {
  using linnet::test::reading_test::g_next_read;
  if (g_next_read) {
    const ssize_t wanted = g_next_read(bytes);
    if (wanted < 0) {
      errno = static_cast<int>(-wanted);
      return -1;
    }
    bytes = static_cast<size_t>(wanted);
  }
  return syscall(SYS_pread64, fd, into, bytes, offset);
}

namespace linnet::test::reading_test {

namespace {

struct Interference {
  explicit Interference(std::function<ssize_t(std::size_t)> next) { g_next_read = std::move(next); }
  ~Interference() { g_next_read = nullptr; }
  Interference(const Interference&) = delete;
  Interference& operator=(const Interference&) = delete;
};

/// A model file and external data, which are read with one and the same function.
struct Files {
  TempDir folder;
  std::string model = (folder.path() / "model.onnx").string(), weights = (folder.path() / "w.bin").string();
  Files() {
    write_bytes(weights, to_bytes(std::string("\0\0\x80\x3f\0\0\0\x40", 8)));  // 1, 2
    OnnxModel file = model_of({OnnxNode("Add", {"x", "w"}, {"y"})}, {{"x", {2}}});
    file.graph.initializer(onnx_external_tensor("w", 1, {2}, {{"location", "w.bin"}}));
    write_bytes(model, file.bytes());
  }
  [[nodiscard]] std::vector<float> run() const {
    Session session(Model::load(model), one_thread());
    return floats(session.run(tensor<float>({2}, {0, 0})).at(0));
  }
};

}  // namespace

TEST_CASE("A06: a disk that fails is an error that names the file, whichever read fails") {
  const Files files;
  for (int failing = 0; failing < 2; ++failing) {
    INFO("read " << failing);
    const auto action = [&] {
      int reads = 0;
      const Interference disk(
          [&](std::size_t bytes) { return reads++ == failing ? -ssize_t{EIO} : static_cast<ssize_t>(bytes); });
      (void)files.run();
    };
    CHECK_REFUSED(action, ErrorCode::io, failing == 0 ? files.model : "w.bin", "Input/output error");
  }
  CHECK(files.run() == std::vector<float>{1, 2});
}

TEST_CASE("A06: a file that shrinks after it was opened is an error, not a model with zeros") {
  for (const bool weights : {false, true}) {
    INFO((weights ? "the weights" : "the model"));
    const auto action = [&] {
      const Files files;
      int reads = 0;
      const Interference other([&](std::size_t bytes) {
        if (reads++ == (weights ? 1 : 0)) REQUIRE(truncate((weights ? files.weights : files.model).c_str(), 4) == 0);
        return static_cast<ssize_t>(bytes);
      });
      (void)files.run();
    };
    const auto error = error_of(action);
    REQUIRE(error.has_value());
    CHECK(error->code() == ErrorCode::io);
    CHECK(error->message().find("shorter") != std::string::npos);
  }
}

TEST_CASE("A06: interruptions and short reads go on to the end") {
  const Files files;
  int reads = 0;
  const Interference signals([&](std::size_t bytes) {
    return reads++ % 2 == 0 ? -ssize_t{EINTR} : static_cast<ssize_t>(std::min<std::size_t>(bytes, 3));
  });
  CHECK(files.run() == std::vector<float>{1, 2});
  CHECK(reads > 2 * 8 / 3);
}

}  // namespace linnet::test::reading_test

#else

TEST_CASE("A06: a disk that fails is an error that names the file, whichever read fails") {
  WARN("skipped: a sanitizer has a pread of its own");
  SUCCEED();
}

#endif
