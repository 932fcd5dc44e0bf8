// Functions that saturate: tanh and the logistic function with its kin, written as vmath.h is. With
// tables (AVX2 upward) floats take two ways of their own: an exponential of few terms, and tanh and
// the like by polynomials for pieces of their range.
#pragma once

#include "simd/pick.h"
#include "simd/vmath.h"

namespace cr {
namespace CR_ISA {
namespace {

// --- An exponential within a range
// ----------------------------------------------------------------

// 2^Bias e^x where that is a normal number. Max error: 1.1 ulp.
template <int Bias, class V>
CR_INLINE V exp_biased(V x) {
  const ExpReduced<V> e = reduce_exp(x);
  return (expm1_poly(e.r) + Lane<V>(1)) * power_of_two<V>(e.n, Bias);
}

#ifdef __AVX2__
#ifdef __AVX512F__
constexpr int kExpPieceBits = 4;
constexpr auto& kExpPieces = Coef<float>::kExpPieces16;
constexpr auto& kExpNear = Coef<float>::kExpNear16;
#else
constexpr int kExpPieceBits = 3;
constexpr auto& kExpPieces = Coef<float>::kExpPieces8;
constexpr auto& kExpNear = Coef<float>::kExpNear8;
#endif

// e^(n ln2 / pieces + r) 2^Bias, n given with a magic number added. Its power is one addition of
// bits: n's lowest bits pick the mantissa, from which the table has taken what n, moved to the
// exponent, adds there.
constexpr float kExpPiecesCount = 1 << kExpPieceBits;
template <int Bias>
constexpr float kExpMagic = round_magic<Vec<float>>() + Bias * kExpPiecesCount;
// ln2 / pieces in two parts, the first so short that its product with n is exact.
constexpr float kExpStep[2] = {0x1.62ep-1f / kExpPiecesCount, 0x1.0bfbe8p-15f / kExpPiecesCount};

CR_INLINE Vec<float> exp_of_parts(Vec<float> n_with_magic, Vec<float> r) {
  using V = Vec<float>;
  const BitsOf<V> n = bits(n_with_magic);
  const V power =
      from_bits<V>(bits(pick(kExpPieces, n)) + (n << (Ieee<float>::kMantissaBits - kExpPieceBits)));
  return power + power * (r * polynomial(r, kExpNear));
}

template <int Bias>
CR_INLINE Vec<float> exp_biased(Vec<float> x) {
  using V = Vec<float>;
  const V shifted = x * (1.44269504f * kExpPiecesCount) + kExpMagic<Bias>;
  const V n = shifted - kExpMagic<Bias>;
  return exp_of_parts(shifted, (x - n * kExpStep[0]) - n * kExpStep[1]);
}
#endif

// factor 2^Bias e^(-x^2 / 2), without the error of rounding x^2, where the exponential is normal.
template <int Bias, class V>
CR_INLINE V times_normal_density(V factor, V x) {
  using T = Lane<V>;
  const V negative = x * T(-0.5);
#ifdef __AVX2__
  if constexpr (sizeof(T) == 4) {
    const V shifted = x * negative * (1.44269504f * kExpPiecesCount) + kExpMagic<Bias>;
    const V n = shifted - kExpMagic<Bias>;
    return factor * exp_of_parts(shifted, fma(negative, x, n * -kExpStep[0]) - n * kExpStep[1]);
  }
#endif
  const Pair<V> square = two_product(negative, x);
  ExpReduced<V> e = reduce_exp(square.hi);
  e.r += square.lo;
  return (factor + factor * expm1_poly(e.r)) * power_of_two<V>(e.n, Bias);
}

// --- Hyperbolic tangent
// ---------------------------------------------------------------------------

#ifdef __AVX2__
// Pieces of y in [1, 16): quarters or halves of octaves, as many as a vector has lanes. A piece's
// number is in the lowest bits of bits(y) >> kPieceShift.
constexpr int kPieceShift = Ieee<float>::kMantissaBits - (CR_VEC_BYTES == 64 ? 2 : 1);

CR_INLINE Vec<float> start_of_piece(Vec<float> y) {
  return from_bits<Vec<float>>(bits(y) & ~((1u << kPieceShift) - 1));
}

// An odd function that is 1 from `one` on, by pieces of y = 1 + scale |x|. The first polynomial has
// no constant term, so that small results keep their accuracy.
template <int N, int Pieces>
CR_INLINE Vec<float> odd_by_pieces(Vec<float> x, float scale, float one,
                                   const float (&c)[N][Pieces]) {
  using V = Vec<float>;
  const V a = min_or_b(opaque(V{} + one), abs(x));
  const V y = a * scale + 1.0f;
  const V t = a * scale - (start_of_piece(y) - 1.0f);  // without y's rounding
  return from_bits<V>(bits(piecewise(t, bits(y) >> kPieceShift, c)) | sign_bit(x));
}
#endif

// Hyperbolic tangent. Max error: 2.2 / 1.3 ulp.
template <class V>
CR_INLINE V tanh(V x) {
  using T = Lane<V>;
  // Below 5/8 a convergent of x / (1 + z / (3 + z / (5 + ...))), z = x^2, as x + x z P(z) / Q(z);
  // above it 1 - 2 / (e^2a + 1), which is 1 from 10 or 20 on. One division serves both.
  constexpr bool kSingle = sizeof(T) == 4;
  const V a = min_or_b(V{} + T(kSingle ? 10 : 20), abs(x));
  const ExpReduced<V> e = reduce_exp(a + a);
  const V exp_plus_1 = (expm1_poly(e.r) + T(1)) * power_of_two<V>(e.n) + T(1);
  const V z = a * a;
  V p, q;
  if constexpr (kSingle) {
    p = T(-315) - T(14) * z;
    q = (T(15) * z + T(420)) * z + T(945);
  } else {
    p = ((T(-44) * z - T(12870)) * z - T(810810)) * z - T(11486475);
    q = (((T(45) * z + T(13860)) * z + T(945945)) * z + T(16216200)) * z + T(34459425);
  }
  const auto small = a < T(0.625);
  const V quotient = (small ? z * p : V{} + T(2)) / (small ? q : exp_plus_1);
  return copysign(small ? a + a * quotient : T(1) - quotient, x);
}

#ifdef __AVX2__
CR_INLINE Vec<float> tanh(Vec<float> x) {
#ifdef __AVX512F__
  return odd_by_pieces(x, 1.6f, 9.3f, Coef<float>::kTanhPieces16);
#else
  return odd_by_pieces(x, 1.6f, 9.3f, Coef<float>::kTanhPieces8);
#endif
}
#endif

// --- Logistic functions
// ---------------------------------------------------------------------------

// Exponentials are held with a factor 2^bias that keeps them normal wherever a result is not zero.
template <class T>
struct LogisticRange;
template <>
struct LogisticRange<float> {
  static constexpr int kBias = 64;
  static constexpr float kScale = 0x1p64f, kMin = -120, kMax = 40;
};
template <>
struct LogisticRange<double> {
  static constexpr int kBias = 128;
  static constexpr double kScale = 0x1p128, kMin = -780, kMax = 600;
};

// e^-x for the logistic function of x, over the scale: beyond the range nothing changes.
template <class V>
CR_INLINE V logistic_exp(V x) {
  using R = LogisticRange<Lane<V>>;
  return exp_biased<-R::kBias>(-limit(x, R::kMin, R::kMax));
}

// 1 / (1 + e^-x). Max error: 3.0 / 2.8 ulp.
template <class V>
CR_INLINE V sigmoid(V x) {
  constexpr Lane<V> kDown = 1 / LogisticRange<Lane<V>>::kScale;
  return kDown / (logistic_exp(x) + kDown);
}

// The same and one minus it, both to full relative accuracy (the rest up to kMax).
template <class V>
struct Logistic {
  V value, rest;
};

template <class V>
CR_INLINE Logistic<V> logistic(V x) {
  using T = Lane<V>;
  constexpr T kDown = 1 / LogisticRange<T>::kScale;
  const V e = logistic_exp(x), inverse = T(1) / (e + kDown);
  return {inverse * kDown, inverse * e};
}

// base + log(1 + e^-a) for a >= 0.
template <class V>
CR_INLINE V add_log1p_exp(V base, V a) {
  using T = Lane<V>;
  using R = LogisticRange<T>;
  constexpr T kDown = 1 / R::kScale;
  const V e = exp_biased<R::kBias>(-min_or_b(opaque(V{} + -R::kMin), a));
  return base + (e * polynomial(e * kDown, Coef<T>::kLog1p)) * kDown;
}

// log(1 + e^x). Max error: 2.8 / 2.8 ulp.
template <class V>
CR_INLINE V softplus(V x) {
  return add_log1p_exp(max_or_b(V{}, x), abs(x));
}

}  // namespace
}  // namespace CR_ISA
}  // namespace cr
