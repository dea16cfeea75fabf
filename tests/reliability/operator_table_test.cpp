// Every operator of the list on nodes that nobody would write: it is loaded and runs, or is refused by an Error. Anything
// else, a signal above all, fails the test.
#include <functional>
#include <string>
#include <vector>

#include "reliability/hostile.h"

using namespace linnet;
using namespace linnet::test;

namespace {

struct NodeForm {
  std::vector<std::string> inputs, outputs;
};

enum class Outcome : unsigned char { works, refused, neither };

/// `node` in a model that has "f", float32 numbers, "i", int64 numbers, and constants of int64: "one" [1], "two" [2] and
/// "none" [0]. The node's outputs are those of the model; "y" is an output in any case.
OnnxModel model_around(const OperatorInfo& op, int opset, OnnxNode node, const NodeForm& form,
                       const std::vector<OnnxDim>& shape) {
  const bool standard = op.domain == "ai.onnx";
  OnnxModel model(8, standard ? opset : 13);
  if (!standard) {
    model.import(op.domain, opset);
    node.domain(op.domain);
  }
  model.graph.name("g").node(node).node(OnnxNode("Identity", {"f"}, {"y"}));
  model.graph.input("f", DataType::float32, shape).input("i", DataType::int64, shape);
  model.graph.initializer("one", tensor<std::int64_t>({1}, {1})).initializer("two", tensor<std::int64_t>({2}, {1, 2}));
  model.graph.initializer("none", Tensor(DataType::int64, {0}));
  constexpr int kOutput = 12, kName = 1;  // an output of which nothing is declared
  model.graph.fields().message(kOutput, ProtoWriter().bytes(kName, "y"));
  for (const std::string& name : form.outputs)
    if (!name.empty()) model.graph.fields().message(kOutput, ProtoWriter().bytes(kName, name));
  return model;
}

Outcome outcome_of(const OnnxModel& model) {
  try {
    const std::vector<std::byte> file = model.bytes();  // the session's constants are views of it
    Session session(Model::load(file), one_thread());
    (void)session.run_data([&] {
      std::vector<NamedDatum> inputs;
      for (NamedTensor& input : zeros_for(session.plan())) inputs.emplace_back(input.first, std::move(input.second));
      return inputs;
    }());
    return Outcome::works;
  } catch (const Error&) {
    return Outcome::refused;
  } catch (...) {
    return Outcome::neither;
  }
}

OnnxNode node_of(const OperatorInfo& op, const NodeForm& form) { return {op.name, form.inputs, form.outputs, "node"}; }

/// test(op, opset) for the ends of every line's range.
void each_operator(const std::function<void(const OperatorInfo&, int)>& test) {
  for (const OperatorInfo& op : supported_operators()) {
    INFO(op.domain << " " << op.name);
    test(op, op.last_opset);
    if (op.first_opset != op.last_opset) test(op, op.first_opset);
  }
}

std::string described(const OperatorInfo& op, int opset, const NodeForm& form) {
  std::string text = op.name + "-" + std::to_string(opset) + " of";
  for (const std::string& name : form.inputs) text += " '" + name + "'";
  return text + " to " + std::to_string(form.outputs.size()) + " outputs";
}

const std::vector<OnnxDim> kVector = {2}, kImage = {1, 2, 3, 3};
constexpr std::size_t kMostInputs = 6;

/// Lists of 0 to kMostInputs inputs: all floats, all integers, and a tensor with constants behind it.
std::vector<std::vector<std::string>> input_lists() {
  std::vector<std::vector<std::string>> lists = {{}};
  for (const auto& [head, rest] : {std::pair{"f", "f"},
                                   {"i", "i"},
                                   {"f", "one"},
                                   {"f", "two"},
                                   {"f", "none"},
                                   {"i", "none"},
                                   {"one", "one"},
                                   {"none", "none"},
                                   {"f", ""}}) {
    std::vector<std::string> list = {head};
    for (; list.size() <= kMostInputs; list.emplace_back(rest)) lists.push_back(list);
  }
  return lists;
}

}  // namespace

TEST_CASE("every operator with any number of inputs and outputs works or is refused") {
  const std::vector<std::vector<std::string>> lists = input_lists();
  each_operator([&](const OperatorInfo& op, int opset) {
    for (const std::vector<std::string>& inputs : lists) {
      for (const std::vector<std::string>& outputs :
           {std::vector<std::string>{}, {""}, {"", ""}, {"a"}, {"a", "b"}, {"", "b"}, {"a", "b", "c"}}) {
        // Many inputs: once an operator.
        if (inputs.size() > 2 && (opset != op.last_opset || outputs != std::vector<std::string>{"a"})) continue;
        const NodeForm form{inputs, outputs};
        const std::vector<OnnxDim>& shape = outputs.size() == 1 ? kImage : kVector;
        if (outcome_of(model_around(op, opset, node_of(op, form), form, shape)) == Outcome::neither)
          FAIL_CHECK(described(op, opset, form));
      }
    }
  });
}

