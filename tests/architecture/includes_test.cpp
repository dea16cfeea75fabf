// Who may include whom: docs/architecture.md as a test. A rule that is not a test is a wish.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "architecture/source_tree.h"

namespace {

using linnet::test::code_of;
using linnet::test::Include;
using linnet::test::includes_of;
using linnet::test::source_files;

// The layer a repository file belongs to: the folder under src/, "api" for src/*, "kernels", "include".
std::string layer_of(const std::string& file) {
  if (file.starts_with("kernels/")) return "kernels";
  if (file.starts_with("include/")) return "include";
  const std::string rest = file.substr(std::string("src/").size());
  const auto slash = rest.find('/');
  return slash == std::string::npos ? "api" : rest.substr(0, slash);
}

// What a layer may include beside itself. `linnet/` (the public headers) is open to every layer but kernels, which knows
// nothing of src/ and could run without it.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"kernels", {}},
    {"include", {}},
    {"base", {}},
    {"graph", {"base"}},
    {"ops", {"base", "graph", "kernels"}},
    {"onnx", {"base", "graph", "ops"}},
    {"passes", {"base", "graph", "ops"}},
    {"plan", {"base", "graph", "ops", "onnx", "passes", "kernels"}},
    {"runtime", {"base", "graph", "ops", "onnx", "passes", "plan"}},
    {"image", {"base"}},
    {"api", {"base", "graph", "ops", "onnx", "passes", "plan", "runtime", "image"}},
    {"cli", {}},
};

// The kernel table as a whole, to choose it and to measure what the machine can do; no kernel is called by name from there.
// And what makes names safe to print, as messages have them.
const std::set<std::pair<std::string, std::string>> kMayIncludeFile = {
    {"api", "kernels/cpu.h"}, {"api", "kernels/table.h"}, {"runtime", "kernels/table.h"}, {"cli", "base/printable.h"}};

std::vector<std::string> library_files() {
  std::vector<std::string> files;
  for (const char* folder : {"include", "src", "kernels"}) {
    for (std::string& file : source_files(folder)) files.push_back(std::move(file));
  }
  return files;
}

// An include that only files under one folder may have.
struct Fence {
  const char* prefix;  // of the included name
  const char* folder;
};

constexpr Fence kFences[] = {
    {"google/protobuf", "src/onnx/"}, {"linnet_onnx.pb.h", "src/onnx/"},
    {"onnx/onnx", "src/onnx/"},       {"omp.h", "src/runtime/"},
    {"immintrin.h", "kernels/isa/"},  {"x86intrin.h", "kernels/isa/"},
    {"arm_neon.h", "kernels/isa/"},   {"stb/", "src/image/"},
    {"stb_image", "src/image/"},      {"CLI/", "src/cli/"},
    {"nlohmann/", "src/cli/"},        {"Eigen", "(tests and benchmarks)"},
    {"catch2/", "(tests)"},
};

bool is_third_party(const std::string& name) {
  return std::any_of(std::begin(kFences), std::end(kFences),
                     [&](const Fence& fence) { return name.starts_with(fence.prefix); });
}

}  // namespace

TEST_CASE("each layer includes only the layers below it") {
  const std::vector<std::string> files = library_files();
  REQUIRE(files.size() > 10);
  for (const std::string& file : files) {
    const std::string layer = layer_of(file);
    INFO(file << " is of the layer " << layer);
    REQUIRE(kMayInclude.count(layer) == 1);
    for (const Include& include : includes_of(file)) {
      if (include.angled || is_third_party(include.name)) continue;
      INFO("it includes \"" << include.name << "\"");
      // Names start at include/, src/ or the repository's root, so that the folder says which layer it is.
      const auto slash = include.name.find('/');
      const bool is_own_api = slash == std::string::npos && layer == "api";
      const std::string target = is_own_api ? "api" : include.name.substr(0, slash);
      const bool is_public = target == "linnet" && layer != "kernels";
      const bool allowed = target == layer || is_public || kMayInclude.at(layer).count(target) == 1 ||
                           kMayIncludeFile.count({layer, include.name}) == 1;
      CHECK(allowed);
    }
  }
}

