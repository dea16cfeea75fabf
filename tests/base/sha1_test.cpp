#include "base/sha1.h"

#include <catch2/catch.hpp>
#include <string>

using linnet::base::Sha1;

namespace {

std::string sha1(const std::string& text, std::size_t piece) {
  Sha1 sum;
  const auto bytes = std::as_bytes(std::span(text));
  for (std::size_t at = 0; at < text.size(); at += piece)
    sum.update(bytes.subspan(at, std::min(piece, text.size() - at)));
  return sum.finish();
}

}  // namespace

TEST_CASE("SHA-1 gives the digests of FIPS 180-4 and of every length of padding, however the text is cut") {
  CHECK(sha1("", 1) == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(sha1("abc", 64) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(sha1("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 7) ==
        "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  CHECK(sha1(std::string(1'000'000, 'a'), 999) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
  CHECK(sha1(std::string(55, 'x'), 13) == "cef734ba81a024479e09eb5a75b6ddae62e6abf1");
  CHECK(sha1(std::string(56, 'x'), 13) == "901305367c259952f4e7af8323f480d59f81335b");
  CHECK(sha1(std::string(57, 'x'), 13) == "025ecbd5d70f8fb3c5457cd96bab13fda305dc59");
  CHECK(sha1(std::string(63, 'x'), 13) == "0ddc4e0cccd9a12850deb5abb0853a4425559fec");
  CHECK(sha1(std::string(64, 'x'), 13) == "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163");
  CHECK(sha1(std::string(65, 'x'), 13) == "78c741ddc482e4cdf8c474a0876347a0905b6233");
  CHECK(sha1(std::string(119, 'x'), 13) == "4300320394f7ee239bcdce7d3b8bcee173a0cd5c");
  CHECK(sha1(std::string(120, 'x'), 13) == "ceb2821639c4b6dcb10bce0e522ca2e608ce056d");
  CHECK(sha1(std::string(128, 'x'), 13) == "150fa3fbdc899bd0b8f95a9fb6027f564d953762");
}
