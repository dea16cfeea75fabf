// The parts of a JPEG file that the fence understands: the frame, its components, its scans.
// Source: ITU-T T.81 (09/92), Annexes A, B, F and G; section numbers in the comments are its.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "image/fence.h"

namespace linnet::image {

struct JpegComponent {
  int id = 0;
  int h = 1;  // sampling factors, 1..4
  int v = 1;
  int quantizer = 0;
  int blocks_x = 0;  // of a scan of this component alone (A.2.2)
  int blocks_y = 0;
  int padded_x = 0;  // of interleaved scans: whole MCUs (A.2.3)
  int padded_y = 0;
};

struct JpegFrame {
  bool progressive = false;
  int width = 0;
  int height = 0;
  int mcus_x = 0;
  int mcus_y = 0;
  std::vector<JpegComponent> components;  // 1 or 3

  [[nodiscard]] std::int64_t padded_blocks() const {
    std::int64_t total = 0;
    for (const JpegComponent& c : components) total += std::int64_t{c.padded_x} * c.padded_y;
    return total;
  }
};

struct JpegScan {
  struct Member {
    int component = 0;  // index into JpegFrame::components
    int dc_table = 0;
    int ac_table = 0;
    std::span<const int> steps;  // of its quantisation table, in zigzag order
  };
  std::vector<Member> members;  // 1..3
  int first = 0;                // spectral selection Ss..Se
  int last = 63;
  int high = 0;  // successive approximation Ah, Al
  int low = 0;
};

/// A Huffman table of DHT, decoded canonically (Annex C and F.2.2.3).
class HuffmanTable {
 public:
  /// `counts`: codes of each length 1..16. Refuses counts that no prefix code has.
  void build(std::span<const int, 16> counts, Bytes symbols);
  [[nodiscard]] bool defined() const { return defined_; }

  struct Code {
    int length = 0;  // 0: no code begins with these bits
    int symbol = 0;
  };
  /// The code at the top of `bits`, of which 16 are looked at.
  [[nodiscard]] Code find(std::uint32_t bits16) const;

 private:
  static constexpr int kFastBits = 9;
  std::array<Code, 1 << kFastBits> fast_{};
  std::array<std::int32_t, 17> end_{};     // first code, left-aligned to 16 bits, that is longer
  std::array<std::int32_t, 17> offset_{};  // index of a code's symbol: (bits >> (16 - length)) + offset
  std::array<std::uint8_t, 256> symbols_{};
  bool defined_ = false;
};

struct JpegTables {
  std::array<HuffmanTable, 4> dc;
  std::array<HuffmanTable, 4> ac;
  int restart_interval = 0;  // MCUs; 0: no restart markers
};

/// Decodes the entropy-coded data of each scan as far as its code lengths: no transform and no pixels, so it takes a fraction of
/// the decoding. It is the only way to know that the data last to the final block: stb_image continues with zeros.
class JpegEntropyCheck {
 public:
  explicit JpegEntropyCheck(const JpegFrame& frame) : frame_(frame) {}

  /// Reads the scan's data from `offset`; returns the offset of the marker that ends them.
  std::size_t scan(Bytes file, std::size_t offset, const JpegScan& scan, const JpegTables& tables);

 private:
  const JpegFrame& frame_;
  std::vector<std::vector<std::uint64_t>> nonzero_;  // progressive: [component][block], one bit a coefficient
};

/// First offset at or after `offset` of an FF that is not FF 00: the end of an entropy-coded segment. The file's size if none.
std::size_t entropy_segment_end(Bytes file, std::size_t offset);
/// The marker at `offset` (an FF, perhaps repeated as fill) and the offset behind it; refuses the end of the file.
struct JpegMarker {
  int code = 0;
  std::size_t next = 0;
};
JpegMarker read_marker(Bytes file, std::size_t offset);

}  // namespace linnet::image
