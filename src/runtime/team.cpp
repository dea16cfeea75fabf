#include "runtime/team.h"

#include <omp.h>
#include <pthread.h>

namespace linnet::runtime {

void end_teams_before_forks() {
  // Once a process. Refused memory, it leaves forks as they are without Linnet.
  static const int kRegistered =
      ::pthread_atfork([] { omp_pause_resource(omp_pause_soft, omp_get_initial_device()); }, nullptr, nullptr);
  (void)kRegistered;
}

}  // namespace linnet::runtime
