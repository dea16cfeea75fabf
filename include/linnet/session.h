// Planning a model for this machine, and running it.
//
//   linnet::Session session(linnet::Model::load("resnet50.onnx"));
//   linnet::Tensor image(linnet::DataType::float32, {1, 3, 224, 224});
//   const std::vector<linnet::Tensor> outputs = session.run({{"data", image}});
//   const std::span<const float> scores = outputs.at(0).data<float>();      // [1,1000]
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "linnet/datum.h"
#include "linnet/model.h"
#include "linnet/tensor.h"
#include "linnet/tuning.h"

namespace linnet {

enum class Convolution : std::uint8_t {
  automatic,  ///< Winograd where the operator's shape makes it faster; the choice depends on the shape alone
  direct,     ///< the plain sum of products everywhere, for comparing with other engines
};

/// Limits below 0, and a convolution that is none of those above: Error(usage).
struct SessionOptions {
  int threads = 0;  ///< 0: min(affinity mask, cgroup quota)
  Convolution convolution = Convolution::automatic;
  std::vector<std::string> disabled_passes;   ///< names as `linnet inspect --passes` prints them; unknown: Error(usage)
  std::vector<std::string> outputs;           ///< any named tensors of the model; empty: the model's outputs
  std::map<std::string, Shape> input_shapes;  ///< shapes to plan for ahead; other shapes are planned at their first run
  std::size_t max_plans = 4;                  ///< shape-bound plans kept; the least recently used one goes
  /// Refuse (Error `limit`) shapes that need a larger arena, or a step with larger tables of positions and weights (Resize, Pad,
  /// CenterCropPad), and what one Loop or Scan collects and carries beyond it.
  std::int64_t max_arena_bytes = std::int64_t{16} << 30;
  std::int64_t max_loop_trips = 1'000'000;  ///< refuse (Error `limit`) a Loop or Scan that takes more
  /// What planning computes of constants may take so many bytes more than these do, and all results of that, also those that are
  /// merely filled (ConstantOfShape), 32 times as many; twice as many, and 16 for each byte of the constants, may be read and
  /// written for it, and 16 million multiply-adds and 4 a byte be made. That is for all of a model, which shares it out where it
  /// runs in parts. The rest is computed in each run, and a shape that depends on it is refused.
  std::int64_t max_folded_bytes = std::int64_t{64} << 20;
  Tuning tuning;  ///< measured blockings (see linnet/tuning.h): they change the speed and never a bit
};

/// What a pass did to the graph.
struct PassReport {
  std::string name;
  bool enabled = true;
  int applied = 0;
  std::vector<std::string> refused;  ///< "node 'conv1': the output has 2 consumers"
};

/// One step of a plan, in the order of execution.
struct StepReport {
  std::string name;       ///< the node's
  std::string op;         ///< "Conv"
  std::string algorithm;  ///< "im2col_gemm", "winograd_f4x4_3x3", ...
  std::string kernel;     ///< "6x16", pixels x channels of the register tile; "avx2" or "row"; else empty
  std::string output;     ///< type, layout and shape of output 0
  std::int64_t macs = 0;
  std::size_t weight_bytes = 0;
  double milliseconds = 0;  ///< mean of the profiled runs; 0 without a profile
  std::string tuning_key;   ///< in Tuning::blockings; empty where there is nothing to tune
  bool tuned = false;       ///< its blocking is from SessionOptions::tuning
};

struct PlanReport {
  std::vector<PassReport> passes;
  std::vector<StepReport> steps;
  std::size_t arena_bytes = 0;  ///< activations and scratch of one session, for the shapes planned last; parts share it
  std::size_t weight_bytes = 0;  ///< packed weights, shared by all sessions on the plan
  std::int64_t macs = 0;
  std::string isa;  ///< "avx2"
  int threads = 0;
};

/// A model optimised for this machine. Immutable to its users, shared by copies; sessions on one plan share the packed weights.
class Plan {
 public:
  /// Runs the passes and, where the input shapes are known (a symbolic first extent counts as 1), plans and packs.
  /// Where only batch extents are symbolic, weights are given back to the system as they are packed, if `model` is the
  /// last to hold them: Plan(Model::load(path)) or Plan(std::move(model)) needs the weights' memory once, not twice.
  explicit Plan(Model model, const SessionOptions& options = {});

  [[nodiscard]] const std::vector<ValueInfo>& inputs() const;
  [[nodiscard]] const std::vector<ValueInfo>& outputs() const;
  [[nodiscard]] PlanReport report() const;
  /// The graph after the passes.
  void print(std::ostream& stream) const;
  void print_dot(std::ostream& stream) const;

  class State;  // the library's own
  /// This and all above throw Error(usage) on a plan that was moved from.
  [[nodiscard]] State& state() const;

 private:
  std::shared_ptr<State> state_;
};

/// One named tensor for run().
using NamedTensor = std::pair<std::string, Tensor>;
/// The same for models that also take sequences or optional values.
using NamedDatum = std::pair<std::string, Datum>;

/// What ends a run early, with Error(cancelled): looked at before it starts and after each step. The outputs then hold
/// nothing of use, and the session is ready for its next run. Planning for new shapes is not interrupted.
struct RunOptions {
  const std::atomic<bool>* cancel =
      nullptr;  ///< true stops the run; may be set from any thread, or from a signal handler
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
};

/// Runs a plan. Owns one arena. A session serves one run at a time: a second run() on it from another thread throws
/// Error(usage) at once. For parallel runs make several sessions on one Plan.
class Session {
 public:
  explicit Session(Model model, const SessionOptions& options = {});
  explicit Session(Plan plan);
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// This and all below throw Error(usage) on a session that was moved from.
  [[nodiscard]] const Plan& plan() const;

  /// Runs and returns the outputs, in the order of plan().outputs(). Inputs go by name, in any order. Throws Error(input)
  /// for a missing, unknown or ill-shaped input, and for a bool other than 0 and 1.
  std::vector<Tensor> run(const std::vector<NamedTensor>& inputs, const RunOptions& options = {});
  /// The same for models with one input.
  std::vector<Tensor> run(const Tensor& input, const RunOptions& options = {});
  /// The same for models that take or give sequences or optional values; an optional input that is not given is empty.
  std::vector<Datum> run_data(const std::vector<NamedDatum>& inputs, const RunOptions& options = {});
  /// Writes the outputs into the caller's tensors: Error(input) for another type or shape, and for two in the same memory, which
  /// copies of one tensor are. Once a run with these input shapes has been made, allocates nothing, unless shapes inside the
  /// model depend on the data (NonZero, Loop, ...), or one output has the memory of an input that another passes on (an
  /// Identity, a Reshape): that input is copied first.
  void run(std::span<const NamedTensor> inputs, std::span<Tensor> outputs, const RunOptions& options = {});

  /// Collects the time of each step from now on (a few microseconds a run); plan().report() does not show it, profile() does.
  /// Both throw Error(usage) while the session runs.
  void enable_profile(bool on);
  /// The steps of the shapes run last, with mean times since enable_profile(true), since other shapes were run, or since a run
  /// ended early. Of a model that runs in parts only the steps whose shapes change begin anew, while all runs are counted.
  [[nodiscard]] PlanReport profile() const;

 private:
  struct State;
  [[nodiscard]] State& state() const;
  std::unique_ptr<State> state_;
};

}  // namespace linnet
