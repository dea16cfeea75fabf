#include "passes/graph_builder.h"

using namespace linnet;
using namespace linnet::test;

namespace {
constexpr const char* kLowerEinsum = "lower_einsum";

GraphBuilder einsum(const std::string& equation, const graph::DimList& a, const graph::DimList& b) {
  GraphBuilder builder;
  builder.input("a", a).input("b", b);
  builder.node("Einsum", {"a", "b"}, {"y"}, {{"equation", equation}}).output("y");
  return builder;
}
const graph::Dim kN = graph::Dim::symbolic("N");
}  // namespace

TEST_CASE("an Einsum that is a matrix product becomes a MatMul") {
  struct Case {
    const char* equation;
    graph::DimList a, b;
    const char* expected;
  };
  const Case cases[] = {
      {"ij,jk->ik", {2, 3}, {3, 4}, "MatMul"},
      {"bij,bjk->bik", {5, 2, 3}, {5, 3, 4}, "MatMul"},
      {"ij,jk", {2, 3}, {3, 4}, "MatMul"},
      {"...ij,...jk", {2, 5, 2, 3}, {1, 5, 3, 4}, "MatMul"},  // the ellipses meet by broadcasting
      {"bhid,bhjd->bhij", {2, 2, 3, 4}, {2, 2, 5, 4}, "Transpose MatMul"},
      {"ji,jk->ki", {3, 2}, {3, 4}, "Transpose MatMul Transpose"},
      {"bhwc,hkc->bhwk", {2, 3, 4, 5}, {3, 6, 5}, "Transpose Reshape Transpose MatMul Reshape Transpose"},
      {"abc,bcd->ad", {2, 3, 4}, {3, 4, 5}, "Reshape Reshape MatMul"},
      {"i,i->", {4}, {4}, "Einsum"},
      {"bij,bj->bi", {2, 3, 4}, {2, 4}, "Reshape MatMul Reshape"},
  };
  for (const Case& c : cases) {
    INFO(c.equation);
    GraphBuilder b = einsum(c.equation, c.a, c.b);
    check_pass(b.graph, kLowerEinsum);
    CHECK(operators(b.graph) == c.expected);
  }
}

TEST_CASE("lower_einsum does with unknown extents what Reshape can find by itself") {
  GraphBuilder batch = einsum("bhid,bhjd->bhij", {kN, 2, 3, 4}, {kN, 2, 5, 4});
  CHECK(check_pass(batch.graph, kLowerEinsum).applied == 1);
  GraphBuilder rows = einsum("nwc,kc->nwk", {kN, 3, 4}, {5, 4});
  CHECK(check_pass(rows.graph, kLowerEinsum).applied == 1);
  GraphBuilder two = einsum("nwc,kc->nwk", {kN, graph::Dim::symbolic("W"), 4}, {5, 4});
  check_refusal(two.graph, kLowerEinsum, "extents are not known");
}

TEST_CASE("lower_einsum leaves an extent to Reshape only where no axis that it copies may be 0") {
  const auto product = [](const graph::Dim& batch) {
    return einsum("bijc,bckl->bijkl", {batch, graph::Dim::symbolic("I"), 3, 4}, {batch, 4, 2, 5});
  };
  GraphBuilder known = product(2);
  CHECK(check_pass(known.graph, kLowerEinsum).applied == 1);
  GraphBuilder open = product(kN);
  check_refusal(open.graph, kLowerEinsum, "extents are not known");
  GraphBuilder none = product(0);
  check_refusal(none.graph, kLowerEinsum, "extents are not known");
}

TEST_CASE("lower_einsum refuses") {
  GraphBuilder b;
  std::string reason;
  SECTION("what sums nothing") {
    b = einsum("i,j->ij", {2}, {3});
    reason = "no matrix product";
  }
  SECTION("a product a batch") {
    b = einsum("bi,bi->b", {2, 3}, {2, 3});
    reason = "no matrix product";
  }
  SECTION("a diagonal") {
    b = einsum("iij,jk->ik", {2, 2, 3}, {3, 4});
    reason = "an operand has an axis twice";
  }
  SECTION("an axis that one operand sums away") {
    b = einsum("ijl,jk->ik", {2, 3, 5}, {3, 4});
    reason = "an operand is summed by itself";
  }
  SECTION("a summed axis of one element against several") {
    b = einsum("ij,jk->ik", {2, 1}, {3, 4});
    reason = "a summed axis may be broadcast";
  }
  check_refusal(b.graph, kLowerEinsum, reason);
}
