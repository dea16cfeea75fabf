// Winograd convolution: where its filters lie, and who computes which tiles.
#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <string>

#include "base/checked_math.h"
#include "ops/blocked.h"
#include "ops/conv.h"
#include "ops/partition.h"
#include "ops/winograd_filters.h"

namespace linnet::ops {

namespace {

constexpr std::int64_t kLeastSmallEdge = 4,
                       kLeastEdge = 12;  // of an output: on smaller ones tiles of 3 and 4 stick out too far
// Fewer tiles than that a thread, and it would read all filters for hardly more than a register tile.
constexpr std::int64_t kLeastTilesAThread = 8;
constexpr std::int64_t kMostPhaseWidth =
    8192;  // of an output: the phases of fewer rows than serve are in each thread's scratch
// Of stride 2: a tile has 25 points where the sums themselves take 36 products, and a transform of 25 points for each channel.
constexpr std::int64_t kLeastStride2Channels = 64;
// Filters, input by output channels, that come from memory, whatever the transform.
constexpr std::int64_t kLeastFarFilters = 1 << 16;
constexpr std::int64_t kMostFarEdge =
    20;  // of an output: on larger ones each filter meets so many tiles that memory keeps up
constexpr std::int64_t kResidentFilters =
    1 << 20;  // bytes of filters that stay in L2 from one group of tiles to the next
constexpr std::int64_t kTransformedBytes =
    384 * 1024;  // of one group of tiles and its products beside resident filters: stay in L2
constexpr std::int64_t kStreamedForBytes =
    2400 * 1024;  // the same where filters come from afar once a group: few groups count more
constexpr std::int64_t kPhaseBytes = 192 * 1024;  // of the phases of a strip of the picture: stay in L2
constexpr std::int64_t kLeastStrip = 3;  // rows of tiles, as neighbouring strips read some rows of the picture twice
constexpr std::int64_t kSplitPanelsBytes = 1 << 20;  // of one group of tiles where threads split the panels
// Where all tiles stay in L2, while the filters do not, threads split the panels: each then reads its share of the filters only.
constexpr std::int64_t kAllTilesBytes = 1280 * 1024;

constexpr std::int64_t square(std::int64_t edge) { return edge * edge; }

struct WinogradConv {
  const kernels::Table* table = nullptr;
  ConvProblem problem;
  BlockedOperands operands;
  WeightStore::Buffer weights, bias;
  WinogradForm form;
  // What the input transform reads: the operator's input, or its four phases, of which a thread's scratch holds a strip of rows.
  Placement from;
  std::int64_t top = 0, left = 0;  // padding before `from`'s first pixel
  std::vector<std::ptrdiff_t> taps;
  std::int64_t channels = 0;  // that are summed over, padding to whole blocks included where it is read
  std::int64_t in_blocks = 0, out_blocks = 0;
  kernels::WinogradTiles tiles;
  std::int64_t group = 0;  // tiles transformed at a time
  std::int64_t strip = 0;  // rows of tiles whose phases are at hand
  std::ptrdiff_t v_xi = 0, v_block = 0;
  bool shared_input = false, weights_past_l3 = false;
  PlannedGrid grid;

  [[nodiscard]] std::int64_t points() const { return square(form.edge().points); }
  [[nodiscard]] std::int64_t filters() const {
    return std::int64_t{form.edge().filter_rows} * form.edge().filter_columns;
  }
  [[nodiscard]] std::int64_t image_tiles() const { return std::int64_t{tiles.rows} * tiles.columns; }
  [[nodiscard]] std::int64_t panels() const { return base::ceil_div(out_blocks * kBlock, table->tile.channels); }
  [[nodiscard]] std::int64_t all_tiles() const { return image_tiles() * problem.images; }
  /// Filters that stay in L2 from one group of tiles to the next, so that groups may be small.
  [[nodiscard]] bool resident() const { return static_cast<std::int64_t>(weights->bytes()) <= kResidentFilters; }
  [[nodiscard]] std::int64_t v_floats() const { return points() * v_xi; }
  [[nodiscard]] std::int64_t m_floats() const {
    const std::int64_t expanded = std::min<std::int64_t>(in_blocks * kBlock, kernels::kWinogradExpandedChannels);
    return points() * (group * kernels::winograd_channels(form.kernel) + kBlock) +
           (kernels::winograd_stores_points(form.kernel) ? 0 : form.edge().points * expanded * kBlock);
  }
  [[nodiscard]] std::int64_t strip_rows() const { return form.phases ? rows_read({0, strip}).count() : 0; }
  /// Rows of `from`, of one image, from which these rows of tiles are made.
  [[nodiscard]] Range rows_read(Range tile_rows) const {
    const std::int64_t m = form.edge().outputs;
    return {tile_rows.first * m, std::min(from.shape[2], tile_rows.last * m + form.edge().taps - 1)};
  }

