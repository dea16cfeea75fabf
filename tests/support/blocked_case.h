// One node run in nchw16c, beside the same node run plain.
//
//   check_blocked(op_case("Relu", 13, {x}));            // input 0 is computed
//   check_blocked(op_case("Add", 13, {x, bias}), 0b10);  // input 1 is a constant
#pragma once

#include <cstdint>

#include "ops/op_def.h"
#include "support/op_case.h"

namespace linnet::test {

/// What the operator says of its layout when the inputs of the mask `constants` are constants.
ops::LayoutRule layout_rule(const OpCase& c, std::uint32_t constants = 0);

/// The node works on nchw16c, and there, with and without halos, on every instruction set and with 1 to 5 threads: it
/// computes what it computes plain (bit for bit, or within `tolerance`), always the same bits, leaves zero in padded
/// channels and does not touch the halo of its output.
void check_blocked(const OpCase& c, std::uint32_t constants = 0, Tolerance tolerance = {});

}  // namespace linnet::test
