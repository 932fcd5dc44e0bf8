// Tables as wide as a vector: a lane's entry is one permutation away, chosen by the lowest bits of
// an index. So a function takes a short polynomial for each piece of its range where one for all
// would be long. Pieces of 8 floats need AVX2; 16 floats, 32 floats and 16 doubles AVX-512.
#pragma once

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

#ifdef __AVX2__  // maskz: gcc 12 warns of the plain ones' own header
CR_INLINE Vec<float> pick(const float (&row)[kLanes<float>], BitsOf<Vec<float>> piece) {
  const Vec<float> c = load(row);
#ifdef __AVX512F__
  return _mm512_maskz_permutexvar_ps(0xffff, reinterpret_cast<__m512i>(piece), c);
#else
  return _mm256_permutevar8x32_ps(c, reinterpret_cast<__m256i>(piece));
#endif
}
#endif

#ifdef __AVX512F__
CR_INLINE Vec<float> pick(const float (&row)[2 * kLanes<float>], BitsOf<Vec<float>> piece) {
  const __m512i lanes = reinterpret_cast<__m512i>(piece);
  return _mm512_permutex2var_ps(load(row), lanes, load(row + kLanes<float>));
}

CR_INLINE Vec<double> pick(const double (&row)[kLanes<double>], BitsOf<Vec<double>> piece) {
  return _mm512_maskz_permutexvar_pd(0xff, reinterpret_cast<__m512i>(piece), load(row));
}

CR_INLINE Vec<double> pick(const double (&row)[2 * kLanes<double>], BitsOf<Vec<double>> piece) {
  const __m512i lanes = reinterpret_cast<__m512i>(piece);
  return _mm512_permutex2var_pd(load(row), lanes, load(row + kLanes<double>));
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
