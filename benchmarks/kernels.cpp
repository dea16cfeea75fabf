// The layer shapes of the ResNets and of what is built like them, each alone, as the library plans and runs it: what a kernel
// attains when nothing else is in its way. All of a layer's outputs are compared with sums in double before it is timed; one
// that is wrong is not timed, and the exit code is 1.
//
//   bench_kernels --filter "3x3/2" --threads 2
//
// LINNET_MAX_ISA caps the instruction set.
#include <Eigen/Core>
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "linnet/cpu.h"
#include "linnet/session.h"
#include "reference/bounds.h"
#include "support/onnx_builder.h"
#include "support/random_data.h"

namespace {

using linnet::DataType;
using linnet::Tensor;
using linnet::test::OnnxModel;
using linnet::test::OnnxNode;
using linnet::test::Random;
using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;
using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Floats = Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

constexpr double kUntilPeakMs = 20;  // of each look at the peak

struct Layer {
  const char* networks;  // where the shape is from
  std::int64_t edge;     // of the input; 0: a fully connected layer
  std::int64_t in, out;  // channels
  std::int64_t kernel = 1, stride = 1, groups = 1;

  [[nodiscard]] bool dense() const { return edge == 0; }
  [[nodiscard]] std::int64_t pad() const { return (kernel - 1) / 2; }
  [[nodiscard]] std::int64_t out_edge() const { return dense() ? 1 : (edge + 2 * pad() - kernel) / stride + 1; }
  [[nodiscard]] std::int64_t pixels() const { return out_edge() * out_edge(); }
  [[nodiscard]] std::int64_t terms() const { return in / groups * kernel * kernel; }  // of one output's sum
  [[nodiscard]] std::string name() const {
    const auto square = [](std::int64_t length) { return std::to_string(length) + "x" + std::to_string(length); };
    std::string text = dense() ? "" : square(edge) + " ";
    text += std::to_string(in) + " to " + std::to_string(out);
    if (dense()) return text;
    text += ", " + square(kernel) + (stride > 1 ? "/" + std::to_string(stride) : "");
    return text + (groups == in ? ", depthwise" : (groups > 1 ? ", " + std::to_string(groups) + " groups" : ""));
  }
};

// Each distinct layer once. "ResNet-50" strides in its 3x3, "v1" in the first 1x1 of a block, as the paper does.
constexpr Layer kLayers[] = {
    {"ResNet", 224, 3, 64, 7, 2},
    {"ResNet-18, -34, -50", 56, 64, 64, 3},
    {"ResNet-18, -34", 56, 64, 128, 3, 2},
    {"ResNet-18, -34", 56, 64, 128, 1, 2},
    {"ResNet-18, -34, -50", 28, 128, 128, 3},
    {"ResNet-18, -34", 28, 128, 256, 3, 2},
    {"ResNet-18, -34", 28, 128, 256, 1, 2},
    {"ResNet-18, -34, -50", 14, 256, 256, 3},
    {"ResNet-18, -34", 14, 256, 512, 3, 2},
    {"ResNet-18, -34", 14, 256, 512, 1, 2},
    {"ResNet-18, -34, -50", 7, 512, 512, 3},
    {"ResNet-18, -34", 0, 512, 1000},
    {"ResNet-50", 56, 64, 64},
    {"ResNet-50", 56, 64, 256},
    {"ResNet-50", 56, 256, 64},
    {"ResNet-50", 56, 256, 128},
    {"ResNet-50 v1", 56, 256, 128, 1, 2},
    {"ResNet-50", 56, 128, 128, 3, 2},
    {"ResNet-50", 56, 256, 512, 1, 2},
    {"ResNet-50", 28, 128, 512},
    {"ResNet-50", 28, 512, 128},
    {"ResNet-50", 28, 512, 256},
    {"ResNet-50 v1", 28, 512, 256, 1, 2},
    {"ResNet-50", 28, 256, 256, 3, 2},
    {"ResNet-50", 28, 512, 1024, 1, 2},
    {"ResNet-50", 14, 256, 1024},
    {"ResNet-50", 14, 1024, 256},
    {"ResNet-50", 14, 1024, 512},
    {"ResNet-50 v1", 14, 1024, 512, 1, 2},
    {"ResNet-50", 14, 512, 512, 3, 2},
    {"ResNet-50", 14, 1024, 2048, 1, 2},
    {"ResNet-50", 7, 512, 2048},
    {"ResNet-50", 7, 2048, 512},
    {"ResNet-50", 0, 2048, 1000},
    {"ResNet for CIFAR", 32, 3, 16, 3},
    {"ResNet for CIFAR", 32, 16, 16, 3},
    {"ResNet for CIFAR", 32, 16, 32, 3, 2},
    {"ResNet for CIFAR", 16, 32, 32, 3},
    {"ResNet for CIFAR", 16, 32, 64, 3, 2},
    {"ResNet for CIFAR", 8, 64, 64, 3},
    {"ResNeXt-50", 56, 128, 128, 3, 1, 32},
    {"ResNeXt-50", 56, 256, 256, 3, 2, 32},
    {"ResNeXt-50", 28, 256, 256, 3, 1, 32},
    {"ResNeXt-50", 28, 512, 512, 3, 2, 32},
    {"ResNeXt-50", 14, 512, 512, 3, 1, 32},
    {"ResNeXt-50", 14, 1024, 1024, 3, 2, 32},
    {"ResNeXt-50", 7, 1024, 1024, 3, 1, 32},
    {"MobileNetV2, EfficientNet", 224, 3, 32, 3, 2},
    {"YOLOv5", 320, 3, 32, 6, 2},
    {"MobileNetV2, EfficientNet", 112, 32, 32, 3, 1, 32},
    {"MobileNetV2, EfficientNet", 112, 96, 96, 3, 2, 96},
    {"MobileNetV2, EfficientNet", 56, 144, 144, 3, 1, 144},
    {"MobileNetV2", 56, 144, 144, 3, 2, 144},
    {"MobileNetV2", 28, 192, 192, 3, 1, 192},
    {"MobileNetV2", 14, 384, 384, 3, 1, 384},
    {"MobileNetV2", 14, 576, 576, 3, 2, 576},
    {"MobileNetV2", 7, 960, 960, 3, 1, 960},
    {"EfficientNet", 56, 144, 144, 5, 2, 144},
    {"EfficientNet", 28, 240, 240, 5, 1, 240},
    {"EfficientNet", 14, 480, 480, 5, 1, 480},
    {"EfficientNet", 14, 672, 672, 5, 2, 672},
    {"EfficientNet", 7, 1152, 1152, 5, 1, 1152},
    {"MobileNetV2, EfficientNet", 0, 1280, 1000},
};

struct Options {
  int threads = 1;
  double seconds = 0.3;
  std::string filter;
  bool json = false;
};

/// A layer with its numbers, as a model of one node.
class Problem {
 public:
  explicit Problem(const Layer& layer)
      : layer_(layer),
        input_(random(layer.dense() ? linnet::Shape{1, layer.in} : linnet::Shape{1, layer.in, layer.edge, layer.edge})),
        filter_(random(layer.dense() ? linnet::Shape{layer.out, layer.in}
                                     : linnet::Shape{layer.out, layer.in / layer.groups, layer.kernel, layer.kernel})),
        bias_(random({layer.out})) {
    OnnxModel model;
    OnnxNode node(layer.dense() ? "Gemm" : "Conv", {"x", "w", "b"}, {"y"});
    if (layer.dense()) {
      node.set("transB", 1);
    } else {
      const std::vector<std::int64_t> strides(2, layer.stride), pads(4, layer.pad());
      node.set("strides", strides).set("pads", pads).set("group", layer.groups);
    }
    model.graph.name("layer").node(node).initializer("w", filter_).initializer("b", bias_);
    const std::vector<linnet::test::OnnxDim> shape(input_.shape().begin(), input_.shape().end());
    model.graph.input("x", DataType::float32, shape);
    model.graph.output("y", DataType::float32, std::vector<linnet::test::OnnxDim>(shape.size(), "?"));
    file_ = model.bytes();
  }

