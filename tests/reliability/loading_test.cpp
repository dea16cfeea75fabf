// Catalogue B07 and D21: what loading costs, of honest files and of others, held against their size: memory as it is allocated,
// by Model::load with all that it infers, and the processor's time.
#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "reliability/hostile.h"

namespace linnet::test::loading_test {

namespace {

using File = std::vector<std::byte>;
using Names = std::vector<std::string>;

constexpr int kMany = 100'000;

std::string repeated(const std::string& text, std::size_t bytes) {
  std::string result;
  while (result.size() < bytes) result += text;
  return result;
}

OnnxModel with_graph_fields(const std::string& raw) {
  OnnxModel model = model_of({OnnxNode("Relu", {"x"}, {"y"})}, {{"x", {2}}});
  model.graph.fields().raw(raw);
  return model;
}

struct Outcome {
  std::optional<ErrorCode> code;  // none: it loads
  std::string words;              // of the refusal
  std::int64_t nodes = 0;
};

/// Loads the file, and holds what that takes against its size. A refusal has a tenth of a second for each megabyte; twice as much,
/// as what is refused here are nodes of 5 to 25 bytes, on a processor that has other work.
Outcome load(const File& file, const LoadOptions& options = {}) {
  Outcome outcome;
  const auto action = [&] {
    try {
      for (const auto& [name, count] : Model::load(file, options).summary().operators) outcome.nodes += count;
    } catch (const Error& error) {
      outcome.code = error.code();
      outcome.words = error.what();
    }
  };
  const Footprint first = footprint_of(action);
  const double seconds = !outcome.code ? 0 : std::min(first.seconds, footprint_of(action).seconds);
  const double megabytes = 1e-6 * static_cast<double>(file.size());
  INFO(outcome.words << " " << static_cast<double>(first.bytes) / megabytes << " bytes and "
                     << 1000 * seconds / megabytes << " ms for each of " << megabytes << " MB");
  CHECK(first.words.empty());
  CHECK(first.bytes <=
        options.max_object_bytes + (4 << 20) + kBytesPerFileByte * static_cast<std::int64_t>(file.size()));
  CHECK(seconds <= 2 * kSecondsPerMegabyte * (1 + megabytes));
  return outcome;
}

/// "v0", "v1", ... and the last "y"; or in as few bytes as names can have.
std::string value_name(int i, bool short_names) {
  if (i == kMany) return "y";
  if (!short_names) return "v" + std::to_string(i);
  std::string name;
  for (int rest = i + 64; rest > 0; rest /= 64) name += static_cast<char>('0' + rest % 64);
  return name;
}

/// 100,000 nodes: each reads the input, or they are a chain.
OnnxModel many_nodes(bool chain, const std::string& prefix, const std::vector<OnnxDim>& dims,
                     DataType type = DataType::float32, const OnnxNode* last = nullptr) {
  std::vector<OnnxNode> nodes;
  nodes.reserve(kMany + 1);
  for (int i = 0; i < kMany; ++i) {
    const std::string from = i == 0 || !chain ? "x" : prefix + value_name(i, !chain);
    const std::string to = i + 1 == kMany ? "y" : prefix + value_name(i + 1, !chain);
    nodes.emplace_back("Abs", Names{from}, Names{to}, prefix.empty() ? "" : prefix + "node" + std::to_string(i));
  }
  if (last != nullptr) nodes.push_back(*last);
  return model_of(nodes, {{"x", dims, type}});
}

/// A ValueInfoProto's type: float, of extents of these names.
ProtoWriter type_of(const Names& symbols) {
  ProtoWriter dims;
  for (const std::string& symbol : symbols) dims.message(1, ProtoWriter().bytes(2, symbol));
  return ProtoWriter().message(1, ProtoWriter().number(1, 1).message(2, dims));
}

Names long_names(int count) {
  Names names;
  for (int i = 0; i < count; ++i) names.push_back(std::to_string(i) + std::string(4000, 's'));
  return names;
}

/// A chain of Relu on x, an input of extents with names of 4000 bytes.
OnnxModel chain_of_long_symbols(int nodes, bool all_are_outputs) {
  OnnxModel model(8, 13);
  model.graph.name("g").fields().message(11, ProtoWriter().bytes(1, "x").message(2, type_of(long_names(32))));
  for (int i = 0; i < nodes; ++i) {
    const std::string name = "v" + std::to_string(i);
    model.graph.node(OnnxNode("Relu", {i == 0 ? "x" : "v" + std::to_string(i - 1)}, {name}));
    if (all_are_outputs || i + 1 == nodes) model.graph.fields().message(12, ProtoWriter().bytes(1, name));
  }
  return model;
}

}  // namespace

TEST_CASE("B07: a megabyte of empty messages takes no memory to speak of") {
  constexpr std::size_t kBytes = 1'000'000;
  const auto field = [](int number) { return ProtoWriter().bytes(number, "").text(); };
  const auto node = [](const std::string& fields) { return ProtoWriter().bytes(1, fields).text(); };
  const std::string start = OnnxNode("Relu", {"x"}, {"z"}).proto().text();
  std::string bodies;
  for (int i = 0; i < 200; ++i) {
    const std::string name = "b" + std::to_string(i);
    bodies += ProtoWriter().message(5, ProtoWriter().bytes(1, name).number(20, 5).bytes(6, "")).text();
  }
  OnnxModel with_imports = with_graph_fields(node(start + bodies));
  for (int i = 0; i < 60'000; ++i) with_imports.import("d" + std::to_string(i), 1);
  std::string operators;
  for (int i = 0; operators.size() < kBytes; ++i)
    operators +=
        node(ProtoWriter().bytes(1, "x").bytes(2, "u" + std::to_string(i)).bytes(4, "O" + std::to_string(i)).text());
  const std::vector<std::pair<std::string, OnnxModel>> bombs = {
      {"nodes", with_graph_fields(repeated(field(1), kBytes))},
      {"initializers", with_graph_fields(repeated(field(5), kBytes))},
      {"inputs", with_graph_fields(repeated(field(11), kBytes))},
      {"outputs", with_graph_fields(repeated(field(12), kBytes))},
      {"the same output", with_graph_fields(repeated(ProtoWriter().bytes(12, "\x0a\x01y").text(), kBytes))},
      {"value_info", with_graph_fields(repeated(field(13), kBytes))},
      {"attributes", with_graph_fields(node(start + repeated(field(5), kBytes)))},
      {"inputs of a node", with_graph_fields(node(start + repeated(field(1), kBytes)))},
      {"the same input of a node",
       with_graph_fields(node(start + repeated(ProtoWriter().bytes(1, "x").text(), kBytes)))},
      {"small nodes", with_graph_fields(repeated(node(ProtoWriter().bytes(4, "R").text()), kBytes))},
      {"operators", with_graph_fields(operators)},
      {"bodies", with_imports},
      {"dims", with_graph_fields(ProtoWriter().bytes(5, repeated(ProtoWriter().number(1, 1).text(), kBytes)).text())},
  };
  for (const auto& [name, bomb] : bombs) {
    INFO(name);
    const bool harmless = name == "value_info" || name == "the same output" || name == "inputs of a node";
    CHECK(load(bomb.bytes()).code.has_value() != harmless);
  }
}

TEST_CASE("B07: operators that inference refuses, thousands of them, take no time to speak of") {
  std::string raw;
  for (int i = 0; raw.size() < 1'000'000; ++i) {
    const OnnxNode node = OnnxNode("DFT", {"x"}, {"u" + std::to_string(i)}).set("inverse", 2);
    raw += ProtoWriter().message(1, node.proto()).text();
  }
  CHECK(load(with_graph_fields(raw).bytes()).code.has_value());
  raw.clear();
  for (int i = 0; raw.size() < 1'000'000; ++i) {
    const OnnxNode node = OnnxNode("Range", {"s", "s", "s"}, {"u" + std::to_string(i)});
    raw += ProtoWriter().message(1, node.proto()).text();
  }
  OnnxModel model = with_graph_fields(raw);
  model.graph.input("s", DataType::int8, {});
  const Outcome outcome = load(model.bytes());
  CHECK(outcome.code == ErrorCode::unsupported);
  CHECK(outcome.words.find("the rest was not looked at") != std::string::npos);
}

TEST_CASE("B07 D21: 100,000 nodes load, or are refused, within the bound of their file") {
  const OnnxNode unknown("NoSuchOperator", {"x"}, {"z"});
  const std::vector<OnnxDim> dims = {"batch", 3, 224, 224};
  for (const auto& [chain, prefix] : {std::pair(false, ""), {true, ""}, {true, "/features/block/layer/"}}) {
    INFO((chain ? "a chain " : "side by side ") << prefix);
    CHECK(load(many_nodes(chain, prefix, dims).bytes()).nodes == kMany);
    CHECK(load(many_nodes(chain, prefix, dims, DataType::float32, &unknown).bytes()).code == ErrorCode::unsupported);
  }
  // Of 16-bit floats, which are inferred on a copy, fewer have room.
  CHECK(load(many_nodes(true, "", dims, DataType::float16).bytes()).code == ErrorCode::limit);
}

TEST_CASE("B07: nodes beyond the bound have an option") {
  std::vector<OnnxNode> nodes;
  for (int i = 0; i < 3 * kMany; ++i)
    nodes.emplace_back("Abs", Names{"x"}, Names{i == 0 ? "y" : "v" + std::to_string(i)});
  const File file = model_of(nodes, {{"x", {1}}}).bytes();
  const Outcome refused = load(file);
  CHECK(refused.code == ErrorCode::limit);
  CHECK(refused.words.find("max_object_bytes") != std::string::npos);
  LoadOptions options;
  options.max_object_bytes = std::int64_t{256} << 20;
  CHECK(load(file, options).nodes == 3 * kMany);
  options.max_object_bytes = std::numeric_limits<std::int64_t>::max();
  CHECK(Model::load(file, options).outputs().size() == 1);
}

TEST_CASE("B07: extents' names are not written out for each value") {
  CHECK(load(chain_of_long_symbols(kMany, false).bytes()).code == ErrorCode::limit);  // 32 extents of each value
  CHECK(load(chain_of_long_symbols(20'000, false).bytes()).nodes == 20'000);
  CHECK(load(chain_of_long_symbols(100, true).bytes()).nodes == 100);
  CHECK(load(chain_of_long_symbols(10'000, true).bytes()).code == ErrorCode::limit);  // the caller's own copies
}

TEST_CASE("B07: what is inferred of a high rank is paid for, in bodies too") {
  const auto chain = [](OnnxGraph& graph, const std::string& from) {
    graph.node(OnnxNode("Reshape", {from, "shape"}, {"v0"}));
    for (int i = 0; i < 20'000; ++i)
      graph.node(OnnxNode("Relu", {"v" + std::to_string(i)}, {"v" + std::to_string(i + 1)}));
  };
  const Tensor ones = tensor<std::int64_t>({1000}, std::vector<std::int64_t>(1000, 1));
  OnnxModel flat(8, 13);
  flat.graph.name("g").initializer("shape", ones).input("x", DataType::float32, {1});
  chain(flat.graph, "x");
  flat.graph.fields().message(12, ProtoWriter().bytes(1, "v20000"));
  CHECK(load(flat.bytes()).code == ErrorCode::limit);
  OnnxGraph body;
  body.initializer("shape", ones);
  chain(body, "x");
  body.output("v20000", DataType::float32, {1});
  OnnxModel nested(8, 13);
  nested.graph.name("g").input("x", DataType::float32, {1}).input("c", DataType::boolean, {});
  nested.graph.node(OnnxNode("If", {"c"}, {"y"}).set("then_branch", body).set("else_branch", body));
  nested.graph.fields().message(12, ProtoWriter().bytes(1, "y"));
  CHECK(load(nested.bytes()).code == ErrorCode::limit);
}

TEST_CASE("B07: a body is paid for twice, as it is inferred on a copy") {
  OnnxGraph body;
  for (int i = 0; i < kMany; ++i)
    body.node(OnnxNode("Relu", {i == 0 ? "x" : "v" + std::to_string(i - 1)}, {"v" + std::to_string(i)}));
  body.output("v" + std::to_string(kMany - 1), DataType::float32, {1});
  OnnxGraph other;
  other.node(OnnxNode("Relu", {"x"}, {"r"})).output("r", DataType::float32, {1});
  OnnxModel model(8, 13);
  model.graph.name("g").input("x", DataType::float32, {1}).input("c", DataType::boolean, {});
  model.graph.node(OnnxNode("If", {"c"}, {"y"}).set("then_branch", body).set("else_branch", other));
  model.graph.fields().message(12, ProtoWriter().bytes(1, "y"));
  const File file = model.bytes();
  CHECK(load(file).code == ErrorCode::limit);
  LoadOptions options;
  options.max_object_bytes = std::int64_t{256} << 20;
  CHECK_FALSE(load(file, options).code.has_value());
}

TEST_CASE("B07: weights of 16-bit floats are not widened to be loaded") {
  const Tensor weights(DataType::float16, {20'000'000});
  OnnxModel model = model_of({OnnxNode("Constant", {}, {"w"}).set("value", weights), OnnxNode("Add", {"x", "w"}, {"a"}),
                              OnnxNode("Mul", {"a", "v"}, {"y"})},
                             {{"x", {1}, DataType::float16}}, {{"v", weights}});
  const File file = model.bytes();
  std::optional<Model> loaded;
  const Footprint footprint = footprint_of([&] { loaded.emplace(Model::load(file)); });
  CHECK(footprint.bytes <
        static_cast<std::int64_t>(file.size()) + 8'000'000);  // those that do not lie aligned are copied
  REQUIRE(loaded.has_value());
  CHECK(to_string(loaded->outputs().at(0)) == "float16[20000000]");
}

TEST_CASE("B07 C06: an attribute that a function's nodes refer to is paid for each time") {
  ProtoWriter function;
  function.bytes(1, "F").bytes(10, "my").bytes(4, "u").bytes(5, "v").bytes(6, "a");
  const ProtoWriter reference = ProtoWriter().bytes(1, "axes").bytes(21, "a").number(20, 7);
  for (int i = 0; i < 1000; ++i)
    function.message(7, OnnxNode("Abs", {"u"}, {i == 0 ? "v" : "w" + std::to_string(i)}).attribute(reference).proto());
  function.message(9, ProtoWriter().bytes(1, "").number(2, 13));
  OnnxModel model(8, 13);
  model.import("my", 1).fields().message(25, function);
  model.graph.name("g").input("x", DataType::float32, {1});
  model.graph.node(OnnxNode("F", {"x"}, {"y"}).domain("my").set("a", Ints(100'000, 1)));
  model.graph.fields().message(12, ProtoWriter().bytes(1, "y"));
  CHECK(load(model.bytes()).code == ErrorCode::limit);
}

TEST_CASE("B07: the long names of what calls write out are paid for as they are kept") {
  ProtoWriter function;
  function.bytes(1, "F").bytes(10, "my").bytes(4, "t0").bytes(5, "t64");
  for (int i = 0; i < 64; ++i)
    function.message(7, OnnxNode("Relu", {"t" + std::to_string(i)}, {"t" + std::to_string(i + 1)}, "n").proto());
  function.message(9, ProtoWriter().bytes(1, "").number(2, 13));
  const auto outcome_of = [&](int calls) {
    OnnxModel model = model_of({}, {{"x", {1}}});
    model.import("my", 1).fields().message(25, function);
    std::string from = "x";
    for (int i = 1; i <= calls; ++i) {
      const std::string to = i == calls ? "y" : "v" + std::to_string(i);
      model.graph.node(OnnxNode("F", {from}, {to}, std::to_string(i) + std::string(4000, 'n')).domain("my"));
      from = to;
    }
    return load(model.bytes());
  };
  CHECK(outcome_of(110).nodes == 64 * 110);
  CHECK(outcome_of(320).code == ErrorCode::limit);
}

TEST_CASE("B07: the long names of calls inside calls are there once while these are written out") {
  constexpr int kCalls = 60;
  OnnxModel model = model_of({}, {{"x", {1}}});
  model.import("my", 1);
  for (int i = 0; i <= kCalls; ++i) {
    ProtoWriter function;
    function.bytes(1, "F" + std::to_string(i)).bytes(10, "my").bytes(4, "t0").bytes(5, "t64");
    if (i < kCalls) {
      const OnnxNode call("F" + std::to_string(i + 1), {"t0"}, {"t64"}, std::string(4000, 'n'));
      function.message(7, OnnxNode(call).domain("my").proto());
    }
    for (int k = 0; i == kCalls && k < 200; ++k)
      function.message(7, OnnxNode("Relu", {"t" + std::to_string(k)}, {"t" + std::to_string(k + 1)}).proto());
    for (const char* domain : {"", "my"})
      function.message(9, ProtoWriter().bytes(1, domain).number(2, *domain == 0 ? 13 : 1));
    model.fields().message(25, function);
  }
  model.graph.node(OnnxNode("F0", {"x"}, {"y"}).domain("my"));
  CHECK(load(model.bytes()).code == ErrorCode::limit);
}

TEST_CASE("B07: the casts of a node's outputs of 16-bit floats are paid for") {
  const ProtoWriter half = ProtoWriter().message(1, ProtoWriter().number(1, 10));
  for (const int count : {30'000, 58'000}) {
    Names names;
    for (int i = 0; i < count; ++i) names.push_back("o" + std::to_string(i));
    OnnxModel model(10, 18);
    model.graph.name("g").input("x", DataType::float16, {count});
    model.graph.node(OnnxNode("Split", {"x"}, names).set("axis", 0).set("num_outputs", count));
    for (const std::string& name : names)
      model.graph.fields().message(12, ProtoWriter().bytes(1, name).message(2, half));
    CHECK(load(model.bytes()).code.has_value() == (count == 58'000));
  }
}

TEST_CASE("D21: outputs behind one chain of reshapes are described in linear time") {
  constexpr int kChain = 30'000;
  OnnxModel model(8, 13);
  model.graph.name("g").input("x", DataType::float32, {1}).node(OnnxNode("Relu", {"x"}, {"v0"}));
  for (int i = 0; i < kChain; ++i) {
    const std::string name = "v" + std::to_string(i + 1);
    model.graph.node(OnnxNode("Identity", {"v" + std::to_string(i)}, {name}));
    model.graph.fields().message(12, ProtoWriter().bytes(1, name));
  }
  const File file = model.bytes();
  std::optional<Model> loaded;
  CHECK(processor_seconds_of([&] { loaded.emplace(Model::load(file)); }) < kSlowness);
  REQUIRE(loaded->outputs().size() == kChain);
  for (const ValueInfo& output : {loaded->outputs().front(), loaded->outputs().back()})
    CHECK(output.computed_by == "Relu");
}

TEST_CASE("each limit of LoadOptions names its option") {
  const auto words = [](const OnnxModel& model, const LoadOptions& options) {
    const auto error = error_of([&] { (void)Model::load(model.bytes(), options); });
    return error && error->code() == ErrorCode::limit ? std::string(error->what()) : std::string();
  };
  const OnnxModel cube = model_of({OnnxNode("Add", {"x", "w"}, {"y"})}, {{"x", {1, 1, 1}}}, {{"w", floats_of({2, 2})}});
  LoadOptions options;
  options.max_rank = 2;
  CHECK(words(cube, options).find("max_rank") != std::string::npos);
  options.max_rank = 3;
  CHECK(words(cube, options).empty());
  options.max_tensor_bytes = 15;
  CHECK(words(cube, options).find("max_tensor_bytes") != std::string::npos);
  options = {};
  options.max_nodes = 0;
  CHECK(words(cube, options).find("max_nodes") != std::string::npos);
  options = {};
  options.max_object_bytes = 100;
  CHECK(words(cube, options).find("max_object_bytes") != std::string::npos);
  options = {};
  options.max_depth = 2;
  CHECK(words(cube, options).find("max_depth") != std::string::npos);
  ProtoWriter function;
  function.bytes(1, "F").bytes(10, "my").bytes(4, "u").bytes(5, "v");
  for (int i = 0; i < 20; ++i)
    function.message(7, OnnxNode("Relu", {"u"}, {i == 0 ? "v" : "w" + std::to_string(i)}).proto());
  function.message(9, ProtoWriter().bytes(1, "").number(2, 13));
  OnnxModel calls = model_of({}, {{"x", {1}}});
  calls.import("my", 1).fields().message(25, function);
  for (int i = 0; i < 100; ++i)
    calls.graph.node(OnnxNode("F", {"x"}, {i == 0 ? "y" : "v" + std::to_string(i)}).domain("my"));
  CHECK(words(calls, {}).empty());
  options = {};
  options.max_call_nodes = 0;  // each 8 bytes of the file pay for a node
  CHECK(words(calls, options).find("max_call_nodes") != std::string::npos);
}

TEST_CASE("D21: 100,000 nodes load and are planned within two seconds of the processor") {
  for (const bool chain : {false, true}) {
    const File file = many_nodes(chain, "/features/block/layer/", {1, 3}).bytes();
    INFO((chain ? "a chain" : "side by side"));
    CHECK(processor_seconds_of([&] { const Plan plan(Model::load(file), one_thread()); }) < 2 * kSlowness);
  }
}

}  // namespace linnet::test::loading_test
