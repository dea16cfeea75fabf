// The house rules that only the built archive can prove.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "architecture/built_archive.h"
#include "architecture/source_tree.h"

namespace {

using linnet::test::kSanitized;
using linnet::test::output_of;

struct Symbol {
  std::string member;  // of the archive: "conv.cpp.o"
  std::string name;    // mangled
  char type = '?';     // as nm prints it
};

const std::vector<Symbol>& archive_symbols() {
  static const std::vector<Symbol> symbols = [] {
    // "liblinnet.a[scalar.cpp.o]: name type value size"
    static const std::regex line_form(R"(^.*\[(.+)\]: (\S+) (\S))");
    std::vector<Symbol> found;
    std::istringstream text(output_of(std::string(LINNET_NM) + " -A --format=posix '" + LINNET_ARCHIVE + "'"));
    std::smatch match;
    for (std::string line; std::getline(text, line);) {
      if (std::regex_search(line, match, line_form))
        found.push_back({match[1].str(), match[2].str(), match[3].str()[0]});
    }
    return found;
  }();
  return symbols;
}

bool is_undefined(const Symbol& symbol) { return symbol.type == 'U' || symbol.type == 'w' || symbol.type == 'v'; }

bool is_generated(const Symbol& symbol) { return symbol.member.find(".pb.cc") != std::string::npos; }

// Whether an object is src/onnx code that includes protobuf's headers. They include <iostream>, whose constructor object
// gcc 12 then puts into every such unit: the one exception from the rules below, and not ours to avoid.
bool sees_protobuf(const std::string& member) {
  static const std::set<std::string> members = [] {
    std::set<std::string> found;
    for (const std::string& file : linnet::test::source_files("src/onnx")) {
      if (file.size() < 4 || file.substr(file.size() - 4) != ".cpp") continue;
      std::vector<std::string> pending = {file};
      std::set<std::string> seen;
      while (!pending.empty()) {
        const std::string next = pending.back();
        pending.pop_back();
        if (!seen.insert(next).second) continue;
        for (const linnet::test::Include& include : linnet::test::includes_of(next)) {
          if (include.name.find("linnet_onnx.pb.h") != std::string::npos || include.name.rfind("google/", 0) == 0) {
            found.insert(std::filesystem::path(file).filename().string() + ".o");
          }
          if (include.name.rfind("onnx/", 0) == 0) pending.push_back("src/" + include.name);
        }
      }
    }
    return found;
  }();
  return members.count(member) == 1;
}

}  // namespace

TEST_CASE("the archive can be read") {
  const auto& symbols = archive_symbols();
  const auto has_member = [&](const char* name) {
    return std::any_of(symbols.begin(), symbols.end(), [&](const Symbol& s) { return s.member == name; });
  };
  CHECK(has_member("scalar.cpp.o"));
  CHECK(has_member("tensor_reader.cpp.o"));
  CHECK(has_member("stb_decoder.cpp.o"));
  CHECK(has_member("linnet_onnx.pb.cc.o"));
}

// A weak symbol of an AVX-512 unit may be the copy that the linker keeps for everybody.
TEST_CASE("ISA objects define nothing weak, nothing outside their namespace, and use nothing of std") {
  if (kSanitized) return;  // sanitizers add constructors and symbols of their own to every object
  static const std::set<std::string> c_functions = {"memcpy", "memmove", "memset", "memcmp", "fmaf", "sqrtf", "floorf",
                                                    "ceilf", "roundevenf",
                                                    // of a hardened build
                                                    "__stack_chk_fail", "__memcpy_chk", "__memset_chk"};
  for (const std::string isa : {"scalar", "avx2", "avx512", "neon"}) {
    const std::string scope = "_ZN6linnet7kernels" + std::to_string(isa.size()) + isa;
    for (const Symbol& symbol : archive_symbols()) {
      if (symbol.member != isa + ".cpp.o") continue;
      INFO(symbol.member << ": " << symbol.name << " of type " << symbol.type);
      CHECK(std::string("WVuwv").find(symbol.type) == std::string::npos);
      if (symbol.type == 'U') {
        CHECK((c_functions.count(symbol.name) == 1 || symbol.name == "_GLOBAL_OFFSET_TABLE_"));
      } else if (std::isupper(static_cast<unsigned char>(symbol.type))) {
        CHECK(symbol.name.starts_with(scope));
      }
    }
  }
}

// Promise 6: no code runs before main(), and linking the archive decides nothing by itself. <iostream> alone would break it.
TEST_CASE("the library has no global constructors") {
  if (kSanitized) return;
  for (const Symbol& symbol : archive_symbols()) {
    if (is_generated(symbol) || sees_protobuf(symbol.member)) continue;
    INFO(symbol.member << ": " << symbol.name);
    CHECK_FALSE(symbol.name.starts_with("_GLOBAL__sub_I_"));
    CHECK_FALSE(symbol.name.starts_with("__cxx_global_var_init"));
  }
}

