#include "graph/print.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace linnet;
using namespace linnet::graph;

// A convolution with nasty names, an omitted bias and a scalar constant.
Graph example() {
  Graph graph;
  graph.name = "say \"hi\"";
  const ValueId x = graph.add_value("x", {DataType::float32, DimList{Dim::symbolic("N"), 3, 8, 8}, Layout::plain});
  const ValueId w = graph.add_constant("w", Tensor(DataType::float32, {16, 3, 3, 3}));
  const ValueId y =
      graph.add_value("line\nbreak", {DataType::float32, DimList{Dim::symbolic("N"), 16, 8, 8}, Layout::nchw16c});
  const ValueId scale = graph.add_constant("s", Tensor::of<float>({}, std::vector<float>{0.5f}));
  const ValueId z = graph.add_value("z", {DataType::float32, DimList{Dim::symbolic("N"), 16, 8, 8}, Layout::plain});
  graph.add_input(x);
  Node conv;
  conv.name = "back\\slash";
  conv.op_type = "FusedConv";
  conv.domain = "linnet";
  conv.opset = 1;
  conv.inputs = {x, w, kNoValue, scale};
  conv.outputs = {y};
  conv.attributes.set("pads", std::vector<std::int64_t>{1, 1, 1, 1});
  conv.attributes.set("activation", std::string("Relu"));
  graph.add_node(conv);
  Node relu;
  relu.op_type = "Relu";
  relu.opset = 14;
  relu.inputs = {y};
  relu.outputs = {z};
  graph.add_node(relu);
  graph.add_output(z);
  return graph;
}

std::size_t count(const std::string& text, char c) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), c));
}

}  // namespace

TEST_CASE("the text form has a line for each input, node and output") {
  std::ostringstream stream;
  print_text(example(), stream);
  CHECK(stream.str() ==
        "graph 'say \"hi\"'\n"
        "input %x float[N,3,8,8]\n"
        "%line\\x0abreak float nchw16c[N,16,8,8] = linnet.FusedConv-1(%x, %w <float[16,3,3,3]>, -, %s <float[] = 0.5>)"
        " {pads=[1,1,1,1], activation='Relu'}  # node 'back\\slash'\n"
        "%z float[N,16,8,8] = Relu-14(%line\\x0abreak)  # node '#1'\n"
        "output %z float[N,16,8,8]\n");
}

TEST_CASE("the dot form escapes names and draws one edge a use") {
  std::ostringstream stream;
  print_dot(example(), stream);
  const std::string text = stream.str();
  CHECK_THAT(text, Catch::Matchers::StartsWith("digraph \"say \\\"hi\\\"\" {"));
  CHECK_THAT(text, Catch::Matchers::Contains("back\\\\slash\\l"));
  CHECK_THAT(text, Catch::Matchers::Contains("n0 -> n1"));
  CHECK_THAT(text, Catch::Matchers::Contains("v0 -> n0"));
  CHECK_THAT(text, Catch::Matchers::Contains("n1 -> o0"));
  CHECK(text.find("v1 ->") == std::string::npos);  // constants are not drawn
  // Every quote that is not escaped opens or closes a string, and no string spans lines.
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::size_t quotes = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '\\') ++i;
      else if (line[i] == '"') ++quotes;
    }
    CHECK(quotes % 2 == 0);
  }
  CHECK(count(text, '{') == count(text, '}'));
}

TEST_CASE("a constant that is a graph output has its own box") {
  Graph graph;
  graph.add_output(graph.add_constant("c", Tensor(DataType::int64, {2})));
  std::ostringstream stream;
  print_dot(graph, stream);
  CHECK_THAT(stream.str(), Catch::Matchers::Contains("v0 [label=\"%c <int64[2]>\"]"));
  CHECK_THAT(stream.str(), Catch::Matchers::Contains("v0 -> o0"));
}
