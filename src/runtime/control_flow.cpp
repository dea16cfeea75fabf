#include "runtime/control_flow.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <string>
#include <utility>

#include "linnet/error.h"
#include "ops/eager.h"
#include "runtime/cancellation.h"
#include "runtime/slices.h"

namespace linnet::runtime {

using ops::share;
using ops::SharedDatum;

namespace {

Tensor scalar(std::int64_t value) { return Tensor::of<std::int64_t>({}, std::span(&value, 1)); }
Tensor scalar(bool value) {
  Tensor tensor(DataType::boolean, {});
  tensor.mutable_data<bool>()[0] = value;
  return tensor;
}

/// One node with subgraphs, being run.
class ControlFlow {
 public:
  ControlFlow(ProgramRunner& runner, graph::NodeId id, std::vector<SharedDatum> inputs)
      : runner_(runner),
        id_(id),
        inputs_(std::move(inputs)),
        context_(runner.program().graph(), id, inputs_),
        captures_(std::span(inputs_).last(ops::capture_count(context_.node()))) {}

  std::vector<SharedDatum> run() {
    if (context_.op_type() == "If") return run_if();
    if (context_.op_type() == "Loop") return run_loop();
    if (context_.op_type() == "Scan") return context_.opset() < 9 ? run_batched_scan() : run_scan();
    return run_sequence_map();
  }

 private:
  std::vector<SharedDatum> run_body(std::size_t index, std::vector<SharedDatum> inputs);
  std::vector<SharedDatum> run_turn(std::vector<SharedDatum> inputs);
  std::vector<SharedDatum> run_if();
  std::vector<SharedDatum> run_loop();
  std::vector<SharedDatum> run_scan();
  std::vector<SharedDatum> run_batched_scan();
  std::vector<SharedDatum> run_sequence_map();

  struct Steps {
    std::int64_t count = 0;
    std::vector<bool> input_backwards;
    std::vector<std::size_t> input_axes;
  };
  std::vector<SharedDatum> scan_steps(const ops::ScanShape& shape, const Steps& steps,
                                      std::span<const SharedDatum> states, std::span<const Tensor> scanned,
                                      std::vector<Sequence>& collected);
  std::vector<bool> directions(std::string_view name, std::size_t count) const;
  void collect(Sequence& list, const Datum& datum, std::size_t output);
  Tensor stacked(const Sequence& list, std::size_t output, std::size_t axis, bool backwards) const;
  Tensor nothing_collected(std::size_t output, std::size_t axis, std::span<const SharedDatum> turn = {}) const;
  std::vector<SharedDatum> turn_for_shapes(const std::vector<SharedDatum>& carried, std::size_t first);
  void require_bytes(std::span<const SharedDatum> carried) const;
  void require_trips(const char* what, std::int64_t count) const;
  [[nodiscard]] const graph::Graph& body_graph() const { return runner_.body(id_, 0).program().graph(); }

