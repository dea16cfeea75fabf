#include "support/blocked_case.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "base/aligned_buffer.h"
#include "kernels/cpu.h"
#include "support/tensor_adapter.h"

namespace linnet::test {

namespace {

constexpr float kPoison = 12345.0f;  // in the halo of an output

bool in_mask(std::uint32_t mask, std::size_t i) { return (mask >> i & 1u) != 0; }

graph::Graph graph_with_constants(const OpCase& c, std::uint32_t constants) {
  graph::Graph graph;
  graph.opsets[c.node.domain] = c.node.opset;
  graph::Node node = c.node;
  node.inputs.clear();
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    const Tensor& x = c.inputs[i];
    const std::string name = "x" + std::to_string(i);
    if (x.type() == DataType::undefined) {
      node.inputs.push_back(graph::kNoValue);
    } else if (in_mask(constants, i)) {
      node.inputs.push_back(graph.add_constant(name, x));
    } else {
      node.inputs.push_back(graph.add_value(name, desc(x.type(), {x.shape().begin(), x.shape().end()})));
      graph.add_input(node.inputs.back());
    }
  }
  for (graph::ValueId& output : node.outputs) {
    if (output == graph::kNoValue) continue;
    output = graph.add_value("y" + std::to_string(output));
    graph.add_output(output);
  }
  graph.add_node(std::move(node));
  ops::infer_shapes(graph);
  return graph;
}

/// visit(offset in the buffer, index in the plain tensor), and every other float of the buffer keeps its value.
template <typename Visit>
void each_element(const ops::Placement& p, const Visit& visit) {
  const Shape& s = p.shape;
  std::int64_t plain = 0;
  if (p.layout == graph::Layout::plain) {
    for (; plain < p.elements(); ++plain) visit(plain, plain);
    return;
  }
  for (std::int64_t n = 0; n < s[0]; ++n) {
    for (std::int64_t c = 0; c < s[1]; ++c) {
      for (std::int64_t h = 0; h < s[2]; ++h) {
        for (std::int64_t w = 0; w < s[3]; ++w) {
          visit(p.origin + n * p.image_stride + c / 16 * p.plane_stride + h * p.row_stride + w * 16 + c % 16, plain++);
        }
      }
    }
  }
}

/// The padded channels of pixels inside the halo.
template <typename Visit>
void each_padding(const ops::Placement& p, const Visit& visit) {
  if (p.layout == graph::Layout::plain) return;
  ops::Placement whole = p;
  whole.shape[1] = p.channel_blocks() * 16;
  each_element(whole, [&](std::int64_t offset, std::int64_t plain) {
    const std::int64_t pixels = p.shape[2] * p.shape[3];
    if (plain / pixels % whole.shape[1] >= p.shape[1]) visit(offset);
  });
}

base::AlignedBuffer blocked_copy(const ops::Placement& p, const Tensor& x) {
  base::AlignedBuffer buffer(p.bytes, base::AlignedBuffer::Fill::zero);
  each_element(p, [&](std::int64_t offset, std::int64_t plain) {
    buffer.as<float>()[offset] = x.data<float>()[static_cast<std::size_t>(plain)];
  });
  return buffer;
}

struct Setting {
  ops::Halo in, out;
  kernels::Isa isa = kernels::Isa::scalar;
  int threads = 1;
};

std::vector<ops::Placement> placements_of(const graph::Graph& graph, const ops::LayoutRule& rule, const Setting& s) {
  const graph::NodeId id = graph.order().front();
  const graph::Node& node = graph.node(id);
  std::vector<ops::Placement> placements;
  for (graph::ValueId v = 0; v < graph.value_count(); ++v) {
    const graph::TensorDesc& d = graph.value(v).desc;
    graph::Layout layout = graph::Layout::plain;
    ops::Halo halo;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != v || !in_mask(rule.blocked_inputs, i)) continue;
      layout = graph::Layout::nchw16c;
      halo = ops::larger(s.in, ops::require_operator(graph, id).halo(ops::NodeContext(graph, id), i));
    }
    if (std::count(node.outputs.begin(), node.outputs.end(), v) > 0 && !rule.plain_outputs) {
      layout = graph::Layout::nchw16c;
      halo = s.out;
    }
    placements.push_back(ops::place(d.type, d.static_shape(), layout, halo));
  }
  return placements;
}

void check_surroundings(const ops::Placement& p, const base::AlignedBuffer& y) {
  std::vector<bool> inside(p.bytes / sizeof(float), false);
  bool zero = true, untouched = true;
  each_element(p, [&](std::int64_t offset, std::int64_t) { inside[static_cast<std::size_t>(offset)] = true; });
  each_padding(p, [&](std::int64_t offset) {
    inside[static_cast<std::size_t>(offset)] = true;
    zero = zero && y.as<float>()[offset] == 0.0f;
  });
  for (std::size_t i = 0; i < inside.size(); ++i) untouched = untouched && (inside[i] || y.as<float>()[i] == kPoison);
  CHECK(zero);
  CHECK(untouched);
}

