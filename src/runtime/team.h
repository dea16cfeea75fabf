// OpenMP's team of threads and fork: the team does not survive it.
#pragma once

namespace linnet::runtime {

/// To be called before the first enter_team(), outside of run(): it may allocate.
void watch_forks();

/// Whether a team may run now, and if so, that one does. In a child made by fork after that, its threads are gone and
/// waiting for them would never end: there the answer is no, for ever. One thread computes the same bits.
[[nodiscard]] bool enter_team() noexcept;

}  // namespace linnet::runtime