  ProgramRunner& runner_;
  graph::NodeId id_;
  std::vector<SharedDatum> inputs_;
  ops::EagerContext context_;
  std::span<SharedDatum> captures_;  // the last of inputs_
  std::size_t collected_bytes_ = 0;
};

std::vector<SharedDatum> ControlFlow::run_body(std::size_t index, std::vector<SharedDatum> inputs) {
  try {
    return runner_.body(id_, index).run(std::move(inputs), runner_.profiling(), runner_.run_options());
  } catch (const Error& error) {
    const std::string& name = runner_.program().bodies(id_)[index].name;
    ops::rethrow_within(error, context_.graph().label(id_) + "/" + name);
  }
}

/// One of many: the captures stay.
std::vector<SharedDatum> ControlFlow::run_turn(std::vector<SharedDatum> inputs) {
  inputs.insert(inputs.end(), captures_.begin(), captures_.end());
  return run_body(0, std::move(inputs));
}

std::vector<SharedDatum> ControlFlow::run_if() {
  const std::size_t branch = context_.truth(0) ? 0 : 1;
  return run_body(branch, {std::make_move_iterator(captures_.begin()), std::make_move_iterator(captures_.end())});
}

void ControlFlow::collect(Sequence& list, const Datum& datum, std::size_t output) {
  const auto* tensor = std::get_if<Tensor>(&datum);
  const bool fits =
      tensor != nullptr && (list.empty() || (tensor->type() == list[0].type() && tensor->shape() == list[0].shape()));
  if (!fits) {
    context_.fail(ErrorCode::input, "what a loop collects has one type and shape", "output " + std::to_string(output),
                  list.empty() ? "a tensor" : to_string(Datum(list[0])), to_string(datum));
  }
  collected_bytes_ += tensor->bytes() + sizeof(Tensor);
  list.push_back(*tensor);
}

void ControlFlow::require_bytes(std::span<const SharedDatum> carried) const {
  std::size_t bytes = collected_bytes_;
  for (const SharedDatum& datum : carried) {
    if (const auto* tensor = std::get_if<Tensor>(datum.get())) bytes += tensor->bytes();
    if (const auto* sequence = std::get_if<Sequence>(datum.get())) {
      for (const Tensor& tensor : *sequence) bytes += tensor.bytes() + sizeof(Tensor);
    }
  }
  const auto most = static_cast<std::size_t>(runner_.program().options().max_loop_bytes);
  if (bytes > most) {
    context_.fail(ErrorCode::limit, "a loop carries and collects too much", {},
                  "at most " + std::to_string(most) + " bytes (max_arena_bytes)", std::to_string(bytes) + " bytes");
  }
}

/// What a turn would give, where none is made and the body does not tell the ranks of outputs [first, end). Nothing where it does,
/// or where its operators refuse such a turn.
std::vector<SharedDatum> ControlFlow::turn_for_shapes(const std::vector<SharedDatum>& carried, std::size_t first) {
  const std::vector<graph::ValueId>& outputs = body_graph().outputs;
  const auto has_rank = [&](graph::ValueId output) { return body_graph().described(output).has_rank(); };
  if (std::all_of(outputs.begin() + static_cast<std::ptrdiff_t>(first), outputs.end(), has_rank)) return {};
  std::vector<SharedDatum> inputs = {share(scalar(std::int64_t{0})), share(scalar(true))};
  inputs.insert(inputs.end(), carried.begin(), carried.end());
  try {
    return run_turn(std::move(inputs));
  } catch (const Error& error) {
    // Of data and shapes that no turn has to take. Not so where the caller stops the run, or memory is short.
    constexpr ErrorCode kOfTheTurn[] = {ErrorCode::model, ErrorCode::unsupported, ErrorCode::limit, ErrorCode::input};
    if (std::find(std::begin(kOfTheTurn), std::end(kOfTheTurn), error.code()) == std::end(kOfTheTurn)) throw;
    return {};
  }
}

/// No turn was made: extents are those that the body tells, else those of `turn`'s outputs, else 0.
Tensor ControlFlow::nothing_collected(std::size_t output, std::size_t axis, std::span<const SharedDatum> turn) const {
  const graph::TensorDesc desc = body_graph().described(body_graph().outputs[output]);
  Shape shape;
  const auto* like = turn.empty() || desc.has_rank() ? nullptr : std::get_if<Tensor>(turn[output].get());
  if (like != nullptr) shape = like->shape();
  for (const graph::Dim& dim : desc.shape.value_or(graph::DimList()))
    shape.push_back(std::max<std::int64_t>(0, dim.value));
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(std::min(axis, shape.size())), 0);
  return {desc.type, std::move(shape)};
}

Tensor ControlFlow::stacked(const Sequence& list, std::size_t output, std::size_t axis, bool backwards) const {
  if (list.empty()) return nothing_collected(output, axis);
  if (!backwards) return stack(list, axis);
  return stack(Sequence(list.rbegin(), list.rend()), axis);
}

std::vector<SharedDatum> ControlFlow::run_loop() {
  const std::int64_t trips = context_.has_input(0) ? context_.integer(0) : std::numeric_limits<std::int64_t>::max();
  bool go_on = !context_.has_input(1) || context_.truth(1);
  const std::size_t carried_count = inputs_.size() - 2 - captures_.size();
  const auto carried_inputs = std::span(inputs_).subspan(2, carried_count);
  std::vector<SharedDatum> carried(std::make_move_iterator(carried_inputs.begin()),
                                   std::make_move_iterator(carried_inputs.end()));
  std::vector<Sequence> collected(body_graph().outputs.size() - 1 - carried_count);
  const std::int64_t most = runner_.program().options().max_loop_trips;
  for (std::int64_t trip = 0; go_on && trip < trips; ++trip) {
    if (trip == most)
      context_.fail(ErrorCode::limit, "a loop does not end", {},
                    "at most " + std::to_string(most) + " trips (max_loop_trips)");
    std::vector<SharedDatum> inputs = {share(scalar(trip)), share(scalar(true))};
    std::move(carried.begin(), carried.end(), std::back_inserter(inputs));
    std::vector<SharedDatum> outputs = run_turn(std::move(inputs));
    const auto* condition = std::get_if<Tensor>(outputs[0].get());
    if (condition == nullptr || condition->type() != DataType::boolean || condition->size() != 1)
      context_.fail(ErrorCode::input, "the condition of a loop is not one truth value", "output 0 of the body",
                    "bool[]", to_string(*outputs[0]));
    go_on = condition->data<bool>()[0];
    for (std::size_t i = 0; i < carried_count; ++i) carried[i] = std::move(outputs[1 + i]);
    for (std::size_t i = 0; i < collected.size(); ++i)
      collect(collected[i], *outputs[1 + carried_count + i], carried_count + i);
    require_bytes(carried);
  }
  const bool turned = collected.empty() || !collected[0].empty();
  const std::vector<SharedDatum> turn =
      turned ? std::vector<SharedDatum>() : turn_for_shapes(carried, 1 + carried_count);
  for (std::size_t i = 0; i < collected.size(); ++i) {
    carried.push_back(share(turned ? stack(collected[i], 0) : nothing_collected(1 + carried_count + i, 0, turn)));
  }
  return carried;
}

std::vector<bool> ControlFlow::directions(std::string_view name, std::size_t count) const {
  std::vector<bool> backwards(count);
  const std::vector<std::int64_t> given = context_.attribute_ints(name);
  for (std::size_t i = 0; i < std::min(count, given.size()); ++i) backwards[i] = given[i] != 0;
  return backwards;
}

/// An axis of any length takes no memory beside one of none.
void ControlFlow::require_trips(const char* what, std::int64_t count) const {
  const std::int64_t most = runner_.program().options().max_loop_trips;
  if (count <= most) return;
  context_.fail(ErrorCode::limit, "a scan has too many " + std::string(what), {},
                "at most " + std::to_string(most) + " (max_loop_trips)", std::to_string(count));
}

/// All turns of a scan; gives the states, and adds to what is collected.
std::vector<SharedDatum> ControlFlow::scan_steps(const ops::ScanShape& shape, const Steps& steps,
                                                 std::span<const SharedDatum> states, std::span<const Tensor> scanned,
                                                 std::vector<Sequence>& collected) {
  require_trips("steps", steps.count);
  std::vector<SharedDatum> carried(states.begin(), states.end());
  for (std::int64_t step = 0; step < steps.count; ++step) {
    std::vector<SharedDatum> inputs = std::move(carried);
    for (std::size_t i = 0; i < scanned.size(); ++i) {
      inputs.push_back(
          share(slice(scanned[i], steps.input_axes[i], steps.input_backwards[i] ? steps.count - 1 - step : step)));
    }
    std::vector<SharedDatum> outputs = run_turn(std::move(inputs));
    for (std::size_t i = 0; i < shape.scan_outputs; ++i)
      collect(collected[i], *outputs[shape.states + i], shape.states + i);
    outputs.resize(shape.states);
    carried = std::move(outputs);
    require_bytes(carried);
  }
  return carried;
}

std::vector<SharedDatum> ControlFlow::run_scan() {
  const ops::ScanShape shape = ops::scan_shape(context_);
  const std::vector<std::int64_t> axes =
      context_.attribute_ints("scan_input_axes", std::vector<std::int64_t>(shape.scan_inputs, 0));
  Sequence scanned;
  Steps steps;
  for (std::size_t i = 0; i < shape.scan_inputs; ++i) {
    scanned.push_back(context_.tensor(shape.states + i));
    steps.input_axes.push_back(
        context_.axis(i < axes.size() ? axes[i] : 0, scanned[i].rank(), "attribute 'scan_input_axes'"));
    const std::int64_t extent = scanned[i].shape()[steps.input_axes[i]];
    if (i != 0 && extent != steps.count)
      context_.fail(ErrorCode::input, "what is scanned has different extents", context_.input_label(shape.states + i),
                    std::to_string(steps.count), std::to_string(extent));
    steps.count = extent;
  }
  steps.input_backwards = directions("scan_input_directions", shape.scan_inputs);
  std::vector<Sequence> collected(shape.scan_outputs);
  std::vector<SharedDatum> results =
      scan_steps(shape, steps, std::span(inputs_).first(shape.states), scanned, collected);
  const std::vector<std::int64_t> output_axes =
      context_.attribute_ints("scan_output_axes", std::vector<std::int64_t>(shape.scan_outputs, 0));
  const std::vector<bool> backwards = directions("scan_output_directions", shape.scan_outputs);
  for (std::size_t i = 0; i < shape.scan_outputs; ++i) {
    const std::size_t rank =
        collected[i].empty() ? nothing_collected(shape.states + i, 0).rank() : collected[i][0].rank() + 1;
    const std::size_t axis =
        context_.axis(i < output_axes.size() ? output_axes[i] : 0, rank, "attribute 'scan_output_axes'");
    results.push_back(share(stacked(collected[i], shape.states + i, axis, backwards[i])));
  }
  return results;
}

/// Opset 8: axis 0 is a batch of sequences, each of its own length, scanned along axis 1.
std::vector<SharedDatum> ControlFlow::run_batched_scan() {
  const ops::ScanShape shape = ops::scan_shape(context_);
  const auto batched = std::span(inputs_).subspan(1, shape.states + shape.scan_inputs);
  for (std::size_t i = 0; i < batched.size(); ++i) {
    const std::size_t least = i < shape.states ? 1 : 2;
    const Tensor &x = context_.tensor(1 + i), &first = context_.tensor(1),
                 &first_scanned = context_.tensor(1 + shape.states);
    if (x.rank() < least || x.shape()[0] != first.shape()[0] ||
        (least == 2 && x.shape()[1] != first_scanned.shape()[1]))
      context_.fail(ErrorCode::input, "the inputs of a Scan differ in batch or length", context_.input_label(1 + i), {},
                    to_string(*batched[i]));
  }
  const Shape& extents = context_.tensor(1 + shape.states).shape();
  require_trips("sequences", extents[0]);
  require_trips("steps", extents[1]);  // also where all sequences are shorter: they are filled up
  std::vector<Sequence> results(shape.states + shape.scan_outputs);
  for (std::int64_t item = 0; item < extents[0]; ++item) {
    if (should_stop(runner_.run_options())) throw_cancelled();  // a sequence may have no step
    Steps steps;
    steps.count = extents[1];
    if (context_.has_input(0)) {
      const Tensor& lengths = context_.tensor(0);
      if (lengths.type() != DataType::int64 || lengths.size() != extents[0])
        context_.fail(ErrorCode::input, "there is one length a sequence", context_.input_label(0),
                      std::to_string(extents[0]), to_string(*inputs_[0]));
      steps.count =
          std::clamp<std::int64_t>(lengths.data<std::int64_t>()[static_cast<std::size_t>(item)], 0, extents[1]);
    }
    steps.input_axes.assign(shape.scan_inputs, 0);
    steps.input_backwards = directions("directions", shape.scan_inputs);
    std::vector<SharedDatum> states;
    Sequence scanned;
    for (std::size_t i = 0; i < shape.states; ++i) states.push_back(share(slice(context_.tensor(1 + i), 0, item)));
    for (std::size_t i = 0; i < shape.scan_inputs; ++i)
      scanned.push_back(slice(context_.tensor(1 + shape.states + i), 0, item));
    std::vector<Sequence> collected(shape.scan_outputs);
    states = scan_steps(shape, steps, states, scanned, collected);
    for (std::size_t i = 0; i < shape.states; ++i) collect(results[i], *states[i], i);
    for (std::size_t i = 0; i < shape.scan_outputs; ++i) {
      // A shorter sequence is filled up with zeros.
      while (!collected[i].empty() && static_cast<std::int64_t>(collected[i].size()) < extents[1])
        collected[i].emplace_back(collected[i][0].type(), collected[i][0].shape());
      collect(results[shape.states + i], stacked(collected[i], shape.states + i, 0, false), shape.states + i);
    }
    require_bytes(states);
  }
  std::vector<SharedDatum> outputs;
  for (std::size_t i = 0; i < results.size(); ++i) outputs.push_back(share(stacked(results[i], i, 0, false)));
  return outputs;
}

std::vector<SharedDatum> ControlFlow::run_sequence_map() {
  const std::size_t count = context_.sequence(0).size();
  std::vector<Sequence> results(body_graph().outputs.size());
  for (std::size_t item = 0; item < count; ++item) {
    std::vector<SharedDatum> inputs;
    for (std::size_t i = 0; i + captures_.size() < inputs_.size(); ++i) {
      const auto* sequence = std::get_if<Sequence>(inputs_[i].get());
      if (sequence != nullptr && sequence->size() != count)
        context_.fail(ErrorCode::input, "the sequences have different lengths", context_.input_label(i),
                      std::to_string(count), std::to_string(sequence->size()));
      inputs.push_back(sequence == nullptr ? inputs_[i] : share((*sequence)[item]));
    }
    const std::vector<SharedDatum> outputs = run_turn(std::move(inputs));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const auto* tensor = std::get_if<Tensor>(outputs[i].get());
      if (tensor == nullptr)
        context_.fail(ErrorCode::input, "a sequence holds tensors only", "output " + std::to_string(i), "a tensor",
                      to_string(*outputs[i]));
      results[i].push_back(*tensor);
    }
  }
  std::vector<SharedDatum> outputs;
  for (Sequence& result : results) outputs.push_back(share(std::move(result)));
  return outputs;
}

}  // namespace

std::vector<SharedDatum> run_control_flow(ProgramRunner& runner, graph::NodeId id, std::vector<SharedDatum> inputs) {
  return ControlFlow(runner, id, std::move(inputs)).run();
}

}  // namespace linnet::runtime
