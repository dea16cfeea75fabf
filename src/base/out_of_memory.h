// At the entry points of the library, what the standard library throws for want of memory becomes an Error.
#pragma once

#include <new>
#include <stdexcept>

#include "linnet/error.h"

namespace linnet::base {

/// Short enough that making it needs no memory.
[[noreturn]] inline void throw_out_of_memory() { throw Error(ErrorCode::no_memory, "out of memory"); }

/// action(), whose std::bad_alloc, or std::length_error of a container that no memory could hold, becomes Error(no_memory).
template <typename Action>
decltype(auto) guard_memory(const Action& action) {
  try {
    return action();
  } catch (const std::bad_alloc&) {
    throw_out_of_memory();
  } catch (const std::length_error&) {
    throw_out_of_memory();
  }
}

}  // namespace linnet::base
