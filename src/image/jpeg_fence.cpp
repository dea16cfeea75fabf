// The JPEG fence: SOI, every segment's length and content, the scans' script, the entropy-coded data, EOI.
#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "image/jpeg_frame.h"

namespace linnet::image {

namespace {

constexpr int kSof0 = 0xC0, kSof2 = 0xC2, kDht = 0xC4, kSoi = 0xD8, kEoi = 0xD9, kSos = 0xDA, kDqt = 0xDB, kDri = 0xDD;
constexpr int kApp0 = 0xE0, kApp1 = 0xE1, kApp14 = 0xEE, kApp15 = 0xEF, kCom = 0xFE;

// SOF3 to SOF15 and DAC: kinds of JPEG that exist and that nobody's camera writes.
void refuse_kind(int code) {
  const char* kind = nullptr;
  switch (code) {
    case 0xC3: kind = "lossless"; break;
    case 0xC5:
    case 0xC6:
    case 0xC7:
    case 0xDE:
    case 0xDF: kind = "hierarchical"; break;
    case 0xC8: kind = "extension"; break;
    case 0xC9:
    case 0xCA:
    case 0xCB:
    case 0xCC:
    case 0xCD:
    case 0xCE:
    case 0xCF: kind = "arithmetic-coded"; break;
    default: return;
  }
  refuse(std::string("a JPEG of a kind that is not supported: ") + kind,
         {.expected = "baseline or progressive Huffman JPEG"});
}

// A segment's bytes after its length field.
struct Segment {
  int code = 0;
  Bytes data;
  std::size_t next = 0;
};

Segment read_segment(Bytes file, const JpegMarker& marker) {
  const std::size_t left = file.size() - marker.next;
  const std::size_t length = left < 2 ? 0 : static_cast<std::size_t>(be16(file, marker.next));
  if (left < 2 || length > left)
    refuse("the JPEG file is truncated", {.where = at_byte(file.size()), .expected = "the rest of a segment"});
  if (length < 2) refuse("a JPEG segment with an impossible length", {.where = at_byte(marker.next)});
  return {marker.code, file.subspan(marker.next + 2, length - 2), marker.next + length};
}

[[noreturn]] void bad_segment(const char* name) { refuse("a malformed JPEG segment", {.where = name}); }

JpegFrame read_frame(const Segment& segment, const ImageLimits& limits) {
  const Bytes data = segment.data;
  if (data.size() < 6) bad_segment("SOF");
  if (byte_at(data, 0) != 8) {
    refuse("a JPEG of a kind that is not supported: not 8 bits a sample",
           {.found = std::to_string(byte_at(data, 0)) + " bits"});
  }
  JpegFrame frame;
  frame.progressive = segment.code == kSof2;
  frame.height = be16(data, 1);
  frame.width = be16(data, 3);
  check_extent(frame.width, frame.height, limits);
  const int count = byte_at(data, 5);
  if (count == 4)
    refuse("a JPEG with four components (CMYK or YCCK) is not supported: its colours need its ink profile");
  if (count != 1 && count != 3)
    refuse("a JPEG with an unusual number of components", {.expected = "1 or 3", .found = std::to_string(count)});
  if (data.size() != 6 + 3 * static_cast<std::size_t>(count)) bad_segment("SOF");
  int h_max = 1;
  int v_max = 1;
  for (std::size_t i = 6; i < data.size(); i += 3) {
    JpegComponent c;
    c.id = byte_at(data, i);
    c.h = byte_at(data, i + 1) >> 4;
    c.v = byte_at(data, i + 1) & 15;
    c.quantizer = byte_at(data, i + 2);
    if (c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.quantizer > 3) bad_segment("SOF");
    for (const JpegComponent& other : frame.components) {
      if (other.id == c.id) bad_segment("SOF");
    }
    h_max = std::max(h_max, c.h);
    v_max = std::max(v_max, c.v);
    frame.components.push_back(c);
  }
  frame.mcus_x = (frame.width + 8 * h_max - 1) / (8 * h_max);
  frame.mcus_y = (frame.height + 8 * v_max - 1) / (8 * v_max);
  for (JpegComponent& c : frame.components) {
    if (h_max % c.h != 0 || v_max % c.v != 0) refuse("a JPEG with fractional subsampling is not supported");
    c.blocks_x = ((frame.width * c.h + h_max - 1) / h_max + 7) / 8;
    c.blocks_y = ((frame.height * c.v + v_max - 1) / v_max + 7) / 8;
    c.padded_x = frame.mcus_x * c.h;
    c.padded_y = frame.mcus_y * c.v;
  }
  return frame;
}

void read_huffman_tables(Bytes data, JpegTables& tables) {
  std::size_t at = 0;
  while (at < data.size()) {
    if (data.size() - at < 17) bad_segment("DHT");
    const int kind = byte_at(data, at) >> 4;
    const int slot = byte_at(data, at) & 15;
    if (kind > 1 || slot > 3) bad_segment("DHT");
    std::array<int, 16> counts{};
    std::size_t total = 0;
    for (std::size_t i = 0; i < 16; ++i) {
      counts[i] = byte_at(data, at + 1 + i);
      total += static_cast<std::size_t>(counts[i]);
    }
    if (total > 256 || total > data.size() - at - 17) bad_segment("DHT");  // the decoder would write past its table
    auto& table = (kind == 0 ? tables.dc : tables.ac)[static_cast<std::size_t>(slot)];
    table.build(counts, data.subspan(at + 17, total));
    at += 17 + total;
  }
}

JpegScan read_scan(Bytes data, const JpegFrame& frame) {
  if (data.empty()) bad_segment("SOS");
  const auto count = static_cast<std::size_t>(byte_at(data, 0));
  if (count < 1 || count > frame.components.size() || data.size() != 4 + 2 * count) bad_segment("SOS");
  JpegScan scan;
  for (std::size_t i = 0; i < count; ++i) {
    const int id = byte_at(data, 1 + 2 * i);
    const int tables = byte_at(data, 2 + 2 * i);
    const auto found =
        std::find_if(frame.components.begin(), frame.components.end(), [&](const auto& c) { return c.id == id; });
    if (found == frame.components.end() || (tables >> 4) > 3 || (tables & 15) > 3) bad_segment("SOS");
    const int index = static_cast<int>(found - frame.components.begin());
    if (!scan.members.empty() && scan.members.back().component >= index)
      bad_segment("SOS");  // B.2.3: in the frame's order
    scan.members.push_back({index, tables >> 4, tables & 15, {}});
  }
  scan.first = byte_at(data, data.size() - 3);
  scan.last = byte_at(data, data.size() - 2);
  scan.high = byte_at(data, data.size() - 1) >> 4;
  scan.low = byte_at(data, data.size() - 1) & 15;
  if (!frame.progressive) {
    if (scan.first != 0 || scan.high != 0 || scan.low != 0) bad_segment("SOS");
    scan.last = 63;
    return scan;
  }
  // G.1.1.1: DC alone or one component's AC band; each refinement adds one bit.
  const bool band = scan.first == 0 ? scan.last == 0 : scan.first <= scan.last && scan.last <= 63 && count == 1;
  if (!band || scan.low > 13 || (scan.high != 0 && scan.high != scan.low + 1)) bad_segment("SOS");
  return scan;
}

// Which bits of which coefficients the scans have brought: each in its turn and no block missing (G.1.1.1.1).
class ScanScript {
 public:
  explicit ScanScript(const JpegFrame& frame) : low_(frame.components.size()) {
    for (auto& component : low_) component.fill(kNothing);
  }

