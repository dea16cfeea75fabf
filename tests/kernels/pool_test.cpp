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

/// ONNX's output size. A window that would begin in the padding after the input is dropped.
PoolAxis axis_of(int input, int kernel, int stride, int dilation, int before, int after, bool ceil_mode) {
  PoolAxis a;
  a.input = input, a.kernel = kernel, a.stride = stride, a.dilation = dilation;
  a.pad_before = before, a.pad_after = after;
  const int room = input + before + after - (kernel - 1) * dilation - 1;
  a.output = (ceil_mode ? (room + stride - 1) / stride : room / stride) + 1;
  if (ceil_mode && (a.output - 1) * stride >= input + before) --a.output;
  return a;
}

/// One element of a plane's pooling, in double, from the definition.
struct Expected {
  double value;
  double bound;
  int index;  // of the first maximum, in the plane
};
template <class At>
Expected expected_of(PoolOp op, const PoolAxis (&axis)[3], const int (&out)[3], const At& at) {
  Expected r{0, 0, -1};
  double sum = 0, size = 0;
  int count = 0;
  for (int d = 0; d < axis[0].kernel; ++d) {
    for (int h = 0; h < axis[1].kernel; ++h) {
      for (int w = 0; w < axis[2].kernel; ++w) {
        const int tap[3] = {d, h, w};
        int in[3];
        bool inside = true, padded = true;
        for (int i = 0; i < 3; ++i) {
          in[i] = out[i] * axis[i].stride - axis[i].pad_before + tap[i] * axis[i].dilation;
          inside = inside && in[i] >= 0 && in[i] < axis[i].input;
          padded = padded && in[i] < axis[i].input + axis[i].pad_after;
        }
        count += op == PoolOp::average_include_pad ? padded : inside;
        if (!inside) continue;
        const double x = static_cast<double>(at(in[0], in[1], in[2]));
        sum += x;
        size = std::max(size, std::fabs(x));
        if (r.index < 0 || x > r.value) r.value = x, r.index = (in[0] * axis[1].input + in[1]) * axis[2].input + in[2];
      }
    }
  }
  if (op == PoolOp::max) return r;
  return {sum / count, 0x1p-24 * (count + 1) * size * 2, -1};
}

PoolAxis random_axis(Random& random, int kernel) {
  for (;;) {
    const int dilation = random.chance(0.3) ? 2 : 1, span = (kernel - 1) * dilation + 1;
    const auto pad = [&] { return static_cast<int>(random.integer(0, kernel - 1)); };
    const bool ceil_mode = random.chance(0.5);
    const PoolAxis a = axis_of(static_cast<int>(random.integer(1, 19)), kernel, static_cast<int>(random.integer(1, 3)),
                               dilation, pad(), pad(), ceil_mode);
    const int short_of_span = ceil_mode ? a.stride - 1 : 0;  // a window may be longer than the padded input
    bool touches = a.output > 0 && a.input + a.pad_before + a.pad_after >= span - short_of_span;
    for (int o = 0; o < a.output; ++o) {
      bool touched = false;
      for (int k = 0; k < kernel; ++k) {
        const int in = o * a.stride - a.pad_before + k * dilation;
        touched = touched || (in >= 0 && in < a.input);
      }
      touches = touches && touched;
    }
    if (touches) return a;
  }
}

/// run(table, output) on every ISA; all of them give what the first one gives.
template <class Run>
void check_pooled(PoolOp op, const PoolAxis (&axis)[3], BlockedBuffer& x, const Run& run) {
  BlockedBuffer first(x.images, x.channels, axis[1].output, axis[2].output, 1);
  const std::vector<float> values = on_every_isa([&](const Table& k) {
    BlockedBuffer y(x.images, x.channels, axis[1].output, axis[2].output, 1);
    run(k, y);
    return y.values();
  });
  std::copy(values.begin(), values.end(), first.memory.data());
  int wrong = 0;
  first.each([&](int n, int c, int oy, int ox) {
    const Expected e = expected_of(op, axis, {0, oy, ox}, [&](int, int iy, int ix) { return x.at(n, c, iy, ix); });
    wrong += !(std::fabs(static_cast<double>(first.at(n, c, oy, ox)) - e.value) <= e.bound);
  });
  CHECK(wrong == 0);
}

