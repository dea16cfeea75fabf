// The activations of recurrent operators: those of the unary operators, and two that are no operators any more.
#include <cmath>
#include <string>
#include <vector>

#include "ops/recurrent.h"

namespace linnet::ops {

namespace {

struct Known {
  std::string_view name;
  bool has_alpha, has_beta;
  UnaryParameters defaults;
  double (*value)(double x, const UnaryParameters& p);
};
constexpr Known kOwn[] = {
    {"Affine",
     true,
     true,
     {1, 0},
     [](double x, const UnaryParameters& p) { return static_cast<double>(p.alpha) * x + static_cast<double>(p.beta); }},
    {"ScaledTanh",
     true,
     true,
     {1, 1},
     [](double x, const UnaryParameters& p) {
       return static_cast<double>(p.alpha) * std::tanh(static_cast<double>(p.beta) * x);
     }},
};
constexpr std::string_view kUnary[] = {"Relu",        "Tanh", "Sigmoid",  "LeakyRelu", "ThresholdedRelu",
                                       "HardSigmoid", "Elu",  "Softsign", "Softplus"};

Known find(const NodeContext& c, const std::string& name) {
  for (const Known& known : kOwn) {
    if (known.name == name) return known;
  }
  for (const std::string_view known : kUnary) {
    if (known != name) continue;
    const UnaryFunction& f = *find_unary(known);
    return {known, !f.alpha_name.empty(), !f.beta_name.empty(), {f.alpha, f.beta}, f.value};
  }
  c.fail(ErrorCode::model, "there is no such activation", "attribute 'activations'", "an activation of ONNX", name);
}

std::vector<std::string> names_of(const NodeContext& c, std::size_t each, std::size_t directions) {
  static constexpr std::string_view kLstm[] = {"Sigmoid", "Tanh", "Tanh"};
  std::vector<std::string> names;
  if (const graph::Attribute* attribute = c.node().attributes.find("activations")) {
    const auto* list = std::get_if<std::vector<std::string>>(attribute);
    if (list == nullptr || list->size() != each * directions) {
      c.fail(ErrorCode::model, "the wrong number of activations", "attribute 'activations'",
             std::to_string(each * directions) + " names", graph::to_string(*attribute));
    }
    return *list;
  }
  for (std::size_t i = 0; i < each * directions; ++i) names.emplace_back(each == 1 ? "Tanh" : kLstm[i % each]);
  return names;
}

}  // namespace

std::array<Functions, 2> recurrent_functions(const NodeContext& c, std::int64_t directions) {
  const std::size_t each = c.op_type() == "LSTM" ? 3 : (c.op_type() == "GRU" ? 2 : 1);
  const std::vector<std::string> names = names_of(c, each, static_cast<std::size_t>(directions));
  const std::vector<float> alphas = c.attribute_floats("activation_alpha"),
                           betas = c.attribute_floats("activation_beta");
  std::array<Functions, 2> functions;
  // A function that has no such parameter takes none from the list.
  std::size_t alpha = 0, beta = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Known known = find(c, names[i]);
    UnaryParameters parameters = known.defaults;
    if (known.has_alpha && alpha < alphas.size()) parameters.alpha = alphas[alpha++];
    if (known.has_beta && beta < betas.size()) parameters.beta = betas[beta++];
    functions[i / each][i % each] = {known.value, parameters};
  }
  return functions;
}

}  // namespace linnet::ops
