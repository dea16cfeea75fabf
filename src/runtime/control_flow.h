// If, Loop, Scan and SequenceMap, by way of the runners of their subgraphs.
#pragma once

#include <span>
#include <vector>

#include "runtime/program.h"

namespace linnet::runtime {

/// Runs one node that has subgraphs. The last inputs are its captures. Errors inside name the path of nodes.
std::vector<Datum> run_control_flow(ProgramRunner& runner, graph::NodeId id, std::span<const Datum> inputs);

}  // namespace linnet::runtime