void check_blocked(PoolOp op, const PoolAxis& h, const PoolAxis& w, Random& random) {
  INFO("op " << static_cast<int>(op) << ", kernel " << h.kernel << "x" << w.kernel << ", strides " << h.stride << " "
             << w.stride << ", input " << h.input << "x" << w.input << ", pads " << h.pad_before << " "
             << w.pad_before);
  const int channels = static_cast<int>(random.integer(1, 40));
  BlockedBuffer x(2, channels, h.input, w.input, static_cast<int>(random.integer(0, 1)));
  x.fill(random);
  PoolArguments args;
  args.op = op, args.x = x.source(), args.blocks = x.blocks(), args.h = h, args.w = w;
  const PoolAxis axis[3] = {{}, h, w};
  const auto run = [&](const Table& k, BlockedBuffer& y) {
    args.y = y.target();
    run_in_parts(k.pool, args, y.all());
  };
  check_pooled(op, axis, x, run);
}

constexpr PoolOp kOps[] = {PoolOp::max, PoolOp::average, PoolOp::average_include_pad};

void check_random_pool(int round, Random& random) {
  const PoolAxis h = random_axis(random, static_cast<int>(random.integer(1, 5)));
  check_blocked(kOps[round % 3], h, random_axis(random, static_cast<int>(random.integer(1, 5))), random);
}

/// Of one to three axes.
void check_random_plain_pool(int round, Random& random) {
  const PoolOp op = kOps[round % 3];
  PlainPoolArguments args;
  args.op = op;
  const int rank = static_cast<int>(random.integer(1, 3));
  for (int i = 3 - rank; i < 3; ++i) args.axis[i] = random_axis(random, static_cast<int>(random.integer(1, 4)));
  const PoolAxis(&axis)[3] = args.axis;
  const int planes = 3, in_size = axis[0].input * axis[1].input * axis[2].input;
  const std::int64_t rows = std::int64_t{planes} * axis[0].output * axis[1].output, out = rows * axis[2].output;
  const GuardBuffer x(random_floats(random, static_cast<std::size_t>(planes * in_size)));
  args.x = x.data();
  Guarded<std::int64_t> indices(static_cast<std::size_t>(out));
  args.indices = indices.data();
  const std::vector<float> y = on_every_isa([&](const Table& k) {
    GuardBuffer result(static_cast<std::size_t>(out));
    args.y = result.data();
    args.begin = 0, args.end = rows / 3;
    k.plain_pool(args);
    args.begin = rows / 3, args.end = rows;
    k.plain_pool(args);
    return result.values();
  });
  int wrong = 0;
  for (std::int64_t i = 0; i < out; ++i) {
    const std::int64_t row = i / axis[2].output, plane = row / axis[1].output / axis[0].output;
    const int at[3] = {static_cast<int>(row / axis[1].output % axis[0].output), static_cast<int>(row % axis[1].output),
                       static_cast<int>(i % axis[2].output)};
    const float* p = x.data() + plane * in_size;
    const Expected e =
        expected_of(op, axis, at, [&](int d, int h, int w) { return p[(d * axis[1].input + h) * axis[2].input + w]; });
    wrong += !(std::fabs(static_cast<double>(y[static_cast<std::size_t>(i)]) - e.value) <= e.bound);
    if (op == PoolOp::max) wrong += indices.data()[i] != plane * in_size + e.index;
  }
  CHECK(wrong == 0);
}

void check_global_pools(int channels, int height, int width, Random& random) {
  INFO(channels << "x" << height << "x" << width);
  BlockedBuffer x(2, channels, height, width, 1);
  x.fill(random);
  const PoolAxis axis[3] = {{}, axis_of(height, height, 1, 1, 0, 0, false), axis_of(width, width, 1, 1, 0, 0, false)};
  for (const PoolOp op : {PoolOp::max, PoolOp::average}) {
    check_pooled(op, axis, x, [&](const Table& k, BlockedBuffer& y) {
      GlobalPoolArguments args;
      args.op = op, args.x = x.source(), args.y = y.target();
      args.blocks = x.blocks(), args.height = height, args.width = width;
      for (const auto& [begin, end] : {std::pair{2, 2 * x.blocks()}, std::pair{0, 2}}) {
        args.plane_begin = begin, args.plane_end = end;
        k.global_pool(args);
      }
    });
  }
}

}  // namespace

