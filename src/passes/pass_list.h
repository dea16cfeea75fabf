// The functions of passes.inc.
#pragma once

#include "passes/pass.h"

namespace linnet::passes {

#define LINNET_PASS(name, stages, summary) void name(graph::Graph&, PassContext&);
#include "passes/passes.inc"
#undef LINNET_PASS

}  // namespace linnet::passes
