// Arithmetic of extents that may be symbolic, and lists that are inputs: what the shape operators share.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/plan_context.h"

namespace linnet::ops {

/// Input i is given, but only when the model runs.
inline bool is_runtime_input(const NodeContext& context, std::size_t i) {
  return context.has_input(i) && context.constant(i) == nullptr;
}

/// So many rows, slices or parts at most where they take next to no data: each takes time, or some hundred bytes, all the same.
constexpr std::int64_t kMostOfNothing = 1 << 18;

/// The product, as far as it is known: a single symbol times ones stays that symbol.
graph::Dim product(std::span<const graph::Dim> dims);

/// An extent that tensors which are joined along another axis have in common: what the inputs before `input` say of it, and what
/// that one does. Throws Error(model) where they differ.
graph::Dim joined_extent(const NodeContext& context, std::size_t input, const graph::Dim& before,
                         const graph::Dim& here);
/// The extent of two tensors joined along it.
graph::Dim summed_extent(const graph::Dim& a, const graph::Dim& b);

/// A list of axes, each at most once, made non-negative. Throws Error(model).
std::vector<std::size_t> unique_axes(const NodeContext& context, const std::vector<std::int64_t>& axes,
                                     std::size_t rank);
/// Those of attribute `axes`; without it, all.
std::vector<std::size_t> named_axes(const NodeContext& context, std::size_t rank);

/// The numbers as a tensor of one axis.
Tensor int64_list(const std::vector<std::int64_t>& values);

/// For outputs of known rank and unknown extents.
inline graph::DimList unknown_dims(std::size_t rank) { return graph::DimList(rank); }

/// Throws Error(model) unless input i, where its type is known, is int64 or int32.
void require_integers(const NodeContext& context, std::size_t i);
/// Throws Error(model) unless input i has one element, or extents that are not known yet.
void require_scalar(const NodeContext& context, std::size_t i);

/// Step::view_of = 0 where in- and output lie alike, else a copy from one placement to the other.
void plan_view(PlanContext& context);

}  // namespace linnet::ops
