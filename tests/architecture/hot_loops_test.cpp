// The machine code of the convolution's inner loops: an accumulator that the compiler keeps in memory costs half the speed,
// and no other test would notice.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdint>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "architecture/built_archive.h"

namespace {

struct Instruction {
  std::uint64_t address = 0;
  std::string mnemonic;
  std::string operands;  // AT&T: the destination is last
};

struct Function {
  std::string isa;
  std::string name;  // demangled
  std::vector<Instruction> code;
};

/// The functions of the archive's members avx2.cpp.o and avx512.cpp.o whose names hold `part`.
std::vector<Function> functions_of(const std::string& part) {
  static const std::regex member_line(R"(^(avx2|avx512)\.cpp\.o:\s+file format)");
  static const std::regex other_member(R"(^\S+:\s+file format)");
  static const std::regex function_line(R"(^[0-9a-f]+ <(.*)>:$)");
  static const std::regex code_line(R"(^\s+([0-9a-f]+):\t(\S+)\s*(.*)$)");
  std::istringstream text(linnet::test::output_of(std::string(LINNET_OBJDUMP) + " -d -C -M att --no-show-raw-insn '" +
                                                  LINNET_ARCHIVE + "'"));
  std::vector<Function> functions;
  std::string isa;
  bool wanted = false;
  std::smatch match;
  for (std::string line; std::getline(text, line);) {
    // Most lines are of other functions: no regular expression for them.
    const bool is_code = line.starts_with(" ");
    if (is_code && !wanted) continue;
    if (is_code) {
      if (std::regex_match(line, match, code_line))
        functions.back().code.push_back({std::stoull(match[1].str(), nullptr, 16), match[2].str(), match[3].str()});
    } else if (std::regex_search(line, match, member_line)) {
      isa = match[1].str();
    } else if (std::regex_search(line, other_member)) {
      isa.clear();
    } else if (std::regex_match(line, match, function_line)) {
      wanted = !isa.empty() && match[1].str().find(part) != std::string::npos;
      if (wanted) functions.push_back({isa, match[1].str(), {}});
    }
  }
  return functions;
}

using Loop = std::pair<std::size_t, std::size_t>;  // the first instruction, and the jump back to it

/// The loops that hold no other.
std::vector<Loop> innermost_loops(const std::vector<Instruction>& code) {
  std::map<std::uint64_t, std::size_t> index;
  for (std::size_t i = 0; i < code.size(); ++i) index[code[i].address] = i;
  std::vector<Loop> loops;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (!code[i].mnemonic.starts_with("j")) continue;
    const std::string target = code[i].operands.substr(0, code[i].operands.find(' '));
    if (target.empty() || target.find_first_not_of("0123456789abcdef") != std::string::npos) continue;
    const auto found = index.find(std::stoull(target, nullptr, 16));
    if (found != index.end() && found->second <= i) loops.emplace_back(found->second, i);
  }
  std::vector<Loop> innermost;
  std::copy_if(loops.begin(), loops.end(), std::back_inserter(innermost), [&](const Loop& loop) {
    return std::none_of(loops.begin(), loops.end(), [&](const Loop& other) {
      return other != loop && other.first >= loop.first && other.second <= loop.second;
    });
  });
  return innermost;
}

bool is_fma(const Instruction& i) { return i.mnemonic.starts_with("vfmadd") || i.mnemonic.starts_with("vfnmadd"); }
bool stores_a_vector(const Instruction& i) {
  return i.operands.ends_with(")") && i.operands.starts_with("%") && i.operands.find("mm") != std::string::npos;
}
bool reads_the_stack(const Instruction& i) {
  return i.operands.find("(%rsp") != std::string::npos && i.operands.find("mm") != std::string::npos;
}

/// tile<6, 2, ...> of AVX2: 6 pixels by 2 blocks of 16 channels, of two registers each.
std::size_t accumulators_of(const Function& function) {
  static const std::regex extents(R"(::tile<(\d+), (\d+), )");
  std::smatch match;
  REQUIRE(std::regex_search(function.name, match, extents));
  return std::stoul(match[1].str()) * std::stoul(match[2].str()) * (function.isa == "avx2" ? 2 : 1);
}

}  // namespace

TEST_CASE("the accumulators of the convolution's tiles live in registers") {
  if (linnet::test::kSanitized) return;
  std::map<std::string, int> loops;
  for (const Function& function : functions_of("::tile<")) {
    const std::size_t accumulators = accumulators_of(function);
    bool has_loop = false;
    for (const auto& [begin, end] : innermost_loops(function.code)) {
      const auto first = function.code.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto last = function.code.begin() + static_cast<std::ptrdiff_t>(end) + 1;
      const auto fmas = static_cast<std::size_t>(std::count_if(first, last, is_fma));
      if (fmas == 0 || fmas % accumulators != 0) continue;
      has_loop = true;
      ++loops[function.isa];
      INFO(function.name << ", the loop that begins at 0x" << std::hex << first->address);
      CHECK(std::count_if(first, last, stores_a_vector) == 0);
      CHECK(std::count_if(first, last, reads_the_stack) == 0);
    }
    INFO(function.name << " has no loop of " << accumulators << " FMAs");
    CHECK(has_loop);
  }
#if defined(LINNET_HAVE_AVX2)
  CHECK(loops["avx2"] > 10);
#endif
#if defined(LINNET_HAVE_AVX512)
  CHECK(loops["avx512"] > 10);
#endif
}
