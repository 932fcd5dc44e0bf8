// Zero-padded, stride-split copies of image planes: what convolution and pooling read from.
//
// A window sliding with stride s over a padded plane reads, for one tap, every s-th pixel. The
// plane is copied once into `slots` planes per axis, slot j holding the pixels at
// origin + (j * dilation) % step + i * step. After that every tap of every kernel size, stride and
// dilation is a constant offset from the output pixel, with neighbours next to each other in
// memory and no bounds tests. Rows are written front to back with whole vectors that may spill
// into the next row, so a buffer needs `kSplitSlack` elements behind it.
//
// Included by kernel units only.
#pragma once

#include "ops/window.h"
#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

template <class T>
CR_INLINE void fill_row(T* out, int64_t begin, int64_t end, T value) {
  const Vec<T> v =
      opaque(splat(value));  // else gcc calls memset, which costs more than a short row
  for (int64_t x = begin; x < end; x += kLanes<T>) store(out + x, v);
}

// out[x] = in[x] for x < n. `end` is where the readable memory stops.
template <class T>
CR_INLINE void copy_row(T* out, const T* in, int64_t n, const T* end) {
  int64_t x = 0;
  for (; x < n && in + x + kLanes<T> <= end; x += kLanes<T>) store(out + x, load(in + x));
  for (; x < n; ++x) out[x] = in[x];
}

// out[x] = in[2 * x] for x < n.
template <class T>
CR_INLINE void copy_even(T* out, const T* in, int64_t n, const T* end) {
  constexpr int kL = kLanes<T>;
  int64_t x = 0;
  for (; x < n && in + 2 * (x + kL) <= end; x += kL) {
    store(out + x, even_lanes<T>(load(in + 2 * x), load(in + 2 * x + kL)));
  }
  for (; x < n; ++x) out[x] = in[2 * x];
}

// Every third element of a, b and c together, from the first on.
template <class T>
CR_INLINE Vec<T> third_lanes(Vec<T> a, Vec<T> b, Vec<T> c) {
  constexpr int kL = kLanes<T>;
  constexpr int kOfTwo = (2 * kL + 2) / 3;  // lanes that come from a and b
  Mask<T> first{}, second{};
#pragma GCC unroll 16
  for (int l = 0; l < kL; ++l) {
    first[l] = static_cast<MaskLane<T>>(l < kOfTwo ? 3 * l : 0);
    second[l] = static_cast<MaskLane<T>>(l < kOfTwo ? l : 3 * l - kL);
  }
#if defined(__clang__)
  Vec<T> result{};
  for (int l = 0; l < kL; ++l) {
    const int at = 3 * l;
    result[l] = at < kL ? a[at] : at < 2 * kL ? b[at - kL] : c[at - 2 * kL];
  }
  return result;
#else
  return __builtin_shuffle(__builtin_shuffle(a, b, first), c, second);
#endif
}

// out[x] = in[3 * x] for x < n; whole vectors are written.
template <class T>
CR_INLINE void copy_third(T* out, const T* in, int64_t n, const T* end) {
  constexpr int kL = kLanes<T>;
  int64_t x = 0;
  for (; x < n && in + 3 * (x + kL) <= end; x += kL) {
    const T* from = in + 3 * x;
    store(out + x, third_lanes<T>(load(from), load(from + kL), load(from + 2 * kL)));
  }
  for (; x < n; ++x) out[x] = in[3 * x];
}

// out[x] = in[4 * x] for x < n; whole vectors are written.
template <class T>
CR_INLINE void copy_fourth(T* out, const T* in, int64_t n, const T* end) {
  constexpr int kL = kLanes<T>;
  int64_t x = 0;
  for (; x < n && in + 4 * (x + kL) <= end; x += kL) {
    const T* from = in + 4 * x;
    const Vec<T> a = even_lanes<T>(load(from), load(from + kL));
    const Vec<T> b = even_lanes<T>(load(from + 2 * kL), load(from + 3 * kL));
    store(out + x, even_lanes<T>(a, b));
  }
  for (; x < n; ++x) out[x] = in[4 * x];
}

// One slot of one plane: `rows` rows of `pitch` pixels, starting at output row `first_row`.
template <class T>
CR_INLINE void split_plane(T* out, const T* plane, const T* end, const SplitAxis& h,
                           const SplitAxis& w, int64_t slot_h, int64_t slot_w, int64_t first_row,
                           int64_t rows, int64_t pitch, T padding) {
  const int64_t row = h.origin + slot_h * h.dilation % h.step + first_row * h.step;
  const int64_t col = w.origin + slot_w * w.dilation % w.step;
  const int64_t left = col < 0 ? (-col + w.step - 1) / w.step : 0;
  const int64_t begin = left < pitch ? left : pitch;
  const int64_t stop = col < w.extent ? (w.extent - col + w.step - 1) / w.step : 0;
  const int64_t limit = stop < pitch ? stop : pitch;
  const int64_t count = limit > begin ? limit - begin : 0;
  if (w.step == 1 && count > 0 && begin <= kLanes<T> && count <= kLanes<T> &&
      pitch - begin - count <= kLanes<T> && plane + h.extent * w.extent + kLanes<T> <= end) {
    // Small images: every part of a row is one vector.
    const Vec<T> border = splat(padding);
    for (int64_t i = 0; i < rows; ++i, out += pitch) {
      const int64_t y = row + i * h.step;
      const bool inside = y >= 0 && y < h.extent;
      store(out, border);
      store(out + begin, inside ? load(plane + y * w.extent + col + begin) : border);
      store(out + begin + count, border);
    }
    return;
  }
  for (int64_t i = 0; i < rows; ++i, out += pitch) {
    const int64_t y = row + i * h.step;
    if (y < 0 || y >= h.extent || count == 0) {
      fill_row(out, 0, pitch, padding);
      continue;
    }
    fill_row(out, 0, begin, padding);
    const T* in = plane + y * w.extent + col + begin * w.step;
    if (w.step == 1) {
      copy_row(out + begin, in, count, end);
    } else if (w.step == 2) {
      copy_even(out + begin, in, count, end);
    } else if (w.step == 3) {
      copy_third(out + begin, in, count, end);
    } else if (w.step == 4) {
      copy_fourth(out + begin, in, count, end);
    } else {
      for (int64_t x = 0; x < count; ++x) out[begin + x] = in[x * w.step];
    }
    fill_row(out, begin + count, pitch, padding);
  }
}

// All slots of a plane, [slot_h][slot_w][rows][pitch].
template <class T>
CR_INLINE void split_image(T* out, const T* plane, const T* end, const SplitAxis& h,
                           const SplitAxis& w, int64_t first_row, int64_t rows, int64_t pitch,
                           T padding) {
  for (int64_t a = 0; a < h.slots; ++a) {
    for (int64_t b = 0; b < w.slots; ++b, out += rows * pitch) {
      split_plane(out, plane, end, h, w, a, b, first_row, rows, pitch, padding);
    }
  }
}

}  // namespace
}  // namespace CR_ISA
}  // namespace cr
