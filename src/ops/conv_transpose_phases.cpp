// ConvTranspose on NCHW16c. Output pixels that leave the same remainder when divided by the strides - a phase - are a direct
// convolution of the input with some of the taps: no zeros are multiplied and nothing is scattered. Phases that read the same
// pixels (all of them where the kernel is as large as the stride) become channels of one convolution. Its result is staged and
// then interleaved.
#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "base/checked_math.h"
#include "ops/conv.h"
#include "ops/partition.h"

namespace linnet::ops {

namespace {

constexpr std::int64_t kStagedBytes = 256 * 1024;

/// What a phase reads along one axis: its first pixel sums x[offset of a tap] over the taps.
struct AxisPhase {
  std::int64_t first = 0, count = 0;  // output pixels first, first + stride, ...
  std::vector<std::int64_t> taps, offsets;
};

std::vector<AxisPhase> axis_phases(const ConvProblem& p, std::size_t axis) {
  std::vector<AxisPhase> phases;
  const std::int64_t stride = p.window.strides[axis];
  for (std::int64_t first = 0; first < std::min(stride, p.out_extent[axis]); ++first)
    phases.push_back({first, base::ceil_div(p.out_extent[axis] - first, stride), {}, {}});
  for (std::int64_t tap = 0; tap < p.window.kernel[axis]; ++tap) {
    const std::int64_t at = tap * p.window.dilations[axis] - p.window.pads_begin[axis];
    const std::int64_t first = (at % stride + stride) % stride;  // of the only phase that it belongs to
    if (first >= static_cast<std::int64_t>(phases.size())) continue;
    AxisPhase& phase = phases[static_cast<std::size_t>(first)];
    phase.taps.push_back(tap);
    phase.offsets.push_back((first - at) / stride);
  }
  return phases;
}

/// Phases that read the same pixels, as one convolution.
struct PhaseSet {
  std::vector<std::int64_t> row_offsets, column_offsets;  // of the taps
  std::int64_t rows = 0, columns = 0;
  struct Phase {
    std::int64_t row = 0, column = 0;                 // the first output pixel
    std::vector<std::int64_t> row_taps, column_taps;  // of the filter
  };
  std::vector<Phase> phases;
  std::vector<std::ptrdiff_t> taps;  // relative to the input's pixel
  std::int64_t blocks = 0;           // of output channels, of all phases
  std::int64_t panels = 0, first_panel = 0;
  std::int64_t weights = 0, bias = 0;  // where those of group 0 begin
  Blocking blocking;
};

std::vector<PhaseSet> phase_sets(const ConvProblem& p) {
  std::vector<PhaseSet> sets;
  const std::vector<AxisPhase> rows = axis_phases(p, 0), columns = axis_phases(p, 1);
  // There may be as many sets as taps. Each phase is looked up by what it reads.
  using Offsets = std::vector<std::int64_t>;
  std::map<std::tuple<const Offsets&, const Offsets&, std::int64_t, std::int64_t>, std::size_t> known;
  for (const AxisPhase& row : rows) {
    for (const AxisPhase& column : columns) {
      const auto [found, is_new] =
          known.try_emplace({row.offsets, column.offsets, row.count, column.count}, sets.size());
      if (is_new) {
        PhaseSet& set = sets.emplace_back();
        set.row_offsets = row.offsets;
        set.column_offsets = column.offsets;
        set.rows = row.count;
        set.columns = column.count;
      }
      sets[found->second].phases.push_back({row.first, column.first, row.taps, column.taps});
    }
  }
  return sets;
}

struct PhasedConv {
  const kernels::Table* table = nullptr;
  ConvProblem problem;
  Placement in, out;
  std::vector<PhaseSet> sets;
  std::int64_t group_in = 0, group_out = 0;        // channels
  std::int64_t phase_channels = 0;                 // with padding: those of a plain output are packed densely
  std::int64_t group_weights = 0, group_bias = 0;  // floats of a group
  std::int64_t group_panels = 0;
  std::int64_t rows = 0, strip_rows = 0;  // of the longest phase; staged at a time
  WeightStore::Buffer weights, bias;
  PlannedGrid grid;

