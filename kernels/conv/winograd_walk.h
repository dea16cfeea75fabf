// Going through a group of Winograd's tiles.
#pragma once

#include "kernels/conv/winograd.h"

namespace linnet::kernels::LINNET_ISA {

/// Goes from tile to tile of a group and knows its place in V and M.
class WinogradWalk {
 public:
  [[gnu::always_inline]] WinogradWalk(Winograd form, const WinogradTiles& tiles, int first, int last)
      : m_(winograd_edge(form).outputs), tiles_(tiles), count_(last - first) {
    const int of_image = tiles.rows * tiles.columns;
    image_ = first / of_image;
    row_ = first % of_image / tiles.columns;
    column_ = first % tiles.columns;
    const WinogradTileCounts before = winograd_tiles_before(form, tiles, first);
    const WinogradTileCounts behind = winograd_tiles_before(form, tiles, last);
    for (int kind = 0; kind < kTileKinds; ++kind) first_[kind + 1] = first_[kind] + behind.of[kind] - before.of[kind];
    for (int kind = 0; kind < kTileKinds; ++kind) next_[kind] = first_[kind];
  }

  /// Places [first, last) hold the tiles that have a point; `row_kept`: low tiles have its row, `column_kept`: narrow ones its
  /// column.
  [[nodiscard, gnu::always_inline]] int first_with(bool column_kept) const {
    return first_[column_kept ? kTileNarrow : kTileWhole];
  }
  [[nodiscard, gnu::always_inline]] int last_with(bool row_kept, bool column_kept) const {
    return first_[row_kept ? (column_kept ? kTileKinds : kTileCorner) : kTileLow];
  }

  [[nodiscard, gnu::always_inline]] int tiles() const { return count_; }
  [[nodiscard, gnu::always_inline]] int image() const { return image_; }
  [[nodiscard, gnu::always_inline]] int row() const { return row_; }
  [[nodiscard, gnu::always_inline]] int column() const { return column_; }
  [[nodiscard, gnu::always_inline]] int height() const { return row_ + 1 == tiles_.rows ? tiles_.last_height : m_; }
  [[nodiscard, gnu::always_inline]] int width() const { return column_ + 1 == tiles_.columns ? tiles_.last_width : m_; }
  [[nodiscard, gnu::always_inline]] int place() const { return next_[kind()]; }

  [[gnu::always_inline]] void next() {
    ++next_[kind()];
    if (++column_ < tiles_.columns) return;
    column_ = 0;
    if (++row_ < tiles_.rows) return;
    row_ = 0;
    ++image_;
  }

 private:
  [[nodiscard, gnu::always_inline]] int kind() const {
    const bool low = height() < m_, narrow = width() < m_;
    return low ? (narrow ? kTileCorner : kTileLow) : (narrow ? kTileNarrow : kTileWhole);
  }

  int m_;
  WinogradTiles tiles_;
  int count_, image_, row_, column_;
  int first_[kTileKinds + 1] = {};
  int next_[kTileKinds];
};

}  // namespace linnet::kernels::LINNET_ISA
