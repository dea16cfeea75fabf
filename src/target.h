// SessionOptions and this machine -> what the planner plans for.
#pragma once

#include "linnet/session.h"
#include "plan/planner.h"

namespace linnet {

/// Throws Error(usage) for a thread count that makes no sense or a LINNET_MAX_ISA that is no ISA's name.
plan::PlanTarget plan_target(const SessionOptions& options);

/// The ISA to use: the machine's best, capped by LINNET_MAX_ISA. Throws Error(usage) for a cap that is no ISA's name.
kernels::Cpu checked_cpu();

}  // namespace linnet
