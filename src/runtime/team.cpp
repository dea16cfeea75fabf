#include "runtime/team.h"

#include <pthread.h>

#include <atomic>

namespace linnet::runtime {

namespace {

std::atomic<bool> team_ran = false;
std::atomic<bool> team_is_lost = false;

void lose_team() {
  if (team_ran.load(std::memory_order_relaxed)) team_is_lost.store(true, std::memory_order_relaxed);
}

}  // namespace

void watch_forks() {
  static const int registered = ::pthread_atfork(nullptr, nullptr, lose_team);
  (void)registered;
}

bool enter_team() noexcept {
  if (team_is_lost.load(std::memory_order_relaxed)) return false;
  team_ran.store(true, std::memory_order_relaxed);
  return true;
}

}  // namespace linnet::runtime
