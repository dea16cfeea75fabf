#include <algorithm>
#include <bit>
#include <cstdlib>

#include "image/jpeg_frame.h"

namespace linnet::image {

void HuffmanTable::build(std::span<const int, 16> counts, Bytes symbols) {
  *this = {};
  for (std::size_t i = 0; i < symbols.size(); ++i) symbols_[i] = static_cast<std::uint8_t>(byte_at(symbols, i));
  std::int32_t code = 0;
  int index = 0;
  for (int length = 1; length <= 16; ++length) {
    const int count = counts[static_cast<std::size_t>(length - 1)];
    const auto slot = static_cast<std::size_t>(length);
    offset_[slot] = index - code;
    for (int i = 0; i < count; ++i, ++code, ++index) {
      if (code >= 1 << length) refuse("a JPEG Huffman table that is no prefix code", {.where = "DHT"});
      if (length > kFastBits) continue;
      const int shift = kFastBits - length;
      const auto begin = fast_.begin() + (static_cast<std::ptrdiff_t>(code) << shift);
      std::fill(begin, begin + (std::ptrdiff_t{1} << shift), Code{length, symbols_[static_cast<std::size_t>(index)]});
    }
    end_[slot] = code << (16 - length);
    code <<= 1;
  }
  defined_ = true;
}

HuffmanTable::Code HuffmanTable::find(std::uint32_t bits16) const {
  const Code& fast = fast_[bits16 >> (16 - kFastBits)];
  if (fast.length != 0) return fast;
  const auto bits = static_cast<std::int32_t>(bits16);
  for (int length = kFastBits + 1; length <= 16; ++length) {
    const auto slot = static_cast<std::size_t>(length);
    if (bits >= end_[slot]) continue;
    const std::int32_t index = (bits >> (16 - length)) + offset_[slot];
    if (index < 0) return {};
    return {length, symbols_[static_cast<std::size_t>(index)]};
  }
  return {};
}

std::size_t entropy_segment_end(Bytes file, std::size_t offset) {
  for (std::size_t i = offset; i < file.size(); ++i) {
    if (file[i] != std::byte{0xFF}) continue;
    if (i + 1 == file.size()) return i;
    if (file[i + 1] != std::byte{0}) return i;
    ++i;
  }
  return file.size();
}

JpegMarker read_marker(Bytes file, std::size_t offset) {
  std::size_t i = offset;
  if (i < file.size() && file[i] != std::byte{0xFF}) {
    refuse("the JPEG file has no marker where one must stand", {.where = at_byte(offset)});
  }
  while (i < file.size() && file[i] == std::byte{0xFF}) ++i;
  if (i >= file.size())
    refuse("the JPEG file is truncated", {.where = at_byte(file.size()), .expected = "a marker, at last EOI"});
  return {byte_at(file, i), i + 1};
}

namespace {

// The bits of one entropy-coded segment, byte stuffing removed. Running out of them is the error that all this is for.
class BitReader {
 public:
  BitReader(Bytes file, std::size_t begin, std::size_t end) : file_(file), next_(begin), end_(end) {}

  int symbol(const HuffmanTable& table) {
    fill();
    const HuffmanTable::Code code = table.find(static_cast<std::uint32_t>(buffer_ >> 48));
    if (code.length > count_) exhausted();
    if (code.length == 0) {
      if (count_ < 16) exhausted();
      refuse("damaged JPEG data: bits that are no Huffman code", {.where = "before " + at_byte(next_)});
    }
    drop(code.length);
    return code.symbol;
  }

  /// The next n bits, 0..15.
  int bits(int n) {
    if (n == 0) return 0;
    fill();
    if (n > count_) exhausted();
    const int value = static_cast<int>(buffer_ >> (64 - n));
    drop(n);
    return value;
  }

  /// Whole bytes that nobody has asked for.
  [[nodiscard]] std::size_t unread_bytes() const { return end_ - next_ + static_cast<std::size_t>(count_ / 8); }

 private:
  void fill() {
    while (count_ <= 48 && next_ < end_) {
      const auto value = std::to_integer<std::uint64_t>(file_[next_]);
      next_ += value == 0xFF ? 2u : 1u;  // FF 00 stands for FF: entropy_segment_end() ended the segment at any other FF
      buffer_ |= value << (56 - count_);
      count_ += 8;
    }
  }
  void drop(int n) {
    buffer_ <<= n;
    count_ -= n;
  }
  [[noreturn]] void exhausted() const {
    refuse("the JPEG file is truncated or damaged: the data end before the picture does", {.where = at_byte(end_)});
  }

