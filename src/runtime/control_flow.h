// If, Loop, Scan and SequenceMap, by way of the runners of their subgraphs.
#pragma once

#include <vector>

#include "runtime/program.h"

namespace linnet::runtime {

/// Runs one node that has subgraphs. The last inputs are its captures. Errors inside name the path of nodes.
std::vector<ops::SharedDatum> run_control_flow(ProgramRunner& runner, graph::NodeId id,
                                               std::vector<ops::SharedDatum> inputs);

}  // namespace linnet::runtime
