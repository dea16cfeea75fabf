#include "cli/labels.h"

#include <catch2/catch.hpp>
#include <optional>

#include "linnet/error.h"

namespace {

using linnet::Error;
using linnet::ErrorCode;
using linnet::cli::load_labels;
using linnet::cli::parse_labels;
using Labels = std::vector<std::string>;

std::optional<ErrorCode> error_of(const std::string& text) {
  try {
    (void)parse_labels(text, "labels.txt");
    return std::nullopt;
  } catch (const Error& error) {
    CHECK(error.details().file == "labels.txt");
    return error.code();
  }
}

const Labels kPair = {"tench, Tinca tinca", "goldfish"};

}  // namespace

TEST_CASE("every form of label file is recognised by its text") {
  CHECK(parse_labels(R"({"0": "tench, Tinca tinca", "1": "goldfish"})") == kPair);
  CHECK(parse_labels(R"({"1": "goldfish", "0": "tench, Tinca tinca"})") == kPair);
  CHECK(parse_labels(R"(["tench, Tinca tinca", "goldfish"])") == kPair);
  CHECK(parse_labels("{0: 'tench, Tinca tinca',\n 1: \"goldfish\",}") == kPair);
  CHECK(parse_labels("n01440764 tench, Tinca tinca\nn01443537 goldfish\n") == kPair);
  CHECK(parse_labels("tench, Tinca tinca\ngoldfish") == kPair);
  CHECK(parse_labels("{0: 'it\\'s', 1: \"a \\\\ b\"}") == Labels{"it's", "a \\ b"});
}

TEST_CASE("byte order marks, CRLF and trailing empty lines are accepted") {
  CHECK(parse_labels("\xEF\xBB\xBFtench, Tinca tinca\r\ngoldfish\r\n\r\n") == kPair);
  CHECK(parse_labels("\xEF\xBB\xBF{\r\n\"0\": \"tench, Tinca tinca\",\r\n\"1\": \"goldfish\"}\r\n") == kPair);
  CHECK(parse_labels("n01440764 tench\nplain\n") == Labels{"n01440764 tench", "plain"});  // not every line has an id
  CHECK(parse_labels("\xC3\xA9t\xC3\xA9\n\xF0\x9F\x90\xA6") == Labels{"\xC3\xA9t\xC3\xA9", "\xF0\x9F\x90\xA6"});
}

TEST_CASE("M22: damaged label files are refused") {
  const std::string bad[] = {
      "",
      "\n\n",
      "{}",
      "[]",
      "a\n\nb",                    // an empty line between
      R"({"0": "a", "2": "c"})",   // a gap
      R"({"0": "a", "0": "b"})",   // twice
      R"({"0": "a", "00": "b"})",  // no index
      R"({"x": "a"})",             //
      R"({"-1": "a"})",            //
      R"({"0": 5})",               // no string
      R"({"0": ["a"]})",           //
      R"([["a"]])",                //
      R"({"0": "a")",              // cut
      R"({"0": "a"} x)",           // and continued
      "{0: 'a', 0: 'b'}",
      "{0: 'a', 2: 'c'}",
      "{0: 'a'",
      "{0: 'a' 1: 'b'}",
      "{0: a}",
      "{0: 'a'} x",
      "{0: 'a\\n'}",
      "caf\xE9\n",       // Latin-1
      "\xC0\xAF\n",      // overlong
      "\xED\xA0\x80\n",  // a surrogate
      "a\x1B[2Jb\n",     // an escape sequence
      "a\xC2\x9B"
      "b\n",  // the same in eight bits
      std::string("a\0b\n", 4),
      R"(["a\u001b[2J"])",
  };
  for (const std::string& text : bad) {
    INFO(text);
    CHECK(error_of(text) == ErrorCode::format);
  }
}

TEST_CASE("label files have limits") {
  CHECK(error_of(R"({"9999999": "a"})") == ErrorCode::limit);
  CHECK(error_of("{9999999: 'a'}") == ErrorCode::limit);
  CHECK(error_of(std::string(linnet::cli::kMaxLabelFileBytes + 1, 'a')) == ErrorCode::limit);
  std::string lines;
  for (std::size_t i = 0; i <= linnet::cli::kMaxLabels; ++i) lines += "a\n";
  CHECK(error_of(lines) == ErrorCode::limit);
  CHECK(error_of(std::string(1'000'000, '[')) == ErrorCode::format);
}

TEST_CASE("label files that cannot be read are io errors") {
  for (const char* path : {"/nonexistent/labels.txt", "/dev/zero", "/tmp"}) {
    try {
      (void)load_labels(path);
      FAIL("no error");
    } catch (const Error& error) {
      const bool io = error.code() == ErrorCode::io;
      CHECK(io);
      CHECK(error.details().file == path);
    }
  }
}