  Bytes file_;
  std::size_t next_;
  std::size_t end_;
  std::uint64_t buffer_ = 0;  // left-aligned
  int count_ = 0;             // valid bits in it
};

[[noreturn]] void damaged(const char* what) { refuse(std::string("damaged JPEG data: ") + what); }

// F.1.2: for 8-bit samples a DC difference has at most 11 bits and an AC coefficient at most 10. The decoder's integer
// arithmetic relies on it.
constexpr int kMaxDcBits = 11;
constexpr int kMaxAcBits = 10;
constexpr int kMaxDc = 1 << 14;  // 2^11 is legal; the rest is tolerance for encoders' rounding

// A.3.3: the coefficients of 8-bit samples are at most 2^10, and off by half a step of the table. What goes far beyond is no
// picture's, and decoders, which compute in 16 bits or in 32, make different pixels of it. A number of `size` bits is at least
// 2^(size - 1), and less than twice that.
constexpr std::int64_t kMostAtLeast = 1 << 11;

class ScanReader {
 public:
  ScanReader(const JpegScan& scan, const JpegTables& tables) : scan_(scan), tables_(tables) {}

  void restart(BitReader reader) {
    reader_ = reader;
    eob_run_ = 0;
    dc_.fill(0);
  }
  [[nodiscard]] const BitReader& reader() const { return reader_; }

  void sequential_block(const JpegScan::Member& member) {
    dc_first(member);
    const HuffmanTable& table = tables_.ac[static_cast<std::size_t>(member.ac_table)];
    for (int k = 1; k <= 63;) {
      const int code = reader_.symbol(table);
      const int run = code >> 4;
      const int size = code & 15;
      if (size == 0) {
        if (run < 15) break;  // end of block; a run below 15 means nothing in a sequential scan
        k += 16;
        continue;
      }
      k += run;
      if (k > 63 || size > kMaxAcBits) damaged("a coefficient outside its block or range");
      require_range(member, k, size);
      reader_.bits(size);
      ++k;
    }
  }

  void progressive_block(const JpegScan::Member& member, std::uint64_t& nonzero) {
    if (scan_.first == 0) {
      if (scan_.high == 0) dc_first(member);
      else reader_.bits(1);
    } else if (scan_.high == 0) {
      ac_first(member, nonzero);
    } else {
      ac_refine(member, nonzero);
    }
  }

 private:
  // Of the bits that a refinement brings later there are fewer than of those that are there.
  void require_range(const JpegScan::Member& member, int k, int size) const {
    const std::int64_t step = member.steps[static_cast<std::size_t>(k)];
    if (size > 0 && step << size << scan_.low > 2 * kMostAtLeast) damaged("a coefficient that no picture has");
  }

  void dc_first(const JpegScan::Member& member) {
    const int size = reader_.symbol(tables_.dc[static_cast<std::size_t>(member.dc_table)]);
    if (size > kMaxDcBits) damaged("a DC difference outside its range");
    int value = reader_.bits(size);
    if (size > 0 && value < 1 << (size - 1)) value += 1 - (1 << size);  // F.2.2.1, EXTEND
    int& predictor = dc_[static_cast<std::size_t>(member.component)];
    predictor += value;
    if (predictor > kMaxDc || predictor < -kMaxDc) damaged("a DC value outside its range");
    require_range(member, 0, std::bit_width(static_cast<unsigned>(std::abs(predictor))));
  }

  // The count of blocks after this one that hold nothing more (G.1.2.2).
  void start_eob_run(int run) { eob_run_ = (1 << run) + reader_.bits(run); }

  void ac_first(const JpegScan::Member& member, std::uint64_t& nonzero) {
    if (eob_run_ > 0) {
      --eob_run_;
      return;
    }
    const HuffmanTable& table = tables_.ac[static_cast<std::size_t>(member.ac_table)];
    for (int k = scan_.first; k <= scan_.last;) {
      const int code = reader_.symbol(table);
      const int run = code >> 4;
      const int size = code & 15;
      if (size == 0 && run < 15) {
        start_eob_run(run);
        --eob_run_;
        return;
      }
      k += run;
      if (size > 0) {
        if (k > scan_.last || size > kMaxAcBits) damaged("a coefficient outside its band or range");
        require_range(member, k, size);
        reader_.bits(size);
        nonzero |= std::uint64_t{1} << k;
      }
      ++k;
    }
  }

  // G.1.2.3: passes over the band; known coefficients take one correction bit each, `skip` unknown ones are passed.
  int pass_over(int k, int skip, std::uint64_t nonzero) {
    for (; k <= scan_.last; ++k) {
      if ((nonzero >> k & 1) != 0) reader_.bits(1);
      else if (--skip < 0) break;
    }
    return k;
  }

