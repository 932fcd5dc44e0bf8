// Transposition of a square of registers.
#pragma once

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

// Lane l of the result is a[offset + l / 2] for even l and b[offset + l / 2] for odd l.
template <class T>
CR_INLINE Vec<T> interleave(Vec<T> a, Vec<T> b, int offset) {
#if defined(__clang__)
  Vec<T> result{};  // clang has no shuffle by a vector, and needs none to find this one
#pragma GCC unroll 16
  for (int l = 0; l < kLanes<T>; ++l) result[l] = (l & 1) ? b[offset + l / 2] : a[offset + l / 2];
  return result;
#else
  Mask<T> mask{};
#pragma GCC unroll 16
  for (int l = 0; l < kLanes<T>; ++l) {
    mask[l] = static_cast<MaskLane<T> >(offset + l / 2 + (l & 1) * kLanes<T>);
  }
  return __builtin_shuffle(a, b, mask);
#endif
}

// Transposes a square of registers: each of log2(lanes) rounds is one perfect shuffle of all.
template <class T>
CR_INLINE void transpose(Vec<T> (&v)[kLanes<T>]) {
  constexpr int kHalf = kLanes<T> / 2;
#pragma GCC unroll 4
  for (int n = 1; n < kLanes<T>; n *= 2) {
    Vec<T> w[kLanes<T>];
#pragma GCC unroll 16
    for (int i = 0; i < kHalf; ++i) {
      w[2 * i] = interleave<T>(v[i], v[i + kHalf], 0);
      w[2 * i + 1] = interleave<T>(v[i], v[i + kHalf], kHalf);
    }
#pragma GCC unroll 16
    for (int i = 0; i < kLanes<T>; ++i) v[i] = w[i];
  }
}

}  // namespace
}  // namespace CR_ISA
}  // namespace cr
