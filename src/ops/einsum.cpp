// Einsum: sums of products over named axes. One loop nest serves every equation: an operand is a stride for each name,
// the result's names are walked outside and the summed ones inside, always in the same order. What is a matrix product
// does not come here (passes/lower_einsum.cpp).
#include "ops/einsum.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "base/checked_math.h"
#include "ops/binary.h"
#include "ops/extents.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

constexpr std::size_t kMaxOperands = 16;

using Name = AxisName;
using Names = AxisNames;
using Equation = EinsumEquation;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

[[noreturn]] void refuse(const NodeContext& c, const std::string& why, const std::string& found) {
  c.fail(ErrorCode::model, why, "attribute 'equation'", {}, found);
}

/// One term. `hidden`: how many axes the ellipsis stands for.
Names read_term(const NodeContext& c, const std::string& term, std::size_t hidden) {
  Names names;
  bool elided = false;
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (is_letter(term[i])) {
      names.emplace_back(term[i], 0);
    } else if (term.compare(i, 3, "...") == 0 && !elided) {
      elided = true;
      for (std::size_t k = hidden; k-- > 0;) names.emplace_back('.', k);
      i += 2;
    } else {
      refuse(c, "the equation has a term that cannot be read", term);
    }
  }
  return names;
}

std::vector<std::string> split_terms(const std::string& text) {
  std::vector<std::string> terms(1);
  for (const char character : text) {
    if (character == ',') terms.emplace_back();
    else terms.back() += character;
  }
  return terms;
}

/// Without an arrow the result has the ellipsis, then the letters that occur once, in alphabetical order.
Names implicit_result(const std::vector<Names>& operands) {
  std::map<Name, int> times;  // '.' sorts before all letters, but its axes count from the end
  std::size_t hidden = 0;
  for (const Names& names : operands) {
    for (const Name& name : names) {
      ++times[name];
      if (name.first == '.') hidden = std::max(hidden, name.second + 1);
    }
  }
  Names result;
  for (std::size_t k = hidden; k-- > 0;) result.emplace_back('.', k);
  for (const auto& [name, count] : times) {
    if (name.first != '.' && count == 1) result.push_back(name);
  }
  return result;
}

std::size_t hidden_axes(const NodeContext& c, const std::string& term, std::size_t rank) {
  const std::size_t letters = static_cast<std::size_t>(std::count_if(term.begin(), term.end(), is_letter));
  const bool elided = term.find("...") != std::string::npos;
  if (letters > rank || (!elided && letters != rank))
    refuse(c, "a term does not fit the rank of its operand", term + " for rank " + std::to_string(rank));
  return rank - letters;
}

Equation read_equation(const NodeContext& c, const std::vector<std::size_t>& ranks) {
  std::string text = c.attribute_string("equation", "");
  text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
  const std::size_t arrow = text.find("->");
  const std::vector<std::string> terms = split_terms(text.substr(0, arrow));
  if (terms.size() != ranks.size()) refuse(c, "the equation has another number of operands than the node", text);
  Equation equation;
  std::size_t hidden = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const std::size_t own = hidden_axes(c, terms[i], ranks[i]);
    hidden = std::max(hidden, own);
    equation.operands.push_back(read_term(c, terms[i], own));
  }
  equation.result =
      arrow == std::string::npos ? implicit_result(equation.operands) : read_term(c, text.substr(arrow + 2), hidden);
  for (std::size_t i = 0; i < equation.result.size(); ++i) {
    const auto first = equation.result.begin(), here = first + static_cast<std::ptrdiff_t>(i);
    const bool known = std::any_of(equation.operands.begin(), equation.operands.end(), [&](const Names& names) {
      return std::find(names.begin(), names.end(), *here) != names.end();
    });
    if (!known || std::find(first, here, *here) != here)
      refuse(c, "an axis of the result is not one of the operands', or is there twice", text);
  }
  for (const Names& names : equation.operands) {
    for (const Name& name : names) {
      const auto in = [&name](const Names& list) { return std::find(list.begin(), list.end(), name) != list.end(); };
      if (!in(equation.result) && !in(equation.summed)) equation.summed.push_back(name);
    }
  }
  return equation;
}

/// The extent of every name. Axes of one name are equal, or 1.
std::map<Name, Dim> extents_of(const NodeContext& c, const Equation& equation) {
  std::map<Name, Dim> extents;
  for (std::size_t i = 0; i < equation.operands.size(); ++i) {
    for (std::size_t axis = 0; axis < equation.operands[i].size(); ++axis) {
      const Name& name = equation.operands[i][axis];
      const Dim& dim = (*c.input(i).shape)[axis];
      const auto [at, added] = extents.emplace(name, dim);
      if (!added) at->second = broadcast(c, {at->second}, {dim})[0];
    }
  }
  return extents;
}