// Promise 5: the library never prints, never aborts, never exits.
TEST_CASE("the library references nothing that prints, aborts or exits") {
  static const std::set<std::string> forbidden = {
      "abort",    "exit",         "_exit",         "_Exit",     "quick_exit", "printf",   "fprintf", "vprintf",
      "vfprintf", "puts",         "putchar",       "fputs",     "putc",       "fputc",    "perror",  "stdout",
      "stderr",   "__printf_chk", "__fprintf_chk", "_ZSt4cout", "_ZSt4cerr",  "_ZSt4clog"};
  for (const Symbol& symbol : archive_symbols()) {
    // protobuf's generated code checks its own invariants; the loader's budget keeps it from meeting a broken one.
    if (!is_undefined(symbol) || is_generated(symbol)) continue;
    INFO(symbol.member << " uses " << symbol.name);
    CHECK(forbidden.count(symbol.name) == 0);
#ifdef NDEBUG
    CHECK(symbol.name != "__assert_fail");
#endif
  }
}

// Promise 6 again: a second model, a second thread or a fork must find nothing that the first one left behind.
TEST_CASE("the library has no mutable global state") {
  if (kSanitized) return;
  static const std::regex member_line(R"(^(\S+):\s+file format)");
  // "0000000000000000 l     O .bss	0000000000000008 name"
  static const std::regex object_line(R"(^[0-9a-f]+ .{7} (\.data|\.bss|\.tdata|\.tbss)(\.\S+)?\s+([0-9a-f]+) (\S.*)$)");
  // "...L13kOtherFormatsE": a constant by its name. gcc puts a constexpr object of a class with constructors into a writable
  // section, and a function's `static const` into .bss with a guard, so the section alone convicts nobody.
  static const std::regex constant(R"(^_ZGV|\dk[A-Z]\w*$)");
  std::istringstream text(output_of(std::string(LINNET_OBJDUMP) + " -t '" + LINNET_ARCHIVE + "'"));
  std::string member;
  std::smatch match;
  for (std::string line; std::getline(text, line);) {
    if (std::regex_search(line, match, member_line)) member = match[1].str();
    if (member.find(".pb.cc") != std::string::npos || !std::regex_search(line, match, object_line)) continue;
    const std::string section = match[1].str() + match[2].str();
    const std::string name = match[4].str();
    // .data.rel.ro is constant once the loader has relocated it.
    if (section.starts_with(".data.rel.ro") || name.starts_with(".") || std::regex_search(name, constant)) continue;
    if (name == "_ZStL8__ioinit" && sees_protobuf(member)) continue;
    // stb_image is C without a context argument: its hooks find their decode through a thread_local, and its own switches
    // are globals that nobody sets.
    if (member == "stb_decoder.cpp.o" && (section == ".tbss" || name.find("stbi__") != std::string::npos)) continue;
    INFO(member << ": " << name << " in " << section);
    CHECK(false);
  }
}

// A program that links ONNX Runtime or the onnx package as well has their messages and descriptors too.
TEST_CASE("J20: the ONNX messages are in a package of their own and register nothing") {
  bool has_messages = false;
  for (const Symbol& symbol : archive_symbols()) {
    INFO(symbol.member << ": " << symbol.name);
    has_messages = has_messages || symbol.name.starts_with("_ZN11linnet_onnx10ModelProto");
    CHECK(symbol.name.find("4onnx10ModelProto") == std::string::npos);
    // The descriptor pool, which ends the process where two files of one name are registered.
    CHECK(symbol.name.find("DescriptorPool") == std::string::npos);
    CHECK(symbol.name.find("AddDescriptors") == std::string::npos);
  }
  CHECK(has_messages);
}

TEST_CASE("N01 N02 N03 N04 N05 N06 N07 N08: the library opens no socket, starts no program and loads no code") {
  static const std::set<std::string> forbidden = {"socket",      "bind",   "listen", "accept", "connect",
                                                  "getaddrinfo", "execve", "execv",  "execvp", "system",
                                                  "posix_spawn", "popen",  "dlopen", "fork"};
  for (const Symbol& symbol : archive_symbols()) {
    if (!is_undefined(symbol)) continue;
    INFO(symbol.member << " uses " << symbol.name);
    CHECK(forbidden.count(symbol.name) == 0);
  }
}

TEST_CASE("N09 N10 N11 N12: nothing of Python is linked") {
  for (const Symbol& symbol : archive_symbols()) {
    INFO(symbol.member << ": " << symbol.name);
    CHECK_FALSE(symbol.name.starts_with("Py"));
    CHECK_FALSE(symbol.name.starts_with("_Py"));
  }
}
