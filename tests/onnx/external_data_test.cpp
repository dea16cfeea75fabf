// Tensor bytes in other files: read where they may lie, refused everywhere else.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "onnx/loading.h"
#include "support/temp_dir.h"

using namespace linnet;
using namespace linnet::test;
namespace fs = std::filesystem;

namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

struct Folder {
  TempDir temp;
  fs::path model = temp.path() / "model";

  Folder() {
    fs::create_directories(model / "sub");
    write(model / "weights.bin", std::string(4, '\0') + std::string("\0\0\x80\x3f\0\0\0\x40", 8));
    write(model / "sub" / "weights.bin", std::string("\0\0\x80\x3f\0\0\0\x40", 8));
    write(temp.path() / "secret.bin", std::string(64, 's'));
  }

  static void write(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

  [[nodiscard]] OnnxModel make(const std::vector<Entries>& tensors, std::int64_t elements = 2,
                               DataType type = DataType::float32) const {
    OnnxModel result = relu_model();
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      result.graph.initializer(
          onnx_external_tensor("w" + std::to_string(i), static_cast<int>(type), {elements}, tensors[i]));
    }
    write(model / "model.onnx", result.text());
    return result;
  }

  [[nodiscard]] graph::Graph load(const std::vector<Entries>& tensors, std::int64_t elements = 2) const {
    (void)make(tensors, elements);
    return onnx::load_graph((model / "model.onnx").string(), {});
  }

  [[nodiscard]] Error refusal(const Entries& entries, std::int64_t elements = 2) const {
    return error_of([&] { (void)load({entries}, elements); });
  }
};

bool is_one_two(const Tensor& tensor) {
  return tensor.size() == 2 && tensor.data<float>()[0] == 1 && tensor.data<float>()[1] == 2;
}

}  // namespace

TEST_CASE("external data is read from the model's folder") {
  const Folder folder;
  const Entries entries[] = {{{"location", "weights.bin"}, {"offset", "4"}, {"length", "8"}},
                             {{"location", "weights.bin"}, {"offset", "4"}},
                             {{"location", "sub/weights.bin"}},
                             {{"location", "./sub//weights.bin"}}};
  for (const Entries& e : entries) CHECK(is_one_two(constant(folder.load({e}), "w0")));
}

TEST_CASE("E12: a weight that two initializers name is read once") {
  const Folder folder;
  const Entries entries{{"location", "weights.bin"}, {"offset", "4"}};
  const graph::Graph graph = folder.load({entries, entries});
  CHECK(constant(graph, "w0").raw() == constant(graph, "w1").raw());
}

TEST_CASE("ranges of one file must not overlap") {
  const Folder folder;
  const Error error = error_of([&] {
    (void)folder.load({{{"location", "weights.bin"}}, {{"location", "weights.bin"}, {"offset", "1"}}});
  });
  CHECK(error.code() == ErrorCode::model);
  CHECK(contains(error.message(), "overlap"));
}

TEST_CASE("E02 E03 E11: locations that lead elsewhere") {
  const Folder folder;
  const std::string absolute = (folder.temp.path() / "secret.bin").string();
  for (const std::string& location :
       {std::string(), absolute, std::string("../secret.bin"), std::string("sub/../../secret.bin"),
        std::string("sub/.."), std::string("..\\secret.bin"), std::string("C:\\secret.bin"),
        std::string("weights.bin\0x", 13)}) {
    const Error error = folder.refusal({{"location", location}});
    INFO(error.what());
    CHECK(error.code() == ErrorCode::model);
    CHECK(contains(error.message(), "external data"));
    CHECK(contains(error.details().where, "byte "));
  }
  CHECK(folder.refusal({{"location", "file://weights.bin"}}).code() == ErrorCode::io);
  CHECK(folder.refusal({{"location", "*/_ORT_MEM_ADDR_/*"}}).code() == ErrorCode::io);
  CHECK(folder.refusal({{"location", "missing.bin"}}).code() == ErrorCode::io);
  CHECK(folder.refusal({{"offset", "4"}}).code() == ErrorCode::model);
}

TEST_CASE("E04 E05: symbolic and hard links are refused") {
  const Folder folder;
  fs::create_symlink("weights.bin", folder.model / "inside.bin");
  fs::create_symlink("../secret.bin", folder.model / "outside.bin");
  fs::create_directory_symlink("..", folder.model / "up");
  fs::create_symlink("loop.bin", folder.model / "loop.bin");
  fs::create_hard_link(folder.temp.path() / "secret.bin", folder.model / "hard.bin");
  for (const char* location : {"inside.bin", "outside.bin", "up/secret.bin", "loop.bin", "hard.bin"}) {
    const Error error = folder.refusal({{"location", location}});
    INFO(error.what());
    CHECK(error.code() == ErrorCode::model);
    CHECK(contains(error.message(), " link"));
  }
}

TEST_CASE("E06: only regular files are read") {
  const Folder folder;
  REQUIRE(mkfifo((folder.model / "pipe").c_str(), 0600) == 0);
  for (const char* location : {"pipe", "sub", "."}) {
    const Error error = folder.refusal({{"location", location}});
    CHECK(error.code() == ErrorCode::io);
    CHECK(error.details().expected == "a regular file");
  }
}

