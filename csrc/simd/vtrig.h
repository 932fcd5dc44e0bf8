// Trigonometric functions and their inverses, written as vmath.h is.
#pragma once

#include "simd/vmath.h"

namespace cr {
namespace CR_ISA {
namespace {

// Replaces the marked lanes of y by a scalar function of x: rare arguments only.
template <class V, class F>
__attribute__((noinline, cold)) V scalar_lanes(V x, V y, MaskOf<V> lanes, F f) {
  for (int i = 0; i < kLanes<Lane<V>>; i++) {
    if (lanes[i]) y[i] = f(x[i]);
  }
  return y;
}

// x = quadrant * pi/2 + r with |r| <= pi/4; the quadrant's low bits are in `q`.
template <class V>
struct Angle {
  V r;
  BitsOf<V> q;
};

template <class V>
CR_INLINE Angle<V> reduce_angle(V x) {
  const Rounded<V> n = round_small(x * Lane<V>(0.6366197723675814));
  V r = x;
#pragma GCC unroll 8
  for (const Lane<V> part : Const<Lane<V>>::kHalfPi) {
#ifdef CR_HAVE_FMA
    r = fma(V{} - part, n.value, r);
#else
    r -= n.value * part;
#endif
  }
  return {r, n.shifted};
}

// Lanes beyond that reduction, infinite or NaN.
template <class V>
CR_INLINE auto angle_rare(V x) {
  return lanes_beyond(x, Const<Lane<V>>::kTrigLimit);
}

// Those are left to the C library.
template <class V, class F>
CR_INLINE V with_rare_angles(V x, V usual, F f) {
  if (__builtin_expect(!any(angle_rare(x)), 1)) return usual;
  return scalar_lanes(x, usual, ~(abs(x) <= Const<Lane<V>>::kTrigLimit), f);
}

template <class V>
CR_INLINE V sin_poly(V r) {
  const V z = r * r;
  return r + r * (z * polynomial(z, Coef<Lane<V>>::kSin) + Lane<V>(0));  // as in sin_or_cos
}

template <class V>
CR_INLINE V cos_poly(V r) {
  using T = Lane<V>;
  const V z = r * r, half = z * T(0.5), w = T(1) - half;
  return w + (((T(1) - w) - half) + z * (z * polynomial(z, Coef<T>::kCos)));
}

template <class V>
CR_INLINE MaskOf<V> odd(BitsOf<V> q) {
  return reinterpret_cast<MaskOf<V>>(BitsOf<V>{} - (q & 1));
}

// Bit 1 moved to the sign.
template <class V>
CR_INLINE BitsOf<V> second_bit_as_sign(BitsOf<V> q) {
  return (q & 2) << (sizeof(Lane<V>) * 8 - 2);
}

// Row i: the coefficient of z^(i+1) in sin(r) / r in even lanes, in cos(r) in odd ones.
template <class T>
struct SinCosRows {
  static constexpr int kRows = sizeof(Coef<T>::kCos) / sizeof(T) + 1;
  T rows[kRows][kLanes<T>] = {};
  constexpr SinCosRows() {
    for (int i = 0; i < kRows; i++) {
      for (int lane = 0; lane < kLanes<T>; lane += 2) {
        rows[i][lane] = i < kRows - 1 ? Coef<T>::kSin[i] : T(0);
        rows[i][lane + 1] = i > 0 ? Coef<T>::kCos[i - 1] : T(-0.5);
      }
    }
  }
};
template <class T>
constexpr SinCosRows<T> kSinCos;

template <class V>
CR_INLINE V sin_cos_coefficient(int i, BitsOf<V> q) {
  const auto& row = kSinCos<Lane<V>>.rows[i];
#ifdef __AVX2__
  if constexpr (sizeof(Lane<V>) == 4 || sizeof(V) == 64) return pick(row, q);
#endif
  return odd<V>(q) ? V{} + row[1] : V{} + row[0];
}

// The sine of r in even quadrants q, the cosine in odd ones, as a + a z P(z) with a = r or 1.
template <class V>
CR_INLINE V sin_or_cos(V r, BitsOf<V> q) {
  constexpr int kRows = SinCosRows<Lane<V>>::kRows;
  const V z = r * r, one = V{} + Lane<V>(1);
  V sum = sin_cos_coefficient<V>(kRows - 1, q);
#pragma GCC unroll 8
  for (int i = kRows - 2; i >= 0; i--) sum = sum * z + sin_cos_coefficient<V>(i, q);
  const V a = odd<V>(q) ? one : r;
  return a + a * (z * sum + Lane<V>(0));  // plus 0: -0 must not meet a product of +0
}

// Sine. Max error: 2.2 / 2.2 ulp (1.5 fused).
template <class V>
CR_INLINE V sin_usual(V x) {
  const Angle<V> a = reduce_angle(x);
  return from_bits<V>(bits(sin_or_cos(a.r, a.q)) ^ second_bit_as_sign<V>(a.q));
}

template <class V>
CR_INLINE V sin(V x) {
  return with_rare_angles(x, sin_usual(x), [](auto t) {
    return sizeof(t) == 4 ? __builtin_sinf(t) : __builtin_sin(t);
  });
}

// Cosine. Max error: 2.2 / 2.2 ulp (1.5 fused).
template <class V>
CR_INLINE V cos_usual(V x) {
  const Angle<V> a = reduce_angle(x);
  const BitsOf<V> q = a.q + 1;
  return from_bits<V>(bits(sin_or_cos(a.r, q)) ^ second_bit_as_sign<V>(q));
}

template <class V>
CR_INLINE V cos(V x) {
  return with_rare_angles(x, cos_usual(x), [](auto t) {
    return sizeof(t) == 4 ? __builtin_cosf(t) : __builtin_cos(t);
  });
}

// Both, of an x within the reduction (|x| <= kTrigLimit). Errors as above.
template <class V>
struct SinCos {
  V sin, cos;
};

template <class V>
CR_INLINE SinCos<V> sin_cos(V x) {
  const Angle<V> a = reduce_angle(x);
  const V s = sin_poly(a.r), c = cos_poly(a.r);
  const auto swap = odd<V>(a.q);
  const V sine = swap ? c : s, cosine = swap ? s : c;
  return {from_bits<V>(bits(sine) ^ second_bit_as_sign<V>(a.q)),
          from_bits<V>(bits(cosine) ^ second_bit_as_sign<V>(a.q + 1))};
}

// Tangent. Max error: 3.7 / 3.4 ulp.
template <class V>
CR_INLINE V tan_usual(V x) {
  const Angle<V> a = reduce_angle(x);
  const V s = sin_poly(a.r), c = cos_poly(a.r);
  const auto swap = odd<V>(a.q);
  return (swap ? -c : s) / (swap ? s : c);
}

template <class V>
CR_INLINE V tan(V x) {
  return with_rare_angles(x, tan_usual(x), [](auto t) {
    return sizeof(t) == 4 ? __builtin_tanf(t) : __builtin_tan(t);
  });
}

// Arc sine. Max error: 2.4 / 2.2 ulp.
template <class V>
CR_INLINE V asin(V x) {
  using T = Lane<V>;
  // Above 1/2: asin(a) = pi/2 - 2 asin(sqrt((1 - a) / 2)).
  const V a = abs(x);
  const auto large = a > T(0.5);
  const V z = large ? (T(1) - a) * T(0.5) : a * a;
  const V y = odd_polynomial(large ? sqrt(z) : a, z, Coef<T>::kAsin);
  const V top = T(0.5 * Const<T>::kPi[0]) - (T(2) * y - T(0.5 * Const<T>::kPi[1]));
  return copysign(large ? top : y, x);
}

// Arc cosine. Max error: 1.1 / 1.2 ulp.
template <class V>
CR_INLINE V acos(V x) {
  using T = Lane<V>;
  const V a = abs(x);
  const auto large = a > T(0.5);
  const V z = large ? (T(1) - a) * T(0.5) : a * a;
  const V y = odd_polynomial(large ? sqrt(z) : a, z, Coef<T>::kAsin);
  const V signed_y = from_bits<V>(bits(y) ^ sign_bit(x));
  const V middle = T(0.5 * Const<T>::kPi[0]) - (signed_y - T(0.5 * Const<T>::kPi[1]));
  const V low = Const<T>::kPi[0] - (T(2) * y - Const<T>::kPi[1]);
  return large ? (x < T(0) ? low : T(2) * y) : middle;
}

// The angle of the point (x, y), both >= 0, in [0, pi/2].
template <class V>
CR_INLINE V angle_of(V y, V x) {
  using T = Lane<V>;
  // The larger divides the smaller; NaN in either operand reaches the quotient.
  const auto steep = y > x;
  const V num = steep ? x : y, den = steep ? y : x;
  const V t = num == den ? (den == T(0) ? V{} : V{} + T(1)) : num / den;
  const V a = odd_polynomial(t, t * t, Coef<T>::kAtan);
  return steep ? T(0.5 * Const<T>::kPi[0]) - (a - T(0.5 * Const<T>::kPi[1])) : a;
}

// Arc tangent. Max error: 1.5 / 2.3 ulp.
template <class V>
CR_INLINE V atan(V x) {
  return copysign(angle_of(abs(x), V{} + Lane<V>(1)), x);
}

// Arc tangent of y / x in the quadrant of (x, y). Max error: 1.5 / 2.1 ulp.
template <class V>
CR_INLINE V atan2(V y, V x) {
  using T = Lane<V>;
  const V a = angle_of(abs(y), abs(x));
  const auto left = reinterpret_cast<MaskOf<V>>(sign_bit(x)) != 0;
  return copysign(left ? Const<T>::kPi[0] - (a - Const<T>::kPi[1]) : a, y);
}

}  // namespace
}  // namespace CR_ISA
}  // namespace cr
