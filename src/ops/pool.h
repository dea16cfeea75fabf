// The pools' windows: what those with kernels, those without and the quantised ones share.
#pragma once

#include "ops/plan_context.h"
#include "ops/window.h"
#include "ops/window_walk.h"

namespace linnet::ops {

/// The window of a pool over `spatial`: kernel_shape and its company. Throws Error(model).
Window pool_window(const NodeContext& context, const graph::DimList& spatial);
/// The extents that a pool makes of `spatial`. Throws Error(unsupported) where a window would touch no element.
graph::DimList pool_extents(const NodeContext& context, const graph::DimList& spatial);
/// Inference of MaxPool and AveragePool, and of the pools that are like them.
void infer_pool(InferContext& context);
/// Throws Error(model) unless the input has a batch, channels and at least one spatial axis.
void check_spatial(const NodeContext& context, const graph::TensorDesc& x);

/// The walk over a planned pool's windows; `first` is the first spatial axis.
WindowWalk pool_walk(const PlanContext& context, std::size_t first = 2);

/// Every type, rank and attribute that has no kernel.
void plan_pool_loops(PlanContext& context);
void plan_global_pool_loops(PlanContext& context);

}  // namespace linnet::ops