/// One operand's strides: of the result's names, then of the summed ones.
struct Operand {
  std::vector<std::int64_t> outer, inner;
};

struct Sums {
  std::vector<Operand> operands;
  std::vector<std::int64_t> outer, inner;  // extents
  std::int64_t results = 1, terms = 1, products = 1;
};

std::vector<std::int64_t> strides_of(const Names& names, const Names& own, const Shape& shape) {
  std::vector<std::int64_t> strides(names.size(), 0);
  std::int64_t stride = 1;
  for (std::size_t axis = own.size(); axis-- > 0;) {
    const auto at = std::find(names.begin(), names.end(), own[axis]);
    // A name that an operand has twice walks its diagonal.
    if (at != names.end() && shape[axis] != 1) strides[static_cast<std::size_t>(at - names.begin())] += stride;
    stride *= shape[axis];
  }
  return strides;
}

Sums make_sums(const PlanContext& c, const Equation& equation) {
  const std::map<Name, Dim> extents = extents_of(c, equation);
  Sums sums;
  for (const Name& name : equation.result) {
    sums.outer.push_back(extents.at(name).value);
    sums.results = base::checked_mul(sums.results, sums.outer.back(), "an Einsum");
  }
  for (const Name& name : equation.summed) {
    sums.inner.push_back(extents.at(name).value);
    sums.terms = base::checked_mul(sums.terms, sums.inner.back(), "an Einsum");
  }
  sums.products = base::checked_mul(sums.results, sums.terms, "an Einsum");
  for (std::size_t i = 0; i < equation.operands.size(); ++i) {
    const Shape& shape = c.placement_in(i).shape;
    sums.operands.push_back({strides_of(equation.result, equation.operands[i], shape),
                             strides_of(equation.summed, equation.operands[i], shape)});
  }
  return sums;
}

using Offsets = std::array<std::int64_t, kMaxOperands>;

void add_offsets(const Sums& sums, const std::vector<std::int64_t>& extents, bool inner, std::int64_t index,
                 Offsets& offsets) {
  for (std::size_t axis = extents.size(); axis-- > 0; index /= extents[axis]) {
    const std::int64_t at = index % extents[axis];
    for (std::size_t i = 0; i < sums.operands.size(); ++i)
      offsets[i] += at * (inner ? sums.operands[i].inner : sums.operands[i].outer)[axis];
  }
}

/// A real is summed in double, an integer in its own type.
template <typename T>
T sum_of_products(const Sums& sums, const RunArgs& args, std::int64_t result) {
  using Total = std::conditional_t<std::is_floating_point_v<T>, double, T>;
  Offsets start{};
  add_offsets(sums, sums.outer, false, result, start);
  Total total = 0;
  for (std::int64_t term = 0; term < sums.terms; ++term) {
    Offsets at = start;
    add_offsets(sums, sums.inner, true, term, at);
    Total product = 1;
    for (std::size_t i = 0; i < sums.operands.size(); ++i)
      product = wrapping_mul(product, static_cast<Total>(args.in<T>(i)[at[i]]));
    total = wrapping_add(total, product);
  }
  return static_cast<T>(total);
}

}  // namespace

std::optional<EinsumEquation> einsum_equation(const NodeContext& c) {
  std::vector<std::size_t> ranks;
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    if (!c.input(i).has_rank()) return std::nullopt;
    ranks.push_back(c.input(i).shape->size());
  }
  return read_equation(c, ranks);
}

void infer_einsum(InferContext& c) {
  if (c.input_count() == 0 || c.input_count() > kMaxOperands)
    c.fail(ErrorCode::unsupported, "an Einsum of so many operands", "inputs", "1 to " + std::to_string(kMaxOperands),
           std::to_string(c.input_count()));
  for (std::size_t i = 0; i < c.input_count(); ++i) {
    require_types(c, i, kNumberTypes);
    require_same_type(c, 0, i);
  }
  const std::optional<Equation> equation = einsum_equation(c);
  if (!equation) return c.set_output_unknown_rank(0, c.input(0).type);
  const std::map<Name, Dim> extents = extents_of(c, *equation);
  DimList shape;
  for (const Name& name : equation->result) shape.push_back(extents.at(name));
  c.set_output(0, c.input(0).type, std::move(shape));
}

void plan_einsum(PlanContext& c) {
  c.step().algorithm = "loops";
  c.step().run = [sums = make_sums(c, *einsum_equation(c)), type = c.placement_out(0).type](const RunArgs& args) {
    const Range mine = thread_share(args, sums.results, sums.products, kElementUnit);
    visit_type<kNumberTypes>(type, [&](auto element) {
      using T = decltype(element);
      for (std::int64_t i = mine.first; i < mine.last; ++i) args.out<T>(0)[i] = sum_of_products<T>(sums, args, i);
    });
  };
}

}  // namespace linnet::ops
