// Tables as wide as a vector: a lane's entry is one permutation away, chosen by the lowest bits of
// an index. So a function takes a short polynomial for each piece of its range where one for all
// would be long. Pieces of 8 floats need AVX2; 16 floats, 32 floats and 16 doubles AVX-512.
#pragma once

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

#ifdef __AVX2__
CR_INLINE Vec<float> pick(const float (&row)[kLanes<float>], BitsOf<Vec<float>> piece) {
  const Vec<int32_t> lanes = reinterpret_cast<Vec<int32_t>>(piece);
  const Vec<float> c = load(row);
#ifdef __AVX512F__
  return __builtin_ia32_permvarsf512_mask(c, lanes, c, -1);
#else
  return __builtin_ia32_permvarsf256(c, lanes);
#endif
}
#endif

#ifdef __AVX512F__
CR_INLINE Vec<float> pick(const float (&row)[2 * kLanes<float>], BitsOf<Vec<float>> piece) {
  const Vec<int32_t> lanes = reinterpret_cast<Vec<int32_t>>(piece);
  return __builtin_ia32_vpermt2varps512_mask(lanes, load(row), load(row + kLanes<float>), -1);
}

CR_INLINE Vec<double> pick(const double (&row)[kLanes<double>], BitsOf<Vec<double>> piece) {
  const Vec<double> c = load(row);
  return __builtin_ia32_permvardf512_mask(c, reinterpret_cast<Vec<long long>>(piece), c, -1);
}

CR_INLINE Vec<double> pick(const double (&row)[2 * kLanes<double>], BitsOf<Vec<double>> piece) {
  const Vec<long long> lanes = reinterpret_cast<Vec<long long>>(piece);
  return __builtin_ia32_vpermt2varpd512_mask(lanes, load(row), load(row + kLanes<double>), -1);
}
#endif

#ifdef __AVX2__
// A polynomial whose coefficients are those of a lane's own piece.
template <int N, int Pieces>
CR_INLINE Vec<float> piecewise(Vec<float> x, BitsOf<Vec<float>> piece,
                               const float (&c)[N][Pieces]) {
  Vec<float> sum = pick(c[N - 1], piece);
#pragma GCC unroll 16
  for (int i = N - 2; i >= 0; i--) sum = sum * x + pick(c[i], piece);
  return sum;
}
#endif

}  // namespace
}  // namespace CR_ISA
}  // namespace cr
