// Transposition of a square of registers, and what follows from it.
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
    mask[l] = static_cast<MaskLane<T>>(offset + l / 2 + (l & 1) * kLanes<T>);
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

// to[j][i] = from[i][j] for a (rows, cols) array. Whole: a row of `to` has room for whole vectors,
// and zeros go behind its `rows` values.
template <class T, bool Whole>
void transpose_array(const T* from, int64_t from_row, int64_t rows, int64_t cols, T* to,
                     int64_t to_row) {
  constexpr int kL = kLanes<T>;
  for (int64_t i = 0; i < rows; i += kL) {
    const int n = rows - i < kL ? static_cast<int>(rows - i) : kL;
    for (int64_t j = 0; j < cols; j += kL) {
      const int m = cols - j < kL ? static_cast<int>(cols - j) : kL;
      const T* in = from + i * from_row + j;
      T* out = to + j * to_row + i;
      Vec<T> v[kL];
      if (n == kL && m == kL) {
#pragma GCC unroll 16
        for (int u = 0; u < kL; ++u) v[u] = load(in + u * from_row);
      } else {
#pragma GCC unroll 16
        for (int u = 0; u < kL; ++u) {
          v[u] = u < n ? load_partial(in + u * from_row, m) : Vec<T>{};
        }
      }
      transpose<T>(v);
      if (m == kL && (Whole || n == kL)) {
#pragma GCC unroll 16
        for (int u = 0; u < kL; ++u) store(out + u * to_row, v[u]);
      } else {
#pragma GCC unroll 16
        for (int u = 0; u < kL; ++u) {
          if (u >= m) break;
          Whole ? store(out + u * to_row, v[u]) : store_partial(out + u * to_row, v[u], n);
        }
      }
    }
  }
}

// Lane l of the result is the sum of the lanes of v[l].
template <class T>
CR_INLINE Vec<T> sums_of_lanes(Vec<T> (&v)[kLanes<T>]) {
#pragma GCC unroll 4
  for (int n = kLanes<T> / 2; n > 0; n /= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < n; ++i) {
      v[i] = interleave<T>(v[i], v[i + n], 0) + interleave<T>(v[i], v[i + n], kLanes<T> / 2);
    }
  }
  return v[0];
}

// The sums of the lanes of N <= kLanes vectors (a power of two), in lanes 0 .. N - 1. A tree: every
// level halves the number of vectors and of the partial sums left of each.
template <class T, int N, int Left = kLanes<T>>
CR_INLINE Vec<T> sum_lanes(const Vec<T>* v) {
  if constexpr (Left == 1) {
    return v[0];
  } else {
    constexpr int kNext = N > 1 ? N / 2 : 1;
    Vec<T> pairs[kNext];
#pragma GCC unroll 16
    for (int i = 0; i < kNext; ++i) {
      const Vec<T> a = v[N > 1 ? 2 * i : 0], b = v[N > 1 ? 2 * i + 1 : 0];
      pairs[i] = even_lanes<T>(a, b) + odd_lanes<T>(a, b);
    }
    return sum_lanes<T, kNext, Left / 2>(pairs);
  }
}

}  // namespace
}  // namespace CR_ISA
}  // namespace cr
