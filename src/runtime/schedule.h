// A graph with dynamic nodes, cut into what can be planned together and what runs between two plans.
//
// Time is counted in steps: even ones are plans, odd ones the gaps between them, and everything given before the run is there
// at -1. A node goes to the earliest time at which its inputs are computed and those that decide its shape are known. What
// is computed at an even time is known, elements and all, to the plan of that time only if it follows from shapes and known
// values and is folded; else to the next one.
#pragma once

#include <vector>

#include "graph/graph.h"

namespace linnet::runtime {

/// Nodes that are planned together, as a graph of their own.
struct Segment {
  graph::Graph graph;
  std::vector<graph::ValueId> inputs,
      outputs;              // in the graph that was cut, in the order of graph.inputs and graph.outputs
  std::vector<bool> known;  // by input: its elements must be known to the plan
};

struct Schedule {
  struct Item {
    int segment = -1;                     // index into segments, or -1:
    graph::NodeId node = graph::kNoNode;  // a node that runs between plans
    std::vector<graph::ValueId> release;  // nothing reads them after this item
  };
  std::vector<Segment> segments;
  std::vector<Item> items;  // in the order of execution
};

/// The values that an item reads, in the order of its inputs; those omitted are kNoValue.
const std::vector<graph::ValueId>& reads(const graph::Graph& graph, const Schedule& schedule,
                                         const Schedule::Item& item);

/// Whether one plan, whatever the inputs' elements, cannot serve. `folded`: plans compute what follows from constants
/// (the pass fold_constants).
bool needs_schedule(const graph::Graph& graph, bool folded);

/// The graph's types and kinds have been inferred, and it has no dead nodes.
Schedule make_schedule(const graph::Graph& graph, bool folded);

}  // namespace linnet::runtime
