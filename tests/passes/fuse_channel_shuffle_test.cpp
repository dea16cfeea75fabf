#include "passes/graph_builder.h"

using namespace linnet;
using namespace linnet::test;

namespace {

constexpr const char* kFuseChannelShuffle = "fuse_channel_shuffle";
using Ints = std::vector<std::int64_t>;

struct Shuffle {
  Ints apart = {0, 2, 6, 5, 5}, perm = {0, 2, 1, 3, 4}, together = {0, 12, 5, 5};
};

GraphBuilder image(const graph::DimList& shape = {2, 12, 5, 5}) {
  GraphBuilder b;
  b.input("x", shape);
  return b;
}

/// from -> y
void add_shuffle(GraphBuilder& b, const std::string& from, const Shuffle& shuffle = {}) {
  b.ints("apart_shape", shuffle.apart).ints("together_shape", shuffle.together);
  b.node("Reshape", {from, "apart_shape"}, {"apart"})
      .node("Transpose", {"apart"}, {"swapped"}, {{"perm", shuffle.perm}});
  b.node("Reshape", {"swapped", "together_shape"}, {"y"});
}

}  // namespace

TEST_CASE("Reshape, Transpose and Reshape of groups of channels are one ChannelShuffle") {
  Shuffle shuffle;
  SECTION("with each extent") {}
  SECTION("with pixels as one axis") { shuffle = {{2, 2, 6, 25}, {0, 2, 1, 3}, {2, 12, 5, 5}}; }
  SECTION("with extents found") { shuffle = {{-1, 2, 6, 5, 5}, {0, 2, 1, 3, 4}, {2, -1, 5, 5}}; }
  GraphBuilder b = image();
  add_shuffle(b, "x", shuffle);
  b.output("y");
  CHECK(check_pass(b.graph, kFuseChannelShuffle).applied == 1);
  CHECK(operators(b.graph) == "ChannelShuffle");
  CHECK(attribute<std::int64_t>(writer(b.graph, "y"), "group") == 2);
}

TEST_CASE("a shuffle of any batch is one") {
  GraphBuilder b = image({graph::Dim::symbolic("N"), 12, 5, 5});
  add_shuffle(b, "x");
  b.output("y");
  CHECK(passes::run_passes(b.graph, passes::Stage::model, {}).size() > 1);
  CHECK(operators(b.graph) == "ChannelShuffle");
}

TEST_CASE("a shuffle joins and deals out by itself") {
  GraphBuilder b = image({2, 5, 5, 5});
  b.input("z", {2, 7, 5, 5}).node("Concat", {"x", "z"}, {"both"}, {{"axis", std::int64_t{-3}}});
  add_shuffle(b, "both");
  b.ints("parts", {4, 8}).node("Split", {"y", "parts"}, {"p", "q"}, {{"axis", std::int64_t{1}}});
  b.output("p").output("q");
  SECTION("where nobody else reads what was joined, or what is dealt out") {
    CHECK(check_pass(b.graph, kFuseChannelShuffle).applied == 1);
    CHECK(operators(b.graph) == "ChannelShuffle");
    CHECK(attribute<Ints>(writer(b.graph, "p"), "split") == Ints{4, 8});
  }
  SECTION("but not where what was joined is read besides") {
    b.node("Relu", {"both"}, {"r"}).output("r");
    check_pass(b.graph, kFuseChannelShuffle);
    CHECK(writer(b.graph, "p").inputs.size() == 1);
  }
  SECTION("and not where what is dealt out is read besides") {
    b.output("y");
    check_pass(b.graph, kFuseChannelShuffle);
    CHECK(writer(b.graph, "p").op_type == "Split");
  }
}

TEST_CASE("a shuffle leaves alone what joins or deals out something else") {
  GraphBuilder b;
  SECTION("a Concat of images") {
    b.input("x", {1, 12, 5, 5})
        .input("z", {1, 12, 5, 5})
        .node("Concat", {"x", "z"}, {"both"}, {{"axis", std::int64_t{0}}});
  }
  SECTION("a Concat of too many") {
    b.input("x", {2, 12, 5, 5});
    std::vector<std::string> parts(33, "empty");
    b.floats("empty", {2, 0, 5, 5}, {});
    parts[0] = "x";
    b.node("Concat", parts, {"both"}, {{"axis", std::int64_t{1}}});
  }
  SECTION("a Split of rows") {
    b.input("both", {2, 12, 5, 5});
    add_shuffle(b, "both");
    b.ints("parts", {2, 3})
        .node("Split", {"y", "parts"}, {"p", "q"}, {{"axis", std::int64_t{2}}})
        .output("p")
        .output("q");
  }
  SECTION("a Split with an empty part") {
    b.input("both", {2, 12, 5, 5});
    add_shuffle(b, "both");
    b.ints("parts", {12, 0})
        .node("Split", {"y", "parts"}, {"p", "q"}, {{"axis", std::int64_t{1}}})
        .output("p")
        .output("q");
  }
  if (b.graph.outputs.empty()) {
    add_shuffle(b, "both");
    b.output("y");
  }
  CHECK(check_pass(b.graph, kFuseChannelShuffle).applied == 1);
  CHECK(writer(b.graph, "y").op_type == "ChannelShuffle");
  CHECK(writer(b.graph, "y").inputs.size() == 1);
  CHECK(writer(b.graph, "y").outputs.size() == 1);
}

TEST_CASE("what only looks like a shuffle stays") {
  GraphBuilder b = image();
  SECTION("where pixels take part") { add_shuffle(b, "x", {{2, 2, 30, 5}, {0, 2, 1, 3}, {2, 12, 5, 5}}); }
  SECTION("where images take part") { add_shuffle(b, "x", {{4, 2, 3, 25}, {0, 2, 1, 3}, {2, 12, 5, 5}}); }
  SECTION("where other axes change places") { add_shuffle(b, "x", {{2, 2, 6, 5, 5}, {0, 2, 1, 4, 3}, {2, 12, 5, 5}}); }
  SECTION("where the result has another shape") {
    add_shuffle(b, "x", {{2, 2, 6, 5, 5}, {0, 2, 1, 3, 4}, {2, 6, 10, 5}});
  }
  SECTION("where what is apart is read besides") {
    add_shuffle(b, "x");
    b.node("Relu", {"apart"}, {"r"}).output("r");
  }
  SECTION("where the transposed is an output") {
    add_shuffle(b, "x");
    b.output("swapped");
  }
  b.output("y");
  CHECK(check_pass(b.graph, kFuseChannelShuffle).applied == 0);
}
