#pragma once

#include "kernels/norm/norm.h"

namespace linnet::kernels::LINNET_ISA {

static void softmax(const SoftmaxArguments&) {}
static void row_norm(const RowNormArguments&) {}
static void lrn(const LrnArguments&) {}
static void blocked_lrn(const BlockedLrnArguments&) {}

}  // namespace linnet::kernels::LINNET_ISA