  void ac_refine(const JpegScan::Member& member, std::uint64_t& nonzero) {
    const HuffmanTable& table = tables_.ac[static_cast<std::size_t>(member.ac_table)];
    int k = scan_.first;
    while (eob_run_ == 0 && k <= scan_.last) {
      const int code = reader_.symbol(table);
      const int run = code >> 4;
      const int size = code & 15;
      if (size > 1) damaged("a correction of more than one bit");
      if (size == 0 && run < 15) {
        start_eob_run(run);
        break;
      }
      if (size == 1) reader_.bits(1);
      k = pass_over(k, run, nonzero);
      if (size == 1) {
        if (k > scan_.last) damaged("a coefficient outside its band");
        require_range(member, k, 1);
        nonzero |= std::uint64_t{1} << k;
      }
      ++k;
    }
    if (eob_run_ > 0) {
      pass_over(k, 64, nonzero);
      --eob_run_;
    }
  }

  const JpegScan& scan_;
  const JpegTables& tables_;
  BitReader reader_{{}, 0, 0};
  std::array<int, 4> dc_{};
  int eob_run_ = 0;
};

constexpr int kRst0 = 0xD0;

// Walks a scan MCU by MCU across its restart intervals.
class ScanWalk {
 public:
  ScanWalk(Bytes file, std::size_t offset, const JpegScan& scan, const JpegTables& tables)
      : file_(file),
        end_(entropy_segment_end(file, offset)),
        interval_(tables.restart_interval),
        reader_(scan, tables) {
    reader_.restart({file, offset, end_});
  }

  ScanReader& reader() { return reader_; }
  [[nodiscard]] std::size_t end() const { return end_; }

  /// Before each MCU: crosses a restart marker where one is due.
  void next_mcu() {
    if (interval_ != 0 && done_ == interval_) {
      // The decoder stops in silence, leaving the rest grey, unless the marker follows at once.
      if (reader_.reader().unread_bytes() != 0) damaged("bytes left over before a restart marker");
      const JpegMarker marker = read_marker(file_, end_);
      if (marker.code != kRst0 + restarts_ % 8) damaged("a restart marker is missing or out of order");
      ++restarts_;
      done_ = 0;
      end_ = entropy_segment_end(file_, marker.next);
      reader_.restart({file_, marker.next, end_});
    }
    ++done_;
  }

 private:
  Bytes file_;
  std::size_t end_;
  int interval_;
  int done_ = 0;
  int restarts_ = 0;
  ScanReader reader_;
};

void check_tables(const JpegFrame& frame, const JpegScan& scan, const JpegTables& tables) {
  const bool needs_dc = scan.first == 0 && scan.high == 0;
  const bool needs_ac = !frame.progressive || scan.first > 0;
  for (const JpegScan::Member& member : scan.members) {
    const bool missing = (needs_dc && !tables.dc[static_cast<std::size_t>(member.dc_table)].defined()) ||
                         (needs_ac && !tables.ac[static_cast<std::size_t>(member.ac_table)].defined());
    if (missing) refuse("a JPEG scan uses a Huffman table that the file does not define");
  }
}

}  // namespace

std::size_t JpegEntropyCheck::scan(Bytes file, std::size_t offset, const JpegScan& scan, const JpegTables& tables) {
  check_tables(frame_, scan, tables);
  if (frame_.progressive && nonzero_.empty()) {
    for (const JpegComponent& c : frame_.components) {
      nonzero_.emplace_back(static_cast<std::size_t>(c.padded_x) * static_cast<std::size_t>(c.padded_y));
    }
  }
  ScanWalk walk(file, offset, scan, tables);
  const auto block = [&](const JpegScan::Member& member, int x, int y) {
    if (!frame_.progressive) {
      walk.reader().sequential_block(member);
      return;
    }
    const auto component = static_cast<std::size_t>(member.component);
    const auto width = static_cast<std::size_t>(frame_.components[component].padded_x);
    walk.reader().progressive_block(
        member, nonzero_[component][static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x)]);
  };
  const bool alone = scan.members.size() == 1;
  const JpegComponent& only = frame_.components[static_cast<std::size_t>(scan.members.front().component)];
  const int mcus_x = alone ? only.blocks_x : frame_.mcus_x;
  const int mcus_y = alone ? only.blocks_y : frame_.mcus_y;
  for (int y = 0; y < mcus_y; ++y) {
    for (int x = 0; x < mcus_x; ++x) {
      walk.next_mcu();
      if (alone) {
        block(scan.members.front(), x, y);
        continue;
      }
      for (const JpegScan::Member& member : scan.members) {
        const JpegComponent& c = frame_.components[static_cast<std::size_t>(member.component)];
        for (int by = 0; by < c.v; ++by) {
          for (int bx = 0; bx < c.h; ++bx) block(member, x * c.h + bx, y * c.v + by);
        }
      }
    }
  }
  return walk.end();
}

}  // namespace linnet::image
