#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/bounds.h"
#include "reference/call.h"
#include "reference/window.h"

namespace linnet::reference {

namespace {

std::vector<std::int64_t> kernel_of(const Call& call) {
  return call.attribute("kernel_shape", std::vector<std::int64_t>());
}

/// The position of element (d,h,w) of a plane in the tensor as the indices output counts it.
std::int64_t index_value(const Window& window, std::int64_t plane, bool column_major, std::int64_t d, std::int64_t h,
                         std::int64_t w) {
  const Extents& in = window.input;
  const std::int64_t at = column_major ? (w * in[1] + h) * in[0] + d : position(in, d, h, w);
  return plane * volume(in) + at;
}

}  // namespace

Outputs max_pool(const Call& call) {
  const Tensor& x = call.in(0);
  const Window window = make_window(call, x.shape, kernel_of(call));
  const bool column_major = call.attribute("storage_order", std::int64_t{0}) != 0;
  Tensor y = call.make(x.type, with_spatial(x.shape[0], x.shape[1], window.output, x.shape));
  Tensor indices = Tensor::make(Type::int64, y.shape);
  for (std::int64_t plane = 0; plane < x.shape[0] * x.shape[1]; ++plane) {
    for_each(window.output, [&](std::int64_t od, std::int64_t oh, std::int64_t ow) {
      const std::int64_t i = plane * volume(window.output) + position(window.output, od, oh, ow);
      std::int64_t best = -1;
      double error = 0;
      for_each(window.kernel, [&](std::int64_t kd, std::int64_t kh, std::int64_t kw) {
        const std::int64_t d = window.source(0, od, kd);
        const std::int64_t h = window.source(1, oh, kh);
        const std::int64_t w = window.source(2, ow, kw);
        if (!window.inside(0, d) || !window.inside(1, h) || !window.inside(2, w)) return;
        const std::int64_t at = plane * volume(window.input) + position(window.input, d, h, w);
        error = std::max(error, x.error(at));
        if (best >= 0 && !(x.number(at) > x.number(best)) && !std::isnan(x.number(at))) return;
        if (best >= 0 && std::isnan(x.number(best))) return;
        best = at;
        indices.set_integer(i, index_value(window, plane, column_major, d, h, w));
      });
      if (best >= 0) {
        y.copy_element(i, x, best);
        y.set_error(i, error);
      } else {
        y.set(i, -std::numeric_limits<double>::infinity());
      }
    });
  }
  return {y, indices};
}

Outputs average_pool(const Call& call) {
  const Tensor& x = call.in(0);
  const Window window = make_window(call, x.shape, kernel_of(call));
  const bool count_pad = call.attribute("count_include_pad", std::int64_t{0}) != 0;
  Tensor y = call.make(x.type, with_spatial(x.shape[0], x.shape[1], window.output, x.shape));
  for (std::int64_t plane = 0; plane < x.shape[0] * x.shape[1]; ++plane) {
    for_each(window.output, [&](std::int64_t od, std::int64_t oh, std::int64_t ow) {
      double sum = 0, magnitude = 0, propagated = 0, count = 0;
      for_each(window.kernel, [&](std::int64_t kd, std::int64_t kh, std::int64_t kw) {
        const Extents at = {window.source(0, od, kd), window.source(1, oh, kh), window.source(2, ow, kw)};
        bool inside = true;
        bool in_padding = true;  // or inside: what ceil_mode lets the window cover beyond the padding never counts
        for (std::size_t axis = 0; axis < 3; ++axis) {
          inside = inside && window.inside(axis, at[axis]);
          in_padding = in_padding && at[axis] < window.input[axis] + window.pad_end[axis];
        }
        if (inside || (count_pad && in_padding)) ++count;
        if (!inside) return;
        const std::int64_t i = plane * volume(window.input) + position(window.input, at[0], at[1], at[2]);
        sum += x.number(i);
        magnitude += std::fabs(x.number(i)) + x.error(i);
        propagated += x.error(i);
      });
      const std::int64_t i = plane * volume(window.output) + position(window.output, od, oh, ow);
      y.set(i, sum / count);
      y.set_error(i, (propagated + sum_factor(count) * magnitude) / count);
    });
  }
  return {y};
}

Outputs global_average_pool(const Call& call) {
  const Tensor& x = call.in(0);
  call.require(x.rank() >= 2, "needs [N,C,...]");
  Shape shape(x.shape.size(), 1);
  shape[0] = x.shape[0];
  shape[1] = x.shape[1];
  Tensor y = call.make(x.type, shape);
  const std::int64_t area = x.size() / std::max<std::int64_t>(y.size(), 1);
  for (std::int64_t plane = 0; plane < y.size(); ++plane) {
    double sum = 0, magnitude = 0, propagated = 0;
    for (std::int64_t i = plane * area; i < (plane + 1) * area; ++i) {
      sum += x.number(i);
      magnitude += std::fabs(x.number(i)) + x.error(i);
      propagated += x.error(i);
    }
    const auto count = static_cast<double>(area);
    y.set(plane, sum / count);
    y.set_error(plane, (propagated + sum_factor(count) * magnitude) / count);
  }
  return {y};
}

Outputs global_max_pool(const Call& call) {
  const Tensor& x = call.in(0);
  call.require(x.rank() >= 2, "needs [N,C,...]");
  Shape shape(x.shape.size(), 1);
  shape[0] = x.shape[0];
  shape[1] = x.shape[1];
  Tensor y = call.make(x.type, shape);
  const std::int64_t area = x.size() / std::max<std::int64_t>(y.size(), 1);
  for (std::int64_t plane = 0; plane < y.size(); ++plane) {
    std::int64_t best = plane * area;
    double error = 0;
    for (std::int64_t i = plane * area; i < (plane + 1) * area; ++i) {
      error = std::max(error, x.error(i));
      if (std::isnan(x.number(best))) continue;
      if (x.number(i) > x.number(best) || std::isnan(x.number(i))) best = i;
    }
    y.copy_element(plane, x, best);
    y.set_error(plane, error);
  }
  return {y};
}

}  // namespace linnet::reference