  void take(const JpegScan& scan) {
    for (const JpegScan::Member& member : scan.members) {
      auto& low = low_[static_cast<std::size_t>(member.component)];
      if (scan.first > 0 && low[0] == kNothing) refuse("a JPEG scan of a component whose DC scan has not come yet");
      for (int k = scan.first; k <= scan.last; ++k) {
        auto& have = low[static_cast<std::size_t>(k)];
        const int expected = scan.high == 0 ? kNothing : scan.high;
        if (have != expected) refuse("a JPEG scan repeats or skips bits of a coefficient");
        have = scan.low;
      }
    }
  }

  // A progressive file may end after any scan. Where the low frequencies are not whole by then, libjpeg smooths what there is and
  // the decoder does not: up to 70 levels apart.
  void finish() const {
    for (const auto& component : low_) {
      if (component[0] == kNothing) refuse("the JPEG file is truncated: a component has no scan");
      if (std::any_of(component.begin() + 1, component.begin() + 1 + kSmoothed, [](int low) { return low != 0; }))
        refuse("a progressive JPEG that ends before its low frequencies are whole");
    }
  }

 private:
  static constexpr int kNothing = -1;
  static constexpr int kSmoothed = 9;     // after DC, by libjpeg-turbo; by libjpeg 6b the first 5 of them
  std::vector<std::array<int, 64>> low_;  // [component][coefficient]: the lowest bit so far
};

bool starts_with(Bytes data, std::string_view text) {
  if (data.size() < text.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (byte_at(data, i) != text[i]) return false;
  }
  return true;
}

// What says whether three components are YCbCr or RGB. libjpeg goes by JFIF, then by Adobe's marker, then by the components' ids,
// as far as they come before the first scan; the decoder by the ids, then by the others, wherever they stand.
class ColorMarkers {
 public:
  void take_jfif(Bytes data) {
    if (!starts_with(data, std::string_view("JFIF\0", 5))) return;
    jfif_of_decoder_ = true;
    jfif_of_libjpeg_ = jfif_of_libjpeg_ || data.size() >= 14;
  }

