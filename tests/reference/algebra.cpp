// Einsum and Det, by their definitions.
#include <cmath>
#include <map>

#include "reference/bounds.h"
#include "reference/call.h"

namespace linnet::reference {

namespace {

/// The ellipsis becomes the digits that end in 0, so that those of two terms agree from the right.
std::string spelled_out(const std::string& term, std::int64_t rank) {
  const std::size_t dots = term.find("...");
  if (dots == std::string::npos) return term;
  std::string digits;
  for (std::int64_t k = rank - static_cast<std::int64_t>(term.size() - 3); k-- > 0;)
    digits += static_cast<char>('0' + k);
  return term.substr(0, dots) + digits + term.substr(dots + 3);
}

struct Equation {
  std::vector<std::string> operands;
  std::string result;
};

Equation read_equation(const Call& call) {
  std::string text;
  for (const char c : call.attribute("equation", std::string())) {
    if (c != ' ') text += c;
  }
  const std::size_t arrow = text.find("->");
  Equation equation;
  std::string term;
  std::map<char, int> seen;
  std::string digits;
  for (const char c : text.substr(0, arrow) + ",") {
    if (c != ',') {
      term += c;
      continue;
    }
    term = spelled_out(term, call.in(equation.operands.size()).rank());
    std::string own;
    for (const char name : term) {
      ++seen[name];
      if (name >= '0' && name <= '9') own += name;
    }
    if (own.size() > digits.size()) digits = own;
    equation.operands.push_back(term);
    term.clear();
  }
  call.require(equation.operands.size() == call.count(), "the equation does not fit the inputs");
  if (arrow != std::string::npos) {
    const std::string right = text.substr(arrow + 2);
    const std::size_t dots = right.find("...");
    equation.result = dots == std::string::npos ? right : right.substr(0, dots) + digits + right.substr(dots + 3);
    return equation;
  }
  equation.result = digits;
  for (const auto& [name, times] : seen) {
    if (times == 1 && (name < '0' || name > '9')) equation.result += name;
  }
  return equation;
}

}  // namespace

// Every assignment of all names adds its product to the element that it belongs to.
Outputs einsum(const Call& call) {
  const Equation equation = read_equation(call);
  std::string names;
  Shape extents;
  for (std::size_t i = 0; i < call.count(); ++i) {
    for (std::size_t axis = 0; axis < equation.operands[i].size(); ++axis) {
      const std::int64_t extent = call.in(i).shape[axis];
      const std::size_t at = names.find(equation.operands[i][axis]);
      if (at == std::string::npos) {
        names += equation.operands[i][axis];
        extents.push_back(extent);
      } else {
        call.require(extents[at] == extent || extents[at] == 1 || extent == 1, "the extents of a name differ");
        if (extents[at] == 1) extents[at] = extent;
      }
    }
  }
  Shape shape;
  for (const char name : equation.result) shape.push_back(extents[names.find(name)]);
  Tensor y = call.make(call.in(0).type, shape);
  std::vector<double> magnitudes(static_cast<std::size_t>(y.size()), 0.0);
  y.terms = static_cast<double>(element_count(extents)) / static_cast<double>(std::max<std::int64_t>(1, y.size()));
  for (Index at(extents); at.valid(); at.next()) {
    const auto position = [&](const std::string& term, const Shape& of) {
      Shape index;
      for (std::size_t axis = 0; axis < term.size(); ++axis)
        index.push_back(of[axis] == 1 ? 0 : at[names.find(term[axis])]);
      return flatten(of, index);
    };
    const std::int64_t to = position(equation.result, shape);
    double product = 1, error = 0;
    std::int64_t integer = 1;
    for (std::size_t i = 0; i < call.count(); ++i) {
      const std::int64_t from = position(equation.operands[i], call.in(i).shape);
      if (!is_real(y.type)) {
        integer = wrap_to(y.type, integer * call.in(i).integer(from));
        continue;
      }
      error = product_error(product, error, call.in(i).number(from), call.in(i).error(from));
      product *= call.in(i).number(from);
    }
    const auto slot = static_cast<std::size_t>(to);
    if (!is_real(y.type)) {
      y.set_integer(to, wrap_to(y.type, y.integer(to) + integer));
      continue;
    }
    y.set(to, y.number(to) + product);
    if (!y.errors.empty()) y.errors[slot] += error;
    magnitudes[slot] += std::fabs(product) + error;
  }
  for (std::size_t i = 0; i < y.errors.size(); ++i) y.errors[i] += sum_factor(y.terms) * magnitudes[i];
  return {y};
}

namespace {

struct Determinant {
  double value = 0, magnitude = 0;  // magnitude: the sum of the absolute values of all products
};

/// Laplace's expansion along the first row.
Determinant expand_row(const std::vector<double>& a, std::size_t n) {
  if (n == 0) return {1, 1};
  Determinant result;
  for (std::size_t column = 0; column < n; ++column) {
    std::vector<double> minor;
    for (std::size_t i = n; i < n * n; ++i) {
      if (i % n != column) minor.push_back(a[i]);
    }
    const Determinant rest = expand_row(minor, n - 1);
    result.value += (column % 2 == 0 ? 1 : -1) * a[column] * rest.value;
    result.magnitude += std::fabs(a[column]) * rest.magnitude;
  }
  return result;
}

}  // namespace

Outputs det(const Call& call) {
  const Tensor& x = call.in(0);
  const std::int64_t n = x.shape.back();
  Tensor y = call.make(x.type, {x.shape.begin(), x.shape.end() - 2});
  for (std::int64_t i = 0; i < y.size(); ++i) {
    std::vector<double> matrix;
    for (std::int64_t k = 0; k < n * n; ++k) matrix.push_back(x.number(i * n * n + k));
    const Determinant determinant = expand_row(matrix, static_cast<std::size_t>(n));
    y.set(i, determinant.value);
    y.set_error(i, sum_factor(0) * determinant.magnitude);
  }
  return {y};
}

}  // namespace linnet::reference
