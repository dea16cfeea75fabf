// Direct convolution as an implicit im2col GEMM: the kernel walks a list of input offsets, so nothing is copied.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "base/checked_math.h"
#include "ops/blocked.h"
#include "ops/conv.h"
#include "ops/partition.h"

namespace linnet::ops {

namespace {

// Bytes of a weight panel that stay while a block of tiles goes by. A high tile uses a line of weights for so many cycles that
// L2 delivers them in time: what counts then is how seldom partial sums are stored and read again.
constexpr std::int64_t kWeightsInL1 = 16 * 1024, kWeightsInL2 = 64 * 1024;
constexpr int kHighTile = 8;                     // pixels
constexpr std::int64_t kInputInL2 = 192 * 1024;  // bytes of input that stay while the panels go by
constexpr std::int64_t kRunBytes = 512;          // of a filter, read in one go while it is packed
constexpr std::int64_t kFewestTiles = 32;        // fewer would read the weights from afar too often

/// Output blocks that sum over the same input blocks, those of their groups. Weights are zero where an output sums over a part of
/// them only.
struct ChannelSpan {
  std::int64_t first_out = 0, out_blocks = 0, first_in = 0, in_blocks = 0;
  std::int64_t weights = 0;  // floats of packed weights before its own
};

/// Where groups begin at blocks of 16 channels, one span each; else a span for every block of outputs, whose groups' channels
/// begin and end anywhere.
std::vector<ChannelSpan> spans_of(const ConvProblem& p) {
  const std::int64_t in = p.in_channels / p.groups, out = p.out_channels / p.groups;
  const bool whole = p.groups == 1 || out == 0 || (in % kBlock == 0 && out % kBlock == 0);
  const std::int64_t out_blocks = base::ceil_div(whole ? out : p.out_channels, kBlock);
  std::vector<ChannelSpan> spans;
  for (std::int64_t i = 0; i < (whole ? p.groups : out_blocks); ++i) {
    const std::int64_t last_out = std::min((i + 1) * kBlock, p.out_channels) - 1;
    const std::int64_t first = whole ? i : i * kBlock / out, last = whole ? i : last_out / out;
    ChannelSpan span;
    span.first_out = whole ? i * out_blocks : i;
    span.out_blocks = whole ? out_blocks : 1;
    span.first_in = first * in / kBlock;
    span.in_blocks = base::ceil_div((last + 1) * in, kBlock) - span.first_in;
    spans.push_back(span);
  }
  return spans;
}

/// Everything a run needs that does not change from run to run. Shared by the closure; never written after planning.
struct DirectConv {
  const kernels::Table* table = nullptr;
  ConvProblem problem;
  BlockedOperands operands;
  WeightStore::Buffer weights, bias;
  std::vector<std::ptrdiff_t> taps;  // relative to the tile's first pixel
  std::vector<ChannelSpan> spans;
  std::int64_t in_blocks = 0;  // the most of a span
  bool plain = false;          // the input is row-major: one k a tap
  std::int64_t tap_channels =
      0;                 // k a tap: 16, 1 (plain), or 4 or 8 where a block of 16 holds several groups of so many
  bool compact = false;  // 1x1 with strides: the pixels are brought together first, as every second line of a
                         // plane would fill every second set of the caches only
  bool flat = false;     // 1x1 stride 1 without halos: an image is one row of H*W pixels
  bool weights_past_l3 = false;
  std::int64_t unit_pixels = 1;                     // flat: pixels a unit; otherwise units are rows
  std::int64_t units = 0;                           // pixel units of one image
  std::int64_t strip_rows = 0;                      // plain and compact: output rows whose input is staged at a time
  std::int64_t strip_in_rows = 0, strip_width = 0;  // plain: with the padding
  Blocking blocking;
  PlannedGrid grid;