TEST_CASE("the fast maximum pools handle every width and padding") {
  at_both_ends();
  Random random(1);
  for (const int kernel : {2, 3}) {
    for (int width = kernel; width <= 40; ++width) {
      for (int pad = 0; pad < kernel; ++pad) {
        const PoolAxis w = axis_of(width, kernel, 2, 1, pad, width % kernel, width % 2 == 1);
        const PoolAxis h = axis_of(7, kernel, 2, 1, pad, 0, true);
        check_blocked(PoolOp::max, h, w, random);
      }
    }
  }
}

TEST_CASE("blocked pooling handles any kernel, stride, dilation and padding") {
  at_both_ends();
  Random random(2);
  for (int round = 0; round < 150; ++round) check_random_pool(round, random);
}

TEST_CASE("plain pooling handles one, two and three axes, and says where the maximum was") {
  at_both_ends();
  Random random(3);
  for (int round = 0; round < 200; ++round) check_random_plain_pool(round, random);
}

TEST_CASE("column-major indices of a maximum count the axes in reverse") {
  const float x[6] = {1, 2, 3, 4, 9, 5};  // 2 x 3, the maximum at row 1, column 1
  for (const Table* k : runnable_tables()) {
    float y = 0;
    std::int64_t index = -1;
    PlainPoolArguments args;
    args.x = x, args.y = &y, args.indices = &index, args.indices_column_major = true;
    args.axis[1] = axis_of(2, 2, 1, 1, 0, 0, false);
    args.axis[2] = axis_of(3, 3, 1, 1, 0, 0, false);
    args.end = 1;
    k->plain_pool(args);
    CHECK(index == 3);
  }
}

TEST_CASE("a NaN in a window gives NaN, wherever it stands") {
  for (const Table* k : runnable_tables()) {
    for (int where = 0; where < 9; ++where) {
      for (const int stride : {1, 2}) {
        BlockedBuffer x(1, 16, 3, 3), y(1, 16, 1, 1), global(1, 16, 1, 1);
        x.each([&](int n, int c, int h, int w) { x.at(n, c, h, w) = c == 5 && h * 3 + w == where ? NAN : 1.0f; });
        PoolArguments args;
        args.x = x.source(), args.y = y.target(), args.blocks = 1;
        args.h = args.w = axis_of(3, 3, stride, 1, 0, 0, false);
        args.range = y.all();
        k->pool(args);
        GlobalPoolArguments whole;
        whole.op = PoolOp::max, whole.x = x.source(), whole.y = global.target();
        whole.blocks = 1, whole.height = whole.width = 3, whole.plane_end = 1;
        k->global_pool(whole);
        for (int c = 0; c < 16; ++c) {
          CHECK(std::isnan(y.at(0, c, 0, 0)) == (c == 5));
          CHECK(std::isnan(global.at(0, c, 0, 0)) == (c == 5));
        }
      }
    }
  }
}

TEST_CASE("global pooling handles every width") {
  at_both_ends();
  Random random(4);
  for (int width = 1; width <= 40; ++width) check_global_pools(35, width % 9 + 1, width, random);
}

TEST_CASE("guard pages: 10,000 pools", "[.nightly]") {
  Random random(30);
  const auto any = [&](int low, int high) { return static_cast<int>(random.integer(low, high)); };
  for (int round = 0; round < 5'000; ++round) {
    at_either_end(random);
    check_random_pool(round, random);
  }
  for (int round = 0; round < 3'000; ++round) {
    at_either_end(random);
    check_random_plain_pool(round, random);
  }
  for (int round = 0; round < 1'000; ++round) {  // of two cases each
    at_either_end(random);
    check_global_pools(any(1, 40), any(1, 9), any(1, 20), random);
  }
}