  [[nodiscard]] const Layer& layer() const { return layer_; }
  [[nodiscard]] const Tensor& input() const { return input_; }
  [[nodiscard]] linnet::Model model() const { return linnet::Model::load(file_); }

  /// Where `output` is not what it must be; empty if nowhere. By the bounds of the tests' oracle, sums of any order are off by
  /// sum_factor() of their magnitude, Winograd's of `amplification` times the greatest input times the sum of filters besides. That
  /// is the worst of cases, and with many channels no single product that is amiss would show; so all errors together are judged, too:
  /// of random numbers the errors are random, and n of them, each a rounding of what is no larger than the result, add up as sqrt(n).
  [[nodiscard]] std::string mistake(const Tensor& output, double amplification) {
    if (expected_.size() == 0) expected_ = sums();
    const Floats found(output.data<float>().data(), layer_.out, layer_.pixels());
    const Floats filter(filter_.data<float>().data(), layer_.out, layer_.terms());
    const double largest = Floats(input_.data<float>().data(), 1, input_.size()).cwiseAbs().maxCoeff();
    const double factor = linnet::reference::sum_factor(static_cast<double>(layer_.terms()));
    double errors = 0;  // squared
    for (std::int64_t m = 0; m < layer_.out; ++m) {
      const double weights = filter.row(m).cast<double>().cwiseAbs().sum();
      const double bound = factor * (std::fabs(bias(m)) + (1 + amplification) * largest * weights);
      for (std::int64_t pixel = 0; pixel < layer_.pixels(); ++pixel) {
        const double error = std::fabs(static_cast<double>(found(m, pixel)) - expected_(m, pixel));
        errors += error * error;
        if (error <= bound) continue;  // not so for NaN
        return "channel " + std::to_string(m) + ", pixel " + std::to_string(pixel) + ": found " +
               std::to_string(found(m, pixel)) + ", expected " + std::to_string(expected_(m, pixel));
      }
    }
    const double relative = std::sqrt(errors) / expected_.norm();
    const double most =
        (1 + amplification) * linnet::reference::kUnitRoundoff * std::sqrt(static_cast<double>(layer_.terms() + 4));
    if (relative <= most) return "";
    std::array<char, 96> text{};
    std::snprintf(text.data(), text.size(), "all errors together: %.3g of the results, at most %.3g", relative, most);
    return text.data();
  }

