#include "kernels/table.h"

namespace linnet::kernels {

namespace scalar {
extern const Table kTable;
}
namespace avx2 {
extern const Table kTable;
}
namespace avx512 {
extern const Table kTable;
}
namespace neon {
extern const Table kTable;
}

const Table* table(Isa isa) {
  switch (isa) {
    case Isa::scalar: return &scalar::kTable;
#if defined(LINNET_HAVE_NEON)
    case Isa::neon: return &neon::kTable;
#endif
#if defined(LINNET_HAVE_AVX2)
    case Isa::avx2: return &avx2::kTable;
#endif
#if defined(LINNET_HAVE_AVX512)
    case Isa::avx512: return &avx512::kTable;
#endif
    default: return nullptr;
  }
}

}  // namespace linnet::kernels