  void pack(PlanContext& context);
  [[nodiscard]] std::int64_t line_of(std::int64_t i, std::int64_t c, std::int64_t first, std::int64_t width) const;
  [[nodiscard]] double filter_tap(const ConvFilter& filter, std::int64_t out, std::int64_t c, int tap) const;
  // Ranges of tiles count on from image to image.
  void split_phases(const RunArgs& args, std::int64_t image, Range rows, float* to) const;
  void transform_input(const float* first_pixel, float* v, Range tile_range) const;
  void multiply(const RunArgs& args, const kernels::BlockedTarget& out, const float* v, float* scratch,
                Range tile_range, Range panel_range) const;
  void activate(const kernels::BlockedTarget& out, Range tile_range, Range panel_range) const;
  [[nodiscard]] std::int64_t work_before(std::int64_t t) const;
  [[nodiscard]] Range share(int parts, int part) const;
  [[nodiscard]] Part part(int thread, int threads) const;
  [[nodiscard]] double load(int thread, int threads) const;
  void run_tiles(const RunArgs& args, const kernels::BlockedTarget& out, Range tile_range, Range panel_range) const;
  void run_groups(const RunArgs& args, const kernels::BlockedTarget& out, const float* first_pixel, Range tile_range,
                  Range panel_range) const;
  void plan_blocking(PlanContext& context);
  [[nodiscard]] GridCost cost() const;
};

/// One panel, in the form's order. Writes every float.
void pack_panel(const ConvFilter& filter, const WinogradConv& d, std::int64_t panel, float* to) {
  const std::int64_t first = panel * d.table->tile.channels;
  const std::int64_t width = std::min<std::int64_t>(d.table->tile.channels, d.out_blocks * kBlock - first);
  // Channels outermost: the lanes of one channel fill whole lines of each point before the next channel is begun.
  for (std::int64_t c = 0; c < d.channels; ++c) {
    for (std::int64_t block = 0; block < width; block += kBlock) {
      FilterLanes g[kMostWinogradTaps * kMostWinogradTaps], u[kMostWinogradFilters * kMostWinogradFilters];
      for (std::int64_t lane = 0; lane < kBlock; ++lane) {
        const std::int64_t out = first + block + lane;
        for (int tap = 0; tap < square(d.form.edge().taps); ++tap)
          g[tap][static_cast<std::size_t>(lane)] = d.filter_tap(filter, out, c, tap);
      }
      transform_winograd_filters(d.form.kernel, g, u);
      for (std::int64_t i = 0; i < d.filters(); ++i) {
        float* const line = to + d.line_of(i, c, block, width);
        for (std::size_t lane = 0; lane < kBlock; ++lane) line[lane] = static_cast<float>(u[i][lane]);
      }
    }
  }
}

/// Where number `i` of the filters of channel `c` lies in a panel of `width` outputs, those of 16 from `first` on.
std::int64_t WinogradConv::line_of(std::int64_t i, std::int64_t c, std::int64_t first, std::int64_t width) const {
  const std::int64_t columns = form.edge().filter_columns, block = first / kBlock;
  if (kernels::winograd_stores_points(form.kernel)) return (i * channels + c) * width + first;
  if (form.kernel == kernels::Winograd::f4x4_3x3_taps) return ((block * channels + c) * filters() + i) * kBlock;
  return (((block * form.edge().filter_rows + i / columns) * channels + c) * columns + i % columns) * kBlock;
}

/// Tap `tap` of the form from summed channel `c` to output `out`; zero in the padding of either.
double WinogradConv::filter_tap(const ConvFilter& filter, std::int64_t out, std::int64_t c, int tap) const {
  if (out >= problem.out_channels) return 0;
  if (!form.phases) return c < problem.in_channels ? filter.exact(out, c, tap) : 0.0;
  const int edge_taps = form.edge().taps;
  const std::int64_t y = tap / edge_taps * 2 + c % 4 / 2, x = tap % edge_taps * 2 + c % 2;
  const std::vector<std::int64_t>& kernel = problem.window.kernel;
  return y < kernel[0] && x < kernel[1] ? filter.exact(out, c / 4, y * kernel[1] + x) : 0.0;
}

void WinogradConv::pack(PlanContext& context) {
  const std::int64_t floats = base::checked_mul(filters() * channels, out_blocks * kBlock, "transformed filters");
  const std::size_t bytes = base::to_size(base::checked_mul(floats, 4, "transformed filters"), "transformed filters");
  const auto fill = [&](std::byte* to) {
    const ConvFilter filter(context);
    const std::int64_t panel_floats = filters() * channels * table->tile.channels;
    context.parallel_for(panels(), [&](std::int64_t panel) {
      pack_panel(filter, *this, panel, reinterpret_cast<float*>(to) + panel * panel_floats);
    });
  };
  weights = context.pack({kConvW, kConvScale}, form.name(), bytes, fill, base::AlignedBuffer::Fill::none);
  bias = pack_conv_bias(context, problem.out_channels);
  context.step().weight_bytes = weights->bytes() + bias->bytes();
}

/// Of tiles of all channels. `first_pixel`: of `from`, of the first image that the tiles count.
void WinogradConv::transform_input(const float* first_pixel, float* v, Range tile_range) const {
  kernels::WinogradInputArguments a{};
  a.form = form.kernel;
  a.in_row = from.row_stride;
  a.in_plane = from.plane_stride;
  if (!form.phases) a.in_image = from.image_stride;  // of phases there is one image at a time
  a.input = first_pixel - top * from.row_stride - left * kBlock;
  // The halo counts as readable: it holds the zeros of the padding.
  a.first_row = static_cast<int>(std::max<std::int64_t>(0, top - from.halo.top));
  a.first_column = static_cast<int>(std::max<std::int64_t>(0, left - from.halo.left));
  a.valid_rows = static_cast<int>(top + from.shape[2] + from.halo.bottom);
  a.valid_columns = static_cast<int>(left + from.shape[3] + from.halo.right);
  a.tiles = tiles;
  a.tile_first = static_cast<int>(tile_range.first);
  a.tile_last = static_cast<int>(tile_range.last);
  a.blocks = static_cast<int>(in_blocks);
  a.shared_input = shared_input;
  a.v = v;
  a.v_xi = v_xi;
  a.v_block = v_block;
  table->winograd_input(a);
}

void WinogradConv::multiply(const RunArgs& args, const kernels::BlockedTarget& out, const float* v, float* scratch,
                            Range tile_range, Range panel_range) const {
  kernels::WinogradOutputArguments a{};
  a.weights_past_l3 = weights_past_l3;
  a.form = form.kernel;
  a.v = v;
  a.v_xi = v_xi;
  a.v_block = v_block;
  a.tiles = tiles;
  a.tile_first = static_cast<int>(tile_range.first);
  a.tile_last = static_cast<int>(tile_range.last);
  a.taps = taps.data();
  a.in_blocks = static_cast<int>(channels / kBlock);
  a.in_tail = static_cast<int>(channels % kBlock);
  a.weights = weights->as<float>();
  a.bias = bias->as<float>();
  a.output = out.data;
  a.out_row = out.row;
  a.out_plane = out.plane;
  a.out_image = out.image;
  if (operands.has_residual) {
    a.residual = operands.residual_data(args);
    a.residual_row = operands.residual.row_stride;
    a.residual_plane = operands.residual.plane_stride;
    a.residual_image = operands.residual.image_stride;
  }
  a.lo = problem.lo;
  a.hi = problem.hi;
  a.out_blocks = static_cast<int>(out_blocks);
  a.panel_first = static_cast<int>(panel_range.first);
  a.panel_last = static_cast<int>(panel_range.last);
  a.scratch = scratch;
  table->winograd_output(a);
  activate(out, tile_range, panel_range);
}

/// An activation that is no clamp, over the tiles just written.
void WinogradConv::activate(const kernels::BlockedTarget& out, Range tile_range, Range panel_range) const {
  const std::int64_t vectors = table->tile.channels / kBlock, first_block = panel_range.first * vectors;
  const std::int64_t blocks = std::min(panel_range.last * vectors, out_blocks) - first_block;
  const std::int64_t m = form.edge().outputs;
  for (std::int64_t tile = tile_range.first; tile < tile_range.last;) {
    const std::int64_t row = tile / tiles.columns, end = std::min(tile_range.last, (row + 1) * tiles.columns);
    const std::int64_t image = row / tiles.rows, y = row % tiles.rows * m, x = tile % tiles.columns * m;
    const std::int64_t height = std::min(m, problem.out_extent[0] - y);
    const std::int64_t width = std::min((end - row * tiles.columns) * m, problem.out_extent[1]) - x;
    float* const first = out.data + image * out.image + first_block * out.plane + y * out.row + x * kBlock;
    apply_late_activation(problem, *table, {first, out.image, out.plane, out.row}, blocks, height, width);
    tile = end;
  }
}

/// What the tiles before tile `t` are to multiply, in points.
std::int64_t WinogradConv::work_before(std::int64_t t) const {
  const kernels::WinogradTileCounts before = kernels::winograd_tiles_before(form.kernel, tiles, static_cast<int>(t));
  const auto points_of = [&](int outputs) { return std::popcount(kernels::winograd_points(form.kernel, outputs)); };
  const std::int64_t whole = form.edge().points, low = points_of(tiles.last_height),
                     narrow = points_of(tiles.last_width);
  return whole * narrow * before.of[kernels::kTileNarrow] + whole * whole * before.of[kernels::kTileWhole] +
         low * whole * before.of[kernels::kTileLow] + low * narrow * before.of[kernels::kTileCorner];
}

/// One of so many parts of all tiles.
Range WinogradConv::share(int parts, int part) const {
  const std::int64_t work = work_before(all_tiles());
  const auto bound = [&](std::int64_t parts_before) {  // the first tile that ends beyond them
    std::int64_t low = 0, high = all_tiles();
    while (low < high) {
      const std::int64_t middle = low + (high - low) / 2;
      const bool enough = work_before(middle) * parts >= work * parts_before;
      (enough ? high : low) = enough ? middle : middle + 1;
    }
    return low;
  };
  return {bound(part), bound(part + 1)};
}

/// A thread's tiles and panels.
Part WinogradConv::part(int thread, int threads) const {
  const Grid parts = grid.of(threads);
  const Range my_panels = part_of(parts, 1, panels(), thread).panels;
  if (my_panels.count() == 0) return {};
  return {share(parts.pixel_parts, thread / parts.panel_parts), my_panels};
}

/// Products, and the transform of the input, which each thread does for all of its tiles, however few of the panels are its own.
double WinogradConv::load(int thread, int threads) const {
  const Part mine = part(thread, threads);
  const std::int64_t work = work_before(mine.pixels.last) - work_before(mine.pixels.first);
  const std::int64_t made_bytes = points() * in_blocks * kBlock * mine.pixels.count() * 4;
  return static_cast<double>(work * channels * mine.panels.count()) + static_cast<double>(made_bytes) / kBytesPerCycle;
}

/// Rows of image `image` of the plain input as those of a blocked one of half its height and width, whose channel 4 c + 2 y + x
/// holds the pixels of channel c in even or odd rows (y) and columns (x), counted from the padding on: stride 2 becomes stride 1.
void WinogradConv::split_phases(const RunArgs& args, std::int64_t image, Range rows, float* to) const {
  const std::int64_t height = problem.in_extent[0], width = problem.in_extent[1];
  const std::int64_t pad_top = problem.window.pads_begin[0], pad_left = problem.window.pads_begin[1];
  const float* const planes = args.in<float>(kConvX) + image * problem.in_channels * height * width;
  // Columns whose both phases lie inside the picture; the few beside them go pixel by pixel.
  const std::int64_t inner_first = std::min((pad_left + 1) / 2, from.shape[3]);
  const std::int64_t inner_last = std::clamp((width + pad_left) / 2, inner_first, from.shape[3]);
  for (std::int64_t y = rows.first; y < rows.last; ++y) {
    float* const row = to + (y - rows.first) * from.row_stride;
    std::fill_n(row, from.row_stride, 0.0f);
    for (std::int64_t k = 0; k < channels; k += 2) {
      const std::int64_t source_y = 2 * y + k / 2 % 2 - pad_top;
      if (source_y < 0 || source_y >= height) continue;
      const float* const source = planes + (k / 4 * height + source_y) * width - pad_left;
      if (source_y + 2 < height) {  // the picture comes from memory: its next row is on the way while this one is split
        for (std::int64_t x = 0; x < width; x += kBlock) __builtin_prefetch(source + pad_left + 2 * width + x);
      }
      const auto edge = [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t x = first; x < last; ++x) {
          for (std::int64_t odd = 0; odd < 2; ++odd) {
            if (2 * x + odd >= pad_left && 2 * x + odd < pad_left + width)
              row[x * kBlock + k + odd] = source[2 * x + odd];
          }
        }
      };
      edge(0, inner_first);
      for (std::int64_t x = inner_first; x < inner_last; ++x)
        std::memcpy(row + x * kBlock + k, source + 2 * x, 2 * sizeof(float));
      edge(inner_last, from.shape[3]);
    }
  }
}

/// Tiles, from input to output without a barrier. Threads that split the panels each transform the same input: a core that shared
/// it would read what another has just written, which takes as long, and several times as long where the two have no cache in common.
void WinogradConv::run_groups(const RunArgs& args, const kernels::BlockedTarget& out, const float* first_pixel,
                              Range tile_range, Range panel_range) const {
  float* const v = reinterpret_cast<float*>(args.thread_scratch);
  for (std::int64_t first = tile_range.first; first < tile_range.last;) {
    const std::int64_t rest = tile_range.last - first;
    const Range here = {first, first + base::ceil_div(rest, base::ceil_div(rest, group))};  // in balanced groups
    transform_input(first_pixel, v, here);
    multiply(args, out, v, v + v_floats(), here, panel_range);
    first = here.last;
  }
}

void WinogradConv::run_tiles(const RunArgs& args, const kernels::BlockedTarget& out, Range tile_range,
                             Range panel_range) const {
  if (!form.phases) return run_groups(args, out, args.in<float>(kConvX) + from.origin, tile_range, panel_range);
  float* const phases = reinterpret_cast<float*>(args.thread_scratch) + v_floats() + m_floats();
  for (std::int64_t first = tile_range.first; first < tile_range.last;) {
    const std::int64_t image = first / image_tiles(), row = first % image_tiles() / tiles.columns;
    const std::int64_t last_row = std::min<std::int64_t>(row + strip, tiles.rows);
    const std::int64_t last = std::min(tile_range.last, image * image_tiles() + last_row * tiles.columns);
    const std::int64_t end_row = base::ceil_div(last - image * image_tiles(), std::int64_t{tiles.columns});
    const Range rows = rows_read({row, end_row});
    split_phases(args, image, rows, phases);
    run_groups(args, out, phases - rows.first * from.row_stride, {first, last}, panel_range);
    first = last;
  }
}

GridCost WinogradConv::cost() const {
  GridCost cost;
  cost.pixel_units = all_tiles();  // share() cuts between any two
  cost.panels = panels();
  cost.unit_cycles = static_cast<double>(points() * channels);
  cost.weight_bytes = static_cast<double>(weights->bytes());
  cost.input_bytes = static_cast<double>(operands.in.bytes);
  cost.made_bytes = static_cast<double>(points() * in_blocks * kBlock * all_tiles() * 4);
  cost.output_bytes = static_cast<double>(operands.out.bytes);
  return cost;
}

/// Whether threads split the panels or only the tiles, and how many tiles are transformed at a time, as the sizes of the caches
/// suggest, where tuning has not found better.
void WinogradConv::plan_blocking(PlanContext& context) {
  Step& step = context.step();
  const Blocking tuned = context.tuned_blocking(tuning_shape(problem, step.algorithm, operands.has_residual));
  const int threads = context.options().threads;
  const bool streamed = !resident() && points() * in_blocks * kBlock * all_tiles() * 4 <= kAllTilesBytes;
  const bool split_panels = streamed || all_tiles() < threads * kLeastTilesAThread;
  grid = PlannedGrid(cost(), threads, tuned.panel_parts > 0 ? tuned.panel_parts : (split_panels ? 0 : 1));
  const Grid parts = grid.of(threads);
  const std::int64_t floats =
      in_blocks * kBlock + (parts.panel_parts > 1 ? 0 : kernels::winograd_channels(form.kernel));
  const std::int64_t bytes =
      parts.panel_parts > 1 ? kSplitPanelsBytes : (resident() ? kTransformedBytes : kStreamedForBytes);
  const std::int64_t in_cache = std::max<std::int64_t>(8, bytes / (points() * floats * 4));
  // A group's transformed input is scratch: a file must not make it as large as it likes.
  constexpr std::int64_t kMostTuned = 16;
  const std::int64_t most = tuned.tiles > 0 ? std::min<std::int64_t>(tuned.tiles, kMostTuned * in_cache) : in_cache;
  const std::int64_t part = std::max<std::int64_t>(1, base::ceil_div(all_tiles(), std::int64_t{parts.pixel_parts}));
  group = base::ceil_div(part, base::ceil_div(part, most));
  if (form.phases) {
    if (const std::int64_t rows = most * 5 / 4 / tiles.columns; rows > 0) group = rows * tiles.columns;
    const std::int64_t tile_row_bytes = form.edge().outputs * from.row_stride * 4;
    strip = std::min<std::int64_t>(std::max(kPhaseBytes / tile_row_bytes, kLeastStrip), tiles.rows);
  }
  step.blocking.tiles = static_cast<std::int32_t>(group);
  step.blocking.panel_parts = parts.panel_parts;
  shared_input = parts.panel_parts > 1;
}

}  // namespace

