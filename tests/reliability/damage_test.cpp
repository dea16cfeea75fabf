// Catalogue B01 and B02, all the way: every truncation and every flip of a bit is refused or runs, in bounded memory and
// time; what a truncation leaves whole computes what the whole file does. The full sets of the bundled network are nightly,
// samples of a fixed seed are not.
#include <algorithm>
#include <cstring>
#include <random>

#include "onnx/load.h"
#include "reliability/hostile.h"
#include "support/data_dir.h"
#include "support/processor_seconds.h"
#include "support/sanitized.h"

namespace linnet::test::damage_test {

namespace {

using File = std::vector<std::byte>;

constexpr std::int64_t kMostMacs = std::int64_t{1} << 26, kMostElements = 1 << 20;

/// One of each kind of operator that a small classifier has.
File small_network() {
  return model_of({OnnxNode("Conv", {"x", "w", "b"}, {"c"}, "conv").set("pads", Ints{1, 1, 1, 1}),
                   OnnxNode("BatchNormalization", {"c", "b", "b", "b", "v"}, {"n"}), OnnxNode("Relu", {"n"}, {"r"}),
                   OnnxNode("Add", {"r", "x"}, {"s"}),
                   OnnxNode("MaxPool", {"s"}, {"p"}).set("kernel_shape", Ints{2, 2}).set("strides", Ints{2, 2}),
                   OnnxNode("GlobalAveragePool", {"p"}, {"a"}), OnnxNode("Flatten", {"a"}, {"f"}),
                   OnnxNode("Gemm", {"f", "g"}, {"q"}), OnnxNode("Softmax", {"q"}, {"y"})},
                  {{"x", {"N", 2, 6, 6}}},
                  {{"w", floats_of({2, 2, 3, 3}, 0.1F)},
                   {"b", floats_of({2})},
                   {"v", floats_of({2}, 0.5F)},
                   {"g", floats_of({2, 3}, 0.01F)}})
      .bytes();
}

const File& bundled() {
  static const File file = read_bytes(bundled_model());
  return file;
}

bool is_small(const ValueInfo& info) {
  std::int64_t elements = 1;
  for (const ValueInfo::Dim& dim : info.shape) {
    if (dim.value > kMostElements) return false;
    elements *= std::max<std::int64_t>(dim.value, 1);
    if (elements > kMostElements) return false;
  }
  return true;
}

struct Counts {
  int refused = 0, ran = 0;
};

/// What a damaged file came to: its outputs, or nothing where it was refused or is too large to be run here.
std::vector<Tensor> outcome_of(std::span<const std::byte> file, Counts& counts) {
  LoadOptions load;
  load.external_data_dir = "/nonexistent";
  SessionOptions options = one_thread();
  options.max_arena_bytes = std::int64_t{64} << 20;
  std::vector<Tensor> outputs;
  const double seconds = processor_seconds_of([&] {
    try {
      Session session(Model::load(file, load), options);
      const std::vector<ValueInfo>& inputs = session.plan().inputs();
      if (session.plan().report().macs <= kMostMacs && std::all_of(inputs.begin(), inputs.end(), is_small)) {
        outputs = session.run(zeros_for(session.plan()));
        ++counts.ran;
      }
    } catch (const Error& error) {
      ++counts.refused;
      if (error.code() == ErrorCode::internal || error.message().empty()) FAIL_CHECK(error.what());
    }
  });
  if (seconds > (kSanitized ? 20 : 2)) FAIL_CHECK("it took " << seconds << " s");
  return outputs;
}

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const Tensor& x, const Tensor& y) {
           return x.shape() == y.shape() && x.bytes() == y.bytes() && std::memcmp(x.raw(), y.raw(), x.bytes()) == 0;
         });
}

