// The whole of the program, apart from main().
#pragma once

namespace linnet::cli {

/// Parses the arguments and runs the verb that they name. Returns the exit code; throws nothing.
int run_program(int argc, char** argv);

}  // namespace linnet::cli
