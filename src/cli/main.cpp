// linnet: classify, verify, inspect, bench, tune, ops, cpu, limits.
#include "cli/program.h"

int main(int argc, char** argv) { return linnet::cli::run_program(argc, argv); }
