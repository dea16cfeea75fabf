
#include "passes/graph_builder.h"
#include "support/processor_seconds.h"

using namespace linnet;
using namespace linnet::test;

namespace {

using Ints = std::vector<std::int64_t>;

// A residual block as an exporter writes it, with a projection and a classifier.
GraphBuilder network() {
  GraphBuilder b;
  b.input("x", {graph::Dim::symbolic("N"), 3, 16, 16}).random("w0", {16, 3, 3, 3}).statistics("bn0", 16);
  b.ints("pads", {0, 0, 1, 1, 0, 0, 1, 1}).node("Pad", {"x", "pads"}, {"p"});
  b.node("Conv", {"p", "w0"}, {"c0"}).batch_norm("c0", "bn0", "n0").node("Relu", {"n0"}, {"r0"});
  b.random("w1", {32, 16, 3, 3}).statistics("bn1", 32).random("w2", {32, 16, 1, 1}).statistics("bn2", 32);
  b.node("Conv", {"r0", "w1"}, {"c1"}, {{"pads", Ints{1, 1, 1, 1}}, {"strides", Ints{2, 2}}})
      .batch_norm("c1", "bn1", "n1");
  b.node("Conv", {"r0", "w2"}, {"c2"}, {{"strides", Ints{2, 2}}}).batch_norm("c2", "bn2", "n2");
  b.node("Add", {"n1", "n2"}, {"s"}).node("Relu", {"s"}, {"r1"}).node("Dropout", {"r1"}, {"d"});
  b.node("ReduceMean", {"d"}, {"m"}, {{"axes", Ints{2, 3}}, {"keepdims", std::int64_t{0}}});
  b.random("fc", {10, 32})
      .random("fb", {10})
      .node("Gemm", {"m", "fc", "fb"}, {"y"}, {{"transB", std::int64_t{1}}})
      .output("y");
  return b;
}

graph::Graph bound(graph::Graph graph) {
  graph.value(graph.inputs[0]).desc.shape = graph::DimList{2, 3, 16, 16};
  return graph;
}

}  // namespace

TEST_CASE("all passes together leave a residual block as few fused nodes") {
  GraphBuilder b = network();
  const graph::Graph before = b.graph;
  const auto model = passes::run_passes(b.graph, passes::Stage::model, {});
  CHECK(operators(b.graph) == "FusedConv FusedConv FusedConv GlobalAveragePool Flatten Gemm");
  check_same_results(before, b.graph);
  graph::Graph after = bound(b.graph);
  passes::run_passes(after, passes::Stage::shapes, {});
  INFO(dump(after));
  CHECK(operators(after) == "FusedConv FusedConv FusedConv GlobalAveragePool Reorder Flatten Gemm");
  check_same_results(before, after);
  for (const PassReport& result : model) {
    INFO(result.name);
    CHECK(result.enabled);
    CHECK(result.refused.empty());
  }
}

TEST_CASE("any one pass can be switched off, and the results stay the same") {
  for (const passes::PassDef& pass : passes::all_passes()) {
    INFO(pass.name);
    GraphBuilder b = network();
    const graph::Graph before = b.graph;
    const std::vector<std::string> disabled{std::string(pass.name)};
    bool seen = false;
    graph::Graph after = b.graph;
    for (const passes::Stage stage : {passes::Stage::model, passes::Stage::shapes}) {
      if (stage == passes::Stage::shapes) after = bound(after);
      for (const PassReport& result : passes::run_passes(after, stage, disabled)) {
        if (result.name != pass.name) continue;
        seen = true;
        CHECK_FALSE(result.enabled);
        CHECK(result.applied == 0);
      }
    }
    CHECK(seen);
    graph::verify(after);
    check_same_results(before, after);
  }
}

TEST_CASE("with every pass off, types and shapes are inferred") {
  GraphBuilder b = network();
  passes::run_passes(b.graph, passes::Stage::model, all_but({}));
  CHECK(graph::to_string(b.graph.value(b.id("s")).desc) == "float[N,32,8,8]");
}

TEST_CASE("a pass that does not exist cannot be switched off") {
  const std::vector<std::string> disabled{"fold_batchnorm"};
  try {
    passes::require_known(disabled);
    FAIL("it was accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.details().found == "fold_batchnorm");
    CHECK_THAT(error.details().expected, Catch::Matchers::Contains("fold_batch_norm"));
  }
}

TEST_CASE("the pass list has names and summaries, each name once") {
  std::vector<std::string> names;
  for (const passes::PassDef& pass : passes::all_passes()) {
    CHECK_FALSE(pass.summary.empty());
    CHECK(std::find(names.begin(), names.end(), pass.name) == names.end());
    names.emplace_back(pass.name);
  }
  CHECK(names.size() == 15);
}

TEST_CASE("a hundred thousand nodes take no more than linear time") {
  GraphBuilder b;
  b.input("x", {1, 16, 2, 2}).floats("one", {}, {1});
  std::string last = "x";
  // A chain, whose nodes all share a constant, and a fan of as many readers of one value into one Concat.
  for (int i = 0; i < 50'000; ++i) {
    const std::string next = "v" + std::to_string(i);
    b.node(i % 2 == 0 ? "Relu" : "Mul",
           i % 2 == 0 ? std::vector<std::string>{last} : std::vector<std::string>{last, "one"}, {next});
    last = next;
  }
  std::vector<std::string> parts;
  for (int i = 0; i < 50'000; ++i) {
    parts.push_back("f" + std::to_string(i));
    b.node(i % 2 == 0 ? "Identity" : "Relu", {last}, {parts.back()});
  }
  b.node("Concat", parts, {"y"}, {{"axis", std::int64_t{1}}}).output("y");
  const double seconds = processor_seconds_of([&] { passes::run_passes(b.graph, passes::Stage::shapes, {}); });
  CHECK(b.graph.order().size() <= 50'001 + 25'000);
  CHECK(seconds < 20);  // sanitizers included; quadratic time would be minutes
}