  void take_adobe(Bytes data) {
    constexpr std::string_view kAdobe("Adobe\0", 6);
    if (data.size() < 12) return;
    if (starts_with(data, kAdobe)) transform_of_decoder_ = byte_at(data, 11);
    if (starts_with(data, kAdobe.substr(0, 5))) transform_of_libjpeg_ = byte_at(data, 11);
  }

  [[nodiscard]] bool libjpeg_takes_rgb(const JpegFrame& frame) const {
    if (jfif_of_libjpeg_) return false;
    return transform_of_libjpeg_ == kNone ? has_rgb_ids(frame) : transform_of_libjpeg_ == 0;
  }
  [[nodiscard]] bool decoder_takes_rgb(const JpegFrame& frame) const {
    return has_rgb_ids(frame) || (transform_of_decoder_ == 0 && !jfif_of_decoder_);
  }

 private:
  static bool has_rgb_ids(const JpegFrame& frame) {
    return std::ranges::equal(frame.components, std::string_view("RGB"), {}, &JpegComponent::id);
  }

  static constexpr int kNone = -1;
  bool jfif_of_libjpeg_ = false;
  bool jfif_of_decoder_ = false;
  int transform_of_libjpeg_ = kNone;
  int transform_of_decoder_ = kNone;
};

// One walk over the file. It runs twice: first only along the markers, to know the sizes and the number of scans; then, when
// those are within the limits, through the entropy-coded data as well.
class Walk {
 public:
  Walk(Bytes file, const ImageLimits& limits, bool check_data)
      : file_(file), limits_(limits), check_data_(check_data) {}

  void run() {
    JpegMarker marker = read_marker(file_, 0);
    if (marker.code != kSoi) refuse("the JPEG file does not begin with SOI");
    std::size_t at = marker.next;
    for (;;) {
      if (!frame_) at = skip_padding(at);
      marker = read_marker(file_, at);
      if (marker.code == kEoi) break;
      at = take(marker);
    }
    if (!frame_) refuse("the JPEG file has no frame (SOF)");
    script_->finish();
    if (frame_->components.size() == 3 && colors_.decoder_takes_rgb(*frame_) != takes_rgb_) {
      refuse(
          "a JPEG whose markers contradict each other about its colours: JFIF says YCbCr, component ids or Adobe's "
          "marker "
          "RGB, or the other way round");
    }
    used_bytes_ = marker.next;
  }

