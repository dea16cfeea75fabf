// The promise of equal bits, across machines: each kernel's result on fixed inputs has one hash, which was computed
// with the scalar table on x86-64. Every table of every architecture must arrive at it. A change of these numbers is a
// change of results and belongs into the change log.
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "kernels/table.h"
#include "support/kernel_check.h"

using namespace linnet;
using namespace linnet::kernels;
using namespace linnet::test;

namespace {

class Hash {
 public:
  void add(const std::vector<float>& values) {
    for (const float x : values) {
      for (std::uint32_t bits = bits_of(x), i = 0; i < 4; ++i, bits >>= 8)
        state_ = (state_ ^ (bits & 0xff)) * 0x100000001b3u;
    }
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325u;
};

/// Special values and 4000 floats of all sizes.
std::vector<float> inputs(std::uint64_t seed) {
  Random random(seed);
  std::vector<float> x = special_floats();
  for (int i = 0; i < 2000; ++i) x.push_back(random_float(random, 10));
  for (int i = 0; i < 2000; ++i) x.push_back(float_of(static_cast<std::uint32_t>(random.next())));
  return x;
}

void unary(const Table& k, Hash& hash) {
  const std::vector<float> x = inputs(1);
  for (int op = 0; op <= static_cast<int>(UnaryOp::cos); ++op) {
    std::vector<float> y(x.size());
    UnaryArguments args;
    args.op = static_cast<UnaryOp>(op), args.alpha = 0.3f, args.beta = 0.6f;
    args.x = x.data(), args.y = y.data(), args.end = static_cast<std::int64_t>(x.size());
    k.unary(args);
    hash.add(y);
  }
}

void binary(const Table& k, Hash& hash) {
  const std::vector<float> a = inputs(2), b = inputs(3);
  const auto n = static_cast<std::int64_t>(a.size());
  for (int op = 0; op <= static_cast<int>(BinaryOp::prelu); ++op) {
    for (int shift = 0; shift < 64; shift += 7) {  // specials meet specials, too
      std::vector<float> y(static_cast<std::size_t>(n - shift));
      BinaryArguments args;
      args.op = static_cast<BinaryOp>(op);
      args.a = a.data() + shift, args.b = b.data(), args.y = y.data();
      args.size[0] = args.end = n - shift;
      args.a_stride[0] = args.b_stride[0] = 1;
      k.binary(args);
      hash.add(y);
    }
  }
}

void blocked(const Table& k, Hash& hash) {
  Random random(4);
  BlockedBuffer x(2, 40, 9, 11, 1), z(2, 40, 9, 11), y(2, 40, 9, 11);
  x.fill(random), z.fill(random);
  const std::vector<float> scale = random_floats(random, 48), shift = random_floats(random, 48);
  BlockedBinaryArguments sum;
  sum.a = x.source(), sum.b = z.source(), sum.y = y.target();
  sum.blocks = 3, sum.width = 11, sum.clamp.lo = 0, sum.range = y.all();
  k.blocked_binary(sum);
  hash.add(y.values());
  ScaleShiftArguments linear;
  linear.x = x.source(), linear.y = y.target(), linear.scale = scale.data(), linear.shift = shift.data();
  linear.blocks = 3, linear.width = 11, linear.range = y.all();
  k.scale_shift(linear);
  hash.add(y.values());
  BlockedUnaryArguments swish;
  swish.op = UnaryOp::swish, swish.alpha = 1, swish.x = x.source(), swish.y = y.target();
  swish.blocks = 3, swish.width = 11, swish.range = y.all();
  k.blocked_unary(swish);
  hash.add(y.values());
}

void norm(const Table& k, Hash& hash) {
  Random random(5);
  const std::vector<float> x = random_floats(random, 3 * 1400, 20), parameters = random_floats(random, 1400);
  std::vector<float> y(x.size());
  for (const std::int64_t inner : {1, 7}) {
    for (const bool logarithm : {false, true}) {
      SoftmaxArguments args;
      args.x = x.data(), args.y = y.data(), args.n = 1400 / inner, args.inner = inner, args.logarithm = logarithm;
      args.end = 3 * inner;
      k.softmax(args);
      hash.add(y);
    }
  }
  for (const bool per_element : {false, true}) {
    RowNormArguments args;
    args.x = x.data(), args.y = y.data(), args.scale = parameters.data(),
    args.bias = parameters.data() + (per_element ? 0 : 3);
    args.per_element = per_element, args.channels = 3, args.n = 1400, args.eps = 1e-5f, args.end = 3;
    k.row_norm(args);
    hash.add(y);
  }
  for (const float beta : {0.75f, 0.6f}) {
    LrnArguments args;
    args.x = x.data(), args.y = y.data(), args.channels = 14, args.pixels = 100, args.size = 5, args.alpha = 1e-2f,
    args.beta = beta;
    args.end = 300;
    k.lrn(args);
    hash.add(y);
  }
}

void reduce(const Table& k, Hash& hash) {
  Random random(6);
  const std::vector<float> x = random_floats(random, 3 * 2800, 1.5f);
  for (int op = 0; op <= static_cast<int>(ReduceOp::l2); ++op) {
    for (const std::int64_t inner : {1, 20}) {
      std::vector<float> y(static_cast<std::size_t>(3 * inner));
      ReduceArguments args;
      args.op = static_cast<ReduceOp>(op), args.x = x.data(), args.y = y.data(), args.n = 2800 / inner,
      args.inner = inner;
      args.end = 3 * inner;
      k.reduce(args);
      hash.add(y);
    }
  }
}

void pool(const Table& k, Hash& hash) {
  Random random(7);
  BlockedBuffer x(1, 30, 13, 14, 1), y(1, 30, 7, 7), global(1, 30, 1, 1);
  x.fill(random);
  const std::vector<float> plain = random_floats(random, 2 * 13 * 14);
  std::vector<float> plain_y(2 * 7 * 7);
  for (const PoolOp op : {PoolOp::max, PoolOp::average, PoolOp::average_include_pad}) {
    PoolArguments args;
    args.op = op, args.x = x.source(), args.y = y.target(), args.blocks = 2, args.range = y.all();
    args.h = {13, 7, 3, 2, 1, 1, 1}, args.w = {14, 7, 3, 2, 1, 1, 0};
    k.pool(args);
    hash.add(y.values());
    PlainPoolArguments flat;
    flat.op = op, flat.x = plain.data(), flat.y = plain_y.data(), flat.axis[1] = args.h, flat.axis[2] = args.w,
    flat.end = 2 * 7;
    k.plain_pool(flat);
    hash.add(plain_y);
    GlobalPoolArguments whole;
    whole.op = op, whole.x = x.source(), whole.y = global.target(), whole.blocks = 2, whole.height = 13,
    whole.width = 14;
    whole.plane_end = 2;
    k.global_pool(whole);
    hash.add(global.values());
  }
}

void depthwise(const Table& k, Hash& hash) {
  Random random(8);
  for (const int kernel : {2, 3, 5}) {
    for (const int stride : {1, 2}) {
      const int out = (17 + kernel / 2 * 2 - kernel) / stride + 1;
      BlockedBuffer x(1, 24, 17, 17), y(1, 24, out, out);
      x.fill(random);
      const std::vector<float> weights = random_floats(random, static_cast<std::size_t>(2 * kernel * kernel * 16));
      const std::vector<float> bias = random_floats(random, 32);
      DepthwiseArguments args;
      args.x = x.source(), args.y = y.target(), args.weights = weights.data(), args.bias = bias.data();
      args.blocks = 2, args.in_h = args.in_w = 17, args.out_w = out, args.kernel_h = args.kernel_w = kernel;
      args.stride_h = args.stride_w = stride, args.pad_top = args.pad_left = kernel / 2, args.clamp = {0, 6};
      args.range = y.all();
      k.depthwise(args);
      hash.add(y.values());
    }
  }
}

struct Family {
  const char* name;
  void (*run)(const Table&, Hash&);
  std::uint64_t expected;
};
const Family kFamilies[] = {
    {"unary", unary, 0xfdc61abdbddaf905},         {"binary", binary, 0xd649bc5c742bdd1f},
    {"blocked", blocked, 0x675fa32d9126e5f2},     {"norm", norm, 0x9d0e504887e532b4},
    {"reduce", reduce, 0xc6d8f4365b7573b6},       {"pool", pool, 0xc6d6763a05b179f3},
    {"depthwise", depthwise, 0x28a9ccc2234b9a1c},
};

}  // namespace

TEST_CASE("kernels give the bits that they gave elsewhere") {
  for (const Family& family : kFamilies) {
    for (const Table* k : runnable_tables()) {
      Hash hash;
      family.run(*k, hash);
      char found[32], expected[32];
      std::snprintf(found, sizeof found, "0x%016llx", static_cast<unsigned long long>(hash.value()));
      std::snprintf(expected, sizeof expected, "0x%016llx", static_cast<unsigned long long>(family.expected));
      INFO(family.name << " on " << name(k->isa));
      CHECK(std::string(found) == expected);
    }
  }
}