TEST_CASE("every operator refuses to have no outputs, and says which node it is") {
  each_operator([](const OperatorInfo& op, int opset) {
    // By the standard all outputs of these are optional.
    if (op.name == "RNN" || op.name == "GRU" || op.name == "LSTM") return;
    for (const std::vector<std::string>& inputs : {std::vector<std::string>{}, {"f"}, {"f", "one"}}) {
      const NodeForm form{inputs, {}};
      const OnnxModel model = model_around(op, opset, node_of(op, form), form, kVector);
      INFO(described(op, opset, form));
      CHECK_REFUSED(model, ErrorCode::model, "'node'", op.name, "no outputs", "remove");
    }
  });
}

TEST_CASE("an operator without its first output is refused, where that is not optional") {
  const auto model = [](OnnxNode node, const Constants& constants = {}) {
    OnnxModel result =
        model_of({std::move(node), OnnxNode("Identity", {"x"}, {"y"})}, {{"x", {1, 2, 4, 8}}}, constants, 24);
    result.graph.fields().message(12, ProtoWriter().bytes(1, "b"));
    return result;
  };
  CHECK_REFUSED(model(OnnxNode("MaxPool", {"x"}, {"", "b"}, "pool").set("kernel_shape", Ints{2, 2})), ErrorCode::model,
                "pool", "first output");
  CHECK_REFUSED(model(OnnxNode("LayerNormalization", {"x", "s"}, {"", "b"}, "norm"), {{"s", floats_of({8})}}),
                ErrorCode::model, "norm", "first output");
  CHECK_REFUSED(model(OnnxNode("Attention", {"x", "x", "x"}, {"", "", "", "b"}, "attention")), ErrorCode::model,
                "attention", "first output");
  CHECK(run(model(OnnxNode("Split", {"x"}, {"", "b"}).set("axis", 3).set("num_outputs", 2))).at(1).shape() ==
        Shape{1, 2, 4, 4});
}

TEST_CASE("an LSTM without outputs is nothing") {
  OnnxNode lstm("LSTM", {"x", "w", "r"}, {});
  const Constants weights = {{"w", floats_of({1, 8, 3})}, {"r", floats_of({1, 8, 2})}};
  CHECK(
      run(model_of({lstm.set("hidden_size", 2), OnnxNode("Relu", {"x"}, {"y"})}, {{"x", {2, 1, 3}}}, weights)).size() ==
      1);
}

TEST_CASE("control flow without a subgraph is refused, whatever else it has") {
  for (const OperatorInfo& op : supported_operators()) {
    const bool has_body = std::any_of(op.attributes.begin(), op.attributes.end(),
                                      [](const std::string& name) { return name == "body" || name == "then_branch"; });
    if (!has_body) continue;
    for (const std::vector<std::string>& inputs : input_lists()) {
      const NodeForm form{inputs, {"a"}};
      OnnxNode node = node_of(op, form);
      if (op.name == "Scan") node.set("num_scan_inputs", 1);
      INFO(described(op, op.last_opset, form));
      CHECK_REFUSED(model_around(op, op.last_opset, node, form, kVector), ErrorCode::model, "node");
    }
  }
}

TEST_CASE("every operator with one attribute of any kind works or is refused") {
  OnnxGraph body;
  body.node(OnnxNode("Relu", {"f"}, {"r"})).output("r", DataType::float32, {2});
  const std::vector<std::function<void(OnnxNode&, const std::string&)>> kinds = {
      [](OnnxNode& node, const std::string& name) { node.set(name, -1); },
      [](OnnxNode& node, const std::string& name) { node.set(name, 0); },
      [](OnnxNode& node, const std::string& name) { node.set(name, 2); },
      [](OnnxNode& node, const std::string& name) { node.set(name, std::int64_t{1} << 62); },
      [](OnnxNode& node, const std::string& name) { node.set(name, kNan); },
      [](OnnxNode& node, const std::string& name) { node.set(name, ""); },
      [](OnnxNode& node, const std::string& name) { node.set(name, Ints{}); },
      [](OnnxNode& node, const std::string& name) {
        node.set(name, Ints{1, 1});
      },
      [](OnnxNode& node, const std::string& name) {
        node.set(name, Ints{kHuge, -1, 0});
      },
      [](OnnxNode& node, const std::string& name) { node.set(name, std::vector<float>{}); },
      [](OnnxNode& node, const std::string& name) { node.set(name, Tensor(DataType::float32, {0})); },
      [&](OnnxNode& node, const std::string& name) { node.set(name, body); },
  };
  const std::vector<NodeForm> forms = {{{}, {"a"}},
                                       {{"f"}, {"a"}},
                                       {{"f"}, {"a", "b", "c"}},
                                       {{"f", "f"}, {"a"}},
                                       {{"f", "one"}, {"a", "b"}},
                                       {{"i", "f", "f"}, {"a"}}};
  each_operator([&](const OperatorInfo& op, int opset) {
    for (const std::string& name : op.attributes) {
      for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        for (const NodeForm& form : forms) {
          OnnxNode node = node_of(op, form);
          kinds[kind](node, name);
          const std::vector<OnnxDim>& shape = form.outputs.size() == 1 ? kImage : kVector;
          if (outcome_of(model_around(op, opset, node, form, shape)) == Outcome::neither)
            FAIL_CHECK(described(op, opset, form) << " with " << name << " of kind " << kind);
        }
      }
    }
  });
}
