#include <cmath>

#include "reference/bounds.h"
#include "reference/call.h"

namespace linnet::reference {

namespace {

/// A matrix seen through its transposition.
struct Matrix {
  const Tensor& tensor;
  bool transposed;
  std::int64_t first = 0;  // position of its first element in the tensor
  std::int64_t stored_columns = 0;
  [[nodiscard]] std::int64_t at(std::int64_t row, std::int64_t column) const {
    return first + (transposed ? column * stored_columns + row : row * stored_columns + column);
  }
};

struct Product {
  double value = 0;
  double magnitude = 0;
  double propagated = 0;
};

Product inner_product(const Matrix& a, const Matrix& b, std::int64_t row, std::int64_t column, std::int64_t depth) {
  Product product;
  for (std::int64_t k = 0; k < depth; ++k) {
    const std::int64_t i = a.at(row, k);
    const std::int64_t j = b.at(k, column);
    const double x = a.tensor.number(i);
    const double y = b.tensor.number(j);
    product.value += x * y;
    product.magnitude += (std::fabs(x) + a.tensor.error(i)) * (std::fabs(y) + b.tensor.error(j));
    product.propagated += product_error(x, a.tensor.error(i), y, b.tensor.error(j));
  }
  return product;
}

void store(Tensor& tensor, std::int64_t i, double value, double error) {
  if (!is_real(tensor.type)) {
    tensor.set_integer(i, wrap_to(tensor.type, static_cast<std::int64_t>(value)));
    return;
  }
  tensor.set(i, value);
  tensor.set_error(i, error);
}

}  // namespace

// Y = alpha A' B' + beta C, C broadcast to [M, N] in one direction.
Outputs gemm(const Call& call) {
  const Matrix a{call.in(0), call.attribute("transA", std::int64_t{0}) != 0, 0, call.in(0).shape.at(1)};
  const Matrix b{call.in(1), call.attribute("transB", std::int64_t{0}) != 0, 0, call.in(1).shape.at(1)};
  const double alpha = call.attribute("alpha", 1.0);
  const double beta = call.attribute("beta", 1.0);
  call.require(a.tensor.rank() == 2 && b.tensor.rank() == 2, "needs matrices");
  const std::int64_t rows = a.tensor.shape[a.transposed ? 1 : 0];
  const std::int64_t depth = a.tensor.shape[a.transposed ? 0 : 1];
  const std::int64_t columns = b.tensor.shape[b.transposed ? 0 : 1];
  call.require(b.tensor.shape[b.transposed ? 1 : 0] == depth, "the matrices do not fit");
  Tensor y = call.make(a.tensor.type, {rows, columns});
  y.terms = static_cast<double>(depth);
  for (Index at(y.shape); at.valid(); at.next()) {
    const Product product = inner_product(a, b, at[0], at[1], depth);
    double c = 0;
    double c_error = 0;
    if (call.has(2)) {
      call.require(broadcast(call, y.shape, call.in(2).shape) == y.shape, "C does not fit the result");
      const std::int64_t i = broadcast_position(call.in(2).shape, at.tuple());
      c = call.in(2).number(i);
      c_error = call.in(2).error(i);
    }
    const double magnitude = std::fabs(alpha) * product.magnitude + std::fabs(beta) * (std::fabs(c) + c_error);
    store(y, at.flat(), alpha * product.value + beta * c,
          std::fabs(alpha) * product.propagated + std::fabs(beta) * c_error + sum_factor(y.terms) * magnitude);
  }
  return {y};
}

Outputs fused_gemm(const Call& call) {
  Outputs outputs = gemm(call);
  activate(call, outputs[0]);
  return outputs;
}

// numpy.matmul: a vector becomes a matrix for the product, the other axes broadcast.
Outputs matmul(const Call& call) {
  Shape a_shape = call.in(0).shape;
  Shape b_shape = call.in(1).shape;
  call.require(!a_shape.empty() && !b_shape.empty(), "needs at least vectors");
  const bool a_vector = a_shape.size() == 1;
  const bool b_vector = b_shape.size() == 1;
  if (a_vector) a_shape.insert(a_shape.begin(), 1);
  if (b_vector) b_shape.push_back(1);
  const std::int64_t rows = a_shape[a_shape.size() - 2];
  const std::int64_t depth = a_shape.back();
  const std::int64_t columns = b_shape.back();
  call.require(b_shape[b_shape.size() - 2] == depth, "the matrices do not fit");
  const Shape a_stack(a_shape.begin(), a_shape.end() - 2);
  const Shape b_stack(b_shape.begin(), b_shape.end() - 2);
  const Shape stack = broadcast(call, a_stack, b_stack);
  Shape shape = stack;
  if (!a_vector) shape.push_back(rows);
  if (!b_vector) shape.push_back(columns);
  Tensor y = call.make(call.in(0).type, shape);
  y.terms = static_cast<double>(depth);
  for (Index at(stack); at.valid(); at.next()) {
    const Matrix a{call.in(0), false, broadcast_position(a_stack, at.tuple()) * rows * depth, depth};
    const Matrix b{call.in(1), false, broadcast_position(b_stack, at.tuple()) * depth * columns, columns};
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < columns; ++column) {
        const Product product = inner_product(a, b, row, column, depth);
        store(y, (at.flat() * rows + row) * columns + column, product.value,
              product.propagated + sum_factor(y.terms) * product.magnitude);
      }
    }
  }
  return {y};
}

}  // namespace linnet::reference
