// The threads that OpenMP keeps between two parallel regions, and fork.
#pragma once

namespace linnet::runtime {

/// From now on a thread that forks first ends the threads that OpenMP keeps for it. They would not exist in the child, whose
/// first region would wait for them for ever; so parent and child start new ones with their next region. To be called
/// outside of run(): it may allocate. A thread that forks inside of a parallel region of its own keeps them.
void end_teams_before_forks();

}  // namespace linnet::runtime