  /// Of each span; they are counted span by span.
  [[nodiscard]] std::int64_t panels() const {
    return base::ceil_div(spans[0].out_blocks * kBlock, table->tile.channels);
  }
  /// Blocks of k that an output of the span sums over; they are the first so many of `taps`.
  [[nodiscard]] std::int64_t blocks(const ChannelSpan& span) const {
    return (plain ? problem.in_channels : span.in_blocks) * problem.taps();
  }
  [[nodiscard]] bool grouped() const { return tap_channels == 4 || tap_channels == 8; }
  [[nodiscard]] void (*kernel() const)(const kernels::ConvArguments&) {
    return grouped() ? table->conv_grouped : table->conv;
  }
  void fill_taps();
  void pack(PlanContext& context);
  void run(const RunArgs& args) const;
  void run_images(const RunArgs& args, const kernels::BlockedTarget& out, Range panels, std::int64_t image,
                  std::int64_t images, Range units) const;
  void run_plain(const RunArgs& args, const kernels::BlockedTarget& out, Range panels, std::int64_t image,
                 Range rows) const;
  void run_compact(const RunArgs& args, const kernels::BlockedTarget& out, Range panels, std::int64_t image,
                   Range rows) const;
  void plan_strips(Step& step);
  void plan_blocking(PlanContext& context);
  [[nodiscard]] GridCost cost() const;
  void activate(const kernels::ConvArguments& c) const;
  [[nodiscard]] kernels::ConvArguments arguments(const RunArgs& args, const ChannelSpan& span,
                                                 const kernels::BlockedTarget& out) const;
};

void DirectConv::fill_taps() {
  const std::int64_t kh = problem.window.kernel[0], kw = problem.window.kernel[1];
  const std::int64_t dh = problem.window.dilations[0], dw = problem.window.dilations[1];
  const std::int64_t row = plain ? strip_width : operands.in.row_stride;
  const std::int64_t pixel = plain ? 1 : kBlock;
  const std::int64_t plane = plain     ? strip_in_rows * strip_width
                             : compact ? strip_rows * problem.out_extent[1] * kBlock
                                       : operands.in.plane_stride;
  const std::int64_t planes = plain ? problem.in_channels : in_blocks;
  for (std::int64_t c = 0; c < planes; ++c) {
    for (std::int64_t y = 0; y < kh; ++y) {
      for (std::int64_t x = 0; x < kw; ++x) taps.push_back(c * plane + y * dh * row + x * dw * pixel);
    }
  }
}

/// One panel of a span, [channel block][tap][k of a tap][panel channels]. Writes every float.
void pack_panel(const ConvFilter& filter, const DirectConv& d, const ChannelSpan& span, std::int64_t panel, float* to) {
  const std::int64_t taps = filter.taps(), channels = filter.channels(), ks = d.tap_channels;
  const std::int64_t outputs = d.problem.out_channels / d.problem.groups;  // of a group
  const std::int64_t blocks = d.blocks(span) / taps;
  const std::int64_t first = panel * d.table->tile.channels;
  const std::int64_t width = std::min<std::int64_t>(d.table->tile.channels, span.out_blocks * kBlock - first);
  // k by k within a few blocks: a filter is read in runs of so many bytes that memory delivers them as a stream.
  const std::int64_t run = std::max<std::int64_t>(1, kRunBytes / (taps * ks * 4)) * ks;
  for (std::int64_t begin = 0; begin < blocks * ks; begin += run) {
    const std::int64_t end = std::min(begin + run, blocks * ks);
    for (std::int64_t lane = 0; lane < width; ++lane) {
      const std::int64_t m = span.first_out * kBlock + first + lane;
      // Of the span's inputs this output sums over [own, own + channels): elsewhere its weights are zero.
      const std::int64_t own = d.grouped() ? 0 : m / outputs * channels - span.first_in * kBlock;
      for (std::int64_t k = begin; k < end; ++k) {
        const std::int64_t c = k - own;
        const bool inside = m < d.problem.out_channels && c >= 0 && c < channels;
        float* const line = to + (k / ks * taps * ks + k % ks) * width + lane;
        for (std::int64_t tap = 0; tap < taps; ++tap) line[tap * ks * width] = inside ? filter.at(m, c, tap) : 0.0f;
      }
    }
  }
}

void DirectConv::pack(PlanContext& context) {
  std::int64_t floats = 0;
  for (ChannelSpan& span : spans) {
    span.weights = floats;
    const std::int64_t k = base::checked_mul(blocks(span), tap_channels, "packed weights");
    floats =
        base::checked_add(floats, base::checked_mul(k, span.out_blocks * kBlock, "packed weights"), "packed weights");
  }
  const std::size_t bytes = base::to_size(base::checked_mul(floats, 4, "packed weights"), "packed weights");
  const std::string what = std::string("direct ") + (plain ? "plain" : "blocked " + std::to_string(problem.groups));
  const auto fill = [&](std::byte* to) {
    const ConvFilter filter(context);
    context.parallel_for(static_cast<std::int64_t>(spans.size()) * panels(), [&](std::int64_t i) {
      const ChannelSpan& span = spans[static_cast<std::size_t>(i / panels())];
      const std::int64_t panel = i % panels(), panel_floats = table->tile.channels * blocks(span) * tap_channels;
      pack_panel(filter, *this, span, panel, reinterpret_cast<float*>(to) + span.weights + panel * panel_floats);
    });
  };
  weights = context.pack({kConvW, kConvScale}, what, bytes, fill, base::AlignedBuffer::Fill::none);
  bias = pack_conv_bias(context, problem.out_channels);
  context.step().weight_bytes = weights->bytes() + bias->bytes();
}

kernels::ConvArguments DirectConv::arguments(const RunArgs& args, const ChannelSpan& span,
                                             const kernels::BlockedTarget& out) const {
  const Placement& in = operands.in;
  kernels::ConvArguments c{};
  if (!plain) {
    c.input = args.in<float>(kConvX) + in.origin + span.first_in * in.plane_stride -
              problem.window.pads_begin[0] * in.row_stride - problem.window.pads_begin[1] * kBlock;
    c.in_row = problem.window.strides[0] * in.row_stride;
    c.in_pixel = problem.window.strides[1] * kBlock;
    c.in_image = in.image_stride;
  }
  c.taps = taps.data();
  c.blocks = static_cast<int>(blocks(span));
  c.weights = weights->as<float>() + span.weights;
  c.bias = bias->as<float>() + span.first_out * kBlock;
  c.output = out.data + span.first_out * out.plane;
  c.out_row = out.row;
  c.out_plane = out.plane;
  c.out_image = out.image;
  if (operands.has_residual) {
    const Placement& r = operands.residual;
    c.residual = operands.residual_data(args) + span.first_out * r.plane_stride;
    c.residual_row = r.row_stride;
    c.residual_plane = r.plane_stride;
    c.residual_image = r.image_stride;
  }
  c.lo = problem.lo;
  c.hi = problem.hi;
  c.images = 1;
  c.out_blocks = static_cast<int>(span.out_blocks);
  c.group = static_cast<int>(tap_channels);
  c.shared_input = blocking.panel_parts > 1;
  c.weights_past_l3 = weights_past_l3;
  c.chunk = blocking.chunk;
  c.tiles = blocking.tiles;
  return c;
}

void DirectConv::activate(const kernels::ConvArguments& c) const {
  const int vectors = table->tile.channels / static_cast<int>(kBlock);
  const int first = c.panel_first * vectors, last = std::min(c.panel_last * vectors, c.out_blocks);
  for (int i = 0; i < c.images; ++i) {
    const kernels::BlockedTarget y = {c.output + i * c.out_image + first * c.out_plane, c.out_image, c.out_plane,
                                      c.out_row};
    apply_late_activation(problem, *table, y, last - first, c.rows, c.width);
  }
}

/// Units [units.first, units.last) of `images` images from `image` on, for panels of all spans.
void DirectConv::run_images(const RunArgs& args, const kernels::BlockedTarget& out, Range panel_range,
                            std::int64_t image, std::int64_t images, Range unit_range) const {
  const std::int64_t per_span = panels();
  for (std::int64_t panel = panel_range.first; panel < panel_range.last;) {
    const std::int64_t index = panel / per_span, last = std::min(panel_range.last, (index + 1) * per_span);
    kernels::ConvArguments c = arguments(args, spans[static_cast<std::size_t>(index)], out);
    c.panel_first = static_cast<int>(panel - index * per_span);
    c.panel_last = static_cast<int>(last - index * per_span);
    c.images = static_cast<int>(images);
    const std::int64_t first_row = flat ? 0 : unit_range.first, first_pixel = flat ? unit_range.first * unit_pixels : 0;
    c.rows = static_cast<int>(flat ? 1 : unit_range.last - unit_range.first);
    c.width = static_cast<int>(flat ? std::min(unit_range.last * unit_pixels, problem.out_pixels()) - first_pixel
                                    : problem.out_extent[1]);
    c.input += image * c.in_image + first_row * c.in_row + first_pixel * c.in_pixel;
    c.output += image * c.out_image + first_row * c.out_row + first_pixel * kBlock;
    if (c.residual != nullptr)
      c.residual += image * c.residual_image + first_row * c.residual_row + first_pixel * kBlock;
    kernel()(c);
    activate(c);
    panel = last;
  }
}

/// First layer: pads and stages a strip of the plain input, then convolves it.
void DirectConv::run_plain(const RunArgs& args, const kernels::BlockedTarget& out, Range panel_range,
                           std::int64_t image, Range rows) const {
  const std::int64_t height = problem.in_extent[0], width = problem.in_extent[1];
  const std::int64_t stride = problem.window.strides[0];
  float* const staged = reinterpret_cast<float*>(args.thread_scratch);
  for (std::int64_t first = rows.first; first < rows.last; first += strip_rows) {
    const std::int64_t count = std::min(strip_rows, rows.last - first);
    for (std::int64_t ch = 0; ch < problem.in_channels; ++ch) {
      const float* const plane = args.in<float>(kConvX) + (image * problem.in_channels + ch) * height * width;
      for (std::int64_t r = 0; r < strip_in_rows; ++r) {
        float* const to = staged + (ch * strip_in_rows + r) * strip_width;
        const std::int64_t y = first * stride - problem.window.pads_begin[0] + r;
        const std::int64_t left = problem.window.pads_begin[1];
        std::fill_n(to, strip_width, 0.0f);
        const std::int64_t readable = std::min(width, strip_width - left);
        if (y >= 0 && y < height && readable > 0) std::copy_n(plane + y * width, readable, to + left);
      }
    }
    kernels::ConvArguments c = arguments(args, spans[0], out);
    c.input = staged;
    c.in_row = stride * strip_width;
    c.in_pixel = problem.window.strides[1];
    c.rows = static_cast<int>(count);
    c.width = static_cast<int>(problem.out_extent[1]);
    c.output += image * c.out_image + first * c.out_row;
    if (c.residual != nullptr) c.residual += image * c.residual_image + first * c.residual_row;
    c.panel_first = static_cast<int>(panel_range.first);
    c.panel_last = static_cast<int>(panel_range.last);
    table->conv_plain(c);
    activate(c);
  }
}

/// 1x1 with strides: brings the pixels of a strip together, once for all spans that read them, then convolves them.
void DirectConv::run_compact(const RunArgs& args, const kernels::BlockedTarget& out, Range panel_range,
                             std::int64_t image, Range rows) const {
  const std::int64_t per_span = panels(), width = problem.out_extent[1];
  float* const staged = reinterpret_cast<float*>(args.thread_scratch);
  for (std::int64_t first = rows.first; first < rows.last; first += strip_rows) {
    const std::int64_t count = std::min(strip_rows, rows.last - first);
    Range staged_blocks;
    for (std::int64_t panel = panel_range.first; panel < panel_range.last;) {
      const std::int64_t index = panel / per_span, last = std::min(panel_range.last, (index + 1) * per_span);
      const ChannelSpan& span = spans[static_cast<std::size_t>(index)];
      kernels::ConvArguments c = arguments(args, span, out);
      if (const Range wanted = {span.first_in, span.first_in + span.in_blocks}; wanted != staged_blocks) {
        const float* const input = c.input + image * c.in_image + first * c.in_row;
        for (std::int64_t b = 0; b < span.in_blocks; ++b) {
          float* to = staged + b * strip_rows * width * kBlock;
          for (std::int64_t y = 0; y < count; ++y) {
            const float* from = input + b * operands.in.plane_stride + y * c.in_row;
            for (std::int64_t x = 0; x < width; ++x, from += c.in_pixel, to += kBlock) std::copy_n(from, kBlock, to);
          }
        }
        staged_blocks = wanted;
      }
      c.input = staged;
      c.in_pixel = kBlock;
      c.in_row = width * kBlock;
      c.rows = static_cast<int>(count);
      c.width = static_cast<int>(width);
      c.output += image * c.out_image + first * c.out_row;
      if (c.residual != nullptr) c.residual += image * c.residual_image + first * c.residual_row;
      c.panel_first = static_cast<int>(panel - index * per_span);
      c.panel_last = static_cast<int>(last - index * per_span);
      kernel()(c);
      activate(c);
      panel = last;
    }
  }
}

GridCost DirectConv::cost() const {
  GridCost cost;
  cost.pixel_units = units * problem.images;
  cost.panels = panels() * static_cast<std::int64_t>(spans.size());
  const double unit = static_cast<double>(flat ? unit_pixels : problem.out_extent[1]);
  std::int64_t k_blocks = 0;
  for (const ChannelSpan& span : spans) k_blocks += blocks(span);
  cost.unit_cycles =
      unit * static_cast<double>(k_blocks * tap_channels) / static_cast<double>(spans.size());  // of a mean span
  cost.weight_bytes = static_cast<double>(weights->bytes());
  cost.input_bytes = static_cast<double>(operands.in.bytes);
  cost.output_bytes = static_cast<double>(operands.out.bytes);
  return cost;
}

void DirectConv::run(const RunArgs& args) const {
  const std::int64_t all_panels = panels() * static_cast<std::int64_t>(spans.size()),
                     all_units = units * problem.images;
  const Part part = part_of(grid.of(args.threads), all_units, all_panels, args.thread);
  if (part.panels.first == part.panels.last) return;
  const kernels::BlockedTarget out = target_view(operands.out, args.out<float>(0));
  for (std::int64_t unit_index = part.pixels.first; unit_index < part.pixels.last;) {
    const std::int64_t image = unit_index / units, first = unit_index % units;
    std::int64_t images = 1, last = std::min(units, first + part.pixels.last - unit_index);
    if (first == 0 && last == units && !plain && !compact)
      images = (part.pixels.last - unit_index) / units;  // whole images: weights are read once for all
    if (plain) {
      run_plain(args, out, part.panels, image, {first, last});
    } else if (compact) {
      run_compact(args, out, part.panels, image, {first, last});
    } else {
      run_images(args, out, part.panels, image, images, {first, last});
    }
    unit_index += images * (last - first);
  }
}

/// How much input the plain and the compact form stage at a time, and the scratch for it.
void DirectConv::plan_strips(Step& step) {
  const Window& w = problem.window;
  std::int64_t floats = 0;
  if (plain) {
    strip_rows = std::min<std::int64_t>(8, problem.out_extent[0]);
    strip_in_rows = (strip_rows - 1) * w.strides[0] + (w.kernel[0] - 1) * w.dilations[0] + 1;
    strip_width = (problem.out_extent[1] - 1) * w.strides[1] + (w.kernel[1] - 1) * w.dilations[1] + 1;
    floats = base::checked_mul(problem.in_channels * strip_in_rows, strip_width, "a staged strip");
  } else if (compact) {
    const std::int64_t row = base::checked_mul(problem.out_extent[1] * kBlock, in_blocks, "a staged strip");
    strip_rows = std::clamp<std::int64_t>(kInputInL2 / std::max<std::int64_t>(4, row * 4), 1, problem.out_extent[0]);
    floats = base::checked_mul(row, strip_rows, "a staged strip");
  }
  step.thread_scratch_bytes = base::to_size(floats * 4, "a staged strip");
}

/// Tiles and chunk as the sizes of the caches suggest, where tuning has not found better.
void DirectConv::plan_blocking(PlanContext& context) {
  Step& step = context.step();
  const Blocking tuned = context.tuned_blocking(tuning_shape(problem, step.algorithm, operands.has_residual));
  const std::int64_t k_blocks = static_cast<std::int64_t>(taps.size());
  // Neighbouring tiles share what their windows have in common.
  const std::int64_t fresh = std::min(problem.window.strides[0], problem.window.kernel[0]) *
                             std::min(problem.window.strides[1], problem.window.kernel[1]);
  const std::int64_t tile_bytes = table->tile.pixels * fresh * (plain ? problem.in_channels : in_blocks * kBlock) * 4;
  blocking = cache_blocking(table->tile, k_blocks, tap_channels, spans[0].out_blocks * kBlock, tile_bytes);
  if (tuned.chunk > 0)
    blocking.chunk =
        static_cast<std::int32_t>(std::clamp<std::int64_t>(tuned.chunk, 1, std::max<std::int64_t>(1, k_blocks)));
  if (tuned.tiles > 0) blocking.tiles = std::min(tuned.tiles, kernels::kConvTiles);
  const int threads = context.options().threads;
  grid = PlannedGrid(cost(), threads, tuned.panel_parts);
  blocking.panel_parts = grid.of(threads).panel_parts;
  step.blocking = blocking;
}

bool rows_are_contiguous(const Placement& p) { return p.row_stride == p.shape[3] * kBlock; }

}  // namespace

Blocking cache_blocking(const kernels::TileShape& tile, std::int64_t blocks, std::int64_t block_k,
                        std::int64_t out_channels, std::int64_t tile_bytes) {
  const std::int64_t weights = tile.pixels < kHighTile ? kWeightsInL1 : kWeightsInL2;
  const std::int64_t panel_channels = std::min<std::int64_t>(tile.channels, out_channels);
  const std::int64_t chunk = weights / std::max<std::int64_t>(1, block_k * panel_channels * 4);
  const std::int64_t tiles = std::max(kInputInL2 / std::max<std::int64_t>(1, tile_bytes), kFewestTiles);
  Blocking blocking;
  blocking.chunk = static_cast<std::int32_t>(std::max<std::int64_t>(1, std::min(chunk, blocks)));
  blocking.tiles = static_cast<std::int32_t>(std::min<std::int64_t>(tiles, kernels::kConvTiles));
  return blocking;
}

void plan_conv_direct(PlanContext& c, const ConvProblem& problem) {
  auto d = std::make_shared<DirectConv>();
  d->table = &c.kernels();
  d->weights_past_l3 = c.options().weights_past_l3;
  d->problem = problem;
  d->operands = blocked_operands(c);
  d->plain = c.placement_in(kConvX).layout == graph::Layout::plain;
  d->spans = spans_of(problem);
  for (const ChannelSpan& span : d->spans) d->in_blocks = std::max(d->in_blocks, span.in_blocks);
  const std::int64_t group_channels = problem.in_channels / problem.groups;
  const bool narrow = problem.groups > 1 && problem.in_channels == problem.out_channels;
  d->tap_channels = d->plain ? 1 : (narrow && (group_channels == 4 || group_channels == 8) ? group_channels : kBlock);
  const Window& w = problem.window;
  const bool one_by_one = w.kernel[0] == 1 && w.kernel[1] == 1;
  const bool every_pixel = w.strides[0] == 1 && w.strides[1] == 1 && w.pads_begin[0] == 0 && w.pads_begin[1] == 0;
  const bool residual_contiguous = !d->operands.has_residual || rows_are_contiguous(d->operands.residual);
  d->compact = !d->plain && one_by_one && w.strides[1] > 1;
  d->flat = !d->plain && one_by_one && every_pixel && rows_are_contiguous(d->operands.in) &&
            rows_are_contiguous(d->operands.out) && residual_contiguous;
  d->unit_pixels = d->flat ? c.kernels().tile.pixels : 1;
  d->units = d->flat ? base::ceil_div(problem.out_pixels(), d->unit_pixels) : problem.out_extent[0];
  d->plan_strips(c.step());
  d->fill_taps();
  d->pack(c);
  Step& step = c.step();
  step.algorithm = d->plain ? "im2col_gemm_plain" : (d->grouped() ? "im2col_gemm_grouped" : "im2col_gemm");
  step.kernel = tile_label(c);
  d->plan_blocking(c);
  finish_blocked(c, d->operands);
  step.run = [d](const RunArgs& args) { d->run(args); };
  if (d->plain && !d->operands.has_residual) {
    step.rows_written.run = [d](const RunArgs& args, std::int64_t image, Range rows, const kernels::BlockedTarget& to) {
      d->run_plain(args, to, {0, d->panels()}, image, rows);
    };
  }
  step.load = [d](int thread, int threads) { return d->grid.cycles(thread, threads); };
}

}  // namespace linnet::ops