std::vector<Tensor> run_blocked(const OpCase& c, std::uint32_t constants, const Setting& s) {
  graph::Graph graph = graph_with_constants(c, constants);
  const graph::NodeId id = graph.order().front();
  const ops::LayoutRule rule = layout_rule(c, constants);
  const std::vector<ops::Placement> placements = placements_of(graph, rule, s);
  ops::WeightStore weights;
  ops::PlanOptions options;
  options.threads = s.threads;
  const ops::Step step = ops::plan_node(graph, id, *kernels::table(s.isa), options, weights, placements);
  std::vector<base::AlignedBuffer> copies;
  std::vector<const std::byte*> inputs;
  for (std::size_t i = 0; i < c.inputs.size(); ++i) {
    inputs.push_back(nullptr);
    if (step.inputs[i] == graph::kNoValue) continue;
    const ops::Placement& p = placements[static_cast<std::size_t>(step.inputs[i])];
    if (p.layout == graph::Layout::plain) {
      inputs.back() = static_cast<const std::byte*>(c.inputs[i].raw());
      continue;
    }
    copies.push_back(blocked_copy(p, c.inputs[i]));
    inputs.back() = copies.back().data();
  }
  std::vector<base::AlignedBuffer> buffers;
  std::vector<std::byte*> outputs;
  for (const graph::ValueId output : step.outputs) {
    const std::size_t bytes = placements[static_cast<std::size_t>(output)].bytes;
    buffers.emplace_back(bytes, base::AlignedBuffer::Fill::none);
    std::fill_n(buffers.back().as<float>(), bytes / sizeof(float), kPoison);
    outputs.push_back(buffers.back().data());
  }
  base::AlignedBuffer shared(step.shared_scratch_bytes, base::AlignedBuffer::Fill::zero);
  base::AlignedBuffer own(step.thread_scratch_bytes, base::AlignedBuffer::Fill::zero);
  for (int phase = 0; phase < step.phases; ++phase) {
    for (int thread = 0; thread < s.threads; ++thread) {
      step.run({inputs.data(), outputs.data(), shared.data(), own.data(), phase, thread, s.threads});
    }
  }
  std::vector<Tensor> results;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const ops::Placement& out = placements[static_cast<std::size_t>(step.outputs[i])];
    check_surroundings(out, buffers[i]);
    results.emplace_back(DataType::float32, out.shape);
    each_element(out, [&](std::int64_t offset, std::int64_t plain) {
      results[i].mutable_data<float>()[static_cast<std::size_t>(plain)] = buffers[i].as<float>()[offset];
    });
  }
  return results;
}

std::vector<kernels::Isa> isas() {
  std::vector<kernels::Isa> list;
  const kernels::Isa best = kernels::detect_cpu().best;
  for (const kernels::Isa isa : kernels::kIsas) {
    if (isa <= best && kernels::table(isa) != nullptr) list.push_back(isa);
  }
  return list;
}

}  // namespace

ops::LayoutRule layout_rule(const OpCase& c, std::uint32_t constants) {
  const graph::Graph graph = graph_with_constants(c, constants);
  const graph::NodeId id = graph.order().front();
  return ops::require_operator(graph, id).layout(ops::NodeContext(graph, id));
}

void check_blocked(const OpCase& c, std::uint32_t constants, Tolerance tolerance) {
  INFO(graph::op_label(c.node) << " of " << to_string(c.inputs[0].shape()));
  REQUIRE(layout_rule(c, constants).preference != ops::LayoutRule::Preference::plain);
  const std::vector<Tensor> plain = run(c), first = run_blocked(c, constants, {});
  for (std::size_t i = 0; i < plain.size(); ++i) {
    const Comparison comparison = compare(to_reference(first[i]), to_reference(plain[i]), tolerance);
    INFO("output " << i << ": " << comparison.text);
    CHECK(comparison.ok);
  }
  const auto check_bits = [&](const Setting& setting) {
    const std::vector<Tensor> outputs = run_blocked(c, constants, setting);
    for (std::size_t i = 0; i < outputs.size(); ++i) CHECK(bit_difference(outputs[i], first[i]) == "");
  };
  for (const kernels::Isa isa : isas()) {
    for (int threads = 1; threads <= 5; ++threads) {
      INFO(kernels::name(isa) << ", " << threads << " threads");
      check_bits({{}, {}, isa, threads});
      check_bits({{1, 2, 0, 3}, {}, isa, threads});
      check_bits({{}, {2, 1, 1, 0}, isa, threads});
      check_bits({{1, 1, 1, 1}, {1, 1, 1, 1}, isa, threads});
    }
  }
}

}  // namespace linnet::test
