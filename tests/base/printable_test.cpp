#include "base/printable.h"

#include <catch2/catch.hpp>
#include <string>

#include "linnet/error.h"

using namespace linnet;
using base::printable;

TEST_CASE("text that is printable stays as it is") {
  for (const char* text : {"", "conv1/weight:0",
                           "Gr\xc3\xb6\xc3\x9f"
                           "e",
                           "\xe2\x82\xac", "\xf0\x9f\x90\xa6"})
    CHECK(printable(text) == text);
}

TEST_CASE("control characters and broken UTF-8 are spelt out") {
  CHECK(printable("a\nb\x1b[2J\x7f") == "a\\x0ab\\x1b[2J\\x7f");
  CHECK(printable(std::string_view("a\0b", 3)) == "a\\x00b");
  CHECK(printable("\xc2\x9b") == "\\xc2\\x9b");                    // a C1 control character
  CHECK(printable("\xff\xfe") == "\\xff\\xfe");                    // never in UTF-8
  CHECK(printable("\xc0\xaf") == "\\xc0\\xaf");                    // overlong
  CHECK(printable("\xe0\x80\x80") == "\\xe0\\x80\\x80");           // overlong
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");           // a surrogate
  CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
  CHECK(printable("\xe2\x82") == "\\xe2\\x82");                    // cut off
  CHECK(printable("\x80") == "\\x80");                             // starts in the middle
}

TEST_CASE("marks that turn a line around or break it are spelt out") {
  for (const std::string mark :
       {"\xd8\x9c", "\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xa8", "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9"}) {
    const std::string text = printable("a" + mark + "b");
    CHECK(text.size() == 2 + 4 * mark.size());
    CHECK(text.starts_with("a\\x"));
  }
  CHECK(printable("\xe2\x80\x99") == "\xe2\x80\x99");  // an apostrophe
}

TEST_CASE("what printable made, it leaves alone") {
  const std::string once = printable("\x1b[31m\xff");
  CHECK(printable(once) == once);
}

TEST_CASE("long text is cut between characters") {
  CHECK(printable("abcdef", 3) == "abc...");
  CHECK(printable("a\xc3\xb6"
                  "b",
                  2) == "a\xc3\xb6...");
  CHECK(base::quote_name(std::string(1000, 'x')).size() < 140);
}

TEST_CASE("an error shows its fields printable, and keeps them as they are") {
  const Error error(ErrorCode::model, "bad\nname", {.node = "\x1b]0;x"});
  CHECK(std::string(error.what()) == "model: bad\\x0aname (node '\\x1b]0;x')");
  CHECK(error.details().node == "\x1b]0;x");
}
