// The error function and its kin, written as vmath.h is. Two scaled functions carry them: e^(x^2)
// erfc(x), and, with 512 bits, the tail of the normal distribution. Where vectors have permutations
// (AVX2 upward) a float's function is a polynomial per piece of its range, its coefficients taken
// from tables as wide as a vector: no division, and half the operations of one polynomial for all.
#pragma once

#include "simd/vsaturate.h"

namespace cr {
namespace CR_ISA {
namespace {

// A number of few bits that over sqrt(2), as gelu needs it, is very close to a float.
constexpr double kErfcScale = 1.450439453125;

#ifdef __AVX2__
#ifdef __AVX512F__
constexpr auto& kErfcxPieces = Coef<float>::kErfcxPieces16;
#else
constexpr auto& kErfcxPieces = Coef<float>::kErfcxPieces8;
#endif

// e^(u^2) erfc(u) for u = factor x >= 0, by pieces of y = 1 + kErfcScale u: halves or quarters of
// octaves.
CR_INLINE Vec<float> erfc_scaled(Vec<float> x, double factor = 1) {
  using V = Vec<float>;
  const float scale = static_cast<float>(kErfcScale * factor);
  const V y = x * scale + 1.0f;
  // The middle of y's piece; y's distance from it is formed anew, without y's rounding.
  const V middle = from_bits<V>(bits(start_of_piece(y)) | 1u << (kPieceShift - 1));
  const V t = x * scale - (middle - 1.0f);
  return piecewise(t, bits(y) >> kPieceShift, kErfcxPieces);
}
#endif

#ifdef __AVX512F__
// P(X > a) of a normal X, for 0 <= a < kNormalTailMax; rubbish beyond.
constexpr float kNormalTailMax = 5.9f;
CR_INLINE Vec<float> normal_tail(Vec<float> a) {
  const Rounded<Vec<float>> piece = round_small(a * (16.0f / 3));
  return piecewise(a - piece.value * (3.0f / 16), piece.shifted, Coef<float>::kNormalTail);
}
#endif

// e^(u^2) erfc(u) for u = factor x >= 0. The polynomial is steep in t, whose rounding error is
// carried along.
template <class V>
CR_INLINE V erfc_scaled(V x, double factor = 1) {
  using T = Lane<V>;
  const T k = T(2 * kErfcScale / factor);
  const Pair<V> den = two_sum(x, V{} + k);
  const V t = k / den.hi;
  const V t_low = (residual(V{} + k, t, den.hi) - t * den.lo) * (t * (1 / k));
  const V q = (T(2) * t - T(1)) + T(2) * t_low;
  const V p = polynomial(q, Coef<T>::kErfcx);
  return t * p + t_low * p;
}

// e^(-x^2) without the error of rounding x^2, for x^2 of at most 130 or 750.
template <class V>
CR_INLINE V exp_minus_square(V x) {
#ifdef CR_HAVE_FMA
  using T = Lane<V>;
  const Rounded<V> n = round_small(x * -x * T(1.4426950408889634));
  // The product n ln2's high part is exact and cancels most of the square.
  const V r = fma(-x, x, n.value * -Const<T>::kLn2[0]) - n.value * Const<T>::kLn2[1];
  return scale_down(expm1_poly(r) + T(1), n);
#else
  const Pair<V> square = two_product(x, x);
  return exp_nonpositive(-square.hi, -square.lo);
#endif
}

// erfc(x) for x >= 0.
template <class V>
CR_INLINE V erfc_positive(V x) {
  x = min_or_b(V{} + Const<Lane<V>>::kErfcMax, x);
  return exp_minus_square(x) * erfc_scaled(x);
}

// Complementary error function. Max error: 3.8 / 4.0 ulp.
template <class V>
CR_INLINE V erfc(V x) {
  using T = Lane<V>;
  const V a = abs(x), tail = erfc_positive(a);
  return x < T(0) ? T(2) - tail : tail;
}

// Error function. Max error: 2.3 / 1.5 ulp.
#ifdef __AVX2__
CR_INLINE Vec<float> erf(Vec<float> x) {
#ifdef __AVX512F__
  return odd_by_pieces(x, 3.610813f, 4.05f, Coef<float>::kErfPieces16);
#else
  return odd_by_pieces(x, 3.610813f, 4.05f, Coef<float>::kErfPieces8);
#endif
}
#endif

template <class V>
CR_INLINE V erf(V x) {
  using T = Lane<V>;
  const V a = abs(x);
  const V small = a + a * polynomial(a * a, Coef<T>::kErf);
  return copysign(a < T(1) ? small : T(1) - erfc_positive(a), x);
}

// Inverse error function. Max error: 2.9 / 3.5 ulp.
template <class V>
CR_INLINE V erfinv(V y) {
  using T = Lane<V>;
  const V a = abs(y);
  // A first guess from w = -log(1 - y^2), then one step of Halley's method (error cubed).
  const V w = -log((T(1) - a) * (T(1) + a));
  const V s = sqrt(w) - T(4);
  const V x =
      a * (w < T(5) ? polynomial(w, Coef<T>::kErfinvCentre) : polynomial(s, Coef<T>::kErfinvTail));
  const V e = exp_minus_square(x);
  const V small = x + x * polynomial(x * x, Coef<T>::kErf);
  // erf(x) - a; for large x from 1 - a, which is exact.
  const V f = x < T(1) ? small - a : (T(1) - a) - e * erfc_scaled(x);
  const V u = f / (e * T(1.1283791670955126));
  const V r = x - u / (T(1) + x * u);
  return copysign(a == T(1) ? V{} + Const<T>::kInf : r, y);
}

}  // namespace
}  // namespace CR_ISA
}  // namespace cr
