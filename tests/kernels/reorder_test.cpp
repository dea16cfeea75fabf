#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "kernels/table.h"
#include "support/kernel_check.h"

using namespace linnet;
using namespace linnet::kernels;
using namespace linnet::test;

namespace {

/// A plain tensor at a guard page.
struct PlainBuffer {
  int channels, height, width;
  GuardBuffer memory;

  PlainBuffer(int n, int c, int h, int w)
      : channels(c), height(h), width(w), memory(static_cast<std::size_t>(n * c * h * w)) {}
  float& at(int n, int c, int y, int x) { return memory.data()[((n * channels + c) * height + y) * width + x]; }
  template <class Float>
  PlainView<Float> view() {
    PlainView<Float> v;
    v.data = memory.data();
    v.image = std::ptrdiff_t{channels} * height * width;
    v.row = width;
    v.step = std::ptrdiff_t{height} * width;
    return v;
  }
};

void check_there_and_back(int channels, int height, int width, int halo, Random& random) {
  INFO(channels << " channels, " << height << "x" << width << ", halo " << halo);
  PlainBuffer plain(2, channels, height, width);
  for (std::size_t i = 0; i < plain.memory.size(); ++i) plain.memory.data()[i] = random_float(random);
  on_every_isa([&](const Table& k) {
    BlockedBuffer blocked(2, channels, height, width, halo);
    ToBlockedArguments to;
    to.x = plain.view<const float>(), to.y = blocked.target();
    to.channels = channels, to.width = width;
    run_in_parts(k.nchw_to_blocked, to, blocked.all());
    int wrong = 0;
    blocked.each([&](int n, int c, int y, int x) { wrong += blocked.at(n, c, y, x) != plain.at(n, c, y, x); });
    for (int n = 0; n < 2; ++n) {
      for (int c = channels; c < blocked.blocks() * 16; ++c) {
        for (int y = 0; y < height; ++y) {
          for (int x = 0; x < width; ++x) wrong += bits_of(blocked.at(n, c, y, x)) != 0;
        }
      }
    }
    CHECK(wrong == 0);
    const auto nans = std::count_if(blocked.memory.data(), blocked.memory.data() + blocked.memory.size(),
                                    [](float v) { return std::isnan(v); });
    CHECK(nans == 2 * blocked.blocks() * (blocked.plane() - std::ptrdiff_t{height} * width * 16));

    PlainBuffer back(2, channels, height, width);
    FromBlockedArguments from;
    from.x = blocked.source(), from.y = back.view<float>();
    from.channels = channels, from.width = width;
    run_in_parts(k.blocked_to_nchw, from, blocked.all());
    CHECK(first_difference(back.memory.values(), plain.memory.values()) == "");
    return blocked.values();
  });
}

/// Channels of two tensors in any order, some twice.
void check_gather(int channels, int height, int width, Random& random) {
  INFO(channels << " channels, " << height << "x" << width);
  BlockedBuffer a(1, 20, height, width, 1), b(1, 33, height, width);
  a.fill(random), b.fill(random);
  std::vector<std::pair<BlockedBuffer*, int>> from;
  for (int c = 0; c < channels; ++c) {
    // Runs of neighbours, too.
    BlockedBuffer& x = random.chance(0.5) ? a : b;
    const bool next = c > 0 && random.chance(0.6) && from.back().second + 1 < from.back().first->channels;
    from.emplace_back(next ? from.back() : std::pair{&x, static_cast<int>(random.integer(0, x.channels - 1))});
    if (next) ++from.back().second;
  }
  on_every_isa([&](const Table& k) {
    BlockedBuffer y(1, channels, height, width, 2);
    std::vector<ChannelSource> sources(static_cast<std::size_t>(y.blocks()) * 16);
    for (std::size_t c = 0; c < from.size(); ++c)
      sources[c] = {&from[c].first->at(0, from[c].second, 0, 0), from[c].first->row()};
    GatherChannelsArguments args;
    args.x = sources.data(), args.y = y.target(), args.blocks = y.blocks(), args.width = width;
    const int middle = height / 3;
    for (const auto& [begin, end] : {std::pair{middle, height}, std::pair{0, middle}}) {
      args.row_begin = begin, args.row_end = end;
      k.gather_channels(args);
    }
    int wrong = 0, written = 0;
    y.each([&](int n, int c, int row, int x) {
      const auto& [source, channel] = from[static_cast<std::size_t>(c)];
      wrong += y.at(n, c, row, x) != source->at(n, channel, row, x);
    });
    for (int c = channels; c < y.blocks() * 16; ++c) {
      for (int row = 0; row < height; ++row) {
        for (int x = 0; x < width; ++x) wrong += bits_of(y.at(0, c, row, x)) != 0;
      }
    }
    for (const float value : y.values()) written += !std::isnan(value);
    CHECK(wrong == 0);
    CHECK(written == y.blocks() * 16 * height * width);
    return y.values();
  });
}

/// Of random halos, widths and planes.
void check_zero_border(int channels, int height, int width, Random& random) {
  const auto any = [&](int high) { return static_cast<int>(random.integer(0, high)); };
  const int halo = any(3), top = any(halo), left = any(halo), bottom = any(halo), right = any(halo);
  INFO(channels << "x" << height << "x" << width << ", border " << top << " " << left << " " << bottom << " " << right
                << " of " << halo);
  BlockedBuffer filled(2, channels, height, width, halo);
  filled.fill(random);
  const std::int64_t planes = 2 * filled.blocks(), first = random.integer(0, planes - 1);
  on_every_isa([&](const Table& k) {
    BlockedBuffer x(2, channels, height, width, halo);
    std::copy_n(filled.memory.data(), filled.memory.size(), x.memory.data());
    ZeroBorderArguments args;
    args.y = x.target(), args.blocks = x.blocks(), args.height = height, args.width = width;
    args.top = top, args.left = left, args.bottom = bottom, args.right = right;
    args.plane_begin = first, args.plane_end = planes;
    k.zero_border(args);
    int wrong = 0;
    for (int n = 0; n < 2; ++n) {
      for (int c = 0; c < x.blocks() * 16; ++c) {
        for (int y = -halo; y < height + halo; ++y) {
          for (int px = -halo; px < width + halo; ++px) {
            const float at = x.at(n, c, y, px);
            const bool inside = y >= 0 && y < height && px >= 0 && px < width;
            const bool zeroed = n * x.blocks() + c / 16 >= first && y >= -top && y < height + bottom && px >= -left &&
                                px < width + right;
            wrong += inside ? at != filled.at(n, c, y, px) : zeroed ? bits_of(at) != 0 : !std::isnan(at);
          }
        }
      }
    }
    CHECK(wrong == 0);
    return x.values();
  });
}

}  // namespace

