// The direct convolution kernel on the layer shapes of ResNet-50, on one thread and warm caches: what the tile attains when nothing
// else is in its way. Each result is compared with sums in double before it is timed. (Winograd's kernels are timed in place:
// `linnet bench MODEL --profile`.)
//
//   bench_conv_kernels --benchmark_filter=k1s1     # GFLOP/s and the part of the FMA peak measured in the same run
//
// LINNET_MAX_ISA caps the instruction set.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/cpu.h"
#include "kernels/table.h"
#include "runtime/peak.h"

namespace {

using linnet::base::AlignedBuffer;
using namespace linnet::kernels;

constexpr std::ptrdiff_t kLanes = 16;

struct Layer {
  int out, in_channels, out_channels, kernel, stride;
  [[nodiscard]] int pad() const { return kernel / 2; }
  [[nodiscard]] int padded() const { return out * stride + 2 * pad(); }
  [[nodiscard]] double flops() const { return 2.0 * out * out * in_channels * out_channels * kernel * kernel; }
  [[nodiscard]] std::string name() const {
    return std::to_string(out) + "x" + std::to_string(out) + "/" + std::to_string(in_channels) + "to" +
           std::to_string(out_channels) + "/k" + std::to_string(kernel) + "s" + std::to_string(stride);
  }
};

constexpr Layer kLayers[] = {{56, 64, 64, 1, 1},   {56, 64, 256, 1, 1},   {56, 256, 64, 1, 1},   {28, 128, 512, 1, 1},
                             {28, 512, 128, 1, 1}, {14, 256, 1024, 1, 1}, {14, 1024, 256, 1, 1}, {7, 512, 2048, 1, 1},
                             {7, 2048, 512, 1, 1}, {56, 64, 64, 3, 1},    {28, 128, 128, 3, 1},  {14, 256, 256, 3, 1},
                             {7, 512, 512, 3, 1},  {28, 128, 128, 3, 2},  {14, 256, 256, 3, 2},  {7, 512, 512, 3, 2}};

AlignedBuffer random_floats(std::ptrdiff_t count, std::mt19937& random) {
  AlignedBuffer buffer(static_cast<std::size_t>(count) * sizeof(float), AlignedBuffer::Fill::none);
  std::uniform_real_distribution<float> draw(-1, 1);
  std::generate_n(buffer.as<float>(), count, [&] { return draw(random); });
  return buffer;
}

/// One layer's operands: an input with its padding in place, filters [out][in][tap], an output.
class Problem {
 public:
  explicit Problem(const Layer& l) : layer(l), random_(7) {
    in_plane = std::ptrdiff_t{l.padded()} * l.padded() * kLanes + kLanes;
    out_plane = std::ptrdiff_t{l.out} * l.out * kLanes + kLanes;
    input = random_floats(in_plane * in_blocks(), random_);
    filter = random_floats(std::ptrdiff_t{l.out_channels} * l.in_channels * taps_a_block(), random_);
    bias = random_floats(l.out_channels, random_);
    output =
        AlignedBuffer(static_cast<std::size_t>(out_plane * out_blocks()) * sizeof(float), AlignedBuffer::Fill::zero);
  }

  [[nodiscard]] int in_blocks() const { return layer.in_channels / 16; }
  [[nodiscard]] int out_blocks() const { return layer.out_channels / 16; }
  [[nodiscard]] int taps_a_block() const { return layer.kernel * layer.kernel; }
  [[nodiscard]] float weight(int m, int c, int tap) const {
    return filter.as<float>()[(std::ptrdiff_t{m} * layer.in_channels + c) * taps_a_block() + tap];
  }

