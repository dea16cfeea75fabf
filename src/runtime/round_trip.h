// How far apart the cores are that two threads of a run get.
#pragma once

namespace linnet::runtime {

/// Nanoseconds for a word from one thread's core to another's and back: the least of several rounds within about 20 ms. 0 if
/// no second thread is to be had, or none that gets a processor within that time.
double measure_round_trip_ns();

}  // namespace linnet::runtime