std::string WinogradForm::name() const {
  const auto squared = [](int length) { return std::to_string(length) + 'x' + std::to_string(length); };
  const bool stride2 = kernel == kernels::Winograd::f2x2_3x3_stride2;
  const bool taps = kernel == kernels::Winograd::f4x4_3x3_taps, rows = kernel == kernels::Winograd::f4x4_3x3_rows;
  return "winograd_f" + squared(edge().outputs) + '_' + squared(edge().taps) + (stride2 ? "_stride2" : "") +
         (taps ? "_taps" : "") + (rows ? "_rows" : "") + (phases ? "_phases" : "");
}

std::optional<WinogradForm> winograd_form(const ConvProblem& p, bool plain_input) {
  using kernels::Winograd;
  const Window& w = p.window;
  if (w.kernel.size() != 2 || w.dilations[0] != 1 || w.dilations[1] != 1 || p.groups != 1) return {};
  const auto both = [](const std::vector<std::int64_t>& extents, std::int64_t extent) {
    return extents[0] == extent && extents[1] == extent;
  };
  const std::int64_t edge = std::min(p.out_extent[0], p.out_extent[1]);
  if (plain_input) {
    const std::int64_t taps = base::ceil_div(w.kernel[0], 2);
    const bool fits = both(w.strides, 2) && base::ceil_div(w.kernel[1], 2) == taps && (taps == 3 || taps == 4) &&
                      4 * p.in_channels <= kBlock && p.out_channels >= 2 * kBlock && edge >= kLeastEdge &&
                      p.out_extent[1] <= kMostPhaseWidth;
    if (!fits) return {};
    return WinogradForm{taps == 4 ? Winograd::f3x3_4x4 : Winograd::f4x4_3x3, true};
  }
  // With few channels the transforms, whose cost grows with the channels only once, outweigh the products saved.
  if (!both(w.kernel, 3) || p.in_channels < kBlock || edge < kLeastSmallEdge) return {};
  if (both(w.strides, 2) && std::min(p.in_channels, p.out_channels) >= kLeastStride2Channels)
    return WinogradForm{Winograd::f2x2_3x3_stride2};
  if (!both(w.strides, 1)) return {};
  const bool far = p.in_channels * p.out_channels >= kLeastFarFilters;
  if (edge >= kLeastEdge)
    return WinogradForm{far && edge <= kMostFarEdge ? Winograd::f4x4_3x3_rows : Winograd::f4x4_3x3};
  return WinogradForm{far ? Winograd::f4x4_3x3_taps : Winograd::f2x2_3x3};
}

