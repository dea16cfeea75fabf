// Scan at both of its definitions, SequenceMap, and what a loop refuses, from the file to the result.
#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "linnet/linnet.h"
#include "onnx/loading.h"
#include "support/onnx_builder.h"
#include "support/op_case.h"
#include "support/session_of.h"
#include "support/temp_dir.h"

namespace linnet::test::control_flow_test {
namespace {

const DataType kFloat = DataType::float32, kInt = DataType::int64, kBool = DataType::boolean;
using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;

Tensor truths(Shape shape, bool value) {
  Tensor result(kBool, std::move(shape));
  for (bool& x : result.mutable_data<bool>()) x = value;
  return result;
}

/// sum += x, and the sums so far.
OnnxGraph running_sum() {
  OnnxGraph body;
  body.node(OnnxNode("Add", {"sum_in", "x_in"}, {"sum_out"}, "add"))
      .node(OnnxNode("Identity", {"sum_out"}, {"so_far"}))
      .input("sum_in", kFloat, {2})
      .input("x_in", kFloat, {2})
      .output("sum_out", kFloat, {2})
      .output("so_far", kFloat, {2});
  return body;
}

/// Over x of the given extents, with what `node` says beside the body.
struct Scan {
  std::vector<std::byte> file;

  explicit Scan(const std::vector<OnnxDim>& x,
                OnnxNode node = OnnxNode("Scan", {"zero", "x"}, {"sum", "all"}, "scan")) {
    OnnxModel model;
    model.graph.node(node.set("num_scan_inputs", 1).set("body", running_sum()))
        .input("zero", kFloat, {2})
        .input("x", kFloat, x)
        .output("sum", kFloat, {2})
        .output("all", kFloat, {"A", "B"});
    file = model.bytes();
  }
  std::vector<Tensor> run(const Tensor& x) const {
    return Session(Model::load(file)).run({{"zero", tensor<float>({2}, {0, 0})}, {"x", x}});
  }
};

TEST_CASE("Scan goes along axis 0 and collects along axis 0", "[dynamic]") {
  const Scan scan({"N", 2});
  std::vector<Tensor> results = scan.run(tensor<float>({3, 2}, {1, 2, 3, 4, 5, 6}));
  CHECK(values<float>(results[0]) == Floats{9, 12});
  CHECK(results[1].shape() == Shape{3, 2});
  CHECK(values<float>(results[1]) == Floats{1, 2, 4, 6, 9, 12});
  results = scan.run(Tensor(kFloat, {0, 2}));  // no turn
  CHECK(values<float>(results[0]) == Floats{0, 0});
  CHECK(results[1].shape() == Shape{0, 2});
}

TEST_CASE("Scan goes and collects backwards along other axes", "[dynamic]") {
  const Scan scan({2, "N"}, OnnxNode("Scan", {"zero", "x"}, {"sum", "all"})
                                .set("scan_input_axes", Ints{-1})
                                .set("scan_output_axes", Ints{1})
                                .set("scan_input_directions", Ints{1})
                                .set("scan_output_directions", Ints{1}));
  const std::vector<Tensor> results = scan.run(tensor<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  CHECK(values<float>(results[0]) == Floats{6, 15});
  CHECK(results[1].shape() == Shape{2, 3});
  CHECK(values<float>(results[1]) == Floats{6, 5, 3, 15, 11, 6});
}

TEST_CASE("What is scanned together has one extent", "[dynamic]") {
  OnnxGraph body;
  body.node(OnnxNode("Add", {"a_in", "b_in"}, {"c"}))
      .input("a_in", kFloat, {2})
      .input("b_in", kFloat, {2})
      .output("c", kFloat, {2});
  OnnxModel model;
  model.graph.node(OnnxNode("Scan", {"a", "b"}, {"y"}, "scan").set("num_scan_inputs", 2).set("body", body))
      .input("a", kFloat, {"N", 2})
      .input("b", kFloat, {"M", 2})
      .output("y", kFloat, {"K", 2});
  const std::vector<std::byte> file = model.bytes();
  Session session(Model::load(file));
  const Tensor two = tensor<float>({2, 2}, {1, 2, 3, 4}), one = tensor<float>({1, 2}, {1, 2});
  CHECK(values<float>(session.run({{"a", two}, {"b", two}})[0]) == Floats{2, 4, 6, 8});
  const Error error = error_of([&] { session.run({{"a", two}, {"b", one}}); });
  CHECK(error.code() == ErrorCode::input);
  CHECK(error.details().node == "scan");
  CHECK(contains(error.details().where, "b"));
  CHECK(error.details().found == "1");
}

/// Scan as opset 8 has it: a batch of sequences, each of its own length.
std::vector<std::byte> batched_scan(bool with_lengths) {
  OnnxModel model(3, 8);
  model.graph
      .node(OnnxNode("Scan", {with_lengths ? "lengths" : "", "zero", "x"}, {"sum", "all"}, "scan")
                .set("num_scan_inputs", 1)
                .set("body", running_sum()))
      .input("zero", kFloat, {"B", 2})
      .input("x", kFloat, {"C", "T", 2})
      .output("sum", kFloat, {"B", 2})
      .output("all", kFloat, {"B", "T", 2});
  if (with_lengths) model.graph.input("lengths", kInt, {"L"});
  return model.bytes();
}

const Tensor kBatch = tensor<float>({2, 3, 2}, {1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60});

TEST_CASE("Scan of opset 8 takes sequences of different lengths and fills up with zeros", "[dynamic]") {
  const std::vector<std::byte> file = batched_scan(true), full = batched_scan(false);
  Session session(Model::load(file));
  const Tensor zero(kFloat, {2, 2});
  std::vector<Tensor> results = session.run({{"zero", zero}, {"x", kBatch}, {"lengths", int64s({3, 1})}});
  CHECK(values<float>(results[0]) == Floats{9, 12, 10, 20});
  CHECK(results[1].shape() == Shape{2, 3, 2});
  CHECK(values<float>(results[1]) == Floats{1, 2, 4, 6, 9, 12, 10, 20, 0, 0, 0, 0});
  results = Session(Model::load(full)).run({{"zero", zero}, {"x", kBatch}});
  CHECK(values<float>(results[0]) == Floats{9, 12, 90, 120});
}

TEST_CASE("Scan of opset 8 refuses inputs of different batches, and lengths that are not one a sequence", "[dynamic]") {
  const std::vector<std::byte> file = batched_scan(true);
  Session session(Model::load(file));
  const auto error = [&](std::int64_t batch, const Ints& lengths) {
    return error_of([&] {
      session.run({{"zero", Tensor(kFloat, {batch, 2})}, {"x", kBatch}, {"lengths", int64s(lengths)}});
    });
  };
  CHECK(error(3, {1, 1}).code() == ErrorCode::input);
  CHECK(contains(error(3, {1, 1}).message(), "batch or length"));
  CHECK(contains(error(2, {1, 1, 1}).message(), "one length a sequence"));
}

/// y = the elements of (a, b) + the elements of (a, b), or of (a, b, b), side by side.
std::vector<std::byte> sequence_map(bool same_length) {
  OnnxGraph body;
  body.node(OnnxNode("Add", {"e", "f"}, {"r"})).input("e", kFloat, {}).input("f", kFloat, {}).output("r", kFloat, {});
  OnnxModel model(8, 17);
  model.graph.node(OnnxNode("SequenceConstruct", {"a", "b"}, {"s"}))
      .node(OnnxNode("SequenceConstruct", {"a", "b", "b"}, {"three"}))
      .node(OnnxNode("SequenceMap", {"s", same_length ? "s" : "three"}, {"sums"}, "map").set("body", body))
      .node(OnnxNode("ConcatFromSequence", {"sums"}, {"y"}).set("axis", 0))
      .input("a", kFloat, {"N"})
      .input("b", kFloat, {"M"})
      .output("y", kFloat, {"K"});
  return model.bytes();
}

TEST_CASE("SequenceMap runs its body on the elements, and refuses sequences of different lengths", "[dynamic]") {
  const std::vector<NamedTensor> inputs = {{"a", tensor<float>({1}, {1})}, {"b", tensor<float>({2}, {2, 3})}};
  const std::vector<std::byte> same = sequence_map(true), other = sequence_map(false);
  CHECK(values<float>(Session(Model::load(same)).run(inputs)[0]) == Floats{2, 4, 6});
  const Error error = error_of([&] { Session(Model::load(other)).run(inputs); });
  CHECK(error.code() == ErrorCode::input);
  CHECK(error.details().node == "map");
  CHECK(error.details().expected == "2");
  CHECK(error.details().found == "3");
}

/// Collects i ones in turn i, and goes on while `flags` says so.
std::vector<std::byte> growing_loop() {
  OnnxGraph body;
  body.node(OnnxNode("Unsqueeze", {"i", "axis"}, {"extent"}))
      .node(OnnxNode("ConstantOfShape", {"extent"}, {"ones"}))
      .node(OnnxNode("Identity", {"flags"}, {"go_out"}))
      .initializer("axis", int64s({0}))
      .input("i", kInt, {})
      .input("go_in", kBool, {})
      .output("go_out", kBool, {"F"})
      .output("ones", kFloat, {"O"});
  OnnxModel model;
  model.graph.node(OnnxNode("Loop", {"n", ""}, {"all"}, "loop").set("body", body))
      .input("n", kInt, {})
      .input("flags", kBool, {"F"})
      .output("all", kFloat, {"A", "B"});
  return model.bytes();
}

TEST_CASE("A loop refuses a condition of two truth values, and results of different shapes", "[dynamic]") {
  const std::vector<std::byte> file = growing_loop();
  Session session(Model::load(file));
  const auto run = [&](std::int64_t trips, const Tensor& flags) {
    return session.run({{"n", tensor<std::int64_t>({}, {trips})}, {"flags", flags}});
  };
  CHECK(run(1, truths({1}, true))[0].shape() == Shape{1, 0});
  CHECK(run(9, truths({1}, false))[0].shape() == Shape{1, 0});  // one turn
  Error error = error_of([&] { run(1, truths({2}, true)); });
  CHECK(error.code() == ErrorCode::input);
  CHECK(contains(error.message(), "not one truth value"));
  error = error_of([&] { run(2, truths({1}, true)); });
  CHECK(error.code() == ErrorCode::input);
  CHECK(contains(error.message(), "one type and shape"));
  CHECK(error.details().node == "loop");
}

TEST_CASE("What a loop of no turns collects has the extents of what a turn would give", "[dynamic]") {
  OnnxGraph body;
  body.node(OnnxNode("Identity", {"go_in"}, {"go_out"})).node(OnnxNode("Gather", {"w", "at"}, {"row"}));
  body.input("i", kInt, {}).input("go_in", kBool, {}).output("go_out", kBool, {});
  const ProtoWriter of_float = ProtoWriter().message(1, ProtoWriter().number(1, static_cast<int>(kFloat)));
  body.fields().message(12, ProtoWriter().bytes(1, "row").message(2, of_float));  // its shape is not told
  OnnxModel model;
  model.graph.node(OnnxNode("Loop", {"n", ""}, {"all"}, "loop").set("body", body))
      .node(OnnxNode("Shape", {"all"}, {"y"}));
  model.graph.input("n", kInt, {}).input("w", kFloat, {2, 3}).input("at", kInt, {"K"}).output("y", kInt, {"R"});
  Session session = session_of(model);
  const auto shape = [&](std::int64_t trips, const Tensor& at) {
    return values<std::int64_t>(
        session.run({{"n", tensor<std::int64_t>({}, {trips})}, {"w", Tensor(kFloat, {2, 3})}, {"at", at}})[0]);
  };
  CHECK(shape(2, int64s({1, 0})) == std::vector<std::int64_t>{2, 2, 3});
  CHECK(shape(0, int64s({1, 0})) == std::vector<std::int64_t>{0, 2, 3});
  CHECK(shape(0, int64s({9})) == std::vector<std::int64_t>{0});  // no turn can be made
}

TEST_CASE("A loop of no turns is not refused for what its body would refuse", "[dynamic]") {
  // A pyramid: as many levels as fit, and of a picture of one pixel none do.
  OnnxGraph body;
  body.node(OnnxNode("Identity", {"go_in"}, {"go_out"}))
      .node(OnnxNode("MaxPool", {"level"}, {"next"}).set("kernel_shape", Ints{2, 2}).set("strides", Ints{2, 2}))
      .node(OnnxNode("GlobalMaxPool", {"next"}, {"peak"}));
  body.input("i", kInt, {}).input("go_in", kBool, {}).output("go_out", kBool, {});
  const ProtoWriter of_float = ProtoWriter().message(1, ProtoWriter().number(1, static_cast<int>(kFloat)));
  body.fields().message(11, ProtoWriter().bytes(1, "level").message(2, of_float));  // shapes are not told
  for (const char* output : {"next", "peak"})
    body.fields().message(12, ProtoWriter().bytes(1, output).message(2, of_float));
  OnnxModel model;
  model.graph.node(OnnxNode("Loop", {"n", "", "x"}, {"top", "peaks"}, "loop").set("body", body));
  model.graph.input("n", kInt, {}).input("x", kFloat, {1, 1, "H", "W"});
  model.graph.output("top", kFloat, {"N", "C", "A", "B"}).output("peaks", kFloat, {"L", "N", "C", "P", "Q"});
  Session session = session_of(model);
  const auto peaks = [&](std::int64_t levels, std::int64_t edge) {
    return session.run({{"n", tensor<std::int64_t>({}, {levels})}, {"x", Tensor(kFloat, {1, 1, edge, edge})}})[1]
        .shape();
  };
  CHECK(peaks(2, 4) == Shape{2, 1, 1, 1, 1});
  CHECK(peaks(0, 4) == Shape{0, 1, 1, 1, 1});
  CHECK(peaks(0, 1)[0] == 0);
}

OnnxGraph loop_body(const std::vector<OnnxNode>& nodes, const std::vector<std::string>& sequences,
                    const std::vector<std::string>& results) {
  OnnxGraph body;
  for (const OnnxNode& node : nodes) body.node(node);
  body.node(OnnxNode("Identity", {"go_in"}, {"go_out"}))
      .input("i", kInt, {})
      .input("go_in", kBool, {})
      .output("go_out", kBool, {});
  for (const std::string& name : sequences) body.fields().message(11, onnx_sequence_info(name, kFloat));
  for (const std::string& name : results) body.fields().message(12, onnx_sequence_info(name, kFloat));
  return body;
}

OnnxGraph branch(const OnnxNode& node, const std::string& result) {
  OnnxGraph graph;
  graph.node(node).fields().message(12, onnx_sequence_info(result, kFloat));
  return graph;
}

/// The nodes make the sequence "grown"; gives its length, and checks that it took no time in its square. That of copies,
/// one of the sequence a step, was 30 seconds and more.
void check_growing(const std::vector<OnnxNode>& nodes, std::int64_t count) {
  OnnxModel model;
  for (const OnnxNode& node : nodes) model.graph.node(node);
  model.graph.node(OnnxNode("SequenceLength", {"grown"}, {"length"}))
      .initializer("n", tensor<std::int64_t>({}, {count}))
      .initializer("one", tensor<std::int64_t>({}, {1}))
      .input("x", kFloat, {1})
      .output("length", kInt, {});
  SessionOptions options;
  options.threads = 1;
  Session session = session_of(model, options);
  const std::clock_t start = std::clock();
  CHECK(session.run(tensor<float>({1}, {1}))[0].data<std::int64_t>()[0] == count);
  CHECK(static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC < 8);
}

TEST_CASE("A sequence that grows step by step is not copied at each", "[dynamic]") {
  constexpr int kCount = 1 << 14;
  const OnnxNode empty("SequenceEmpty", {}, {"list0"}), append("SequenceInsert", {"list", "x"}, {"longer"});
  SECTION("in a chain") {
    std::vector<OnnxNode> nodes = {empty};
    for (int i = 0; i < kCount; ++i) {
      const std::string next = i + 1 == kCount ? "grown" : "list" + std::to_string(i + 1);
      nodes.emplace_back("SequenceInsert", std::vector<std::string>{"list" + std::to_string(i), "x"},
                         std::vector<std::string>{next});
    }
    check_growing(nodes, kCount);
  }
  const auto check_loop = [&](const OnnxNode& step) {
    check_growing(
        {empty, OnnxNode("Loop", {"n", "", "list0"}, {"grown"}).set("body", loop_body({step}, {"list"}, {"longer"}))},
        kCount);
  };
  SECTION("in a loop") { check_loop(append); }
  SECTION("in the branch of a loop") {
    check_loop(OnnxNode("If", {"go_in"}, {"longer"})
                   .set("then_branch", branch(OnnxNode("SequenceInsert", {"list", "x"}, {"more"}), "more"))
                   .set("else_branch", branch(OnnxNode("SequenceErase", {"list"}, {"less"}), "less")));
  }
  SECTION("in a loop in a loop") {
    check_loop(
        OnnxNode("Loop", {"one", "", "list"}, {"longer"})
            .set("body", loop_body({OnnxNode("SequenceInsert", {"inner", "x"}, {"more"})}, {"inner"}, {"more"})));
  }
}

TEST_CASE("A sequence that something else reads stays as it was", "[dynamic]") {
  OnnxModel model;
  model.graph.fields().message(11, onnx_sequence_info("given", kFloat));
  model.graph.node(OnnxNode("SequenceInsert", {"given", "x"}, {"longer"}))
      .node(OnnxNode("SequenceErase", {"given"}, {"shorter"}))
      .node(OnnxNode("SequenceInsert", {"longer", "x"}, {"longest"}))
      // The same sequence carried twice and read from outside.
      .node(OnnxNode("Loop", {"n", "", "given", "given"}, {"grown", "kept"})
                .set("body", loop_body({OnnxNode("SequenceInsert", {"list", "x"}, {"list_out"}),
                                        OnnxNode("SequenceErase", {"longest"}, {"erased"}),
                                        OnnxNode("SequenceErase", {"erased"}, {"same_out"}),
                                        OnnxNode("Identity", {"same"}, {"unused"})},
                                       {"list", "same"}, {"list_out", "same_out"})))
      .node(OnnxNode("Identity", {"longest"}, {"copy"}))
      .node(OnnxNode("SequenceErase", {"copy"}, {"again"}))
      .initializer("n", tensor<std::int64_t>({}, {3}))
      .input("x", kFloat, {1});
  const std::vector<std::string> results = {"longer", "shorter", "longest", "grown", "kept", "again", "given", "given"};
  for (const std::string& name : results) model.graph.fields().message(12, onnx_sequence_info(name, kFloat));
  Session session = session_of(model);
  const Tensor x = tensor<float>({1}, {1});
  const std::vector<NamedDatum> inputs = {{"given", Sequence(4, x)}, {"x", x}};
  for (int run = 0; run < 2; ++run) {
    std::vector<std::size_t> lengths;
    for (const Datum& result : session.run_data(inputs)) lengths.push_back(std::get<Sequence>(result).size());
    CHECK(lengths == std::vector<std::size_t>{5, 3, 6, 7, 4, 5, 4, 4});
  }
}

TEST_CASE("A profile shows the steps inside a body, and starts anew", "[dynamic]") {
  const std::vector<std::byte> file = Scan({"N", 2}).file;
  Session session(Model::load(file));
  session.enable_profile(true);
  session.run({{"zero", tensor<float>({2}, {0, 0})}, {"x", tensor<float>({2, 2}, {1, 2, 3, 4})}});
  const auto milliseconds = [&] {
    double sum = -1;
    for (const StepReport& step : session.profile().steps) {
      if (step.name == "add") sum = step.milliseconds;
    }
    return sum;
  };
  CHECK(milliseconds() > 0);
  session.enable_profile(true);
  CHECK(milliseconds() == 0);
}

TEST_CASE("Sequences and optional values are read from files of the test format", "[dynamic]") {
  const TempDir folder;
  const auto load = [&](const ProtoWriter& proto, ValueKind kind, std::string* name = nullptr) {
    const std::string path = (folder.path() / "datum.pb").string();
    std::ofstream(path, std::ios::binary) << proto.text();
    return load_datum(path, kind, name);
  };
  const auto read = [&](const ProtoWriter& proto, ValueKind kind, std::string* name = nullptr) {
    return to_string(load(proto, kind, name));
  };
  const ProtoWriter one = onnx_tensor("", tensor<float>({2}, {1, 2})), two = onnx_tensor("", tensor<float>({1}, {3}));
  const ProtoWriter sequence = ProtoWriter().bytes(1, "s").number(2, 1).message(3, one).message(3, two);
  std::string name;
  CHECK(read(sequence, ValueKind::sequence, &name) == "sequence of 2: float[2], float[1]");
  CHECK(name == "s");
  CHECK(read(ProtoWriter().bytes(1, "o").number(2, 1).message(3, one), ValueKind::optional, &name) == "float[2]");
  CHECK(name == "o");
  CHECK(read(ProtoWriter().message(5, sequence), ValueKind::optional) == "sequence of 2: float[2], float[1]");
  CHECK(read(ProtoWriter(), ValueKind::optional) == "an empty optional");
  CHECK(std::get<Sequence>(load(ProtoWriter(), ValueKind::sequence)).empty());
  const ProtoWriter unknown = ProtoWriter().message(3, onnx_tensor_header("", 99, {1}));
  CHECK(error_of([&] { read(unknown, ValueKind::sequence); }).code() == ErrorCode::unsupported);

  const auto refusal = [&](const ProtoWriter& proto, ValueKind kind) {
    return error_of([&] { read(proto, kind); }).code();
  };
  for (const int field : {4, 6, 7, 9}) {  // of sparse tensors, maps, optional values; and of what is no such message
    INFO("field " << field);
    CHECK(refusal(ProtoWriter().message(field, one), ValueKind::sequence) == ErrorCode::unsupported);
    CHECK(refusal(ProtoWriter().message(field, one), ValueKind::optional) == ErrorCode::unsupported);
  }
  CHECK(refusal(ProtoWriter().message(5, sequence), ValueKind::sequence) == ErrorCode::unsupported);
  CHECK(refusal(ProtoWriter().number(2, 3), ValueKind::sequence) == ErrorCode::format);
  CHECK(refusal(ProtoWriter().number(2, 1), ValueKind::optional) == ErrorCode::format);  // a tensor that is not there
  CHECK(refusal(ProtoWriter().number(2, 3).message(3, one), ValueKind::optional) == ErrorCode::format);
  CHECK(refusal(one, ValueKind::sequence) == ErrorCode::format);  // a tensor's first field is no text
  CHECK(refusal(one, ValueKind::optional) == ErrorCode::format);
  CHECK(refusal(one, static_cast<ValueKind>(9)) == ErrorCode::usage);
}

}  // namespace
}  // namespace linnet::test::control_flow_test