 private:
  [[nodiscard]] double bias(std::int64_t m) const {
    return static_cast<double>(bias_.data<float>()[static_cast<std::size_t>(m)]);
  }

  Tensor random(const linnet::Shape& shape) {
    Tensor tensor(DataType::float32, shape);
    for (float& x : tensor.mutable_data<float>()) x = static_cast<float>(random_.uniform(-1, 1));
    return tensor;
  }

  /// [K][pixels]: what the outputs of group `group` sum over.
  [[nodiscard]] Matrix columns(std::int64_t group) const {
    Matrix matrix = Matrix::Zero(layer_.terms(), layer_.pixels());
    const std::int64_t edge = std::max<std::int64_t>(1, layer_.edge), width = layer_.out_edge();
    const float* const x = input_.data<float>().data() + group * (layer_.in / layer_.groups) * edge * edge;
    for (std::int64_t k = 0; k < layer_.terms(); ++k) {
      const std::int64_t c = k / (layer_.kernel * layer_.kernel);
      const std::int64_t dy = k / layer_.kernel % layer_.kernel - layer_.pad(), dx = k % layer_.kernel - layer_.pad();
      for (std::int64_t pixel = 0; pixel < layer_.pixels(); ++pixel) {
        const std::int64_t row = pixel / width * layer_.stride + dy, column = pixel % width * layer_.stride + dx;
        if (row < 0 || row >= edge || column < 0 || column >= edge) continue;
        matrix(k, pixel) = static_cast<double>(x[(c * edge + row) * edge + column]);
      }
    }
    return matrix;
  }

  [[nodiscard]] Matrix sums() const {
    Matrix result(layer_.out, layer_.pixels());
    const std::int64_t outputs = layer_.out / layer_.groups;
    for (std::int64_t group = 0; group < layer_.groups; ++group) {
      const Floats filter(filter_.data<float>().data() + group * outputs * layer_.terms(), outputs, layer_.terms());
      result.middleRows(group * outputs, outputs).noalias() = filter.cast<double>() * columns(group);
    }
    for (std::int64_t m = 0; m < layer_.out; ++m) result.row(m).array() += bias(m);
    return result;
  }

  Layer layer_;
  Random random_{7};
  Tensor input_, filter_, bias_;
  std::vector<std::byte> file_;
  Matrix expected_;  // [out][pixels]
};

struct Result {
  std::string layer, networks, algorithm, kernel, mistake;
  std::int64_t macs = 0;
  std::vector<double> times;  // ms, sorted

  [[nodiscard]] double median() const { return times[times.size() / 2]; }
  [[nodiscard]] double gflops() const { return 2e-6 * static_cast<double>(macs) / median(); }
};

/// The step that computes; around it stand those that change the layout.
linnet::StepReport computing_step(const linnet::Session& session) {
  const std::vector<linnet::StepReport> steps = session.profile().steps;
  const auto found = std::find_if(steps.begin(), steps.end(), [](const auto& step) { return step.macs > 0; });
  if (found == steps.end()) throw std::logic_error("no step of this layer multiplies");
  return *found;
}

double amplification_of(const std::string& algorithm) {
  if (!algorithm.starts_with("winograd")) return 0;
  if (algorithm.find("f3x3_4x4") != std::string::npos) return linnet::reference::kWinogradAmplification4;
  if (algorithm.ends_with("stride2")) return linnet::reference::kWinogradAmplification2;
  return linnet::reference::kWinogradAmplification;
}

Result measure(Problem& problem, const Options& options, linnet::Convolution convolution, double& peak_gflops) {
  linnet::SessionOptions session_options;
  session_options.threads = options.threads;
  session_options.convolution = convolution;
  linnet::Session session(problem.model(), session_options);
  const std::vector<linnet::NamedTensor> inputs = {{"x", problem.input()}};
  std::vector<Tensor> outputs = session.run(inputs);
  const linnet::StepReport step = computing_step(session);
  Result result;
  result.layer = problem.layer().name();
  result.networks = problem.layer().networks;
  result.algorithm = step.algorithm;
  result.kernel = step.kernel;
  result.macs = step.macs;
  result.mistake = problem.mistake(outputs[0], amplification_of(step.algorithm));
  if (!result.mistake.empty()) return result;
  // The machine's clock may move while we measure: a look at the peak beside each layer, and the fastest counts for all.
  peak_gflops = std::max(peak_gflops, linnet::measure_peak_gflops(options.threads, kUntilPeakMs));
  const Clock::time_point end =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.seconds));
  do {
    session.enable_profile(true);
    session.run(inputs, outputs);
    result.times.push_back(computing_step(session).milliseconds);
  } while (Clock::now() < end || result.times.size() < 3);
  std::sort(result.times.begin(), result.times.end());
  return result;
}

