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

bool is_fma(const Instruction& i) { return i.mnemonic.starts_with("vfmadd") || i.mnemonic.starts_with("vfnmadd"); }

/// The loops that multiply and hold no other that does.
std::vector<Loop> innermost_loops(const std::vector<Instruction>& code) {
  std::map<std::uint64_t, std::size_t> index;
  for (std::size_t i = 0; i < code.size(); ++i) index[code[i].address] = i;
  std::vector<Loop> loops;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (!code[i].mnemonic.starts_with("j")) continue;
    const std::string target = code[i].operands.substr(0, code[i].operands.find(' '));
    if (target.empty() || target.find_first_not_of("0123456789abcdef") != std::string::npos) continue;
    const auto found = index.find(std::stoull(target, nullptr, 16));
    if (found == index.end() || found->second > i) continue;
    const auto begin = code.begin() + static_cast<std::ptrdiff_t>(found->second);
    if (std::any_of(begin, code.begin() + static_cast<std::ptrdiff_t>(i), is_fma)) loops.emplace_back(found->second, i);
  }
  std::vector<Loop> innermost;
  std::copy_if(loops.begin(), loops.end(), std::back_inserter(innermost), [&](const Loop& loop) {
    return std::none_of(loops.begin(), loops.end(), [&](const Loop& other) {
      return other != loop && other.first >= loop.first && other.second <= loop.second;
    });
  });
  return innermost;
}

bool stores_a_vector(const Instruction& i) {
  return i.operands.ends_with(")") && i.operands.starts_with("%") && i.operands.find("mm") != std::string::npos;
}
bool reads_the_stack(const Instruction& i) {
  return i.operands.find("(%rsp") != std::string::npos && i.operands.find("mm") != std::string::npos;
}

/// The numbers among the template's arguments.
std::vector<std::size_t> extents_of(const std::string& name) {
  static const std::regex number(R"([<,] ?(\d+)(?=[,>]))");
  std::vector<std::size_t> extents;
  const std::string arguments = name.substr(name.find('<'), name.find(">(") - name.find('<') + 1);
  for (std::sregex_iterator i(arguments.begin(), arguments.end(), number), end; i != end; ++i)
    extents.push_back(std::stoul((*i)[1].str()));
  return extents;
}

/// Checks the innermost loops of the functions `name`, of each of which `accumulators_of` tells how many a round adds to (or a multiple
/// of them). Returns how many there are of each ISA.
template <class F>
std::map<std::string, int> check_loops(const std::string& name, const F& accumulators_of) {
  std::map<std::string, int> loops;
  for (const Function& function : functions_of("::" + name + "<")) {
    const std::size_t accumulators =
        accumulators_of(function, extents_of(function.name.substr(function.name.find(name))));
    bool has_loop = false;
    for (const auto& [begin, end] : innermost_loops(function.code)) {
      const auto first = function.code.begin() + static_cast<std::ptrdiff_t>(begin);
      const auto last = function.code.begin() + static_cast<std::ptrdiff_t>(end) + 1;
      const auto fmas = static_cast<std::size_t>(std::count_if(first, last, is_fma));
      if (fmas % accumulators != 0) continue;
      has_loop = true;
      ++loops[function.isa];
      INFO(function.name << ", the loop that begins at 0x" << std::hex << first->address);
      CHECK(std::count_if(first, last, stores_a_vector) == 0);
      CHECK(std::count_if(first, last, reads_the_stack) == 0);
    }
    INFO(function.name << " has no loop of " << accumulators << " FMAs");
    CHECK(has_loop);
  }
  return loops;
}

}  // namespace

TEST_CASE("the accumulators of the convolution's tiles live in registers") {
  if (linnet::test::kSanitized) return;
  // tile<6, 2, ...> of AVX2: 6 pixels by 2 blocks of 16 channels, of two registers each.
  std::map<std::string, int> loops =
      check_loops("tile", [](const Function& f, const std::vector<std::size_t>& extents) {
        return extents.at(0) * extents.at(1) * (f.isa == "avx2" ? 2 : 1);
      });
#if defined(LINNET_HAVE_AVX2)
  CHECK(loops["avx2"] > 10);
#endif
#if defined(LINNET_HAVE_AVX512)
  CHECK(loops["avx512"] > 10);
#endif
}

#if defined(LINNET_HAVE_AVX512) && !defined(LINNET_EMULATE_AVX512)

TEST_CASE("what Winograd multiplies without the tile lives in registers, too") {
  if (linnet::test::kSanitized) return;
  const auto last_two = [](const Function& /*function*/, const std::vector<std::size_t>& extents) {
    return extents.at(extents.size() - 2) * extents.back();
  };
  CHECK(check_loops("multiply_row_places", last_two)["avx512"] >= 20);    // vectors, places; of one point or two
  CHECK(check_loops("multiply_column_tiles", last_two)["avx512"] >= 10);  // tiles, vectors; of some points
  // Row and tiles, at six points.
  CHECK(check_loops("multiply_taps_row", [](const Function& /*function*/, const std::vector<std::size_t>& extents) {
          return 6 * extents.at(1);
        })["avx512"] >= 20);
}

// See kernels/conv/fetch.h.
TEST_CASE("what a convolution wants next is asked for") {
  if (linnet::test::kSanitized) return;
  const auto asking = [](const std::string& part, const std::string& mnemonic) {
    const std::vector<Function> functions = functions_of(part);
    return std::count_if(functions.begin(), functions.end(), [&](const Function& f) {
      return std::any_of(f.code.begin(), f.code.end(), [&](const Instruction& i) { return i.mnemonic == mnemonic; });
    });
  };
  for (const std::string weights : {"::tile<", "::multiply_row_places<", "::multiply_taps_row<"}) {
    INFO(weights);
    CHECK(asking(weights, "prefetchnta") > 10);
    CHECK(asking(weights, "prefetcht1") > 10);
  }
  CHECK(asking("::conv", "prefetcht0") > 0);            // residuals
  CHECK(asking("::winograd_input", "prefetcht0") > 0);  // tiles of the next channel block
}

#endif
