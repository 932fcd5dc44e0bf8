// Pooling.
//
// split: lanes are neighbouring output pixels. The plane is copied once into a padded, stride-split
// buffer, so every tap is one contiguous load for any kernel, stride and dilation; where the buffer
// has no gaps (2x2 stride 2, for one) a vector runs across output rows, which keeps the lanes of
// small planes busy. Maxima carry the tap's offset in integer lanes of the element's width; the
// first maximum wins and a NaN wins over everything before it, as in PyTorch.
// pairs: maxima of the commonest windows, 2x2 with stride 2, straight from the plane's rows.
// windows: scalar over windows, vectors along the rows of large ones.
#include "ops/pool.kernel.h"

#include "ops/split_image.h"

namespace cr {
namespace CR_ISA {
namespace {

// Output pixels that are neighbours both in the output and in the buffer.
struct Lines {
  int64_t count, length, pitch;
};

Lines lines_of(const PoolPlan& p) {
  if (p.pitch == p.out_width) return {1, p.out_plane(), 0};
  return {p.out_height, p.out_width, p.pitch};
}

// Stores a vector; past `end` nothing is written. Rows are written front to back, so that what
// spills into the next row is overwritten.
template <class T>
CR_INLINE void store_until(T* out, Vec<T> v, const T* end) {
  if (out + kLanes<T> <= end) {
    store(out, v);
  } else {
    store_partial(out, v, static_cast<int>(end - out));
  }
}

template <class T>
CR_INLINE void store_indices(int32_t* out, Mask<T> v, const int32_t* end) {
  typedef int32_t Narrow __attribute__((vector_size(kLanes<T> * 4)));
  const Narrow narrow = __builtin_convertvector(v, Narrow);
  const int64_t room = end - out;
  memcpy(out, &narrow, room >= kLanes<T> ? sizeof(Narrow) : static_cast<size_t>(room) * 4);
}

template <class T>
constexpr T kInfinity = static_cast<T>(__builtin_inf());

// What is readable of a vector; the rest is nobody's.
template <class T>
CR_INLINE Vec<T> load_until(const T* in, const T* end) {
  if (in + kLanes<T> <= end) return load(in);
  return load_partial(in, in < end ? static_cast<int>(end - in) : 0);
}

// 2x2 windows with stride 2 that all lie inside the plane: the commonest. The split buffer would
// take more time than all the rest.
bool in_pairs(const PoolPlan& p) {
  return p.tap_count == 4 && p.h.step == 2 && p.w.step == 2 && p.h.origin == 0 && p.w.origin == 0 &&
         p.taps[1].index == 1 && p.taps[2].index == p.width && p.taps[3].index == p.width + 1 &&
         2 * p.out_height <= p.height && 2 * p.out_width <= p.width;
}

// The taps of neighbouring windows straight from two rows of the plane.
template <class T, bool Places>
void max_pairs(const PoolPlan& p, int64_t begin, int64_t end, const T* input, const T* stop, T* out,
               int32_t* indices) {
  using Lane = MaskLane<T>;
  constexpr int kL = kLanes<T>;
  for (int64_t n = begin; n < end; ++n) {
    const T* values_end = out + (n + 1) * p.out_plane();
    const int32_t* places_end = Places ? indices + (n + 1) * p.out_plane() : nullptr;
    const Lane* base = static_cast<const Lane*>(p.base);
    for (int64_t y = 0; y < p.out_height; ++y) {
      const T* upper = input + n * p.plane() + 2 * y * p.width;
      const int64_t pixel = n * p.out_plane() + y * p.out_width;
      for (int64_t x = 0; x < p.out_width; x += kL) {
        const T* in = upper + 2 * x;
        const Vec<T> a = load_until(in, stop), b = load_until(in + kL, stop);
        const Vec<T> c = load_until(in + p.width, stop), d = load_until(in + p.width + kL, stop);
        Vec<T> best = even_lanes<T>(a, b);
        Mask<T> place{};
        const auto tap = [&](Vec<T> v, int64_t index) {
          const Mask<T> wins = (v > best) | (v != v);
          best = wins ? v : best;
          if constexpr (Places) place = wins ? splat(static_cast<Lane>(index)) : place;
        };
        tap(odd_lanes<T>(a, b), 1);
        tap(even_lanes<T>(c, d), p.width);
        tap(odd_lanes<T>(c, d), p.width + 1);
        store_until(out + pixel + x, best, values_end);
        if constexpr (Places) {
          const Mask<T> first = load(base + y * p.out_width + x);
          store_indices<T>(indices + pixel + x, place + first, places_end);
        }
      }
    }
  }
}

template <class T, bool Places>
void max_taps(const PoolPlan& p, int64_t begin, int64_t end, const T* input, const T* stop, T* out,
              int32_t* indices, T* buffer) {
  using Lane = MaskLane<T>;
  const Lines lines = lines_of(p);
  const Lane* base = static_cast<const Lane*>(p.base);
  const Lane* start = static_cast<const Lane*>(p.start);
  for (int64_t n = begin; n < end; ++n) {
    split_image(buffer, input + n * p.plane(), stop, p.h, p.w, 0, p.out_height + p.h.halo, p.pitch,
                -kInfinity<T>);
    T* values = out + n * p.out_plane();
    int32_t* places = Places ? indices + n * p.out_plane() : nullptr;
    const T* values_end = values + p.out_plane();
    const int32_t* places_end = Places ? places + p.out_plane() : nullptr;
    int64_t pixel = 0;
    for (int64_t y = 0; y < lines.count; ++y, pixel += lines.length) {
      const T* line = buffer + y * lines.pitch;
      for (int64_t x = 0; x < lines.length; x += kLanes<T>) {
        Vec<T> best = splat(-kInfinity<T>);
        Mask<T> place{};
        if constexpr (Places) place = load(start + pixel + x);
        for (int64_t k = 0; k < p.tap_count; ++k) {
          const Vec<T> v = load(line + p.taps[k].pixel + x);
          const Mask<T> wins = (v > best) | (v != v);
          best = wins ? v : best;
          if constexpr (Places) {
            place = wins ? splat(static_cast<Lane>(p.taps[k].index)) : place;
          }
        }
        store_until(values + pixel + x, best, values_end);
        if constexpr (Places) {
          store_indices<T>(places + pixel + x, place + load(base + pixel + x), places_end);
        }
      }
    }
  }
}

template <class T>
void max_split(const PoolPlan& p, int64_t begin, int64_t end, const T* input, const T* stop, T* out,
               int32_t* indices, T* buffer) {
  if (in_pairs(p)) {
    const auto pairs = indices ? max_pairs<T, true> : max_pairs<T, false>;
    return pairs(p, begin, end, input, stop, out, indices);
  }
  const auto taps = indices ? max_taps<T, true> : max_taps<T, false>;
  taps(p, begin, end, input, stop, out, indices, buffer);
}

template <class T>
void max_windows(const PoolPlan& p, int64_t begin, int64_t end, const T* input, T* out,
                 int32_t* indices) {
  out += begin * p.out_plane();
  if (indices) indices += begin * p.out_plane();
  for (int64_t n = begin; n < end; ++n) {
    const T* plane = input + n * p.plane();
    for (int64_t y = 0; y < p.out_height; ++y) {
      for (int64_t x = 0; x < p.out_width; ++x) {
        T best = -kInfinity<T>;
        int64_t place = -1;
        int64_t row = p.rows[y].begin * p.width + p.cols[x].begin;
        for (int64_t i = 0; i < p.rows[y].count; ++i, row += p.step_h * p.width) {
          for (int64_t j = 0; j < p.cols[x].count; ++j) {
            const T v = plane[row + j * p.step_w];
            if (v > best || v != v || place < 0) {
              best = v;
              place = row + j * p.step_w;
            }
          }
        }
        *out++ = best;
        if (indices) *indices++ = static_cast<int32_t>(place);
      }
    }
  }
}

// Windows that saw nothing have index -1.
CR_INLINE bool inside(int32_t index, int64_t plane) { return index >= 0 && index < plane; }

template <class T>
void unpool(int64_t plane, int64_t out_plane, int64_t begin, int64_t end, const T* values,
            const int32_t* indices, T* out) {
  memset(out + begin * plane, 0, static_cast<size_t>((end - begin) * plane) * sizeof(T));
  for (int64_t n = begin; n < end; ++n) {
    for (int64_t i = n * out_plane; i < (n + 1) * out_plane; ++i) {
      if (inside(indices[i], plane)) out[n * plane + indices[i]] += values[i];
    }
  }
}

template <class T>
void take(int64_t plane, int64_t out_plane, int64_t begin, int64_t end, const T* input,
          const int32_t* indices, T* out) {
  for (int64_t n = begin; n < end; ++n) {
    for (int64_t i = n * out_plane; i < (n + 1) * out_plane; ++i) {
      out[i] = inside(indices[i], plane) ? input[n * plane + indices[i]] : T(0);
    }
  }
}

template <class T>
void mean_split(const PoolPlan& p, int64_t begin, int64_t end, const T* input, const T* stop,
                T* out, T* buffer) {
  const Lines lines = lines_of(p);
  const T* divisor = static_cast<const T*>(p.divisor);
  for (int64_t n = begin; n < end; ++n) {
    split_image(buffer, input + n * p.plane(), stop, p.h, p.w, 0, p.out_height + p.h.halo, p.pitch,
                T(0));
    T* means = out + n * p.out_plane();
    const T* means_end = means + p.out_plane();
    int64_t pixel = 0;
    for (int64_t y = 0; y < lines.count; ++y, pixel += lines.length) {
      const T* line = buffer + y * lines.pitch;
      for (int64_t x = 0; x < lines.length; x += kLanes<T>) {
        Vec<T> sum{};
        for (int64_t k = 0; k < p.tap_count; ++k) sum += load(line + p.taps[k].pixel + x);
        store_until(means + pixel + x, sum / load(divisor + pixel + x), means_end);
      }
    }
  }
}

template <class T>
CR_INLINE T sum_row(const T* in, int64_t n) {
  constexpr int kL = kLanes<T>;
  if (n < 4) {
    T sum = in[0];
    for (int64_t i = 1; i < n; ++i) sum += in[i];
    return sum;
  }
  Vec<T> even{}, odd{};
  int64_t i = 0;
  for (; i + 2 * kL <= n; i += 2 * kL) {
    even += load(in + i);
    odd += load(in + i + kL);
  }
  if (i + kL <= n) {
    even += load(in + i);
    i += kL;
  }
  if (i < n) odd += load_partial(in + i, static_cast<int>(n - i));
  return sum_lanes<T>(even + odd);
}

template <class T>
void mean_windows(const PoolPlan& p, int64_t begin, int64_t end, const T* input, T* out) {
  const T* divisor = static_cast<const T*>(p.divisor);
  for (int64_t n = begin; n < end; ++n) {
    const T* plane = input + n * p.plane();
    T* means = out + n * p.out_plane();
    for (int64_t y = 0; y < p.out_height; ++y) {
      for (int64_t x = 0; x < p.out_width; ++x) {
        const T* row = plane + p.rows[y].begin * p.width + p.cols[x].begin;
        int64_t lines = p.rows[y].count, length = p.cols[x].count;
        if (length == p.width) {  // rows without a gap between them
          length *= lines;
          lines = 1;
        }
        T sum = 0;
        for (int64_t i = 0; i < lines; ++i, row += p.width) sum += sum_row(row, length);
        const int64_t pixel = y * p.out_width + x;
        means[pixel] = sum / divisor[pixel];
      }
    }
  }
}

// plane[..] = buffer[..] of every slot: split_image backwards.
template <class T>
void join_image(const PoolPlan& p, const T* buffer, T* plane) {
  memset(plane, 0, static_cast<size_t>(p.plane()) * sizeof(T));
  const int64_t rows = p.out_height + p.h.halo;
  for (int64_t a = 0; a < p.h.slots; ++a) {
    for (int64_t b = 0; b < p.w.slots; ++b, buffer += rows * p.pitch) {
      const int64_t col = p.w.origin + b * p.w.dilation % p.w.step;
      const int64_t first = col < 0 ? (-col + p.w.step - 1) / p.w.step : 0;
      for (int64_t i = 0; i < rows; ++i) {
        const int64_t y = p.h.origin + a * p.h.dilation % p.h.step + i * p.h.step;
        if (y < 0 || y >= p.height) continue;
        T* line = plane + y * p.width;
        const T* in = buffer + i * p.pitch;
        for (int64_t x = first, to = col + first * p.w.step; x < p.pitch && to < p.width;
             ++x, to += p.w.step) {
          line[to] = in[x];
        }
      }
    }
  }
}

template <class T>
void spread_split(const PoolPlan& p, int64_t begin, int64_t end, const T* grad, T* out,
                  T* workspace) {
  const T* divisor = static_cast<const T*>(p.divisor);
  T* buffer = workspace;
  T* shares = workspace + p.split_size();  // rows as far apart as the buffer's, zeros between them
  const int64_t count = p.out_height * p.pitch;
  memset(shares, 0, static_cast<size_t>(count + kSplitSlack) * sizeof(T));
  for (int64_t n = begin; n < end; ++n) {
    const T* in = grad + n * p.out_plane();
    for (int64_t y = 0; y < p.out_height; ++y) {
      const int64_t pixel = y * p.out_width;
      for (int64_t x = 0; x < p.out_width; ++x) {
        shares[y * p.pitch + x] = in[pixel + x] / divisor[pixel + x];
      }
    }
    memset(buffer, 0, static_cast<size_t>(p.split_size()) * sizeof(T));
    for (int64_t k = 0; k < p.tap_count; ++k) {
      T* to = buffer + p.taps[k].pixel;
      for (int64_t i = 0; i < count; i += kLanes<T>) {
        store(to + i, load(to + i) + load(shares + i));
      }
    }
    join_image(p, buffer, out + n * p.plane());
  }
}

template <class T>
void spread_windows(const PoolPlan& p, int64_t begin, int64_t end, const T* grad, T* out) {
  const T* divisor = static_cast<const T*>(p.divisor);
  memset(out + begin * p.plane(), 0, static_cast<size_t>((end - begin) * p.plane()) * sizeof(T));
  for (int64_t n = begin; n < end; ++n) {
    T* plane = out + n * p.plane();
    const T* in = grad + n * p.out_plane();
    for (int64_t y = 0; y < p.out_height; ++y) {
      for (int64_t x = 0; x < p.out_width; ++x) {
        const int64_t pixel = y * p.out_width + x;
        const T share = in[pixel] / divisor[pixel];
        T* row = plane + p.rows[y].begin * p.width + p.cols[x].begin;
        for (int64_t i = 0; i < p.rows[y].count; ++i, row += p.width) {
          for (int64_t j = 0; j < p.cols[x].count; ++j) row[j] += share;
        }
      }
    }
  }
}

template <class T>
void spread_tiles(const PoolPlan& p, int64_t kernel_h, int64_t kernel_w, T divisor, int64_t begin,
                  int64_t end, const T* grad, T* out) {
  grad += begin * p.out_plane();
  out += begin * p.plane();
  for (int64_t y = 0; y < (end - begin) * p.out_height; ++y, grad += p.out_width) {
    T* line = out;
    if (kernel_w == 2) {
      for (int64_t x = 0; x < p.out_width; ++x) line[2 * x] = line[2 * x + 1] = grad[x] / divisor;
    } else {
      for (int64_t x = 0; x < p.out_width; ++x) {
        const T share = grad[x] / divisor;
        for (int64_t j = 0; j < kernel_w; ++j) line[x * kernel_w + j] = share;
      }
    }
    out += p.width;
    for (int64_t i = 1; i < kernel_h; ++i, out += p.width) {
      memcpy(out, line, static_cast<size_t>(p.width) * sizeof(T));
    }
  }
}

template <class T>
constexpr PoolKernels<T> kernels() {
  return {max_split<T>,    max_windows<T>,  unpool<T>,       take<T>,          mean_split<T>,
          mean_windows<T>, spread_tiles<T>, spread_split<T>, spread_windows<T>};
}

}  // namespace

extern const PoolTable pool_table;
const PoolTable pool_table = {kernels<float>(), kernels<double>()};

}  // namespace CR_ISA
}  // namespace cr