std::vector<Result> measure_all(const Options& options, double& peak_gflops) {
  std::vector<Result> results;
  for (const Layer& layer : kLayers) {
    if ((layer.name() + " " + layer.networks).find(options.filter) == std::string::npos) continue;
    Problem problem(layer);
    results.push_back(measure(problem, options, linnet::Convolution::automatic, peak_gflops));
    if (results.back().algorithm.starts_with("winograd"))
      results.push_back(measure(problem, options, linnet::Convolution::direct, peak_gflops));
  }
  return results;
}

void print_text(const std::vector<Result>& results, const Options& options, double peak_gflops) {
  std::printf("%s, %d threads, FMA peak measured in this run: %.1f GFLOP/s\n", linnet::cpu_info().isa.c_str(),
              options.threads, peak_gflops);
  std::printf("GFLOP/s count the multiply-adds of direct convolution; Winograd does fewer, so it may pass 100 %%\n\n");
  std::printf("%-36s%-28s%9s%9s%10s%8s  %s\n", "layer", "algorithm", "ms", "fastest", "GFLOP/s", "% peak", "networks");
  for (const Result& r : results) {
    std::printf("%-36s%-28s", r.layer.c_str(), r.algorithm.c_str());
    if (r.mistake.empty()) {
      std::printf("%9.3f%9.3f%10.1f%8.1f  %s\n", r.median(), r.times.front(), r.gflops(),
                  100 * r.gflops() / peak_gflops, r.networks.c_str());
    } else {
      std::printf("wrong: %s\n", r.mistake.c_str());
    }
  }
}

void print_json(const std::vector<Result>& results, const Options& options, double peak_gflops) {
  Json layers = Json::array();
  for (const Result& r : results) {
    Json layer = {{"layer", r.layer},   {"networks", r.networks}, {"algorithm", r.algorithm},
                  {"kernel", r.kernel}, {"macs", r.macs},         {"wrong", r.mistake}};
    if (r.mistake.empty()) {
      layer.update({{"runs", r.times.size()},
                    {"min_ms", r.times.front()},
                    {"median_ms", r.median()},
                    {"gflops", r.gflops()},
                    {"percent_of_peak", 100 * r.gflops() / peak_gflops}});
    }
    layers.push_back(layer);
  }
  const Json json = {
      {"isa", linnet::cpu_info().isa}, {"threads", options.threads}, {"peak_gflops", peak_gflops}, {"layers", layers}};
  std::printf("%s\n", json.dump(2).c_str());
}

/// Nothing where the arguments make no sense.
std::optional<Options> read_arguments(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--json") {
      options.json = true;
      continue;
    }
    if (i + 1 == argc) return {};
    const char* const value = argv[++i];
    char* end = nullptr;
    if (argument == "--filter") {
      options.filter = value;
      continue;
    }
    const double number = std::strtod(value, &end);
    if (end == value || *end != '\0' || !(number >= 0) || number > 3600) return {};
    if (argument == "--seconds") {
      options.seconds = number;
    } else if (argument == "--threads" && number >= 1) {
      options.threads = static_cast<int>(number);
    } else {
      return {};
    }
  }
  return options;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::optional<Options> options = read_arguments(argc, argv);
  if (!options) {
    std::fprintf(
        stderr,
        "bench_kernels [--threads N] [--seconds S of each layer] [--filter TEXT of a layer or network] [--json]\n");
    return 2;
  }
  double peak_gflops = 0;
  const std::vector<Result> results = measure_all(*options, peak_gflops);
  if (results.empty())
    throw std::invalid_argument("no layer has '" + options->filter + "' in its name or its networks");
  (options->json ? print_json : print_text)(results, *options, peak_gflops);
  return std::all_of(results.begin(), results.end(), [](const Result& r) { return r.mistake.empty(); }) ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "bench_kernels: %s\n", error.what());
  return 1;
}