  [[nodiscard]] const JpegFrame& frame() const { return *frame_; }
  [[nodiscard]] std::size_t used_bytes() const { return used_bytes_; }
  [[nodiscard]] int orientation() const { return orientation_; }
  [[nodiscard]] std::int64_t data_bytes() const { return data_bytes_; }

 private:
  // Some writers pad their first segments; the decoder skips that too.
  [[nodiscard]] std::size_t skip_padding(std::size_t at) const {
    while (at < file_.size() && file_[at] != std::byte{0xFF}) ++at;
    return at;
  }

  std::size_t take(const JpegMarker& marker) {
    refuse_kind(marker.code);
    const bool known = (marker.code >= kSof0 && marker.code <= kSof2) || marker.code == kDht || marker.code == kSos ||
                       marker.code == kDqt || marker.code == kDri || (marker.code >= kApp0 && marker.code <= kApp15) ||
                       marker.code == kCom;
    if (!known) {
      refuse("an unknown JPEG marker", {.where = at_byte(marker.next - 1), .found = std::to_string(marker.code)});
    }
    const Segment segment = read_segment(file_, marker);
    if (marker.code <= kSof2) take_frame(segment);
    else if (marker.code == kDht) read_huffman_tables(segment.data, tables_);
    else if (marker.code == kDqt) take_quantizers(segment.data);
    else if (marker.code == kDri) take_restart_interval(segment.data);
    else if (marker.code == kApp0) colors_.take_jfif(segment.data);
    else if (marker.code == kApp1) take_exif(segment.data);
    else if (marker.code == kApp14) colors_.take_adobe(segment.data);
    else if (marker.code == kSos) return take_scan(segment);
    return segment.next;
  }

  void take_frame(const Segment& segment) {
    if (frame_) refuse("a JPEG with a second frame");
    frame_ = read_frame(segment, limits_);
    script_.emplace(*frame_);
    check_.emplace(*frame_);
  }

  void take_quantizers(Bytes data) {
    std::size_t at = 0;
    while (at < data.size()) {
      const int kind = byte_at(data, at) >> 4;
      const int slot = byte_at(data, at) & 15;
      const std::size_t size = kind == 0 ? 65 : 129;
      if (kind > 1 || slot > 3 || size > data.size() - at) bad_segment("DQT");
      Quantizer& quantizer = quantizers_[static_cast<std::size_t>(slot)];
      const std::array<int, 64> before = quantizer.values;
      for (std::size_t i = 0; i < quantizer.values.size(); ++i)
        quantizer.values[i] = kind == 0 ? byte_at(data, at + 1 + i) : be16(data, at + 1 + 2 * i);
      // G.1.1: a component has one table for all of its scans. libjpeg keeps the first, the decoder would use the last.
      if (quantizer.used && frame_->progressive && quantizer.values != before)
        refuse("a progressive JPEG with another quantisation table in the place of one that a scan has used");
      quantizer.defined = true;
      at += size;
    }
  }

  void take_restart_interval(Bytes data) {
    if (data.size() != 2) bad_segment("DRI");
    tables_.restart_interval = be16(data, 0);
  }

  void take_exif(Bytes data) {
    constexpr std::string_view kExif("Exif\0\0", 6);
    if (exif_seen_ || !starts_with(data, kExif)) return;
    exif_seen_ = true;  // what does not fit one segment goes on in others that begin alike
    orientation_ = exif_orientation(data.subspan(kExif.size()));
  }

