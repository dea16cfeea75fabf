// Winograd convolution F(m x m, 3x3), m = 2 and 4: transformed filters packed in double and rounded once.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include "base/checked_math.h"
#include "ops/conv.h"
#include "ops/partition.h"

namespace linnet::ops {

namespace {

constexpr std::int64_t kBlock = 16;
constexpr std::int64_t kLeastEdge = 12;  // of an output: on smaller ones tiles of 3 and 4 stick out too far
// Fewer tiles than that a thread, and it would read all filters for hardly more than a register tile.
constexpr std::int64_t kLeastTilesAThread = 8;
constexpr std::int64_t kResidentFilters =
    1 << 20;  // bytes of filters that stay in L2 from one group of tiles to the next
constexpr std::int64_t kTransformedBytes =
    384 * 1024;  // of one group of tiles and its products beside resident filters: stay in L2
constexpr std::int64_t kStreamedForBytes =
    2400 * 1024;  // the same where filters come from afar once a group: few groups count more
constexpr std::int64_t kSharedBytes = 1 << 20;  // of one group of tiles when all threads share it

struct WinogradConv {
  const kernels::Table* table = nullptr;
  ConvProblem problem;
  BlockedOperands operands;
  WeightStore::Buffer weights, bias;
  WinogradForm form;
  // What the input transform reads: the operator's input, or the shared scratch that holds its four phases.
  Placement from;
  std::int64_t top = 0, left = 0;  // padding before `from`'s first pixel
  std::vector<std::ptrdiff_t> taps;
  std::int64_t channels = 0;  // that are summed over, padding to whole blocks included where it is read
  std::int64_t in_blocks = 0, out_blocks = 0;
  std::int64_t tile_rows = 0, tile_columns = 0;
  std::int64_t group = 0;  // tiles transformed at a time
  bool shared = false;     // threads split the panels over one shared V; otherwise they split the tiles
  std::ptrdiff_t v_xi = 0, v_block = 0;
  PlannedGrid
      grid;  // shared: who multiplies what of a group; panels first, as then filters are read once, but tiles too
             // where there are more threads than panels

  [[nodiscard]] std::int64_t points() const { return form.points() * form.points(); }
  [[nodiscard]] std::int64_t tiles() const { return tile_rows * tile_columns; }
  [[nodiscard]] std::int64_t panels() const { return base::ceil_div(out_blocks * kBlock, table->tile.channels); }
  [[nodiscard]] std::int64_t all_tiles() const { return tiles() * problem.images; }
  [[nodiscard]] std::int64_t v_floats() const { return points() * v_xi; }
  [[nodiscard]] std::int64_t m_floats() const { return points() * (group * kernels::kWinogradChannels + kBlock); }

