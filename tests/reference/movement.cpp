// Operators that move elements and compute nothing: each element of the result says where it comes from.
#include <algorithm>
#include <utility>
#include <vector>

#include "reference/call.h"

namespace linnet::reference {

namespace {
std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
}  // namespace

Outputs transpose(const Call& call) {
  const Tensor& x = call.in(0);
  std::vector<std::int64_t> perm = call.attribute("perm", std::vector<std::int64_t>());
  if (perm.empty()) {
    for (std::int64_t axis = x.rank(); axis-- > 0;) perm.push_back(axis);
  }
  call.require(perm.size() == x.shape.size(), "perm has the wrong length");
  Shape shape;
  for (const std::int64_t axis : perm) shape.push_back(x.shape[index(call.axis(axis, x.rank()))]);
  Tensor y = call.make(x.type, shape);
  for (Index at(shape); at.valid(); at.next()) {
    Shape source(shape.size());
    for (std::size_t i = 0; i < perm.size(); ++i) source[index(perm[i])] = at[i];
    y.copy_element(at.flat(), x, flatten(x.shape, source));
  }
  return {y};
}

Outputs concat(const Call& call) {
  const Tensor& first = call.in(0);
  const auto axis = index(call.axis(call.attribute("axis", std::int64_t{1}), first.rank()));
  Shape shape = first.shape;
  shape[axis] = 0;
  for (const Tensor& input : call.inputs()) {
    call.require(input.rank() == first.rank() && input.type == first.type, "the inputs differ in rank or type");
    for (std::size_t i = 0; i < shape.size(); ++i) {
      call.require(i == axis || input.shape[i] == shape[i], "the inputs differ beside the axis");
    }
    shape[axis] += input.shape[axis];
  }
  Tensor y = call.make(first.type, shape);
  std::int64_t offset = 0;
  for (const Tensor& input : call.inputs()) {
    for (Index at(input.shape); at.valid(); at.next()) {
      Shape target = at.tuple();
      target[axis] += offset;
      y.copy_element(flatten(shape, target), input, at.flat());
    }
    offset += input.shape[axis];
  }
  return {y};
}

Outputs split(const Call& call) {
  const Tensor& x = call.in(0);
  const auto axis = index(call.axis(call.attribute("axis", std::int64_t{0}), x.rank()));
  std::vector<std::int64_t> parts = call.input_or_attribute(1, "split");
  if (parts.empty()) {
    const auto count = static_cast<std::int64_t>(call.outputs());
    const std::int64_t part = (x.shape[axis] + count - 1) / count;
    call.require(call.opset() >= 18 || x.shape[axis] % count == 0, "the axis cannot be split equally");
    for (std::int64_t i = 0; i < count; ++i)
      parts.push_back(std::clamp<std::int64_t>(x.shape[axis] - i * part, 0, part));
  }
  Outputs outputs;
  std::int64_t offset = 0;
  for (const std::int64_t part : parts) {
    Shape shape = x.shape;
    shape[axis] = part;
    Tensor y = call.make(x.type, shape);
    for (Index at(shape); at.valid(); at.next()) {
      Shape source = at.tuple();
      source[axis] += offset;
      y.copy_element(at.flat(), x, flatten(x.shape, source));
    }
    offset += part;
    outputs.push_back(std::move(y));
  }
  call.require(offset == x.shape[axis], "the parts do not add up to the axis");
  return outputs;
}

// Channel by channel in NumPy's terms: concatenate(inputs, 1), reshape to [N, group, C / group, ...], swapaxes(1, 2), and split.
Outputs channel_shuffle(const Call& call) {
  const auto group = call.attribute("group", std::int64_t{1});
  const std::vector<std::int64_t> split = call.attribute("split", std::vector<std::int64_t>());
  std::vector<std::pair<const Tensor*, std::int64_t>> joined;
  for (const Tensor& input : call.inputs()) {
    for (std::int64_t c = 0; c < input.shape[1]; ++c) joined.emplace_back(&input, c);
  }
  const auto each = static_cast<std::int64_t>(joined.size()) / group;
  std::int64_t first = 0;
  Outputs outputs;
  for (const std::int64_t channels : split) {
    Shape shape = call.in(0).shape;
    shape[1] = channels;
    Tensor y = call.make(call.in(0).type, shape);
    for (Index at(shape); at.valid(); at.next()) {
      const std::int64_t c = first + at[1];
      const auto& [x, channel] = joined[index(c % group * each + c / group)];
      Shape source = at.tuple();
      source[1] = channel;
      y.copy_element(at.flat(), *x, flatten(x->shape, source));
    }
    outputs.push_back(std::move(y));
    first += channels;
  }
  return outputs;
}

// numpy's x[start:end:step], with the axes that are not named taken whole.
Outputs slice(const Call& call) {
  const Tensor& x = call.in(0);
  const bool by_input = call.opset() >= 10;
  const auto list = [&](std::size_t input, const std::string& name) {
    return by_input ? (call.has(input) ? call.integers(input) : std::vector<std::int64_t>())
                    : call.attribute(name, std::vector<std::int64_t>());
  };
  const std::vector<std::int64_t> starts = list(1, "starts");
  const std::vector<std::int64_t> ends = list(2, "ends");
  std::vector<std::int64_t> axes = list(3, "axes");
  std::vector<std::int64_t> steps = by_input ? list(4, "steps") : std::vector<std::int64_t>();
  if (axes.empty()) {
    for (std::size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  if (steps.empty()) steps.assign(starts.size(), 1);
  call.require(ends.size() == starts.size() && axes.size() == starts.size() && steps.size() == starts.size(),
               "starts, ends, axes and steps differ in length");
  Shape shape = x.shape;
  Shape first(x.shape.size(), 0);
  Shape stride(x.shape.size(), 1);
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto axis = index(call.axis(axes[i], x.rank()));
    const std::int64_t extent = x.shape[axis];
    const std::int64_t step = steps[i];
    call.require(step != 0, "a step is 0");
    const auto clamp = [&](std::int64_t at, std::int64_t least, std::int64_t most) {
      return std::max(least, std::min(at < 0 ? at + extent : at, most));
    };
    // Downwards it starts at an element at the latest, and may end before the first.
    const std::int64_t start = clamp(starts[i], 0, step > 0 ? extent : extent - 1);
    const std::int64_t end = clamp(ends[i], step > 0 ? 0 : -1, step > 0 ? extent : extent - 1);
    const std::int64_t distance = step > 0 ? end - start : start - end;
    const std::int64_t length = step > 0 ? step : -step;
    shape[axis] = distance <= 0 ? 0 : (distance - 1) / length + 1;
    first[axis] = start;
    stride[axis] = step;
  }
  Tensor y = call.make(x.type, shape);
  for (Index at(shape); at.valid(); at.next()) {
    Shape source(shape.size());
    for (std::size_t i = 0; i < shape.size(); ++i) source[i] = first[i] + at[i] * stride[i];
    y.copy_element(at.flat(), x, flatten(x.shape, source));
  }
  return {y};
}

namespace {

/// Where coordinate `at` outside [0, extent) comes from; -1: from the constant.
std::int64_t pad_source(const Call& call, const std::string& mode, std::int64_t at, std::int64_t extent) {
  if (at >= 0 && at < extent) return at;
  if (mode == "constant") return -1;
  call.require(extent > 0, "nothing to repeat");
  if (mode == "edge") return at < 0 ? 0 : extent - 1;
  if (mode == "wrap") return ((at % extent) + extent) % extent;
  call.require(mode == "reflect", "mode '" + mode + "'");
  while (at < 0 || at >= extent) {  // back and forth, the ends once
    if (extent == 1) return 0;
    at = at < 0 ? -at : 2 * (extent - 1) - at;
  }
  return at;
}

}  // namespace

Outputs pad(const Call& call) {
  const Tensor& x = call.in(0);
  const std::string mode = call.attribute("mode", "constant");
  const bool by_input = call.opset() >= 11;
  std::vector<std::int64_t> pads = by_input ? call.integers(1) : call.attribute("pads", std::vector<std::int64_t>());
  if (!by_input && pads.empty()) pads = call.attribute("paddings", std::vector<std::int64_t>());
  std::vector<std::int64_t> axes;
  if (call.has(3)) axes = call.integers(3);
  else
    for (std::int64_t axis = 0; axis < x.rank(); ++axis) axes.push_back(axis);
  call.require(pads.size() == 2 * axes.size(), "pads has the wrong length");
  Shape before(x.shape.size(), 0);
  Shape shape = x.shape;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = index(call.axis(axes[i], x.rank()));
    before[axis] = pads[i];
    shape[axis] += pads[i] + pads[axes.size() + i];
  }
  // Negative pads crop, and what is cropped cannot be reflected: the cropped tensor is what is padded.
  Shape low(x.shape.size(), 0);
  Shape extent = x.shape;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const std::int64_t after = shape[i] - x.shape[i] - before[i];
    low[i] = std::max<std::int64_t>(0, -before[i]);
    extent[i] = x.shape[i] - low[i] - std::max<std::int64_t>(0, -after);
  }
  Tensor y = call.make(x.type, shape);
  for (Index at(shape); at.valid(); at.next()) {
    Shape source(shape.size());
    bool outside = false;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      const std::int64_t inner = pad_source(call, mode, at[i] - before[i] - low[i], extent[i]);
      outside = outside || inner < 0;
      source[i] = inner + low[i];
    }
    if (!outside) y.copy_element(at.flat(), x, flatten(x.shape, source));
    else if (by_input && call.has(2)) y.copy_element(at.flat(), call.in(2), 0);
    else if (is_real(x.type)) y.set(at.flat(), by_input ? 0.0 : call.attribute("value", 0.0));
  }
  return {y};
}

