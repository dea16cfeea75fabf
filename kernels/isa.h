// The instruction sets by name. Free of the standard library: ISA translation units include it.
#pragma once

namespace linnet::kernels {

/// Instruction sets Linnet has kernels for, each a superset of the ones before it on its architecture.
enum class Isa : unsigned char { scalar, neon, avx2, avx512 };
inline constexpr Isa kIsas[] = {Isa::scalar, Isa::neon, Isa::avx2, Isa::avx512};

/// The register tile of the convolution and GEMM kernels.
struct TileShape {
  int pixels;
  int channels;  // a multiple of 16
};

}  // namespace linnet::kernels
