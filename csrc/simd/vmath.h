// Elementary functions of float and double vectors, each written once for every width and both
// precisions: V is Vec<float> or Vec<double>, its coefficients come from vmath_tables.h.
//
// Special values follow C99 Annex F: NaN, infinities, signed zeros, subnormals, overflow, domain.
// The note before each function is its largest error seen, "float / double ulp", over every 127th
// float and seven million doubles spread over all ranges, on the worst of the instruction sets
// (those without fused multiply-add). A lane's result depends on that lane alone.
//
// Range reductions: Cody & Waite 1980; log and expm1: FDLIBM (Sun 1993); erfc: the form of Juffa.
#pragma once

#include "simd/pair.h"
#include "simd/pick.h"
#include "simd/vec.h"
#include "simd/vmath_tables.h"

namespace cr {
namespace CR_ISA {
namespace {

// Constants in the two precisions. A number split in parts has leading parts short enough for their
// product with the reduction's integer to be exact; those of pi/2 are positive, so that -0 stays.
template <class T>
struct Const;

template <>
struct Const<float> {
  static constexpr float kInf = __builtin_inff(), kNan = __builtin_nanf("");
  static constexpr float kMinNormal = 0x1p-126f, kEpsilon = 0x1p-23f;
  static constexpr float kExpMax = 90.0f, kExpMin = -104.0f;  // beyond: overflow, underflow
  static constexpr float kExp2Max = 129.0f, kExp2Min = -150.0f;
  static constexpr float kExpm1Max = 89.0f, kExpm1Min = -18.0f;
  static constexpr float kErfcMax = 10.2f;  // erfc is 0 beyond
  static constexpr float kLn2[2] = {0x1.62e4p-1f, 0x1.7f7d1cp-20f};
  static constexpr float kLog10Of2[2] = {0x1.344p-2f, 0x1.3509f8p-18f};
  static constexpr float kPi[2] = {0x1.921fb6p+1f, -0x1.777a5cp-24f};
  static constexpr float kTwoThirds[2] = {0x1.555556p-1f, -0x1.555556p-26f};
  static constexpr float kTrigLimit = 12800.0f;
#ifdef CR_HAVE_FMA
  static constexpr float kHalfPi[] = {0x1.921fb4p+0f, 0x1.4442dp-24f, 0x1.846988p-48f};
#else
  static constexpr float kHalfPi[] = {0x1.92p+0f, 0x1.fbp-12f, 0x1.51p-22f, 0x1.0bp-34f,
                                      0x1.184698p-44f};
#endif
};

template <>
struct Const<double> {
  static constexpr double kInf = __builtin_inf(), kNan = __builtin_nan("");
  static constexpr double kMinNormal = 0x1p-1022, kEpsilon = 0x1p-52;
  static constexpr double kExpMax = 711.0, kExpMin = -746.0;
  static constexpr double kExp2Max = 1025.0, kExp2Min = -1076.0;
  static constexpr double kExpm1Max = 710.0, kExpm1Min = -38.0;
  static constexpr double kErfcMax = 27.3;
  static constexpr double kLn2[2] = {0x1.62e42fefa3p-1, 0x1.3de6af278ece6p-42};
  static constexpr double kLog10Of2[2] = {0x1.34413509f6p-2, 0x1.9fef311f12b36p-42};
  static constexpr double kPi[2] = {0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53};
  static constexpr double kTwoThirds[2] = {0x1.5555555555555p-1, 0x1.5555555555555p-55};
  static constexpr double kTrigLimit = 1.6e6;
#ifdef CR_HAVE_FMA
  static constexpr double kHalfPi[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c06p-54,
                                       0x1.c1cd129024e08p-107};
#else
  static constexpr double kHalfPi[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2ep-69,
                                       0x1.b839a252049c1p-104};
#endif
};

template <class V, class T, int N>
CR_INLINE V polynomial(V x, const T (&c)[N]) {
  V sum = V{} + c[N - 1];
#pragma GCC unroll 32
  for (int i = N - 2; i >= 0; i--) sum = sum * x + c[i];
  return sum;
}

// x + x z P(z) with z = x^2 given.
template <class V, int N>
CR_INLINE V odd_polynomial(V x, V z, const Lane<V> (&c)[N]) {
  return x + x * (z * polynomial(z, c));
}

// --- Exponentials
// ---------------------------------------------------------------------------------

// Nearest integer of a small number, as a float and as its bits plus an unknown constant: adding
// 1.5 * 2^mantissa_bits pushes the fraction out and leaves the integer in the lowest bits.
template <class V>
struct Rounded {
  V value;
  BitsOf<V> shifted;  // bits of magic + value
};

template <class V>
CR_INLINE constexpr Lane<V> round_magic() {
  return Lane<V>(uint64_t(3) << (Ieee<Lane<V>>::kMantissaBits - 1));
}

template <class V>
CR_INLINE Rounded<V> round_small(V x) {
  const V shifted = x + round_magic<V>();
  return {shifted - round_magic<V>(), bits(shifted)};
}

// 2^e for biased exponents e in 1..2*bias.
template <class V>
CR_INLINE V power_of_two(BitsOf<V> biased) {
  return from_bits<V>(biased << Ieee<Lane<V>>::kMantissaBits);
}

// 2^(n + shift) within the range of normal numbers.
template <class V>
CR_INLINE V power_of_two(Rounded<V> n, int shift = 0) {
  const BitsOf<V> magic = bits(V{} + round_magic<V>());
  return power_of_two<V>(n.shifted - magic + BitsLane<V>(Ieee<Lane<V>>::kBias + shift));
}

#ifdef __AVX512F__
constexpr int kCurrentRounding = 4;  // _MM_FROUND_CUR_DIRECTION
#endif

// x * 2^(n + shift), right also when the result is subnormal or overflows: two factors, each in
// range.
template <class V>
CR_INLINE V scale(V x, Rounded<V> n, int shift = 0) {
  using T = Lane<V>;
#ifdef __AVX512F__
  const V exponent = n.value + T(shift);
  if constexpr (sizeof(T) == 4) {
    return __builtin_ia32_scalefps512_mask(x, exponent, x, -1, kCurrentRounding);
  } else {
    return __builtin_ia32_scalefpd512_mask(x, exponent, x, -1, kCurrentRounding);
  }
#else
  const BitsOf<V> magic = bits(V{} + round_magic<V>());
  const BitsOf<V> twice_biased = n.shifted - magic + BitsLane<V>(2 * Ieee<T>::kBias + shift);
  const BitsOf<V> first = twice_biased >> 1;
  return x * power_of_two<V>(first) * power_of_two<V>(twice_biased - first);
#endif
}

// The same for n <= 0, where one factor will do if its range is shifted.
template <class V>
CR_INLINE V scale_down(V x, Rounded<V> n) {
#ifdef __AVX512F__
  return scale(x, n);
#else
  return x * power_of_two<V>(n, 64) * Lane<V>(0x1p-64);
#endif
}

// x = n ln2 + r with |r| <= ln2/2, for x within the range of exp.
template <class V>
struct ExpReduced {
  V r;
  Rounded<V> n;
};

template <class V>
CR_INLINE ExpReduced<V> reduce_exp(V x) {
  using T = Lane<V>;
  const Rounded<V> n = round_small(x * T(1.4426950408889634));
  return {(x - n.value * Const<T>::kLn2[0]) - n.value * Const<T>::kLn2[1], n};
}

// e^r - 1 for |r| <= ln2/2.
template <class V>
CR_INLINE V expm1_poly(V r) {
  return r + r * (r * polynomial(r, Coef<Lane<V>>::kExp));
}

// x limited to [low, high]; NaN stays.
template <class V>
CR_INLINE V limit(V x, Lane<V> low, Lane<V> high) {
  // Without opaque gcc compares and blends where one instruction would do.
  return max_or_b(opaque(V{} + low), min_or_b(opaque(V{} + high), x));
}

// 2^shift e^(x + tail), the tail small against x.
template <class V>
CR_INLINE V exp_sum(V x, V tail, int shift = 0) {
  using C = Const<Lane<V>>;
  ExpReduced<V> e = reduce_exp(limit(x, C::kExpMin, C::kExpMax));
  e.r += tail;
  return scale(expm1_poly(e.r) + Lane<V>(1), e.n, shift);
}

// e^x. Max error: 1.1 / 1.1 ulp.
template <class V>
CR_INLINE V exp(V x) {
  using C = Const<Lane<V>>;
  const ExpReduced<V> e = reduce_exp(limit(x, C::kExpMin, C::kExpMax));
  return scale(expm1_poly(e.r) + Lane<V>(1), e.n);
}

#ifdef __AVX512F__
// 2^n e^r for n a multiple of 1/16, |r| <= ln2/32: the fraction of n is a row of a table, its floor
// (scalef takes it) the exponent. `magic` rounds to such n, and leaves the fraction in the lowest
// bits.
constexpr double kSixteenthMagic = round_magic<Vec<double>>() / 16;

CR_INLINE Vec<double> exp_sixteenth(Vec<double> n, BitsOf<Vec<double>> fraction, Vec<double> r) {
  const Vec<double> rest = r + r * (r * polynomial(r, Coef<double>::kExpSixteenth));
  const Vec<double> power = pick(Coef<double>::kExp2Sixteenth, fraction);
  return __builtin_ia32_scalefpd512_mask(power + power * rest, n, n, -1, kCurrentRounding);
}

CR_INLINE Vec<double> exp(Vec<double> x) {
  using C = Const<double>;
  x = limit(x, C::kExpMin, C::kExpMax);
  const Vec<double> shifted = x * 1.4426950408889634 + kSixteenthMagic;
  const Vec<double> n = shifted - kSixteenthMagic;
  return exp_sixteenth(n, bits(shifted), (x - n * C::kLn2[0]) - n * C::kLn2[1]);
}

CR_INLINE Vec<double> exp2(Vec<double> x) {
  using C = Const<double>;
  x = limit(x, C::kExp2Min, C::kExp2Max);
  const Vec<double> shifted = x + kSixteenthMagic, n = shifted - kSixteenthMagic;
  return exp_sixteenth(n, bits(shifted), (x - n) * 0.6931471805599453);
}
#endif

// e^(x + tail) for x <= 0, shorter than exp; the tail is small against x.
template <class V>
CR_INLINE V exp_nonpositive(V x, V tail) {
  ExpReduced<V> e = reduce_exp(max_or_b(opaque(V{} + Const<Lane<V>>::kExpMin), x));
  e.r += tail;
  return scale_down(expm1_poly(e.r) + Lane<V>(1), e.n);
}

template <class V>
CR_INLINE V exp_nonpositive(V x) {
  const ExpReduced<V> e = reduce_exp(max_or_b(opaque(V{} + Const<Lane<V>>::kExpMin), x));
  return scale_down(expm1_poly(e.r) + Lane<V>(1), e.n);
}

// 2^x. Max error: 1.1 / 1.2 ulp; exact for integers.
template <class V>
CR_INLINE V exp2(V x) {
  using T = Lane<V>;
  x = limit(x, Const<T>::kExp2Min, Const<T>::kExp2Max);
  const Rounded<V> n = round_small(x);
  const V r = (x - n.value) * T(0.6931471805599453);
  return scale(expm1_poly(r) + T(1), n);
}

// e^x - 1. Max error: 1.4 / 1.4 ulp.
template <class V>
CR_INLINE V expm1(V x) {
  using T = Lane<V>;
  using C = Const<T>;
  const V a = limit(x, C::kExpm1Min, C::kExpm1Max);
  const Rounded<V> n = round_small(a * T(1.4426950408889634));
  // Where one is subtracted from about one, r's rounding error counts: it goes with the small
  // terms.
  const V high = a - n.value * C::kLn2[0];
  const V r = high - n.value * C::kLn2[1];
  const V r_low = (high - r) - n.value * C::kLn2[1];
  const V rest = r * (r * polynomial(r, Coef<T>::kExp)) + r_low;
  const V half = power_of_two<V>(n, -1);  // 2^(n-1) stays in range where 2^n may not
  const V y = (half * rest + (half * r + (half - T(0.5)))) * T(2);
  return abs(x) < C::kEpsilon / 4 ? x : y;  // keeps subnormals and the sign of zero
}

// --- Logarithms
// -----------------------------------------------------------------------------------

// x = 2^k m with m in [sqrt(1/2), sqrt(2)), for finite x > 0; x is normal or Subnormals is true.
template <class V>
struct LogReduced {
  V k, m;
};

template <bool Subnormals = true, class V>
CR_INLINE LogReduced<V> reduce_log(V x) {
  using T = Lane<V>;
  constexpr int kMantissa = Ieee<T>::kMantissaBits, kBias = Ieee<T>::kBias;
  V bias = V{} + T(kBias);
  if constexpr (Subnormals) {
    // Subnormals are scaled into the normal range first.
    const auto tiny = x < Const<T>::kMinNormal;
    const V up = V{} + T(uint64_t(1) << (kMantissa + 1));
    bias = tiny ? bias + T(kMantissa + 1) : bias;
    x = tiny ? x * up : x;
  }
  const BitsOf<V> sqrt_half = bits(V{} + T(0.7071067811865476));
  const BitsOf<V> one = bits(V{} + T(1));
  // Adding one - sqrt_half carries into the exponent exactly when the mantissa passes sqrt(2).
  const BitsOf<V> b = bits(x) + (one - sqrt_half);
  const V m = from_bits<V>((b & BitsLane<V>((uint64_t(1) << kMantissa) - 1)) + sqrt_half);
  // An integer below 2^mantissa_bits becomes a float by way of the mantissa of 2^mantissa_bits.
  const V magic = V{} + T(uint64_t(1) << kMantissa);
  const V k = from_bits<V>((b >> kMantissa) | bits(magic)) - (magic + bias);
  return {k, m};
}

// log(1 + f) = f - log_rest(f) for 1 + f in [sqrt(1/2), sqrt(2)); `tail` is added to the logarithm.
template <class V>
CR_INLINE V log_rest(V f, V tail) {
  using T = Lane<V>;
  const V s = f / (f + T(2));
  const V z = s * s;
  const V half_square = T(0.5) * f * f;
  return half_square - (s * (half_square + z * polynomial(z, Coef<T>::kLog)) + tail);
}

#ifdef __AVX512F__
// |x| = 2^exponent mantissa: in [3/4, 3/2), NaN for x < 0. The exponent is that of [1, 2).
template <class V>
CR_INLINE V mantissa(V x) {
  constexpr int kFrom3Quarters = 3, kNanIfNegative = 2 << 2;
  if constexpr (sizeof(Lane<V>) == 4) {
    return __builtin_ia32_getmantps512_mask(x, kFrom3Quarters | kNanIfNegative, x, -1,
                                            kCurrentRounding);
  } else {
    return __builtin_ia32_getmantpd512_mask(x, kFrom3Quarters | kNanIfNegative, x, -1,
                                            kCurrentRounding);
  }
}

template <class V>
CR_INLINE V exponent(V x) {
  if constexpr (sizeof(Lane<V>) == 4) {
    return __builtin_ia32_getexpps512_mask(x, x, -1, kCurrentRounding);
  } else {
    return __builtin_ia32_getexppd512_mask(x, x, -1, kCurrentRounding);
  }
}
#endif

// The logarithm's value at zero, below it, at infinity and NaN.
template <class V>
CR_INLINE V log_special(V x, V y) {
  using C = Const<Lane<V>>;
  y = x > Lane<V>(0) ? y : (x == Lane<V>(0) ? V{} - C::kInf : V{} + C::kNan);
  return x == C::kInf ? x : y;
}

// log(x) = k ln2 + high + low, high the larger part or exact.
template <class V>
struct LogParts {
  V k, high, low;
};

// By one division, for finite x > 0.
template <class V>
CR_INLINE LogParts<V> log_parts(V x) {
  const LogReduced<V> p = reduce_log(x);
  const V f = p.m - Lane<V>(1);
  return {p.k, f, -log_rest(f, V{})};
}

// By pieces of m: log(m) = log(1 + r) - log(c) with r = c m - 1, exact by one rounding, c and
// log(c) from tables.
#ifdef __AVX512F__
template <class V>
constexpr bool kLogByPieces = true;

// Any x: m is NaN for x < 0, and k an infinity for 0 and infinity.
template <class V>
CR_INLINE LogParts<V> log_parts_by_pieces(V x) {
  using T = Lane<V>;
  const V m = mantissa(x), k = exponent(x) - exponent(m);
  const BitsOf<V> piece = bits(m) >> (Ieee<T>::kMantissaBits - 4);
  const V r = fma(m, pick(Coef<T>::kLogInverse16, piece), V{} - T(1));
  return {k, pick(Coef<T>::kLogOfInverse16, piece),
          r + (r * r) * polynomial(r, Coef<T>::kLogPiece)};
}
#else
template <class V>
constexpr bool kLogByPieces = false;
#endif
#if defined(__AVX2__) && !defined(__AVX512F__)
template <>
constexpr bool kLogByPieces<Vec<float>> = true;

// Normal x > 0.
CR_INLINE LogParts<Vec<float>> log_parts_by_pieces(Vec<float> x) {
  using V = Vec<float>;
  const Vec<int32_t> above = reinterpret_cast<Vec<int32_t>>(bits(x) - bits(V{} + 0.71875f));
  const Vec<int32_t> k = above >> 23;
  const V m = from_bits<V>(bits(x) - (reinterpret_cast<BitsOf<V>>(k) << 23));
  const BitsOf<V> piece = reinterpret_cast<BitsOf<V>>(above) >> 20;
  const V r = fma(m, pick(Coef<float>::kLogInverse8, piece), V{} - 1.0f);
  return {__builtin_convertvector(k, V), pick(Coef<float>::kLogOfInverse8, piece),
          r + (r * r) * polynomial(r, Coef<float>::kLogPiece)};
}
#endif

// What the parts make. Max error of the natural logarithm 1.5 / 1.5 ulp, of the binary one 2.2
// / 1.8 (exact for powers of two), of the decimal one 2.3 / 2.2.
struct NaturalLog {
  template <class V>
  V operator()(LogParts<V> p) const {
    using C = Const<Lane<V>>;
    return (p.k * C::kLn2[0] + p.high) + (p.k * C::kLn2[1] + p.low);
  }
};

struct BinaryLog {
  template <class V>
  V operator()(LogParts<V> p) const {
    return p.k + (p.high + p.low) * Lane<V>(1.4426950408889634);
  }
};

struct DecimalLog {
  template <class V>
  V operator()(LogParts<V> p) const {
    using C = Const<Lane<V>>;
    const V rest = (p.high + p.low) * Lane<V>(0.4342944819032518) + p.k * C::kLog10Of2[1];
    return p.k * C::kLog10Of2[0] + rest;
  }
};

// The short form, and where it is wrong.
template <class Sum, class V>
CR_INLINE V log_usual(V x) {
  if constexpr (kLogByPieces<V>) {
    return Sum()(log_parts_by_pieces(x));
  } else {
    return log_special(x, Sum()(log_parts(x)));
  }
}

template <class V>
CR_INLINE auto log_rare(V x) {
  if constexpr (kLogByPieces<V> && CR_VEC_BYTES == 32) {
    // Normal positive numbers are moved below all others.
    const BitsOf<V> moved = bits(x) - (0x00800000u + 0x80000000u);
    return reinterpret_cast<MaskOf<V>>(moved) >= int32_t(0xff000000u);
  } else {
    (void)x;
    return false;
  }
}

template <class Sum, class V>
__attribute__((noinline, cold)) V log_of_rare(V x, V usual) {
  using C = Const<Lane<V>>;
  return (x >= C::kMinNormal) & (x < C::kInf) ? usual : log_special(x, Sum()(log_parts(x)));
}

template <class Sum, class V>
CR_INLINE V logarithm(V x) {
  const V y = log_usual<Sum>(x);
  return __builtin_expect(any(log_rare(x)), 0) ? log_of_rare<Sum>(x, y) : y;
}

template <class V>
CR_INLINE V log(V x) {
  return logarithm<NaturalLog>(x);
}

// log(1 + x) for finite x > -1.
template <class V>
CR_INLINE V log1p_finite(V x) {
  using T = Lane<V>;
  const V u = x + T(1);
  const LogReduced<V> p = reduce_log<false>(u);
  // What rounding 1 + x lost, relative to u; where u is close to one, x itself is exact.
  const V lost = x > T(1) ? T(1) - (u - x) : x - (u - T(1));
  const auto near_one = p.k == T(0);
  const V f = near_one ? x : p.m - T(1);
  const V c = near_one ? V{} : lost / u;
  const V y = p.k * Const<T>::kLn2[0] - (log_rest(f, p.k * Const<T>::kLn2[1] + c) - f);
  return from_bits<V>(bits(y) | sign_bit(x));
}

// log(1 + x). Max error: 0.9 / 0.9 ulp.
template <class V>
CR_INLINE V log1p(V x) {
  return log_special(x + Lane<V>(1), log1p_finite(x));
}

// --- Hyperbolic
// -----------------------------------------------------------------------------------

// Hyperbolic sine. Max error: 1.6 / 1.6 ulp.
template <class V>
CR_INLINE V sinh(V x) {
  using T = Lane<V>;
  const V a = abs(x);
  const V small = odd_polynomial(a, a * a, Coef<T>::kSinh);
  const V half_exp = exp_sum(a, V{}, -1);
  return copysign(a < T(1) ? small : half_exp - T(0.25) / half_exp, x);
}

// Hyperbolic cosine. Max error: 1.4 / 1.5 ulp.
template <class V>
CR_INLINE V cosh(V x) {
  const V half_exp = exp_sum(abs(x), V{}, -1);
  return half_exp + Lane<V>(0.25) / half_exp;
}

// Inverse hyperbolic sine. Max error: 1.7 / 1.8 ulp.
template <class V>
CR_INLINE V asinh(V x) {
  using T = Lane<V>;
  const V a = abs(x);
  const auto large = a > T(sizeof(T) == 4 ? 0x1p13 : 0x1p28);  // there asinh(a) = log(2a)
  const V square = a * a;
  const V arg = large ? a - T(1) : a + square / (T(1) + sqrt(square + T(1)));
  const V y = log1p(arg) + (large ? V{} + T(0.6931471805599453) : V{});
  return copysign(y, x);
}

// Inverse hyperbolic cosine. Max error: 2.0 / 2.6 ulp.
template <class V>
CR_INLINE V acosh(V x) {
  using T = Lane<V>;
  const auto large = x > T(sizeof(T) == 4 ? 0x1p13 : 0x1p28);
  const V t = x - T(1);
  const V arg = large ? t : t + sqrt(t * (t + T(2)));
  const V y = log1p(arg) + (large ? V{} + T(0.6931471805599453) : V{});
  return x < T(1) ? V{} + Const<T>::kNan : y;
}

// Inverse hyperbolic tangent. Max error: 2.0 / 1.9 ulp.
template <class V>
CR_INLINE V atanh(V x) {
  using T = Lane<V>;
  const V a = abs(x);
  return copysign(T(0.5) * log1p((a + a) / (T(1) - a)), x);
}

// --- Powers and roots
// -----------------------------------------------------------------------------

// 1 / sqrt(x). Max error: 1.5 / 1.5 ulp.
template <class V>
CR_INLINE V rsqrt(V x) {
  return Lane<V>(1) / sqrt(x);
}

// sqrt(x^2 + y^2) without overflow on the way. Max error: 1.2 / 1.2 ulp.
template <class V>
CR_INLINE V hypot(V x, V y) {
  using T = Lane<V>;
  const V a = abs(x), b = abs(y), large = a > b ? a : b;
  constexpr bool kSingle = sizeof(T) == 4;
  const auto huge = large > T(kSingle ? 0x1p62 : 0x1p500);
  const auto tiny = large < T(kSingle ? 0x1p-40 : 0x1p-400);
  const V down = V{} + T(kSingle ? 0x1p-66 : 0x1p-600), up = V{} + T(kSingle ? 0x1p90 : 0x1p700);
  const V one = V{} + T(1);
  const V factor = huge ? down : tiny ? up : one;
  const V undo = huge ? one / down : tiny ? one / up : one;
  const V as = a * factor, bs = b * factor;
  const V h = sqrt(as * as + bs * bs) * undo;
  return ((a == Const<T>::kInf) | (b == Const<T>::kInf)) ? V{} + Const<T>::kInf : h;
}

// log(x) as a pair with some ten bits beyond V's own, for finite x > 0.
template <class V>
CR_INLINE Pair<V> log_pair(V x) {
  using T = Lane<V>;
  const LogReduced<V> p = reduce_log(x);
  const Pair<V> num = {p.m - T(1), V{}};
  const Pair<V> s = num / two_sum(p.m, V{} + T(1));
  const Pair<V> z = s * s, cube = z * s;
  const Pair<V> two_thirds = {V{} + Const<T>::kTwoThirds[0], V{} + Const<T>::kTwoThirds[1]};
  const V rest = cube.hi * z.hi * polynomial(z.hi, Coef<T>::kLogTail);
  Pair<V> sum = cube * two_thirds;
  sum.lo += rest;
  sum = Pair<V>{s.hi + s.hi, s.lo + s.lo} + sum;
  const V k_hi = opaque(p.k * Const<T>::kLn2[0]);
  return Pair<V>{k_hi, p.k * Const<T>::kLn2[1]} + sum;
}

// x^y. Max error: 1.2 / 1.2 ulp.
template <class V>
CR_INLINE V pow(V x, V y) {
  using T = Lane<V>;
  using C = Const<T>;
  const V a = abs(x), zero = V{}, one = V{} + T(1), inf = V{} + C::kInf, nan = V{} + C::kNan;
  const Pair<V> log_a = log_pair(a);
  // y log|x|; far beyond the range of exp the pair's low part is meaningless.
  const V y_finite = limit(y, T(-0x1p100), T(0x1p100));
  const Pair<V> e = two_product(y_finite, log_a.hi);
  const V tail = e.lo + y_finite * log_a.lo;
  V r = exp_sum(e.hi, abs(e.hi) < T(1024) ? tail : zero);

  // log_a holds nothing useful for 0 and infinity, where the sign of y decides.
  const auto vanishes = (a == zero) ^ (y < zero);
  r = ((a == zero) | (a == inf)) ? (vanishes ? zero : inf) : r;
  // Infinite exponents: |x| against one.
  r = abs(y) == inf ? (a == one ? one : ((a > one) ^ (y < zero)) ? inf : zero) : r;
  // Negative bases: defined for integer exponents, odd ones keep the sign.
  const V half = y * T(0.5);
  const auto integer = trunc(y) == y;
  const auto odd_integer = integer & (trunc(half) != half);
  r = odd_integer ? from_bits<V>(bits(r) | sign_bit(x)) : r;
  r = ((x < zero) & ~integer & (a != inf)) ? nan : r;
  r = ((x != x) | (y != y)) ? nan : r;
  return ((y == zero) | (x == one)) ? one : r;
}

// log(p / (1 - p)). Max error: 3.2 / 2.9 ulp.
template <class V>
CR_INLINE V logit(V p) {
  using T = Lane<V>;
  // Around 1/2 the quotient is close to one and its logarithm would cancel.
  const V q = T(1) - p;
  const auto middle = (p > T(0.25)) & (p < T(0.75));
  return middle ? log1p((p + p - T(1)) / q) : log(p / q);
}

}  // namespace
}  // namespace CR_ISA
}  // namespace cr
