// ReverseSequence: the first steps of each sequence of a batch, in reverse.
#include <cstring>

#include "base/checked_math.h"
#include "ops/blocked.h"
#include "ops/extents.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

/// Time is axis 0 and the batch axis 1, or the other way round.
bool time_is_first(const NodeContext& c) {
  const std::int64_t time = c.attribute_int("time_axis", 0), batch = c.attribute_int("batch_axis", 1);
  if ((time != 0 && time != 1) || batch != 1 - time) {
    c.fail(ErrorCode::model, "time and batch are not the first two axes", "attributes 'time_axis', 'batch_axis'",
           "0 and 1", std::to_string(time) + " and " + std::to_string(batch));
  }
  return time == 0;
}

}  // namespace

void infer_reverse_sequence(InferContext& c) {
  const graph::TensorDesc &x = c.input(0), &lengths = c.input(1);
  const std::size_t batch_axis = time_is_first(c) ? 1 : 0;
  if (lengths.type != DataType::int64 && lengths.type != DataType::undefined)
    c.fail(ErrorCode::model, "an input is of the wrong type", c.input_label(1), "int64",
           std::string(to_string(lengths.type)));
  if (x.has_rank() && x.shape->size() < 2)
    c.fail(ErrorCode::model, "the input has the wrong rank", c.input_label(0), "2-D or more", graph::to_string(x));
  if (x.has_rank() && lengths.has_rank()) {
    const graph::Dim& batch = (*x.shape)[batch_axis];
    const bool vector = lengths.shape->size() == 1;
    if (!vector || (batch.known() && (*lengths.shape)[0].known() && batch.value != (*lengths.shape)[0].value))
      c.fail(ErrorCode::model, "there is not one length a sequence", c.input_label(1), graph::to_string(x),
             graph::to_string(lengths));
  }
  c.set(0, {x.type, x.shape, graph::Layout::plain});
}

void plan_reverse_sequence(PlanContext& c) {
  const Placement& x = c.placement_in(0);
  const bool time_first = time_is_first(c);
  const std::int64_t rows = x.shape[0], columns = x.shape[1];
  const std::int64_t element = base::checked_product(std::span(x.shape).subspan(2), "a step of a sequence");
  c.step().algorithm = "copy";
  c.step().run = [=, bytes = element * static_cast<std::int64_t>(element_bytes(x.type)),
                  count = x.elements()](const RunArgs& args) {
    if (count == 0) return;
    const std::int64_t steps = time_first ? rows : columns;
    const Range part = thread_share(args, rows * columns, count);
    for (std::int64_t i = part.first; i < part.last; ++i) {
      const std::int64_t step = time_first ? i / columns : i % columns;
      const std::int64_t sequence = time_first ? i % columns : i / columns;
      std::int64_t length = args.in<std::int64_t>(1)[sequence];
      if (length < 0 || length > steps) {
        args.report("a sequence's length is out of range");
        length = 0;
      }
      const std::int64_t source = step < length ? length - 1 - step : step;
      const std::int64_t from = time_first ? source * columns + sequence : sequence * columns + source;
      std::memcpy(args.outputs[0] + i * bytes, args.inputs[0] + from * bytes, static_cast<std::size_t>(bytes));
    }
  };
}

}  // namespace linnet::ops