  std::size_t take_scan(const Segment& segment) {
    if (!frame_) refuse("a JPEG scan before the frame");
    if (scans_ == 0) takes_rgb_ = colors_.libjpeg_takes_rgb(*frame_);
    if (++scans_ > limits_.max_scans) {
      throw Error(ErrorCode::limit, "the JPEG file has more scans than ImageLimits::max_scans",
                  {.expected = "at most " + std::to_string(limits_.max_scans)});
    }
    JpegScan scan = read_scan(segment.data, *frame_);
    script_->take(scan);
    for (JpegScan::Member& member : scan.members) {
      const int slot = frame_->components[static_cast<std::size_t>(member.component)].quantizer;
      Quantizer& quantizer = quantizers_[static_cast<std::size_t>(slot)];
      if (!quantizer.defined) refuse("a JPEG scan uses a quantisation table that the file does not define");
      quantizer.used = true;
      member.steps = quantizer.values;
    }
    if (check_data_) return check_->scan(file_, segment.next, scan, tables_);
    const std::size_t end = skip_data(segment.next);
    data_bytes_ += static_cast<std::int64_t>(end - segment.next);
    return end;
  }

  // Past the scan's data and restart markers.
  [[nodiscard]] std::size_t skip_data(std::size_t at) const {
    for (;;) {
      at = entropy_segment_end(file_, at);
      const JpegMarker marker = read_marker(file_, at);
      if (marker.code < 0xD0 || marker.code > 0xD7) return at;
      at = marker.next;
    }
  }

  Bytes file_;
  const ImageLimits& limits_;
  bool check_data_;
  std::optional<JpegFrame> frame_;
  std::optional<ScanScript> script_;
  std::optional<JpegEntropyCheck> check_;
  JpegTables tables_;
  struct Quantizer {
    std::array<int, 64> values{};
    bool defined = false;
    bool used = false;  // by a scan
  };
  std::array<Quantizer, 4> quantizers_;
  ColorMarkers colors_;
  bool exif_seen_ = false;
  bool takes_rgb_ = false;  // libjpeg, which decides before the first scan
  std::size_t used_bytes_ = 0;
  std::int64_t data_bytes_ = 0;
  int orientation_ = 1;
  int scans_ = 0;
};

// stb_image holds the planes in whole MCUs, a progressive file's coefficients as 16-bit numbers, and the pixels.
std::int64_t decoder_bytes(const JpegFrame& frame) {
  const std::int64_t plane_bytes = 64 * frame.padded_blocks() * (frame.progressive ? 3 : 1);
  const std::int64_t history_bytes = frame.progressive ? 8 * frame.padded_blocks() : 0;
  const std::int64_t pixel_bytes =
      std::int64_t{frame.width} * frame.height * static_cast<std::int64_t>(frame.components.size());
  return plane_bytes + history_bytes + pixel_bytes + kDecoderSlack;
}

}  // namespace

Inspected inspect_jpeg(Bytes file, const ImageLimits& limits) {
  Walk markers(file, limits, false);
  markers.run();
  const JpegFrame& frame = markers.frame();
  Inspected picture;
  picture.format = ImageFormat::jpeg;
  picture.width = frame.width;
  picture.height = frame.height;
  picture.channels = static_cast<int>(frame.components.size());
  picture.file_channels = picture.channels;
  picture.file_bit_depth = 8;
  picture.exif_orientation = markers.orientation();
  picture.decoder_bytes = decoder_bytes(frame);
  check_memory(picture, limits);
  // Every block takes at least one bit, so a big frame with few data is refused before anything is allocated for it.
  std::int64_t blocks = 0;
  for (const JpegComponent& c : frame.components) blocks += std::int64_t{c.blocks_x} * c.blocks_y;
  if (8 * markers.data_bytes() < blocks) {
    refuse("the JPEG file is truncated or damaged: its data are too short for the picture",
           {.expected = "at least " + std::to_string(blocks / 8) + " bytes",
            .found = std::to_string(markers.data_bytes())});
  }
  Walk data(file, limits, true);
  data.run();
  picture.used_bytes = data.used_bytes();
  return picture;
}

}  // namespace linnet::image