Outputs gather(const Call& call) {
  const Tensor& x = call.in(0);
  const Tensor& indices = call.in(1);
  const auto axis = index(call.axis(call.attribute("axis", std::int64_t{0}), x.rank()));
  Shape shape(x.shape.begin(), x.shape.begin() + static_cast<std::ptrdiff_t>(axis));
  shape.insert(shape.end(), indices.shape.begin(), indices.shape.end());
  shape.insert(shape.end(), x.shape.begin() + static_cast<std::ptrdiff_t>(axis) + 1, x.shape.end());
  Tensor y = call.make(x.type, shape);
  for (Index at(shape); at.valid(); at.next()) {
    Shape source(at.tuple().begin(), at.tuple().begin() + static_cast<std::ptrdiff_t>(axis));
    const auto first = at.tuple().begin() + static_cast<std::ptrdiff_t>(axis);
    const Shape which(first, first + static_cast<std::ptrdiff_t>(indices.shape.size()));
    std::int64_t chosen = indices.integer(flatten(indices.shape, which));
    if (chosen < 0) chosen += x.shape[axis];
    call.require(chosen >= 0 && chosen < x.shape[axis], "an index is outside the axis");
    source.push_back(chosen);
    source.insert(source.end(), first + static_cast<std::ptrdiff_t>(indices.shape.size()), at.tuple().end());
    y.copy_element(at.flat(), x, flatten(x.shape, source));
  }
  return {y};
}

