// RoiAlign and MaxRoiPool: each region of a picture becomes a small picture of one size.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "base/checked_math.h"
#include "ops/elementwise.h"
#include "ops/extents.h"
#include "ops/indices.h"
#include "ops/op_def.h"

namespace linnet::ops {

namespace {

using graph::Dim;
using graph::DimList;

constexpr std::size_t kX = 0, kRois = 1, kBatch = 2;
constexpr std::int64_t kMostSamples = 1 << 14;  // an axis of a bin: a region so large is a broken one

struct RoiProblem {
  std::int64_t images = 0, channels = 0, height = 0, width = 0;
  std::int64_t regions = 0, rows = 0, columns = 0;  // of the output
  float spatial_scale = 1;

  [[nodiscard]] std::int64_t plane() const { return height * width; }
  [[nodiscard]] std::int64_t bins() const { return rows * columns; }
};

RoiProblem roi_problem(const PlanContext& c) {
  const Shape &x = c.placement_in(kX).shape, &y = c.placement_out(0).shape;
  if (x[2] == 0 || x[3] == 0) {
    c.fail(ErrorCode::model, "there is nothing to pool", c.input_label(kX), "an extent of 1 or more", to_string(x));
  }
  return {x[0], x[1], x[2], x[3], y[0], y[2], y[3], c.attribute_float("spatial_scale", 1)};
}

void set_regions(InferContext& c, std::int64_t roi_columns, std::int64_t rows, std::int64_t columns) {
  require_types(c, kX, kRealTypes);
  require_same_type(c, kX, kRois);
  const graph::TensorDesc &x = c.input(kX), &rois = c.input(kRois);
  if (x.has_rank() && x.shape->size() != 4)
    c.fail(ErrorCode::model, "regions are of 2-D pictures", c.input_label(kX), "4-D", graph::to_string(x));
  const bool fits = !rois.has_rank() ||
                    (rois.shape->size() == 2 && (!(*rois.shape)[1].known() || (*rois.shape)[1].value == roi_columns));
  if (!fits) {
    c.fail(ErrorCode::model, "this is no list of regions", c.input_label(kRois),
           "[regions," + std::to_string(roi_columns) + "]", graph::to_string(rois));
  }
  if (rows < 1 || columns < 1) {
    c.fail(ErrorCode::model, "a region becomes at least one element", "the output's extents", "1 or more",
           std::to_string(rows) + " and " + std::to_string(columns));
  }
  c.set_output(
      0, x.type,
      {rois.has_rank() ? (*rois.shape)[0] : Dim(), x.has_rank() ? (*x.shape)[1] : Dim(), Dim(rows), Dim(columns)});
}

/// One axis of a region, cut into bins with samples in each.
template <typename T>
struct RoiAxis {
  T start = 0, bin = 0;
  std::int64_t samples = 0;

  RoiAxis(T first, T last, std::int64_t bins, std::int64_t wanted, bool at_least_one) : start(first) {
    const T length = at_least_one ? std::max(last - first, T{1}) : last - first;
    bin = length / static_cast<T>(bins);
    const T rounded = std::ceil(bin);
    if (wanted > 0) samples = wanted;
    else if (rounded > 0)
      samples = rounded <= static_cast<T>(kMostSamples) ? static_cast<std::int64_t>(rounded) : kMostSamples + 1;
  }
  [[nodiscard]] T place(std::int64_t at, std::int64_t sample) const {
    return start + static_cast<T>(at) * bin + (static_cast<T>(sample) + T{0.5}) * bin / static_cast<T>(samples);
  }
};

/// The two neighbours of a place in [0, extent) and the share of the second.
template <typename T>
struct Neighbours {
  std::int64_t low = 0, high = 0;
  T part = 0;
  bool outside = false;

  Neighbours(T place, std::int64_t extent) : outside(!(place >= -1 && place <= static_cast<T>(extent))) {
    if (outside) return;
    const T inside = std::max(place, T{0});
    low = static_cast<std::int64_t>(inside);
    if (low >= extent - 1) low = high = extent - 1;
    else {
      high = low + 1;
      part = inside - static_cast<T>(low);
    }
  }
};

template <typename T>
struct AlignCall {
  const RoiProblem& p;
  std::int64_t sampling_ratio;
  bool half_pixel, maximum;