void plan_conv_winograd(PlanContext& c, const ConvProblem& problem, const WinogradForm& form) {
  auto d = std::make_shared<WinogradConv>();
  d->table = &c.kernels();
  d->weights_past_l3 = c.options().weights_past_l3;
  d->problem = problem;
  d->operands = blocked_operands(c);
  d->form = form;
  d->channels = form.phases ? 4 * problem.in_channels : base::round_up(problem.in_channels, kBlock);
  d->in_blocks = base::ceil_div(d->channels, kBlock);
  d->out_blocks = base::ceil_div(problem.out_channels, kBlock);
  const kernels::WinogradEdge edge = form.edge();
  const auto tiles_of = [&](std::int64_t extent) {
    return static_cast<int>(base::ceil_div(extent, std::int64_t{edge.outputs}));
  };
  d->tiles.rows = tiles_of(problem.out_extent[0]);
  d->tiles.columns = tiles_of(problem.out_extent[1]);
  d->tiles.last_height = static_cast<int>(problem.out_extent[0]) - (d->tiles.rows - 1) * edge.outputs;
  d->tiles.last_width = static_cast<int>(problem.out_extent[1]) - (d->tiles.columns - 1) * edge.outputs;
  if (form.phases) {
    const std::int64_t beyond = edge.taps - 1;  // what the last tile reads past its outputs
    d->from = place(DataType::float32, {1, kBlock, problem.out_extent[0] + beyond, problem.out_extent[1] + beyond},
                    graph::Layout::nchw16c);
  } else {
    d->from = d->operands.in;
    d->top = problem.window.pads_begin[0];
    d->left = problem.window.pads_begin[1];
  }
  Step& step = c.step();
  step.algorithm = form.name();
  step.kernel = tile_label(c);
  d->pack(c);
  d->plan_blocking(c);
  d->v_block = d->group * kBlock;
  d->v_xi = d->in_blocks * d->v_block +
            kBlock;  // an odd number of lines, so that the points of a tile fall into different cache sets
  for (std::int64_t b = 0; b < d->in_blocks; ++b) d->taps.push_back(b * d->v_block);
  finish_blocked(c, d->operands);
  const auto bytes = [](std::int64_t floats) {
    return base::to_size(base::checked_mul(floats, 4, "scratch"), "scratch");
  };
  step.thread_scratch_bytes = bytes(d->m_floats() + d->v_floats() + d->strip_rows() * d->from.row_stride);
  step.run = [d](const RunArgs& args) {
    const Part mine = d->part(args.thread, args.threads);
    d->run_tiles(args, target_view(d->operands.out, args.out<float>(0)), mine.pixels, mine.panels);
  };
  if (d->resident() && !d->operands.has_residual) {
    step.rows_written = {d->form.edge().outputs,
                         [d](const RunArgs& args, std::int64_t image, Range rows, const kernels::BlockedTarget& to) {
                           const std::int64_t m = d->form.edge().outputs, before = image * d->image_tiles();
                           d->run_tiles(args, to,
                                        {before + rows.first / m * d->tiles.columns,
                                         before + base::ceil_div(rows.last, m) * d->tiles.columns},
                                        {0, d->panels()});
                         }};
  }
  step.load = [d](int thread, int threads) { return d->load(thread, threads); };
}

}  // namespace linnet::ops