Outputs tile(const Call& call) {
  const Tensor& x = call.in(0);
  Shape repeats(x.shape.size(), 1);
  if (call.opset() >= 6) {
    repeats = call.integers(1);
  } else {  // one axis, and how often
    repeats[index(call.axis(call.in(2).integer(0), x.rank()))] = call.in(1).integer(0);
  }
  Shape shape = x.shape;
  for (std::size_t i = 0; i < shape.size(); ++i) shape[i] *= repeats.at(i);
  Tensor y = call.make(x.type, shape);
  for (Index at(shape); at.valid(); at.next()) {
    Shape source(shape.size());
    for (std::size_t i = 0; i < shape.size(); ++i) source[i] = at[i] % x.shape[i];
    y.copy_element(at.flat(), x, flatten(x.shape, source));
  }
  return {y};
}

// Channels become blocksize x blocksize pixels: DCR counts the block first, CRD the channel.
Outputs depth_to_space(const Call& call) {
  const Tensor& x = call.in(0);
  const std::int64_t b = call.attribute("blocksize", std::int64_t{1});
  const bool depth_first = call.attribute("mode", "DCR") == "DCR";
  const std::int64_t channels = x.shape.at(1) / (b * b);
  Tensor y = call.make(x.type, {x.shape[0], channels, x.shape[2] * b, x.shape.at(3) * b});
  for (Index at(y.shape); at.valid(); at.next()) {
    const std::int64_t block = at[2] % b * b + at[3] % b;
    const std::int64_t c = depth_first ? block * channels + at[1] : at[1] * b * b + block;
    y.copy_element(at.flat(), x, flatten(x.shape, {at[0], c, at[2] / b, at[3] / b}));
  }
  return {y};
}

Outputs space_to_depth(const Call& call) {
  const Tensor& x = call.in(0);
  const std::int64_t b = call.attribute("blocksize", std::int64_t{1});
  const std::int64_t channels = x.shape.at(1);
  const bool columns_first = call.attribute("mode", "DCR") == "CRD";
  Tensor y = call.make(x.type, {x.shape[0], channels * b * b, x.shape[2] / b, x.shape.at(3) / b});
  for (Index at(y.shape); at.valid(); at.next()) {
    const std::int64_t block = columns_first ? at[1] % (b * b) : at[1] / channels;
    const std::int64_t channel = columns_first ? at[1] / (b * b) : at[1] % channels;
    y.copy_element(at.flat(), x, flatten(x.shape, {at[0], channel, at[2] * b + block / b, at[3] * b + block % b}));
  }
  return {y};
}

}  // namespace linnet::reference