  [[nodiscard]] T element(const T* plane, const RoiAxis<T>& rows, const RoiAxis<T>& columns, std::int64_t row,
                          std::int64_t column) const {
    T result = 0;
    bool first = true;
    for (std::int64_t i = 0; i < rows.samples; ++i) {
      const Neighbours<T> y(rows.place(row, i), p.height);
      for (std::int64_t j = 0; j < columns.samples; ++j) {
        const Neighbours<T> x(columns.place(column, j), p.width);
        T corner[4] = {0, 0, 0, 0};
        if (!y.outside && !x.outside) {
          corner[0] = (1 - y.part) * (1 - x.part) * plane[y.low * p.width + x.low];
          corner[1] = (1 - y.part) * x.part * plane[y.low * p.width + x.high];
          corner[2] = y.part * (1 - x.part) * plane[y.high * p.width + x.low];
          corner[3] = y.part * x.part * plane[y.high * p.width + x.high];
        }
        // ONNX's maximum is over the weighted corners, not over their sums.
        const T value = maximum ? std::max(std::max(corner[0], corner[1]), std::max(corner[2], corner[3]))
                                : corner[0] + corner[1] + corner[2] + corner[3];
        if (!maximum) result += value;
        else if (first || value > result) result = value;
        first = false;
      }
    }
    return maximum ? result : result / static_cast<T>(std::max<std::int64_t>(1, rows.samples * columns.samples));
  }

  void run(const RunArgs& args, const Indices& batch) const {
    const Range mine = thread_share(args, p.regions, p.regions * p.channels * p.bins() * 16);
    const T scale = static_cast<T>(p.spatial_scale), shift = half_pixel ? T{0.5} : T{0};
    for (std::int64_t r = mine.first; r < mine.last; ++r) {
      const T* const roi = args.in<T>(kRois) + r * 4;
      const RoiAxis<T> rows(roi[1] * scale - shift, roi[3] * scale - shift, p.rows, sampling_ratio, !half_pixel);
      const RoiAxis<T> columns(roi[0] * scale - shift, roi[2] * scale - shift, p.columns, sampling_ratio, !half_pixel);
      T* const to = args.out<T>(0) + r * p.channels * p.bins();
      const std::int64_t image = batch[r];
      const bool valid =
          image >= 0 && image < p.images && rows.samples <= kMostSamples && columns.samples <= kMostSamples;
      if (!valid) {
        args.report("a region lies in no picture, or is too large");
        std::fill_n(to, p.channels * p.bins(), T{0});
        continue;
      }
      for (std::int64_t i = 0; i < p.channels * p.bins(); ++i) {
        const T* const plane = args.in<T>(kX) + (image * p.channels + i / p.bins()) * p.plane();
        to[i] = element(plane, rows, columns, i % p.bins() / p.columns, i % p.columns);
      }
    }
  }
};

/// The elements of bin `at` of a region that begins at `start`, within the picture.
template <typename T>
Range bin_range(std::int64_t at, T bin, std::int64_t start, std::int64_t extent) {
  const auto edge = [&](T position) {
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(position) + start, 0, extent);
  };
  return {edge(std::floor(static_cast<T>(at) * bin)), edge(std::ceil(static_cast<T>(at + 1) * bin))};
}

/// Corners are rounded to elements, both of them inside the region; false for a place that is no number of elements.
template <typename T>
bool rounded_corner(T place, std::int64_t& to) {
  if (!(std::abs(place) < static_cast<T>(1 << 30))) return false;
  to = static_cast<std::int64_t>(std::round(place));
  return true;
}

template <typename T>
void max_roi_pool(const RunArgs& args, const RoiProblem& p) {
  const Range mine = thread_share(args, p.regions, p.regions * p.channels * p.bins() * 16);
  const T scale = static_cast<T>(p.spatial_scale);
  for (std::int64_t r = mine.first; r < mine.last; ++r) {
    const T* const roi = args.in<T>(kRois) + r * 5;
    T* const to = args.out<T>(0) + r * p.channels * p.bins();
    std::int64_t image = 0, left = 0, top = 0, right = 0, bottom = 0;
    const bool valid = rounded_corner(roi[0], image) && rounded_corner(roi[1] * scale, left) &&
                       rounded_corner(roi[2] * scale, top) && rounded_corner(roi[3] * scale, right) &&
                       rounded_corner(roi[4] * scale, bottom) && image >= 0 && image < p.images;
    if (!valid) {
      args.report("a region lies in no picture, or is too large");
      std::fill_n(to, p.channels * p.bins(), T{0});
      continue;
    }
    const T bin_height = static_cast<T>(std::max<std::int64_t>(bottom - top + 1, 1)) / static_cast<T>(p.rows);
    const T bin_width = static_cast<T>(std::max<std::int64_t>(right - left + 1, 1)) / static_cast<T>(p.columns);
    for (std::int64_t i = 0; i < p.channels * p.bins(); ++i) {
      const T* const plane = args.in<T>(kX) + (image * p.channels + i / p.bins()) * p.plane();
      const Range ys = bin_range(i % p.bins() / p.columns, bin_height, top, p.height);
      const Range xs = bin_range(i % p.columns, bin_width, left, p.width);
      const bool empty = ys.first >= ys.last || xs.first >= xs.last;
      T best = empty ? T{0} : std::numeric_limits<T>::lowest();
      for (std::int64_t y = ys.first; y < ys.last; ++y) {
        for (std::int64_t x = xs.first; x < xs.last; ++x) best = std::max(best, plane[y * p.width + x]);
      }
      to[i] = best;
    }
  }
}

}  // namespace

