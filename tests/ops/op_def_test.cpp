// The operator table, inference's bookkeeping, placements, packed weights, and copies between blocked tensors.
#include "ops/op_def.h"

#include <catch2/catch.hpp>
#include <cstring>

#include "base/aligned_buffer.h"
#include "support/op_case.h"

namespace linnet::test::op_def_test {
namespace {

using graph::Dim;
using graph::Layout;
using ops::Halo;
using ops::Placement;

const DataType kFloat = DataType::float32;

TEST_CASE("Every line of the operator list is found at the opsets it names", "[ops]") {
  for (const ops::OpDef& def : ops::all_operators()) {
    CAPTURE(def.name, def.domain, def.since);
    CHECK(def.since <= def.until);
    CHECK(ops::find_operator(def.domain, def.name, def.since) == &def);
    CHECK(ops::find_operator(def.domain, def.name, def.until) == &def);
  }
  CHECK(ops::find_operator("", "Convolve", 13) == nullptr);
  CHECK(ops::find_operator("elsewhere", "Reshape", 13) == nullptr);
  CHECK(ops::find_operator("", "Upsample", 10) == nullptr);
}

TEST_CASE("A refusal says what is not supported", "[ops]") {
  const auto why = [](std::string op, int opset, const AttributeList& attributes = {}, std::string domain = "") {
    graph::Node node = op_case(std::move(op), opset, {}, attributes).node;
    node.domain = std::move(domain);
    return ops::why_unsupported(node);
  };
  CHECK(why("Reshape", 13) == "");
  CHECK(why("Convolve", 13) == "unknown operator");
  CHECK(why("Reshape", 13, {}, "elsewhere") == "unknown operator domain 'elsewhere'");
  CHECK(why("Reshape", 99) == "opset 99 is newer than 28");
  CHECK(why("Expand", 7) == "opset 7 is older than 8");
  CHECK(why("Transpose", 13, {{"axes", ints({0})}}) == "unknown attribute 'axes'");
  CHECK(why("Transpose", 13, {{"per", ints({0})}}) == "unknown attribute 'per'");
  CHECK(why("Constant", 13, {{"value_string", std::string("s")}}) ==
        "attribute 'value_string': strings are not supported");
  CHECK(why("Constant", 11, {{"value_string", std::string("s")}}) == "unknown attribute 'value_string'");
}

TEST_CASE("Attributes are taken at the opsets that have them, and at no other", "[ops]") {
  const auto takes = [](const char* op, int opset, const char* attribute) {
    return ops::why_unsupported(op_case(op, opset, {}, {{attribute, std::int64_t{1}}}).node).empty();
  };
  for (const char* op : {"Relu",
                         "LeakyRelu",
                         "Sigmoid",
                         "HardSigmoid",
                         "Tanh",
                         "Elu",
                         "Selu",
                         "Sqrt",
                         "Exp",
                         "Log",
                         "Neg",
                         "Abs",
                         "Reciprocal",
                         "Floor",
                         "Ceil",
                         "Clip",
                         "Add",
                         "Sub",
                         "Mul",
                         "Div",
                         "PRelu",
                         "Sum",
                         "Mean",
                         "Max",
                         "Min",
                         "BatchNormalization",
                         "InstanceNormalization"}) {
    INFO(op);
    CHECK(takes(op, 5, "consumed_inputs"));
    CHECK(!takes(op, 6, "consumed_inputs"));
    CHECK(!takes(op, 13, "consumed_inputs"));
  }
  CHECK(!takes("Pow", 1, "consumed_inputs"));
  CHECK(takes("Gemm", 6, "broadcast"));
  CHECK(!takes("Gemm", 7, "broadcast"));
  CHECK(!takes("CastLike", 23, "round_mode"));
  CHECK(takes("CastLike", 24, "round_mode"));
}

TEST_CASE("Inputs beyond those of the opset are refused", "[ops]") {
  const auto pad = [](int opset) {  // the axes are an input since opset 18
    return op_case("Pad", opset, {counting(kFloat, {2}), int64s({1, 1}), Tensor(), int64s({0})});
  };
  CHECK(refusal(pad(17)) == ErrorCode::model);
  CHECK(run(pad(18))[0].shape() == Shape{4});
}

TEST_CASE("A node without outputs is refused", "[ops]") {
  for (const char* op : {"Split", "Relu", "If"}) {
    OpCase c = op_case(op, 18, {counting(kFloat, {4})}, {}, 0);
    CHECK(refusal(c) == ErrorCode::model);
  }
}

TEST_CASE("Inference wins over declared extents, and a wrong declared type is an error", "[ops]") {
  const auto merged = [](graph::TensorDesc declared, const graph::DimList& stated = {}) {
    graph::Graph g;
    const graph::ValueId x = g.add_value("x", desc(kFloat, {Dim::symbolic("N"), Dim()})),
                         y = g.add_value("y", std::move(declared));
    g.add_input(x);
    g.add_output(y);
    if (!stated.empty()) g.declared.emplace(y, stated);
    graph::Node node = op_case("Identity", 13, {}).node;
    node.inputs = {x};
    node.outputs = {y};
    g.add_node(node);
    ops::infer_shapes(g);
    return graph::to_string(g.value(y).desc) + " " + graph::to_string(g.described(y));
  };
  CHECK(merged({}) == "float[N,?] float[N,?]");
  CHECK(merged(desc(kFloat, {1, 7})) == "float[N,?] float[N,?]");
  // What the file states of an output is told to people and concludes nothing.
  CHECK(merged(desc(kFloat, {1, 7}), {1, 7}) == "float[N,?] float[N,7]");
  CHECK(merged({}, {1, 2, 3}) == "float[N,?] float[N,?]");
  CHECK_THROWS_AS(merged(desc(DataType::int32, {1, 7})), Error);
}

TEST_CASE("Broadcasting follows NumPy and keeps symbols", "[ops]") {
  const Dim n = Dim::symbolic("N"), m = Dim::symbolic("M");
  graph::Graph g;
  g.add_node(op_case("Where", 16, {}, {}, 0).node);
  const ops::NodeContext c(g, 0);
  const auto text = [&](const graph::DimList& a, const graph::DimList& b) {
    return graph::to_string(desc(kFloat, ops::broadcast(c, a, b)));
  };
  CHECK(text({2, 1, 3}, {4, 1}) == "float[2,4,3]");
  CHECK(text({}, {4}) == "float[4]");
  CHECK(text({n, 1}, {1, 3}) == "float[N,3]");
  CHECK(text({n}, {n}) == "float[N]");
  CHECK(text({n}, {m}) == "float[?]");
  CHECK(text({n}, {5}) == "float[5]");
  CHECK(text({0}, {1}) == "float[0]");
  CHECK_THROWS_AS(ops::broadcast(c, {2}, {3}), Error);
  CHECK_THROWS_AS(ops::broadcast(c, {0}, {2}), Error);
}

TEST_CASE("Placements: halos, planes kept apart in the cache, slack", "[ops]") {
  const Placement plain = ops::place(DataType::int64, {3, 5}, Layout::plain);
  CHECK(plain.elements() == 15);
  CHECK(plain.bytes >= 15 * 8 + 64);
  CHECK(plain.bytes % 64 == 0);

  const Placement p = ops::place(kFloat, {2, 33, 7, 5}, Layout::nchw16c, {1, 2, 3, 4});
  CHECK(p.channel_blocks() == 3);
  CHECK(p.row_stride == (5 + 2 + 4) * 16);
  CHECK(p.plane_stride == (7 + 1 + 3) * p.row_stride);
  CHECK(p.image_stride == 3 * p.plane_stride);
  CHECK(p.origin == p.row_stride + 2 * 16);
  CHECK(p.bytes >= static_cast<std::size_t>(2 * p.image_stride * 4 + 64));

  CHECK(ops::place(kFloat, {1, 64, 32, 32}, Layout::nchw16c).plane_stride == 32 * 32 * 16 + 32);
  CHECK(ops::place(kFloat, {1, 64, 8, 8}, Layout::nchw16c).plane_stride == 8 * 8 * 16);  // 4096 bytes and no more
  const Placement row = ops::place(kFloat, {1, 16, 9}, Layout::nchw16c, {0, 1, 0, 1});
  CHECK(row.row_stride == 11 * 16);
  CHECK(row.plane_stride == row.row_stride);
  CHECK_THROWS_AS(ops::place(DataType::int32, {1, 16, 2, 2}, Layout::nchw16c), Error);
  CHECK_THROWS_AS(ops::place(kFloat, {1, 16}, Layout::nchw16c), Error);
  CHECK_THROWS_AS(ops::place(kFloat, {1ll << 40, 1ll << 40}, Layout::plain), Error);
}

TEST_CASE("Packed weights are shared where the constants and what is made of them are equal", "[ops]") {
  graph::Graph common;
  const graph::ValueId w = common.add_constant("w", tensor<float>({2}, {1, 2}));
  const graph::ValueId v = common.add_constant("v", tensor<float>({2}, {1, 3}));
  ops::WeightStore store, own;
  int fills = 0;
  const auto pack = [&](graph::Graph g, std::vector<graph::ValueId> constants, const char* what,
                        const graph::Graph* shared_by) {
    graph::Node node = op_case("Concat", 13, {}, {{"axis", std::int64_t{fills}}}).node;
    node.inputs = std::move(constants);
    node.outputs = {g.add_value("y")};
    const graph::NodeId id = g.add_node(node);
    ops::Step step;
    ops::PlanOptions options;
    options.common = shared_by;
    options.common_weights = &store;
    const std::vector<Placement> placements(static_cast<std::size_t>(g.value_count()));
    ops::PlanContext c(g, id, *kernels::table(kernels::Isa::scalar), options, own, placements, step);
    return c.pack({0, 1}, what, 64, [&](std::byte*) { ++fills; });
  };
  const auto first = pack(common, {w}, "test", &common);
  CHECK(pack(common, {w, graph::kNoValue, v}, "test", &common) == first);
  CHECK(fills == 1);
  CHECK(pack(common, {v}, "test", &common) != first);
  CHECK(pack(common, {w, v}, "test", &common) != first);
  CHECK(pack(common, {graph::kNoValue, w}, "test", &common) != first);
  CHECK(pack(common, {w}, "another", &common) != first);
  CHECK(store.bytes() == 5 * 64);
  // A constant that only this plan's graph has, under an id that another plan's may use for something else.
  graph::Graph bound = common;
  const graph::ValueId folded = bound.add_constant("folded", tensor<float>({2}, {1, 2}));
  CHECK(pack(bound, {folded}, "test", &common) == pack(bound, {folded}, "test", &common));
  CHECK(pack(common, {w}, "test", nullptr) != first);
  CHECK(store.bytes() == 5 * 64);
  CHECK(own.bytes() == 2 * 64);
}

// A blocked tensor whose pixels count up and whose halo is rubbish; and back.
std::vector<float> blocked_values(const Placement& p, float first) {
  std::vector<float> buffer(p.bytes / 4, -1);
  for (std::int64_t n = 0; n < p.shape[0]; ++n)
    for (std::int64_t c = 0; c < p.shape[1]; ++c)
      for (std::int64_t y = 0; y < p.shape[2]; ++y)
        for (std::int64_t x = 0; x < p.shape[3]; ++x)
          buffer[static_cast<std::size_t>(p.origin + n * p.image_stride + c / 16 * p.plane_stride + y * p.row_stride +
                                          x * 16 + c % 16)] = first++;
  return buffer;
}
std::vector<float> plain_values(const Placement& p, const std::vector<float>& buffer) {
  std::vector<float> result;
  for (std::int64_t n = 0; n < p.shape[0]; ++n)
    for (std::int64_t c = 0; c < p.shape[1]; ++c)
      for (std::int64_t y = 0; y < p.shape[2]; ++y)
        for (std::int64_t x = 0; x < p.shape[3]; ++x)
          result.push_back(buffer[static_cast<std::size_t>(p.origin + n * p.image_stride + c / 16 * p.plane_stride +
                                                           y * p.row_stride + x * 16 + c % 16)]);
  return result;
}

TEST_CASE("Concat of whole channel blocks copies planes and leaves halos alone", "[ops]") {
  const Shape shapes[] = {{2, 16, 5, 6}, {2, 48, 5, 6}};
  graph::Graph g;
  graph::Node node = op_case("Concat", 13, {}, {{"axis", std::int64_t{1}}}).node;
  for (const Shape& s : shapes) {
    node.inputs.push_back(g.add_value("", desc(kFloat, graph::DimList(s.begin(), s.end()))));
    g.add_input(node.inputs.back());
  }
  node.outputs = {g.add_value("y")};
  const graph::NodeId id = g.add_node(node);
  ops::infer_shapes(g);
  const ops::LayoutRule rule = ops::require_operator(g, id).layout(ops::NodeContext(g, id));
  CHECK(rule.preference == ops::LayoutRule::Preference::follow);
  CHECK(rule.blocked_inputs == 3u);

  const std::vector<Placement> placements = {ops::place(kFloat, shapes[0], Layout::nchw16c, {1, 1, 1, 1}),
                                             ops::place(kFloat, shapes[1], Layout::nchw16c),
                                             ops::place(kFloat, {2, 64, 5, 6}, Layout::nchw16c, {0, 2, 1, 0})};
  ops::WeightStore weights;
  const ops::Step step = ops::plan_node(g, id, *kernels::table(kernels::Isa::scalar), {}, weights, placements);
  const std::vector<float> a = blocked_values(placements[0], 0), b = blocked_values(placements[1], 10000);
  std::vector<float> y(placements[2].bytes / 4, -7);
  const std::byte* inputs[] = {reinterpret_cast<const std::byte*>(a.data()),
                               reinterpret_cast<const std::byte*>(b.data())};
  std::byte* outputs[] = {reinterpret_cast<std::byte*>(y.data())};
  for (int thread = 0; thread < 2; ++thread) step.run({inputs, outputs, nullptr, nullptr, 0, thread, 2});

  const std::vector<float> pa = plain_values(placements[0], a), pb = plain_values(placements[1], b);
  std::vector<float> expected;
  for (std::size_t n = 0; n < 2; ++n) {
    expected.insert(expected.end(), pa.begin() + static_cast<std::ptrdiff_t>(n * pa.size() / 2),
                    pa.begin() + static_cast<std::ptrdiff_t>((n + 1) * pa.size() / 2));
    expected.insert(expected.end(), pb.begin() + static_cast<std::ptrdiff_t>(n * pb.size() / 2),
                    pb.begin() + static_cast<std::ptrdiff_t>((n + 1) * pb.size() / 2));
  }
  CHECK(plain_values(placements[2], y) == expected);
  CHECK(std::count(y.begin(), y.end(), -7.0f) == static_cast<std::ptrdiff_t>(y.size() - expected.size()));
}

TEST_CASE("Identity on blocked tensors is a view unless the halos differ", "[ops]") {
  const Shape shape = {1, 20, 3, 4};
  graph::Graph g;
  graph::Node node = op_case("Identity", 13, {}).node;
  node.inputs = {g.add_value("x", desc(kFloat, {1, 20, 3, 4}))};
  node.outputs = {g.add_value("y", desc(kFloat, {1, 20, 3, 4}))};
  const graph::NodeId id = g.add_node(node);
  ops::WeightStore weights;
  const auto plan = [&](Halo in, Halo out) {
    const std::vector<Placement> placements = {ops::place(kFloat, shape, Layout::nchw16c, in),
                                               ops::place(kFloat, shape, Layout::nchw16c, out)};
    return ops::plan_node(g, id, *kernels::table(kernels::Isa::scalar), {}, weights, placements);
  };
  CHECK(plan({1, 1, 1, 1}, {1, 1, 1, 1}).view_of == 0);
  const ops::Step copy = plan({1, 1, 1, 1}, {});
  CHECK(copy.view_of == -1);
  const Placement from = ops::place(kFloat, shape, Layout::nchw16c, {1, 1, 1, 1}),
                  to = ops::place(kFloat, shape, Layout::nchw16c);
  const std::vector<float> x = blocked_values(from, 0);
  std::vector<float> y(to.bytes / 4);
  const std::byte* inputs[] = {reinterpret_cast<const std::byte*>(x.data())};
  std::byte* outputs[] = {reinterpret_cast<std::byte*>(y.data())};
  copy.run({inputs, outputs});
  CHECK(plain_values(to, y) == plain_values(from, x));
}

TEST_CASE("evaluate leaves what is data-dependent alone and honours omitted outputs", "[ops]") {
  graph::Node node = op_case("Reshape", 13, {}).node;
  const std::vector<Tensor> inputs = {counting(kFloat, {4}), int64s({2, 2})};
  CHECK(ops::evaluate(node, inputs)[0].shape() == Shape{2, 2});
  OpCase split = op_case("Split", 13, {counting(kFloat, {6})}, {}, 2);
  split.node.outputs[0] = graph::kNoValue;
  const std::vector<Tensor> results = run(split);
  CHECK(results[0].type() == DataType::undefined);
  CHECK(results[1].size() == 3);
}

}  // namespace
}  // namespace linnet::test::op_def_test