  void pack(PlanContext& context);
  [[nodiscard]] double filter_tap(const ConvFilter& filter, std::int64_t out, std::int64_t c, int tap) const;
  // Ranges of tiles count on from image to image.
  void split_phases(const RunArgs& args, std::int64_t image) const;
  void transform_input(const RunArgs& args, float* v, Range tile_range, Range blocks) const;
  void multiply(const RunArgs& args, const float* v, float* scratch, Range tile_range, Range panel_range) const;
  void activate(float* output, Range tile_range, Range panel_range) const;
  void run_tiles(const RunArgs& args, Range mine) const;
  void run_phases(const RunArgs& args) const;
  void plan_blocking(PlanContext& context);
  [[nodiscard]] GridCost cost() const;
  [[nodiscard]] Part share_of(std::int64_t group_tiles, const RunArgs& args) const;
  void run_shared(const RunArgs& args) const;
};

/// 16 filters at a time, one in each lane: the compiler makes vectors of the loops over them.
using Lanes = std::array<double, kBlock>;

/// The rows of G, the filter transform of 3 or 4 taps, are (1,0,..), pairs (even_0, +-odd_1, even_2, +-odd_3), and (..,0,1).
struct FilterPair {
  double even_0, odd_1, even_2, odd_3;
};
struct FilterTransform {
  std::array<FilterPair, 2> pairs;
  int count;
};
FilterTransform filter_transform(int points) {
  if (points == 4) return {{{{0.5, 0.5, 0.5, 0}, {}}}, 1};
  const double s = std::sqrt(2.0);
  return {{{{-2.0 / 3, -s / 3, -1.0 / 3, -s / 6}, {1.0 / 6, s / 6, 1.0 / 3, s / 3}}}, 2};
}

constexpr int kMostTaps = 4, kMostPoints = 6;

/// G g. By value, so that the compiler knows them apart from `points`.
void transform_row(const FilterTransform& transform, int taps, std::array<Lanes, kMostTaps> g, Lanes* points) {
  *points++ = g[0];
  for (int i = 0; i < transform.count; ++i, points += 2) {
    const FilterPair pair = transform.pairs[static_cast<std::size_t>(i)];
    for (std::size_t lane = 0; lane < kBlock; ++lane) {
      const double even = pair.even_0 * g[0][lane] + pair.even_2 * g[2][lane];
      const double odd = pair.odd_1 * g[1][lane] + (taps == 4 ? pair.odd_3 * g[3][lane] : 0.0);
      points[0][lane] = even + odd;
      points[1][lane] = even - odd;
    }
  }
  *points = g[static_cast<std::size_t>(taps - 1)];
}

/// u = G g G^T of 16 filters.
void transform_filters(const WinogradForm& form, const Lanes (&g)[kMostTaps * kMostTaps],
                       Lanes (&u)[kMostPoints * kMostPoints]) {
  const FilterTransform transform = filter_transform(form.points());
  const int r = form.taps, p = form.points();
  Lanes half[kMostTaps][kMostPoints];
  const auto column = [r](const auto& of) {
    std::array<Lanes, kMostTaps> values;
    for (int i = 0; i < r; ++i) values[static_cast<std::size_t>(i)] = of(i);
    return values;
  };
  for (int j = 0; j < r; ++j) transform_row(transform, r, column([&](int i) { return g[i * r + j]; }), half[j]);
  for (int i = 0; i < p; ++i) transform_row(transform, r, column([&](int j) { return half[j][i]; }), u + i * p);
}

/// One panel, [xi][C][panel channels]. Writes every float.
void pack_panel(const ConvFilter& filter, const WinogradConv& d, std::int64_t panel, float* to) {
  const std::int64_t first = panel * d.table->tile.channels;
  const std::int64_t width = std::min<std::int64_t>(d.table->tile.channels, d.out_blocks * kBlock - first);
  // Channels outermost: the lanes of one channel fill whole lines of each point before the next channel is begun.
  for (std::int64_t c = 0; c < d.channels; ++c) {
    for (std::int64_t block = 0; block < width; block += kBlock) {
      Lanes g[kMostTaps * kMostTaps], u[kMostPoints * kMostPoints];
      for (std::int64_t lane = 0; lane < kBlock; ++lane) {
        const std::int64_t out = first + block + lane;
        for (int tap = 0; tap < d.form.taps * d.form.taps; ++tap)
          g[tap][static_cast<std::size_t>(lane)] = d.filter_tap(filter, out, c, tap);
      }
      transform_filters(d.form, g, u);
      for (std::int64_t xi = 0; xi < d.points(); ++xi) {
        float* const line = to + (xi * d.channels + c) * width + block;
        for (std::size_t lane = 0; lane < kBlock; ++lane) line[lane] = static_cast<float>(u[xi][lane]);
      }
    }
  }
}

/// Tap `tap` of `form.taps` squared from summed channel `c` to output `out`; zero in the padding of either.
double WinogradConv::filter_tap(const ConvFilter& filter, std::int64_t out, std::int64_t c, int tap) const {
  if (out >= problem.out_channels) return 0;
  if (!form.phases) return c < problem.in_channels ? filter.exact(out, c, tap) : 0.0;
  const std::int64_t y = tap / form.taps * 2 + c % 4 / 2, x = tap % form.taps * 2 + c % 2;
  const std::vector<std::int64_t>& kernel = problem.window.kernel;
  return y < kernel[0] && x < kernel[1] ? filter.exact(out, c / 4, y * kernel[1] + x) : 0.0;
}

void WinogradConv::pack(PlanContext& context) {
  const std::int64_t floats = base::checked_mul(points() * channels, out_blocks * kBlock, "transformed filters");
  const std::size_t bytes = base::to_size(base::checked_mul(floats, 4, "transformed filters"), "transformed filters");
  const auto fill = [&](std::byte* to) {
    const ConvFilter filter(context);
    const std::int64_t panel_floats = points() * channels * table->tile.channels;
    context.parallel_for(panels(), [&](std::int64_t panel) {
      pack_panel(filter, *this, panel, reinterpret_cast<float*>(to) + panel * panel_floats);
    });
  };
  weights = context.pack(kConvW, form.name(), bytes, fill, base::AlignedBuffer::Fill::none);
  bias = pack_conv_bias(context, problem.out_channels);
  context.step().weight_bytes = weights->bytes() + bias->bytes();
}

void WinogradConv::transform_input(const RunArgs& args, float* v, Range tile_range, Range blocks) const {
  kernels::WinogradInputArguments a{};
  a.m = form.m;
  a.in_row = from.row_stride;
  a.in_plane = from.plane_stride;
  // The halo counts as readable: it holds the zeros of the padding.
  a.first_row = static_cast<int>(std::max<std::int64_t>(0, top - from.halo.top));
  a.first_column = static_cast<int>(std::max<std::int64_t>(0, left - from.halo.left));
  a.valid_rows = static_cast<int>(top + from.shape[2] + from.halo.bottom);
  a.valid_columns = static_cast<int>(left + from.shape[3] + from.halo.right);
  a.tile_columns = static_cast<int>(tile_columns);
  a.block_first = static_cast<int>(blocks.first);
  a.block_last = static_cast<int>(blocks.last);
  a.v_xi = v_xi;
  a.v_block = v_block;
  for (std::int64_t tile = tile_range.first; tile < tile_range.last;) {
    const std::int64_t image = tile / tiles(), end = std::min(tile_range.last, (image + 1) * tiles());
    const float* const first_pixel = form.phases ? reinterpret_cast<const float*>(args.shared_scratch)
                                                 : args.in<float>(kConvX) + from.origin + image * from.image_stride;
    a.input = first_pixel - top * from.row_stride - left * kBlock;
    a.tile_first = static_cast<int>(tile - image * tiles());
    a.tile_last = static_cast<int>(end - image * tiles());
    a.v = v + (tile - tile_range.first) * kBlock;
    table->winograd_input(a);
    tile = end;
  }
}

void WinogradConv::multiply(const RunArgs& args, const float* v, float* scratch, Range tile_range,
                            Range panel_range) const {
  const Placement& out = operands.out;
  kernels::WinogradOutputArguments a{};
  a.m = form.m;
  a.v = v;
  a.v_xi = v_xi;
  a.v_block = v_block;
  a.tiles = static_cast<int>(tile_range.last - tile_range.first);
  const std::int64_t image = tile_range.first / tiles();
  a.tile_first = static_cast<int>(tile_range.first - image * tiles());
  a.tile_columns = static_cast<int>(tile_columns);
  a.image_tiles = static_cast<int>(tiles());
  a.taps = taps.data();
  a.in_blocks = static_cast<int>(channels / kBlock);
  a.in_tail = static_cast<int>(channels % kBlock);
  a.weights = weights->as<float>();
  a.bias = bias->as<float>();
  a.output = args.out<float>(0) + out.origin + image * out.image_stride;
  a.out_row = out.row_stride;
  a.out_plane = out.plane_stride;
  a.out_image = out.image_stride;
  if (operands.has_residual) {
    a.residual = operands.residual_data(args) + image * operands.residual.image_stride;
    a.residual_row = operands.residual.row_stride;
    a.residual_plane = operands.residual.plane_stride;
    a.residual_image = operands.residual.image_stride;
  }
  a.lo = problem.lo;
  a.hi = problem.hi;
  a.height = static_cast<int>(problem.out_extent[0]);
  a.width = static_cast<int>(problem.out_extent[1]);
  a.out_blocks = static_cast<int>(out_blocks);
  a.panel_first = static_cast<int>(panel_range.first);
  a.panel_last = static_cast<int>(panel_range.last);
  a.scratch = scratch;
  table->winograd_output(a);
  activate(args.out<float>(0) + out.origin, tile_range, panel_range);
}

/// An activation that is no clamp, over the tiles just written.
void WinogradConv::activate(float* output, Range tile_range, Range panel_range) const {
  const std::int64_t vectors = table->tile.channels / kBlock, first_block = panel_range.first * vectors;
  const std::int64_t blocks = std::min(panel_range.last * vectors, out_blocks) - first_block;
  for (std::int64_t tile = tile_range.first; tile < tile_range.last;) {
    const std::int64_t row = tile / tile_columns, end = std::min(tile_range.last, (row + 1) * tile_columns);
    const std::int64_t image = row / tile_rows, y = row % tile_rows * form.m, x = tile % tile_columns * form.m;
    const std::int64_t height = std::min<std::int64_t>(form.m, problem.out_extent[0] - y);
    const std::int64_t width = std::min((end - row * tile_columns) * form.m, problem.out_extent[1]) - x;
    float* const first = output + image * operands.out.image_stride + first_block * operands.out.plane_stride +
                         y * operands.out.row_stride + x * kBlock;
    apply_late_activation(problem, *table, operands.out, first, blocks, height, width);
    tile = end;
  }
}

/// One thread takes tiles of its own from input to output: no barrier, and every thread reads all filters.
void WinogradConv::run_tiles(const RunArgs& args, Range mine) const {
  float* const v = reinterpret_cast<float*>(args.thread_scratch);
  float* const scratch = v + v_floats();
  for (std::int64_t first = mine.first; first < mine.last;) {
    const std::int64_t rest = mine.last - first;
    const Range here = {first, first + base::ceil_div(rest, base::ceil_div(rest, group))};  // in balanced groups
    transform_input(args, v, here, {0, in_blocks});
    multiply(args, v, scratch, here, {0, panels()});
    first = here.last;
  }
}

/// Image `image` of the plain input as a blocked one of half its height and width, whose channel 4 c + 2 y + x holds the pixels
/// of channel c in even or odd rows (y) and columns (x), counted from the padding on: stride 2 becomes stride 1.
void WinogradConv::split_phases(const RunArgs& args, std::int64_t image) const {
  const std::int64_t height = problem.in_extent[0], width = problem.in_extent[1];
  const std::int64_t pad_top = problem.window.pads_begin[0], pad_left = problem.window.pads_begin[1];
  const float* const planes = args.in<float>(kConvX) + image * problem.in_channels * height * width;
  float* const all = reinterpret_cast<float*>(args.shared_scratch);
  const Range rows = split(from.shape[2], args.threads, args.thread);
  // Columns whose both phases lie inside the picture; the few beside them go pixel by pixel.
  const std::int64_t inner_first = std::min((pad_left + 1) / 2, from.shape[3]);
  const std::int64_t inner_last = std::clamp((width + pad_left) / 2, inner_first, from.shape[3]);
  for (std::int64_t y = rows.first; y < rows.last; ++y) {
    float* const row = all + y * from.row_stride;
    std::fill_n(row, from.row_stride, 0.0f);
    for (std::int64_t k = 0; k < channels; k += 2) {
      const std::int64_t source_y = 2 * y + k / 2 % 2 - pad_top;
      if (source_y < 0 || source_y >= height) continue;
      const float* const source = planes + (k / 4 * height + source_y) * width - pad_left;
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

/// Phase 2n splits the pixels of image n into their phases, 2n + 1 convolves them.
void WinogradConv::run_phases(const RunArgs& args) const {
  const std::int64_t image = args.phase / 2;
  if (args.phase % 2 == 0) return split_phases(args, image);
  const Range mine = split(tiles(), args.threads, args.thread);
  run_tiles(args, {image * tiles() + mine.first, image * tiles() + mine.last});
}

/// Of a whole group of tiles.
GridCost WinogradConv::cost() const {
  GridCost cost;
  cost.pixel_units = base::ceil_div(group, table->tile.pixels);
  cost.panels = panels();
  cost.unit_cycles = static_cast<double>(points() * channels * table->tile.pixels);
  cost.weight_bytes = static_cast<double>(weights->bytes());
  cost.input_bytes = static_cast<double>(points() * in_blocks * kBlock * group * 4);
  return cost;
}

Part WinogradConv::share_of(std::int64_t group_tiles, const RunArgs& args) const {
  const std::int64_t units = base::ceil_div(group_tiles, table->tile.pixels);
  Part part = part_of(grid.of(args.threads), units, panels(), args.thread);
  part.pixels.first = std::min(part.pixels.first * table->tile.pixels, group_tiles);
  part.pixels.last = std::min(part.pixels.last * table->tile.pixels, group_tiles);
  return part;
}

/// Phases 2g and 2g + 1 are group g: all threads transform its input, then each multiplies its share.
void WinogradConv::run_shared(const RunArgs& args) const {
  float* const v = reinterpret_cast<float*>(args.shared_scratch);
  const std::int64_t first = args.phase / 2 * group;
  const Range tile_range = {first, std::min(all_tiles(), first + group)};
  if (args.phase % 2 == 0) {
    transform_input(args, v, tile_range, split(in_blocks, args.threads, args.thread));
    return;
  }
  const Part mine = share_of(tile_range.last - tile_range.first, args);
  if (mine.pixels.first == mine.pixels.last || mine.panels.first == mine.panels.last) return;
  multiply(args, v + mine.pixels.first * kBlock, reinterpret_cast<float*>(args.thread_scratch),
           {first + mine.pixels.first, first + mine.pixels.last}, mine.panels);
}

/// Whether threads share a group of tiles and how many tiles it has, as the sizes of the caches suggest, where tuning has not
/// found better.
void WinogradConv::plan_blocking(PlanContext& context) {
  Step& step = context.step();
  const Blocking tuned = context.tuned_blocking(tuning_shape(problem, step.algorithm, operands.has_residual));
  const int threads = context.options().threads;
  shared = threads > 1 && all_tiles() < threads * kLeastTilesAThread;
  if (tuned.panel_parts > 0 && threads > 1) shared = tuned.panel_parts > 1;
  if (form.phases) shared = false;  // the shared scratch holds the phases
  const std::int64_t floats = in_blocks * kBlock + (shared ? 0 : kernels::kWinogradChannels);
  const bool resident = static_cast<std::int64_t>(weights->bytes()) <= kResidentFilters;
  const std::int64_t bytes = shared ? kSharedBytes : (resident ? kTransformedBytes : kStreamedForBytes);
  const std::int64_t in_cache = std::max<std::int64_t>(8, bytes / (points() * floats * 4));
  const std::int64_t most = tuned.tiles > 0 ? tuned.tiles : in_cache;
  const std::int64_t share = shared ? all_tiles() : base::ceil_div(all_tiles(), threads);
  group = base::ceil_div(share, base::ceil_div(share, most));
  grid = PlannedGrid(cost(), threads, tuned.panel_parts);
  step.blocking.tiles = static_cast<std::int32_t>(group);
  step.blocking.panel_parts = shared ? grid.of(threads).panel_parts : 1;
}

}  // namespace

std::string WinogradForm::name() const {
  const auto squared = [](int edge) { return std::to_string(edge) + 'x' + std::to_string(edge); };
  return "winograd_f" + squared(m) + '_' + squared(taps) + (phases ? "_phases" : "");
}

WinogradForm winograd_form(const ConvProblem& p, bool plain_input) {
  const Window& w = p.window;
  if (w.kernel.size() != 2 || w.dilations[0] != 1 || w.dilations[1] != 1 || p.groups != 1) return {};
  const auto both = [](const std::vector<std::int64_t>& extents, std::int64_t extent) {
    return extents[0] == extent && extents[1] == extent;
  };
  const std::int64_t edge = std::min(p.out_extent[0], p.out_extent[1]);
  if (plain_input) {
    const std::int64_t taps = base::ceil_div(w.kernel[0], 2);
    const bool fits = both(w.strides, 2) && base::ceil_div(w.kernel[1], 2) == taps && (taps == 3 || taps == 4) &&
                      4 * p.in_channels <= kBlock && p.out_channels >= 2 * kBlock && edge >= kLeastEdge;
    return fits ? WinogradForm{taps == 4 ? 3 : 4, static_cast<int>(taps), true} : WinogradForm{};
  }
  // With few channels the transforms, whose cost grows with the channels only once, outweigh the products saved.
  if (!both(w.kernel, 3) || !both(w.strides, 1) || p.in_channels < kBlock) return {};
  return {edge >= kLeastEdge ? 4 : (edge >= 4 ? 2 : 0), 3, false};
}

void plan_conv_winograd(PlanContext& c, const ConvProblem& problem, const WinogradForm& form) {
  auto d = std::make_shared<WinogradConv>();
  d->table = &c.kernels();
  d->problem = problem;
  d->operands = blocked_operands(c);
  d->form = form;
  d->channels = form.phases ? 4 * problem.in_channels : base::round_up(problem.in_channels, kBlock);
  d->in_blocks = base::ceil_div(d->channels, kBlock);
  d->out_blocks = base::ceil_div(problem.out_channels, kBlock);
  d->tile_rows = base::ceil_div(problem.out_extent[0], form.m);
  d->tile_columns = base::ceil_div(problem.out_extent[1], form.m);
  if (form.phases) {
    const std::int64_t beyond = form.points() - form.m;  // what the last tile reads past its outputs
    d->from = place(DataType::float32, {1, kBlock, d->tile_rows * form.m + beyond, d->tile_columns * form.m + beyond},
                    graph::Layout::nchw16c);
  } else {
    d->from = d->operands.in;
    d->top = problem.window.pads_begin[0];
    d->left = problem.window.pads_begin[1];
  }
  Step& step = c.step();
  step.algorithm = form.name();
  step.kernel = std::to_string(c.kernels().tile.pixels) + "x" + std::to_string(c.kernels().tile.channels);
  d->pack(c);
  d->plan_blocking(c);
  d->v_block = d->group * kBlock;
  d->v_xi = d->in_blocks * d->v_block +
            kBlock;  // an odd number of lines, so that the points of a tile fall into different cache sets
  for (std::int64_t b = 0; b < d->in_blocks; ++b) d->taps.push_back(b * d->v_block);
  c.packed(kConvW);
  if (c.has_input(kConvB)) c.packed(kConvB);
  if (c.has_input(kConvScale)) c.packed(kConvScale);
  step.in_place = d->operands.has_residual && d->operands.residual.halo == d->operands.out.halo
                      ? static_cast<int>(kConvResidual)
                      : -1;
  const auto bytes = [](std::int64_t floats) {
    return base::to_size(base::checked_mul(floats, 4, "scratch"), "scratch");
  };
  step.thread_scratch_bytes = bytes(d->m_floats() + (d->shared ? 0 : d->v_floats()));
  if (d->shared) {
    step.phases = static_cast<int>(2 * base::ceil_div(d->all_tiles(), d->group));
    step.shared_scratch_bytes = bytes(d->v_floats());
    step.run = [d](const RunArgs& args) { d->run_shared(args); };
  } else if (form.phases) {
    step.phases = static_cast<int>(2 * problem.images);
    step.shared_scratch_bytes = d->from.bytes;
    step.run = [d](const RunArgs& args) { d->run_phases(args); };
  } else {
    step.run = [d](const RunArgs& args) { d->run_tiles(args, split(d->all_tiles(), args.threads, args.thread)); };
  }
}

}  // namespace linnet::ops
