// max(x, 0) with the bits of the row `relu`, for kernels that end with it: NaN stays, and so does
// -0.
#pragma once

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

// Where `least` is zero, or minus infinity for nothing at all.
template <class V>
CR_INLINE V at_least(V least, V x) {
  return least > x ? least : x;
}
template <class V>
CR_INLINE V rectified(V x) {
  return at_least(V{}, x);
}

}  // namespace
}  // namespace CR_ISA
}  // namespace cr
