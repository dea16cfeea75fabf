// Models whose shapes depend on data, control flow, functions and sequences, from the file to the result.
#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "linnet/linnet.h"
#include "onnx/loading.h"
#include "support/onnx_builder.h"
#include "support/op_case.h"
#include "support/session_of.h"

namespace linnet::test {
namespace {

const DataType kFloat = DataType::float32, kInt = DataType::int64, kBool = DataType::boolean;

Tensor truth(bool value) {
  Tensor tensor(kBool, {});
  tensor.mutable_data<bool>()[0] = value;
  return tensor;
}
Tensor floats(const std::vector<float>& values) {
  return tensor<float>({static_cast<std::int64_t>(values.size())}, values);
}

/// sum and i + sum collected, `n` times, over x captured from outside: sum += x.
OnnxModel loop_model() {
  OnnxGraph body;
  body.node(OnnxNode("Add", {"sum_in", "x"}, {"sum_out"}, "add"))
      .node(OnnxNode("Identity", {"go_in"}, {"go_out"}))
      .node(OnnxNode("Identity", {"sum_out"}, {"collected"}))
      .input("i", kInt, {})
      .input("go_in", kBool, {})
      .input("sum_in", kFloat, {2})
      .output("go_out", kBool, {})
      .output("sum_out", kFloat, {2})
      .output("collected", kFloat, {2});
  OnnxModel model;
  model.graph.node(OnnxNode("Loop", {"n", "go", "zero"}, {"sum", "all"}, "loop").set("body", body))
      .input("n", kInt, {})
      .input("go", kBool, {})
      .input("x", kFloat, {2})
      .initializer("zero", floats({0, 0}))
      .output("sum", kFloat, {2})
      .output("all", kFloat, {"N", 2});
  return model;
}

TEST_CASE("Dropout's ratio and training mode may be known at run time only", "[dynamic]") {
  OnnxModel model(8, 13);
  model.graph.node(OnnxNode("Relu", {"x"}, {"a"}))
      .node(OnnxNode("Dropout", {"a", "ratio", "training"}, {"y", "mask"}, "drop"))
      .input("x", kFloat, {2})
      .input("ratio", kFloat, {})
      .input("training", kBool, {})
      .output("y", kFloat, {2})
      .output("mask", kBool, {2});
  Session session = session_of(model);
  const auto run = [&](float ratio, bool training) {
    return session.run({{"x", floats({1, -2})}, {"ratio", tensor<float>({}, {ratio})}, {"training", truth(training)}});
  };
  for (const auto& [ratio, training] : {std::pair{0.5f, false}, {0.0f, true}}) {
    const std::vector<Tensor> results = run(ratio, training);
    CHECK(values<float>(results[0]) == std::vector<float>{1, 0});
    CHECK(values<bool>(results[1]) == std::vector<bool>{true, true});
  }
  const Error error = error_of([&] { run(0.5f, true); });
  CHECK(error.code() == ErrorCode::unsupported);
  CHECK(error.details().node == "drop");
}

TEST_CASE("A loop carries, collects, and reads the graph around it", "[dynamic]") {
  Session session = session_of(loop_model());
  const auto run = [&](std::int64_t trips, bool go) {
    return session.run({{"n", tensor<std::int64_t>({}, {trips})}, {"go", truth(go)}, {"x", floats({1, 2})}});
  };
  std::vector<Tensor> results = run(3, true);
  CHECK(values<float>(results[0]) == std::vector<float>{3, 6});
  CHECK(results[1].shape() == Shape{3, 2});
  CHECK(values<float>(results[1]) == std::vector<float>{1, 2, 2, 4, 3, 6});
  for (const auto& [trips, go] : {std::pair{0, true}, {-5, true}, {3, false}}) {
    results = run(trips, go);
    CHECK(values<float>(results[0]) == std::vector<float>{0, 0});
    CHECK(results[1].shape() == Shape{0, 2});
  }
}

TEST_CASE("A loop that never ends stops at the limit, and one that grows at the limit of memory", "[dynamic]") {
  SessionOptions options;
  options.max_loop_trips = 50;
  const std::vector<NamedTensor> endless = {
      {"n", tensor<std::int64_t>({}, {INT64_MAX})}, {"go", truth(true)}, {"x", floats({1, 2})}};
  const Error error = error_of([&] { session_of(loop_model(), options).run(endless); });
  CHECK(error.code() == ErrorCode::limit);
  CHECK(error.details().node == "loop");
  options.max_loop_trips = 1'000'000;
  options.max_arena_bytes = 20'000;
  CHECK(error_of([&] { session_of(loop_model(), options).run(endless); }).code() == ErrorCode::limit);
}

TEST_CASE("If runs one branch, and its branches may differ in shape", "[dynamic]") {
  OnnxGraph then, other;
  then.node(OnnxNode("Relu", {"x"}, {"t"})).output("t", kFloat, {3});
  other.node(OnnxNode("Concat", {"x", "x"}, {"e"}).set("axis", 0)).output("e", kFloat, {6});
  OnnxModel model;
  model.graph.node(OnnxNode("If", {"c"}, {"y"}, "if").set("then_branch", then).set("else_branch", other))
      .node(OnnxNode("Neg", {"y"}, {"z"}))
      .input("c", kBool, {})
      .input("x", kFloat, {3})
      .output("z", kFloat, {"N"});
  Session session = session_of(model);
  const Tensor x = floats({-1, 2, -3});
  CHECK(values<float>(session.run({{"c", truth(true)}, {"x", x}})[0]) == std::vector<float>{-0.0f, -2, -0.0f});
  CHECK(values<float>(session.run({{"c", truth(false)}, {"x", x}})[0]) == std::vector<float>{1, -2, 3, 1, -2, 3});
}

TEST_CASE("A name that nothing has is refused, also where a subgraph reads it", "[dynamic]") {
  OnnxGraph branch;
  branch.node(OnnxNode("Relu", {"nowhere"}, {"t"})).output("t", kFloat, {3});
  OnnxModel model;
  model.graph.node(OnnxNode("If", {"c"}, {"y"}, "if").set("then_branch", branch).set("else_branch", branch))
      .input("c", kBool, {})
      .output("y", kFloat, {3});
  const Error error = refusal(model);
  CHECK(error.code() == ErrorCode::model);
  CHECK(contains(error.what(), "nowhere"));
  CHECK(contains(error.what(), "'if'"));
}

TEST_CASE("Shapes that are computed by the model", "[dynamic]") {
  OnnxModel model;
  // The elements of x above 1, in rows of as many as `columns` says.
  model.graph.node(OnnxNode("Greater", {"x", "one"}, {"mask"}))
      .node(OnnxNode("Compress", {"x", "mask"}, {"kept"}))
      .node(OnnxNode("Reshape", {"kept", "rows"}, {"y"}, "reshape"))
      .node(OnnxNode("NonZero", {"mask"}, {"where"}))
      .initializer("one", floats({1}))
      .input("x", kFloat, {"N"})
      .input("rows", kInt, {2})
      .output("y", kFloat, {"A", "B"})
      .output("where", kInt, {1, "C"});
  Session session = session_of(model);
  const std::vector<Tensor> results = session.run({{"x", floats({0, 5, 1, 6, 7, 8})}, {"rows", int64s({2, -1})}});
  CHECK(results[0].shape() == Shape{2, 2});
  CHECK(values<float>(results[0]) == std::vector<float>{5, 6, 7, 8});
  CHECK(values<std::int64_t>(results[1]) == std::vector<std::int64_t>{1, 3, 4, 5});
  CHECK(session.run({{"x", floats({2, 3})}, {"rows", int64s({1, 2})}})[0].shape() == Shape{1, 2});
  const Error error = error_of([&] { session.run({{"x", floats({2, 3})}, {"rows", int64s({3, 2})}}); });
  CHECK(error.details().node == "reshape");
}

TEST_CASE("A scalar that is not zero has no coordinates", "[dynamic]") {
  OnnxModel model;
  model.graph.node(OnnxNode("NonZero", {"x"}, {"where"})).input("x", kFloat, {}).output("where", kInt, {"R", "C"});
  Session session = session_of(model);
  CHECK(session.run({{"x", tensor<float>({}, {3})}})[0].shape() == Shape{0, 1});
  CHECK(session.run({{"x", tensor<float>({}, {0})}})[0].shape() == Shape{0, 0});
}

TEST_CASE("The region of a Resize may be known at run time only", "[dynamic]") {
  const Tensor region = floats({0, 0, 0.25f, -0.5f, 1, 1, 0.75f, 1.5f});
  const auto model = [&](bool late, bool by_sizes) {
    OnnxModel m;
    m.graph
        .node(OnnxNode("Resize", {"x", "region", by_sizes ? "" : "scales", by_sizes ? "sizes" : ""}, {"y"})
                  .set("coordinate_transformation_mode", "tf_crop_and_resize")
                  .set("mode", "linear"))
        .input("x", kFloat, {1, 1, 4, 4})
        .output("y", kFloat, {"A", "B", "C", "D"});
    if (by_sizes) m.graph.initializer("sizes", int64s({1, 1, 3, 5}));
    else m.graph.initializer("scales", floats({1, 1, 3, 1.5f}));
    if (late) m.graph.input("region", kFloat, {8});
    else m.graph.initializer("region", region);
    return m;
  };
  const NamedTensor x{"x", counting(kFloat, {1, 1, 4, 4})};
  for (const bool by_sizes : {true, false}) {
    const std::vector<Tensor> known = session_of(model(false, by_sizes)).run({x});
    const std::vector<Tensor> late = session_of(model(true, by_sizes)).run({x, {"region", region}});
    CHECK(known[0].shape() == (by_sizes ? Shape{1, 1, 3, 5} : Shape{1, 1, 6, 12}));
    CHECK(late[0].shape() == known[0].shape());
    CHECK(values<float>(late[0]) == values<float>(known[0]));
  }
}

TEST_CASE("Dynamic results are the same for any number of threads, and again on the same session", "[dynamic]") {
  SessionOptions one, three;
  one.threads = 1;
  three.threads = 3;
  Session a = session_of(loop_model(), one), b = session_of(loop_model(), three);
  const std::vector<NamedTensor> inputs = {
      {"n", tensor<std::int64_t>({}, {7})}, {"go", truth(true)}, {"x", floats({0.1f, 0.7f})}};
  const std::vector<float> first = values<float>(a.run(inputs)[1]);
  CHECK(values<float>(a.run(inputs)[1]) == first);
  CHECK(values<float>(b.run(inputs)[1]) == first);
}

/// FunctionProto: its fields by number.
ProtoWriter function(std::string_view name, const std::vector<std::string>& inputs,
                     const std::vector<std::string>& outputs, const std::vector<OnnxNode>& nodes) {
  ProtoWriter proto;
  proto.bytes(1, name).bytes(10, "own");
  for (const std::string& input : inputs) proto.bytes(4, input);
  for (const std::string& output : outputs) proto.bytes(5, output);
  for (const OnnxNode& node : nodes) proto.message(7, node.proto());
  proto.message(9, ProtoWriter().bytes(1, "").number(2, 13)).message(9, ProtoWriter().bytes(1, "own").number(2, 1));
  return proto;
}

OnnxModel calling(const std::vector<ProtoWriter>& functions) {
  OnnxModel model;
  model.import("own", 1);
  model.graph.node(OnnxNode("f", {"x"}, {"y"}, "call").domain("own").set("alpha", 0.5f))
      .input("x", kFloat, {2})
      .output("y", kFloat, {2});
  for (const ProtoWriter& proto : functions) model.fields().message(25, proto);
  return model;
}

TEST_CASE("The nodes of a function are written out at each call", "[dynamic]") {
  ProtoWriter reference;  // the attribute of the call
  reference.bytes(1, "alpha").number(20, 1).bytes(21, "alpha");
  const ProtoWriter f = function("f", {"a"}, {"b"},
                                 {OnnxNode("g", {"a"}, {"t"}).domain("own"), OnnxNode("g", {"t"}, {"u"}).domain("own"),
                                  OnnxNode("LeakyRelu", {"u"}, {"b"}).attribute(reference)});
  const ProtoWriter g = function("g", {"a"}, {"b"}, {OnnxNode("Add", {"a", "a"}, {"b"})});
  Session session = session_of(calling({f, g}));
  CHECK(values<float>(session.run(floats({1, -1}))[0]) == std::vector<float>{4, -2});
}

TEST_CASE("Functions that call themselves, or each other beyond measure, are refused", "[dynamic]") {
  const auto call = [](const char* name, const char* in, const char* out) {
    return OnnxNode(name, {in}, {out}).domain("own");
  };
  CHECK(refusal(calling({function("f", {"a"}, {"b"}, {call("f", "a", "b")})})).code() == ErrorCode::limit);
  // 2^40 nodes in 40 functions.
  std::vector<ProtoWriter> doubling;
  for (int i = 0; i < 40; ++i) {
    const std::string name = i == 0 ? "f" : "f" + std::to_string(i), next = "f" + std::to_string(i + 1);
    doubling.push_back(function(name, {"a"}, {"b"}, {call(next.c_str(), "a", "t"), call(next.c_str(), "t", "b")}));
  }
  doubling.push_back(function("f40", {"a"}, {"b"}, {OnnxNode("Relu", {"a"}, {"b"})}));
  CHECK(refusal(calling(doubling)).code() == ErrorCode::limit);
}

TEST_CASE("Sequences go in and out by run_data", "[dynamic]") {
  OnnxModel model;
  model.graph.node(OnnxNode("SequenceConstruct", {"x", "x"}, {"s"}))
      .node(OnnxNode("SequenceAt", {"s", "i"}, {"y"}, "at"))
      .input("x", kFloat, {2})
      .input("i", kInt, {})
      .output("y", kFloat, {2})
      .output("s", kFloat, {});
  Session session = session_of(model);
  const std::vector<NamedDatum> inputs = {{"x", floats({1, 2})}, {"i", tensor<std::int64_t>({}, {-1})}};
  const std::vector<Datum> results = session.run_data(inputs);
  CHECK(values<float>(std::get<Tensor>(results[0])) == std::vector<float>{1, 2});
  CHECK(to_string(results[1]) == "sequence of 2: float[2], float[2]");
  const Error error = error_of([&] {
    session.run_data({{"x", floats({1, 2})}, {"i", tensor<std::int64_t>({}, {2})}});
  });
  CHECK(error.code() == ErrorCode::input);
  CHECK(error.details().node == "at");
}

TEST_CASE("An error inside a subgraph names the path", "[dynamic]") {
  OnnxGraph branch;
  branch.node(OnnxNode("Gather", {"x", "i"}, {"t"}, "gather")).output("t", kFloat, {1});
  OnnxModel model;
  model.graph.node(OnnxNode("If", {"c"}, {"y"}, "if").set("then_branch", branch).set("else_branch", branch))
      .input("c", kBool, {})
      .input("x", kFloat, {3})
      .input("i", kInt, {1})
      .output("y", kFloat, {1});
  Session session = session_of(model);
  const Error error = error_of([&] {
    session.run({{"c", truth(true)}, {"x", floats({1, 2, 3})}, {"i", int64s({9})}});
  });
  CHECK(error.details().node == "if/then_branch/gather");
}

}  // namespace
}  // namespace linnet::test
