// Numbers held as an unevaluated sum hi + lo: about twice the precision of their type (Dekker 1971;
// Shewchuk 1997), for the few steps of vmath.h where one rounding is too many.
//
// The compiler may contract a * b + c into one rounding, which breaks these error terms: every
// product that is reused below passes through opaque().
#pragma once

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

template <class V>
struct Pair {
  V hi, lo;
};

// hi + lo == a + b exactly, provided |a| >= |b| or a == 0.
template <class V>
CR_INLINE Pair<V> fast_two_sum(V a, V b) {
  const V hi = a + b;
  return {hi, b - (hi - a)};
}

// hi + lo == a + b exactly.
template <class V>
CR_INLINE Pair<V> two_sum(V a, V b) {
  const V hi = a + b;
  const V b_part = hi - a;
  return {hi, (a - (hi - b_part)) + (b - b_part)};
}

#ifndef CR_HAVE_FMA
// x with the lower half of its mantissa cleared.
template <class V>
CR_INLINE V upper_half(V x) {
  constexpr auto kKeep = ~((BitsLane<V>(1) << ((Ieee<Lane<V>>::kMantissaBits + 2) / 2)) - 1);
  return from_bits<V>(bits(x) & kKeep);
}
#endif

// hi + lo == a * b exactly (short of overflow; lo must not underflow).
template <class V>
CR_INLINE Pair<V> two_product(V a, V b) {
  const V hi = opaque(a * b);
#ifdef CR_HAVE_FMA
  return {hi, fma(a, b, -hi)};
#else
  const V ah = upper_half(a), al = a - ah, bh = upper_half(b), bl = b - bh;
  return {hi, ((ah * bh - hi) + ah * bl + al * bh) + al * bl};
#endif
}

// c - a * b rounded once, where a * b is close enough to c for the difference of the high parts to
// be exact.
template <class V>
CR_INLINE V residual(V c, V a, V b) {
#ifdef CR_HAVE_FMA
  return fma(-a, b, c);
#else
  const Pair<V> p = two_product(a, b);
  return (c - p.hi) - p.lo;
#endif
}

template <class V>
CR_INLINE Pair<V> operator*(Pair<V> a, Pair<V> b) {
  const Pair<V> p = two_product(a.hi, b.hi);
  return {p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi)};
}

// |a| >= |b| or a == 0.
template <class V>
CR_INLINE Pair<V> operator+(Pair<V> a, Pair<V> b) {
  const Pair<V> s = fast_two_sum(a.hi, b.hi);
  return fast_two_sum(s.hi, s.lo + (a.lo + b.lo));
}

template <class V>
CR_INLINE Pair<V> operator/(Pair<V> a, Pair<V> b) {
  const V hi = a.hi / b.hi;
  return {hi, (residual(a.hi, hi, b.hi) + (a.lo - hi * b.lo)) / b.hi};
}

}  // namespace
}  // namespace CR_ISA
}  // namespace cr