TEST_CASE("E07 E08 E09: offsets and lengths") {
  const Folder folder;
  for (const char* number : {"-1", "0x4", "4 ", "", "four", "18446744073709551616", "9223372036854775808", "4.0"}) {
    CHECK(folder.refusal({{"location", "weights.bin"}, {"offset", number}}).code() == ErrorCode::model);
    CHECK(folder.refusal({{"location", "weights.bin"}, {"length", number}}).code() == ErrorCode::model);
  }
  for (const char* offset : {"5", "12", "13", "9223372036854775807"}) {
    CHECK(folder.refusal({{"location", "weights.bin"}, {"offset", offset}}).code() == ErrorCode::model);
  }
  for (const char* length : {"0", "7", "9", "9223372036854775807"}) {
    CHECK(folder.refusal({{"location", "weights.bin"}, {"length", length}}).code() == ErrorCode::model);
  }
  CHECK(folder.refusal({{"location", "weights.bin"}, {"key", "value"}}).code() == ErrorCode::model);
  CHECK(folder.refusal({{"location", "weights.bin"}, {"location", "weights.bin"}}).code() == ErrorCode::model);
  CHECK(folder.refusal({{"location", "weights.bin"}}, std::int64_t{1} << 40).code() == ErrorCode::limit);
}

TEST_CASE("E10: a file that is swapped while it is opened never leads out of the folder") {
  const Folder folder;
  const OnnxModel model = folder.make({{{"location", "swapped.bin"}}});
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    for (int i = 0; !stop; ++i) {
      const fs::path next = folder.model / "next.bin";
      if (i % 2 == 0) {
        Folder::write(next, std::string("\0\0\x80\x3f\0\0\0\x40", 8));
      } else {
        fs::create_symlink("../secret.bin", next);
      }
      fs::rename(next, folder.model / "swapped.bin");
    }
  });
  LoadOptions options;
  options.external_data_dir = folder.model.string();
  int right = 0, refused = 0;
  for (int i = 0; i < 100'000 && (right < 50 || refused < 50); ++i) {
    try {
      const graph::Graph graph = load(model, options);
      REQUIRE(is_one_two(constant(graph, "w0")));
      ++right;
    } catch (const Error& error) {
      REQUIRE((error.code() == ErrorCode::model || error.code() == ErrorCode::io));
      ++refused;
    }
  }
  stop = true;
  swapper.join();
  CHECK(right >= 50);
  CHECK(refused >= 50);
}

TEST_CASE("E14: a checksum that is given must be right") {
  const Folder folder;
  // sha1sum of the 8 bytes of sub/weights.bin
  const std::string right = "7f6e1d7de3ab2d47658382fc453ea1e6b73e05b1";
  const auto with = [&](const std::string& sum) { return Entries{{"location", "sub/weights.bin"}, {"checksum", sum}}; };
  CHECK(is_one_two(constant(folder.load({with(right), with(right)}), "w1")));
  std::string upper = right, other = right;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  other[0] = other[0] == '0' ? '1' : '0';
  CHECK(is_one_two(constant(folder.load({with(upper)}), "w0")));
  for (const std::string& wrong : {other, std::string(), right + "0", std::string("no checksum")}) {
    const Error error = folder.refusal(with(wrong));
    CHECK(error.code() == ErrorCode::model);
    CHECK(contains(error.message(), "checksum"));
    CHECK(error.details().found == right);
  }
}

TEST_CASE("limits of external files") {
  const Folder folder;
  const OnnxModel model = folder.make({{{"location", "weights.bin"}}});
  LoadOptions options;
  options.external_data_dir = folder.model.string();
  options.max_file_bytes = static_cast<std::int64_t>(model.text().size());
  fs::resize_file(folder.model / "weights.bin", std::uintmax_t{1} << 32);  // sparse
  CHECK(refusal(model, options).code() == ErrorCode::limit);
}

TEST_CASE("E13: a model from memory needs a folder") {
  const Folder folder;
  const OnnxModel model = folder.make({{{"location", "weights.bin"}, {"offset", "4"}}});
  const Error error = refusal(model);
  CHECK(error.code() == ErrorCode::unsupported);
  CHECK(contains(error.message(), "external_data_dir"));
  LoadOptions options;
  options.external_data_dir = folder.model.string();
  CHECK(is_one_two(constant(load(model, options), "w0")));
  options.external_data_dir += std::string("\0elsewhere", 10);
  CHECK(refusal(model, options).code() == ErrorCode::usage);
}

TEST_CASE("bools are checked wherever they lie") {
  const Folder folder;
  (void)folder.make({{{"location", "weights.bin"}, {"offset", "4"}}}, 8, DataType::boolean);
  CHECK(error_of([&] { (void)onnx::load_graph((folder.model / "model.onnx").string(), {}); }).code() ==
        ErrorCode::model);
}

TEST_CASE("A12 A14 E12: no descriptor is left open, whatever happened") {
  const Folder folder;
  const auto descriptors = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator{});
  };
  if (!fs::exists("/proc/self/fd")) return;
  const auto before = descriptors();
  for (int i = 0; i < 20; ++i) {
    (void)folder.load({{{"location", "sub/weights.bin"}}});
    (void)folder.refusal({{"location", "sub/missing"}});
    (void)folder.refusal({{"location", "weights.bin"}, {"offset", "100"}});
  }
  CHECK(descriptors() == before);
}
