// One node with its inputs: run as the engine runs it, and judged by the oracle.
//
//   const OpCase c = op_case("Transpose", 13, {tensor<float>({2, 3}, {1, 2, 3, 4, 5, 6})}, {{"perm", ints({1, 0})}});
//   CHECK(values<float>(run(c)[0]) == std::vector<float>{1, 4, 2, 5, 3, 6});
//   check_op(c);
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "graph/graph.h"
#include "linnet/error.h"
#include "linnet/tensor.h"
#include "support/compare.h"

namespace linnet::test {

using AttributeList = std::vector<std::pair<std::string, graph::Attribute>>;

struct OpCase {
  graph::Node node;  // outputs are numbered from 0; inputs are those below
  std::vector<Tensor> inputs;
};

OpCase op_case(std::string op_type, int opset, std::vector<Tensor> inputs, const AttributeList& attributes = {},
               int outputs = 1);

/// ops::evaluate.
std::vector<Tensor> run(const OpCase& c);
/// The same with the work split over `threads`, which take turns in each phase, on outputs and scratch filled with rubbish.
std::vector<Tensor> run_split(const OpCase& c, int threads);

/// The engine agrees with the oracle, and 2, 3 and 7 threads compute the bits of one.
void check_op(const OpCase& c, Tolerance tolerance = {});

/// The code of the Error that running the case throws; fails the test if there is none.
ErrorCode refusal(const OpCase& c);

/// What inference says of the outputs. Inputs are constants where given as tensors, else just described.
std::vector<graph::TensorDesc> infer(const OpCase& c, const std::vector<graph::TensorDesc>& descs);
/// "float[N,3]" of output 0.
std::string inferred(const OpCase& c, const std::vector<graph::TensorDesc>& descs);

// Short spellings.
inline std::vector<std::int64_t> ints(std::vector<std::int64_t> values) { return values; }
template <typename T>
Tensor tensor(Shape shape, const std::vector<std::type_identity_t<T>>& values) {
  Tensor result(data_type_of<T>(), std::move(shape));
  std::copy(values.begin(), values.end(), result.template mutable_data<T>().begin());
  return result;
}
inline Tensor int64s(const std::vector<std::int64_t>& values) {
  return tensor<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}
template <typename T>
std::vector<T> values(const Tensor& tensor) {
  return {tensor.data<T>().begin(), tensor.data<T>().end()};
}
/// 0, 1, 2, ... (modulo 251, so that they fit every type and repeat at no power of two).
Tensor counting(DataType type, Shape shape);
graph::TensorDesc desc(DataType type, graph::DimList dims);

}  // namespace linnet::test