  /// Whether a sample of the outputs is right: sums in double, off by at most `relative` of the sum of magnitudes.
  [[nodiscard]] bool check(double relative) {
    std::uniform_int_distribution<int> pixel(0, layer.out - 1), channel(0, layer.out_channels - 1);
    for (int sample = 0; sample < 200; ++sample) {
      const int y = pixel(random_), x = pixel(random_), m = channel(random_);
      double sum = static_cast<double>(bias.as<float>()[m]), magnitude = std::fabs(sum);
      for (int c = 0; c < layer.in_channels; ++c) {
        for (int tap = 0; tap < taps_a_block(); ++tap) {
          const int row = y * layer.stride + tap / layer.kernel, column = x * layer.stride + tap % layer.kernel;
          const float in =
              input.as<float>()[c / 16 * in_plane + (std::ptrdiff_t{row} * layer.padded() + column) * kLanes + c % 16];
          const double product = static_cast<double>(in) * static_cast<double>(weight(m, c, tap));
          sum += product;
          magnitude += std::fabs(product);
        }
      }
      const float found =
          output.as<float>()[m / 16 * out_plane + (std::ptrdiff_t{y} * layer.out + x) * kLanes + m % 16];
      if (!(std::fabs(static_cast<double>(found) - sum) <= relative * magnitude)) return false;
    }
    return true;
  }

  Layer layer;
  std::ptrdiff_t in_plane = 0, out_plane = 0;
  AlignedBuffer input, filter, bias, output;

 private:
  std::mt19937 random_;
};

const Table& best_table() { return *table(detect_cpu().selected); }

double peak() {
  static const double gflops = linnet::runtime::measure_peak_gflops(best_table(), 1, 200);
  return gflops;
}

void report(benchmark::State& state, const Layer& layer) {
  const double flops = layer.flops() * static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = benchmark::Counter(flops / 1e9, benchmark::Counter::kIsRate);
  state.counters["%peak"] = benchmark::Counter(flops / 1e9 / peak() * 100, benchmark::Counter::kIsRate);
}

void direct(benchmark::State& state, const Layer& layer) {
  const Table& table = best_table();
  Problem p(layer);
  std::vector<std::ptrdiff_t> taps;
  for (int b = 0; b < p.in_blocks(); ++b) {
    for (int tap = 0; tap < p.taps_a_block(); ++tap) {
      taps.push_back(b * p.in_plane +
                     (std::ptrdiff_t{tap} / layer.kernel * layer.padded() + tap % layer.kernel) * kLanes);
    }
  }
  AlignedBuffer packed(p.filter.bytes(), AlignedBuffer::Fill::none);
  float* to = packed.as<float>();
  for (int first = 0; first < layer.out_channels; first += table.tile.channels) {
    for (std::size_t t = 0; t < taps.size(); ++t) {
      const int block = static_cast<int>(t) / p.taps_a_block(), tap = static_cast<int>(t) % p.taps_a_block();
      for (int k = 0; k < 16; ++k) {
        for (int m = first; m < std::min(first + table.tile.channels, layer.out_channels); ++m)
          *to++ = p.weight(m, block * 16 + k, tap);
      }
    }
  }
  const bool flat = layer.kernel == 1 && layer.stride == 1;
  ConvArguments c{};
  c.input = p.input.as<float>();
  c.in_row = std::ptrdiff_t{layer.padded()} * kLanes * layer.stride;
  c.in_pixel = kLanes * layer.stride;
  c.taps = taps.data();
  c.blocks = static_cast<int>(taps.size());
  c.weights = packed.as<float>();
  c.bias = p.bias.as<float>();
  c.output = p.output.as<float>();
  c.out_row = layer.out * kLanes;
  c.out_plane = p.out_plane;
  c.lo = -std::numeric_limits<float>::infinity();
  c.hi = std::numeric_limits<float>::infinity();
  c.images = 1;
  c.rows = flat ? 1 : layer.out;
  c.width = flat ? layer.out * layer.out : layer.out;
  c.out_blocks = p.out_blocks();
  c.panel_last = (layer.out_channels + table.tile.channels - 1) / table.tile.channels;
  c.tiles = kConvTiles;
  c.chunk = std::min(c.blocks, 16);
  table.conv(c);
  if (!p.check(1e-6)) return state.SkipWithError("the result is wrong");
  for (auto _ : state) table.conv(c);
  report(state, layer);
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const Layer& layer : kLayers) {
    benchmark::RegisterBenchmark(("direct/" + layer.name()).c_str(), direct, layer)->Unit(benchmark::kMicrosecond);
  }
  std::printf("FMA peak of one thread: %.1f GFLOP/s\n", peak());
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