  [[nodiscard]] bool plain() const { return out.layout == graph::Layout::plain; }
  void prepare_sets();
  [[nodiscard]] std::string packing() const;
  void pack(PlanContext& context);
  void pack_panel(const PhaseSet& set, const float* filter, std::int64_t group, std::int64_t panel, float* to) const;
  void run(const RunArgs& args) const;
  void run_rows(const RunArgs& args, std::int64_t image, std::int64_t group, const PhaseSet& set, Range panels,
                Range rows_of_image) const;
  void interleave_blocks(const PhaseSet& set, const float* staged, Range blocks, Range strip, float* image) const;
  void interleave_lanes(const PhaseSet& set, const float* staged, Range blocks, Range strip, float* image) const;
};

void PhasedConv::prepare_sets() {
  sets = phase_sets(problem);
  const std::int64_t in_blocks = base::ceil_div(group_in, kBlock);
  std::int64_t widest = 1;
  for (PhaseSet& set : sets) {
    for (std::int64_t block = 0; block < in_blocks; ++block) {
      for (const std::int64_t y : set.row_offsets) {
        for (const std::int64_t x : set.column_offsets)
          set.taps.push_back(block * in.plane_stride + y * in.row_stride + x * kBlock);
      }
    }
    set.blocks = base::ceil_div(static_cast<std::int64_t>(set.phases.size()) * phase_channels, kBlock);
    set.panels = base::ceil_div(set.blocks * kBlock, table->tile.channels);
    set.first_panel = group_panels;
    group_panels += set.panels;
    set.weights = group_weights;
    set.bias = group_bias;
    const auto k = static_cast<std::int64_t>(set.taps.size()) * kBlock;
    group_weights += base::checked_mul(k, set.blocks * kBlock, "packed weights");
    group_bias += set.blocks * kBlock;
    set.blocking = cache_blocking(table->tile, static_cast<std::int64_t>(set.taps.size()), kBlock, set.blocks * kBlock,
                                  table->tile.pixels * group_in * 4);
    rows = std::max(rows, set.rows);
    widest = std::max(widest, base::checked_mul(set.blocks * kBlock, set.columns, "a staged strip"));
  }
  strip_rows = std::clamp<std::int64_t>(kStagedBytes / 4 / widest, 1, rows);
}

/// [channel block][tap][16 k][panel channels]. Writes every float.
void PhasedConv::pack_panel(const PhaseSet& set, const float* filter, std::int64_t group, std::int64_t panel,
                            float* to) const {
  const std::int64_t kernel_width = problem.window.kernel[1], filter_taps = problem.taps();
  const std::int64_t first = panel * table->tile.channels;
  const std::int64_t width = std::min<std::int64_t>(table->tile.channels, set.blocks * kBlock - first);
  const auto row_taps = static_cast<std::int64_t>(set.row_offsets.size());
  const auto column_taps = static_cast<std::int64_t>(set.column_offsets.size());
  for (std::int64_t lane = 0; lane < width; ++lane) {
    const std::int64_t n = first + lane, phase_index = n / phase_channels, m = n % phase_channels;
    const bool real = m < group_out && phase_index < static_cast<std::int64_t>(set.phases.size());
    float* at = to + lane;
    for (std::int64_t block = 0; block < group_in; block += kBlock) {
      for (std::int64_t y = 0; y < row_taps; ++y) {
        for (std::int64_t x = 0; x < column_taps; ++x) {
          for (std::int64_t c = block; c < block + kBlock; ++c, at += width) {
            *at = 0;
            if (!real || c >= group_in) continue;
            const PhaseSet::Phase& phase = set.phases[static_cast<std::size_t>(phase_index)];
            const std::int64_t tap = phase.row_taps[static_cast<std::size_t>(y)] * kernel_width +
                                     phase.column_taps[static_cast<std::size_t>(x)];
            *at = filter[((group * group_in + c) * group_out + m) * filter_taps + tap];
          }
        }
      }
    }
  }
}

/// Which taps of the filter lie where in its packed form. Strides, dilations, pads and extents count by that alone.
std::string PhasedConv::packing() const {
  std::string text = "phases of " + std::to_string(phase_channels) + " in " + std::to_string(problem.groups);
  for (const PhaseSet& set : sets) {
    text += " |";
    for (const PhaseSet::Phase& phase : set.phases) {
      for (const std::int64_t tap : phase.row_taps) text += ' ' + std::to_string(tap);
      text += " x";
      for (const std::int64_t tap : phase.column_taps) text += ' ' + std::to_string(tap);
      text += ',';
    }
  }
  return text;
}

void PhasedConv::pack(PlanContext& context) {
  const auto bytes = [&](std::int64_t floats) {
    return base::to_size(base::checked_mul(floats * problem.groups, 4, "packed weights"), "packed weights");
  };
  const auto fill = [&](std::byte* to) {
    const float* const filter = context.constant(kConvW)->data<float>().data();
    context.parallel_for(problem.groups * group_panels, [&](std::int64_t i) {
      const std::int64_t group = i / group_panels, panel = i % group_panels;
      const PhaseSet& set = *std::partition_point(sets.begin(), sets.end(),
                                                  [&](const PhaseSet& s) { return panel >= s.first_panel + s.panels; });
      const auto k = static_cast<std::int64_t>(set.taps.size()) * kBlock;
      pack_panel(set, filter, group, panel - set.first_panel,
                 reinterpret_cast<float*>(to) + group * group_weights + set.weights +
                     (panel - set.first_panel) * table->tile.channels * k);
    });
  };
  const std::string what = packing();
  weights = context.pack({kConvW}, what, bytes(group_weights), fill, base::AlignedBuffer::Fill::none);
  const Tensor* given = context.constant(kConvB);
  bias = context.pack({kConvB}, "bias of " + what, bytes(group_bias), [&](std::byte* to) {
    if (given == nullptr) return;
    const float* const values = given->data<float>().data();
    for (std::int64_t group = 0; group < problem.groups; ++group) {
      for (const PhaseSet& set : sets) {
        for (std::size_t phase = 0; phase < set.phases.size(); ++phase) {
          float* const at = reinterpret_cast<float*>(to) + group * group_bias + set.bias +
                            static_cast<std::int64_t>(phase) * phase_channels;
          std::copy_n(values + group * group_out, group_out, at);
        }
      }
    }
  });
  context.step().weight_bytes = weights->bytes() + bias->bytes();
  context.packed({kConvW});
  context.packed({kConvB});
}

void PhasedConv::interleave_blocks(const PhaseSet& set, const float* staged, Range blocks, Range strip,
                                   float* image) const {
  const std::int64_t phase_blocks = phase_channels / kBlock;
  const std::int64_t stride_y = problem.window.strides[0], stride_x = problem.window.strides[1] * kBlock;
  for (std::int64_t block = blocks.first; block < blocks.last; ++block) {
    const PhaseSet::Phase& phase = set.phases[static_cast<std::size_t>(block / phase_blocks)];
    const float* from = staged + block * strip_rows * set.columns * kBlock;
    float* const plane = image + block % phase_blocks * out.plane_stride + phase.column * kBlock;
    for (std::int64_t y = strip.first; y < strip.last; ++y) {
      float* to = plane + (y * stride_y + phase.row) * out.row_stride;
      for (std::int64_t x = 0; x < set.columns; ++x, from += kBlock, to += stride_x)
        std::memcpy(to, from, kBlock * sizeof(float));
    }
  }
}

void PhasedConv::interleave_lanes(const PhaseSet& set, const float* staged, Range blocks, Range strip,
                                  float* image) const {
  const std::int64_t height = problem.out_extent[0], width = problem.out_extent[1];
  const std::int64_t stride_y = problem.window.strides[0], stride_x = problem.window.strides[1];
  const std::int64_t last =
      std::min(blocks.last * kBlock, static_cast<std::int64_t>(set.phases.size()) * phase_channels);
  for (std::int64_t n = blocks.first * kBlock; n < last; ++n) {
    const PhaseSet::Phase& phase = set.phases[static_cast<std::size_t>(n / phase_channels)];
    const float* from = staged + n / kBlock * strip_rows * set.columns * kBlock + n % kBlock;
    float* const plane = image + n % phase_channels * height * width + phase.column;
    for (std::int64_t y = strip.first; y < strip.last; ++y) {
      float* to = plane + (y * stride_y + phase.row) * width;
      for (std::int64_t x = 0; x < set.columns; ++x, from += kBlock, to += stride_x) *to = *from;
    }
  }
}

void PhasedConv::run_rows(const RunArgs& args, std::int64_t image, std::int64_t group, const PhaseSet& set,
                          Range panels, Range rows_of_image) const {
  float* const staged = reinterpret_cast<float*>(args.thread_scratch);
  kernels::ConvArguments c{};
  c.in_row = in.row_stride;
  c.in_pixel = kBlock;
  c.taps = set.taps.data();
  c.blocks = static_cast<int>(set.taps.size());
  c.group = kBlock;
  c.weights = weights->as<float>() + group * group_weights + set.weights;
  c.bias = bias->as<float>() + group * group_bias + set.bias;
  c.output = staged;
  c.out_row = set.columns * kBlock;
  c.out_plane = strip_rows * c.out_row;
  c.lo = problem.lo;
  c.hi = problem.hi;
  c.images = 1;
  c.width = static_cast<int>(set.columns);
  c.out_blocks = static_cast<int>(set.blocks);
  c.panel_first = static_cast<int>(panels.first);
  c.panel_last = static_cast<int>(panels.last);
  c.chunk = set.blocking.chunk;
  c.tiles = set.blocking.tiles;
  const float* const input = args.in<float>(kConvX) + in.origin + image * in.image_stride +
                             group * base::ceil_div(group_in, kBlock) * in.plane_stride;
  const std::int64_t panel_blocks = table->tile.channels / kBlock;
  const Range blocks = {panels.first * panel_blocks, std::min(panels.last * panel_blocks, set.blocks)};
  for (std::int64_t y = rows_of_image.first; y < rows_of_image.last; y += strip_rows) {
    const Range strip = {y, std::min(y + strip_rows, rows_of_image.last)};
    c.input = input + y * in.row_stride;
    c.rows = static_cast<int>(strip.last - strip.first);
    table->conv(c);
    if (plain()) {
      const std::int64_t channel = image * problem.out_channels + group * group_out;
      interleave_lanes(set, staged, blocks, strip, args.out<float>(0) + channel * problem.out_pixels());
    } else {
      interleave_blocks(set, staged, blocks, strip,
                        args.out<float>(0) + out.origin + image * out.image_stride +
                            group * phase_channels / kBlock * out.plane_stride);
    }
  }
}

void PhasedConv::run(const RunArgs& args) const {
  const std::int64_t units = rows * problem.images, panels = group_panels * problem.groups;
  const Part part = part_of(grid.of(args.threads), units, panels, args.thread);
  for (std::int64_t unit = part.pixels.first; unit < part.pixels.last;) {
    const std::int64_t image = unit / rows, first = unit % rows;
    const std::int64_t last = std::min(rows, first + part.pixels.last - unit);
    for (std::int64_t group = 0; group < problem.groups; ++group) {
      for (const PhaseSet& set : sets) {
        const std::int64_t base = group * group_panels + set.first_panel;
        const Range mine = {std::max<std::int64_t>(0, part.panels.first - base),
                            std::min(set.panels, part.panels.last - base)};
        if (mine.first < mine.last) run_rows(args, image, group, set, mine, {first, std::min(last, set.rows)});
      }
    }
    unit += last - first;
  }
}

}  // namespace

void plan_conv_transpose_phases(PlanContext& c, const ConvProblem& problem) {
  Step& step = c.step();
  step.algorithm = "im2col_gemm_phases";
  if (problem.out_pixels() == 0) {  // there is no phase
    step.run = [](const RunArgs&) {};
    return;
  }
  auto d = std::make_shared<PhasedConv>();
  d->table = &c.kernels();
  d->problem = problem;
  d->in = c.placement_in(kConvX);
  d->out = c.placement_out(0);
  d->group_in = problem.in_channels / problem.groups;
  d->group_out = problem.out_channels / problem.groups;
  d->phase_channels = d->plain() ? d->group_out : base::round_up(d->group_out, kBlock);
  d->prepare_sets();
  d->pack(c);
  GridCost cost;
  cost.pixel_units = d->rows * problem.images;
  cost.panels = d->group_panels * problem.groups;
  cost.unit_cycles = static_cast<double>(d->sets.front().columns) * static_cast<double>(d->sets.front().taps.size()) *
                     static_cast<double>(kBlock);
  cost.weight_bytes = static_cast<double>(d->weights->bytes());
  cost.input_bytes = static_cast<double>(d->in.bytes);
  cost.output_bytes = static_cast<double>(d->out.bytes);
  d->grid = PlannedGrid(cost, c.options().threads, 0);
  std::int64_t staged = 0;
  for (const PhaseSet& set : d->sets)
    staged = std::max(staged, base::checked_mul(set.blocks * kBlock * set.columns, d->strip_rows, "a staged strip"));
  step.thread_scratch_bytes = base::to_size(base::checked_mul(staged, 4, "a staged strip"), "a staged strip");
  step.kernel = tile_label(c);
  step.run = [d](const RunArgs& args) { d->run(args); };
}

}  // namespace linnet::ops
