#pragma once

#include "kernels/reorder/reorder.h"

namespace linnet::kernels::LINNET_ISA {

static void nchw_to_blocked(const ToBlockedArguments&) {}
static void nhwc_to_blocked(const ToBlockedArguments&) {}
static void blocked_to_nchw(const FromBlockedArguments&) {}
static void blocked_to_nhwc(const FromBlockedArguments&) {}
static void zero_border(const ZeroBorderArguments&) {}
static void zero_channel_tail(const ZeroChannelTailArguments&) {}
static void copy_2d(const Copy2dArguments&) {}
static void copy_strided(const CopyStridedArguments&) {}
static void fill(const FillArguments&) {}

}  // namespace linnet::kernels::LINNET_ISA