void check_truncations(const File& file, const std::vector<std::size_t>& lengths) {
  Counts whole, counts;
  const std::vector<Tensor> expected = outcome_of(file, whole);
  REQUIRE(whole.ran == 1);
  for (const std::size_t length : lengths) {
    // Memory of exactly that size, so that a sanitizer sees a read beyond it.
    const File cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(length));
    const int before = counts.ran;
    const std::vector<Tensor> found = outcome_of(cut, counts);
    if (counts.ran != before && !same(found, expected)) FAIL_CHECK("cut to " << length << " it gives something else");
  }
  CHECK(counts.refused + counts.ran == static_cast<int>(lengths.size()));
  WARN(lengths.size() << " truncations: " << counts.refused << " refused, " << counts.ran << " right");
}

void check_flips(const File& file, const std::vector<std::size_t>& bits) {
  Counts counts;
  File damaged = file;
  for (const std::size_t bit : bits) {
    const auto mask = static_cast<std::byte>(1U << (bit % 8));
    damaged[bit / 8] ^= mask;
    INFO("bit " << bit);
    (void)outcome_of(damaged, counts);
    damaged[bit / 8] ^= mask;
  }
  CHECK(counts.refused > 0);
  CHECK(counts.ran > 0);
  WARN(bits.size() << " flips: " << counts.refused << " refused, " << counts.ran << " ran");
}

std::vector<std::size_t> up_to(std::size_t end) {
  std::vector<std::size_t> all(end);
  for (std::size_t i = 0; i < end; ++i) all[i] = i;
  return all;
}

std::vector<std::size_t> sample_of(const std::vector<std::size_t>& all, std::size_t count) {
  std::mt19937 random(5);
  std::vector<std::size_t> some;
  std::sample(all.begin(), all.end(), std::back_inserter(some), count, random);
  return some;
}

/// The bits of all bytes that are not elements of large tensors: flipped, those only make another model of the same kind.
std::vector<std::size_t> structure_bits(const File& file) {
  constexpr std::size_t kLarge = 64;
  std::vector<bool> payload(file.size());
  const graph::Graph graph = onnx::load_graph(file, nullptr, "bundled", {});
  for (graph::ValueId id = 0; id < graph.value_count(); ++id) {
    const auto& constant = graph.value(id).constant;
    if (!constant || constant->bytes() < kLarge) continue;
    const auto* const raw = static_cast<const std::byte*>(constant->raw());
    const auto at = std::search(file.begin(), file.end(), raw, raw + constant->bytes());
    if (at != file.end()) std::fill_n(payload.begin() + (at - file.begin()), constant->bytes(), true);
  }
  std::vector<std::size_t> bits;
  for (std::size_t i = 0; i < file.size(); ++i) {
    for (std::size_t bit = 0; bit < 8 && !payload[i]; ++bit) bits.push_back(8 * i + bit);
  }
  return bits;
}

}  // namespace

TEST_CASE("B01: every truncation of a small network is refused or right") {
  const File file = small_network();
  check_truncations(file, up_to(file.size()));
}

TEST_CASE("B01: truncations of the bundled network are refused or right") {
  check_truncations(bundled(), sample_of(up_to(bundled().size()), 1000));
}

TEST_CASE("B01: every truncation of the bundled network is refused or right", "[.nightly]") {
  check_truncations(bundled(), up_to(bundled().size()));
}

TEST_CASE("B02: a small network with any bit flipped is refused or runs") {
  const File file = small_network();
  check_flips(file, up_to(8 * file.size()));
}

TEST_CASE("B02: the bundled network with a bit of its structure flipped is refused or runs") {
  const std::vector<std::size_t> bits = structure_bits(bundled());
  CHECK(bits.size() > 10'000);                // names, shapes, attributes
  CHECK(bits.size() < bundled().size() * 2);  // most of the file is weights
  check_flips(bundled(), sample_of(bits, 300));
}

TEST_CASE("B02: the bundled network with any bit of its structure flipped is refused or runs", "[.nightly]") {
  check_flips(bundled(), structure_bits(bundled()));
}

}  // namespace linnet::test::damage_test