TEST_CASE("plain tensors go into blocks and come back, for every width and number of channels") {
  at_both_ends();
  Random random(1);
  for (int n = 1; n <= 40; ++n) {
    check_there_and_back(n, 3, 5, n % 3, random);
    check_there_and_back(20, 2, n, n % 2, random);
    check_there_and_back(16, n, 7, 0, random);
  }
  check_there_and_back(64, 16, 32, 0, random);
}

TEST_CASE("channels are gathered from anywhere, for every width and number of them") {
  at_both_ends();
  Random random(3);
  for (int n = 1; n <= 70; ++n) {
    check_gather(n, 3, 5, random);
    check_gather(21, 2, n, random);
  }
  check_gather(40, 2, 300, random);
}

TEST_CASE("reorders keep every bit, of NaN too") {
  PlainBuffer plain(1, 16, 1, 16);
  for (int i = 0; i < 256; ++i)
    plain.memory.data()[i] = float_of(0x7f800001u + static_cast<std::uint32_t>(i) * 0x1234u);
  for (const Table* k : runnable_tables()) {
    BlockedBuffer blocked(1, 16, 1, 16);
    ToBlockedArguments to;
    to.x = plain.view<const float>(), to.y = blocked.target();
    to.channels = 16, to.width = 16, to.range = blocked.all();
    k->nchw_to_blocked(to);
    PlainBuffer back(1, 16, 1, 16);
    FromBlockedArguments from;
    from.x = blocked.source(), from.y = back.view<float>();
    from.channels = 16, from.width = 16, from.range = blocked.all();
    k->blocked_to_nchw(from);
    CHECK(std::memcmp(back.memory.data(), plain.memory.data(), 256 * sizeof(float)) == 0);
  }
}

TEST_CASE("the border is zeroed, and nothing else") {
  at_both_ends();
  Random random(2);
  for (int round = 0; round < 40; ++round) check_zero_border(20, 3, 4, random);
}

TEST_CASE("guard pages: 10,000 reorders and borders", "[.nightly]") {
  Random random(150);
  const auto any = [&](int low, int high) { return static_cast<int>(random.integer(low, high)); };
  for (int round = 0; round < 8'000; ++round) {
    at_either_end(random);
    check_there_and_back(any(1, 40), any(1, 5), any(1, 24), any(0, 2), random);
  }
  for (int round = 0; round < 2'000; ++round) {
    at_either_end(random);
    check_zero_border(any(1, 40), any(1, 5), any(1, 12), random);
  }
}