void infer_roi_align(InferContext& c) {
  require_integers(c, kBatch);
  const std::string mode = c.attribute_string("mode", "avg");
  if (mode != "avg" && mode != "max")
    c.fail(ErrorCode::model, "an attribute has no such value", "attribute 'mode'", "avg, max", mode);
  const std::string transform = c.attribute_string("coordinate_transformation_mode", "half_pixel");
  if (transform != "half_pixel" && transform != "output_half_pixel") {
    c.fail(ErrorCode::model, "an attribute has no such value", "attribute 'coordinate_transformation_mode'",
           "half_pixel, output_half_pixel", transform);
  }
  const std::int64_t ratio = c.attribute_int("sampling_ratio", 0);
  if (ratio < 0 || ratio > kMostSamples) {
    c.fail(ErrorCode::model, "an attribute is out of range", "attribute 'sampling_ratio'",
           "0 to " + std::to_string(kMostSamples), std::to_string(ratio));
  }
  set_regions(c, 4, c.attribute_int("output_height", 1), c.attribute_int("output_width", 1));
}

void plan_roi_align(PlanContext& c) {
  const RoiProblem problem = roi_problem(c);
  const std::string fallback = c.opset() >= 16 ? "half_pixel" : "output_half_pixel";
  const bool half_pixel = c.attribute_string("coordinate_transformation_mode", fallback) == "half_pixel";
  c.step().algorithm = "regions";
  c.step().run = [problem, half_pixel, ratio = c.attribute_int("sampling_ratio", 0), type = c.placement_in(kX).type,
                  maximum = c.attribute_string("mode", "avg") == "max",
                  indices = c.placement_in(kBatch).type](const RunArgs& args) {
    visit_type<kRealTypes>(type, [&](auto element) {
      AlignCall<decltype(element)>{problem, ratio, half_pixel, maximum}.run(args, {args.inputs[kBatch], indices});
    });
  };
}

void infer_max_roi_pool(InferContext& c) {
  const std::vector<std::int64_t> shape = c.attribute_ints("pooled_shape");
  if (shape.size() != 2)
    c.fail(ErrorCode::model, "pooled_shape is height and width", "attribute 'pooled_shape'", "2 extents",
           to_string(shape));
  set_regions(c, 5, shape[0], shape[1]);
}

void plan_max_roi_pool(PlanContext& c) {
  c.step().algorithm = "regions";
  c.step().run = [problem = roi_problem(c), type = c.placement_in(kX).type](const RunArgs& args) {
    visit_type<kRealTypes>(type, [&](auto element) { max_roi_pool<decltype(element)>(args, problem); });
  };
}

}  // namespace linnet::ops