TEST_CASE("each dependency is included by the one layer that owns it") {
  for (const std::string& file : library_files()) {
    for (const Include& include : includes_of(file)) {
      for (const Fence& fence : kFences) {
        if (!include.name.starts_with(fence.prefix)) continue;
        INFO(file << " includes <" << include.name << ">, which belongs to " << fence.folder);
        CHECK(file.starts_with(fence.folder));
      }
    }
  }
}

TEST_CASE("intrinsics stay in kernels/isa and OpenMP in src/runtime") {
  static const std::regex intrinsic(
      R"(\b(_mm(256|512)?_\w+|__m(128|256|512)[id]?|(float|u?int)(8|16|32|64)x\d+_t|v\w+q_[fsu](8|16|32|64))\b)");
  static const std::regex openmp(R"(#\s*pragma\s+omp\b|\bomp_\w+\s*\()");
  for (const std::string& file : library_files()) {
    const std::string code = code_of(file);
    INFO(file);
    if (!file.starts_with("kernels/isa/")) {
      std::smatch match;
      const bool found = std::regex_search(code, match, intrinsic);
      INFO("found " << (found ? match[0].str() : ""));
      CHECK_FALSE(found);
    }
    if (!file.starts_with("src/runtime/")) CHECK_FALSE(std::regex_search(code, openmp));
  }
}

// An inline function of a standard header, compiled with an ISA's flags, may become the copy that the linker keeps for the
// whole program, which then dies on an older processor. So these units see no such header, at any depth.
TEST_CASE("an ISA translation unit reaches only its intrinsics, stddef.h, stdint.h and kernel headers") {
  static const std::set<std::string> allowed = {"stddef.h", "stdint.h"};
  for (const std::string unit : {"scalar", "avx2", "avx512", "neon"}) {
    std::vector<std::string> pending = {"kernels/" + unit + ".cpp"};
    std::set<std::string> seen;
    while (!pending.empty()) {
      const std::string file = pending.back();
      pending.pop_back();
      if (!seen.insert(file).second) continue;
      INFO(file << ", reached from kernels/" << unit << ".cpp");
      REQUIRE(std::filesystem::exists(linnet::test::source_root() / file));
      for (const Include& include : includes_of(file)) {
        INFO("includes " << include.name);
        if (!include.angled) {
          CHECK(include.name.starts_with("kernels/"));
          pending.push_back(include.name);
        } else if (!file.starts_with("kernels/isa/")) {
          CHECK(allowed.count(include.name) == 1);
        } else {
          const bool is_intrinsics = include.name == "immintrin.h" || include.name == "arm_neon.h";
          CHECK((is_intrinsics || allowed.count(include.name) == 1));
        }
      }
    }
    CHECK(seen.size() > 1);
  }
}

TEST_CASE("every header is guarded by #pragma once") {
  for (const std::string& file : library_files()) {
    if (file.substr(file.size() - 2) != ".h") continue;
    INFO(file);
    CHECK(code_of(file).find("#pragma once") != std::string::npos);
  }
}

// An oracle that shares code with what it judges shares its bugs.
TEST_CASE("the oracles include nothing of the code they judge") {
  for (const std::string& file : source_files("tests/reference")) {
    for (const Include& include : includes_of(file)) {
      INFO(file << " includes " << include.name);
      // The interpreter of graphs needs to read a graph; the arithmetic is its own.
      const bool reads_a_graph = include.name.starts_with("graph/") || include.name.starts_with("linnet/");
      const bool own = include.angled || include.name.starts_with("reference/") || include.name.starts_with("support/");
      CHECK((own || reads_a_graph));
    }
  }
}
