// Rows of a table summed into bags and the reverse. Rows lie far apart, so those a few steps ahead
// are fetched early; a bag's sum stays in registers for a stretch of columns.
#include "ops/embedding.kernel.h"

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

constexpr int kSumVecs = 8;
constexpr int64_t kAhead = 8;

template <class T>
CR_INLINE void fetch(const T* row, int64_t n) {
  const char* p = reinterpret_cast<const char*>(row);
  for (int64_t byte = 0; byte < n * static_cast<int64_t>(sizeof(T)); byte += 64) {
    __builtin_prefetch(p + byte);
  }
}

// Sums of Vecs vectors of columns, the last of them `lanes` wide.
template <class T, int Vecs>
CR_INLINE void sum_columns(const T* table, const int64_t* index, const T* factors, int64_t n,
                           int64_t width, int lanes, T share, T* out) {
  Vec<T> sum[Vecs];
#pragma GCC unroll 8
  for (int v = 0; v < Vecs; ++v) sum[v] = Vec<T>{};
  for (int64_t i = 0; i < n; ++i) {
    if (i + kAhead < n && index[i + kAhead] >= 0) {
      fetch(table + index[i + kAhead] * width, Vecs * kLanes<T>);
    }
    if (index[i] < 0) continue;
    const T* row = table + index[i] * width;
    const Vec<T> factor = splat(factors ? factors[i] : T(1));
#pragma GCC unroll 8
    for (int v = 0; v < Vecs; ++v) {
      const T* p = row + v * kLanes<T>;
      const bool whole = v + 1 < Vecs || lanes == kLanes<T>;
      sum[v] += (whole ? load(p) : load_partial(p, lanes)) * factor;
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < Vecs; ++v) {
    T* p = out + v * kLanes<T>;
    if (share != 1) sum[v] /= splat(share);
    v + 1 < Vecs || lanes == kLanes<T> ? store(p, sum[v]) : store_partial(p, sum[v], lanes);
  }
}

template <int N>
struct Vectors {
  static constexpr int value = N;
};

// Calls f(vectors, first column, lanes of the last vector) for stretches of columns.
template <class T, class F>
CR_INLINE void over_columns(int64_t width, F&& f) {
  int64_t j = 0;
  for (; j + kSumVecs * kLanes<T> <= width; j += kSumVecs * kLanes<T>) {
    f(Vectors<kSumVecs>{}, j, kLanes<T>);
  }
  if (j + 4 * kLanes<T> <= width) {
    f(Vectors<4>{}, j, kLanes<T>);
    j += 4 * kLanes<T>;
  }
  for (; j < width; j += kLanes<T>) {
    f(Vectors<1>{}, j, width - j < kLanes<T> ? static_cast<int>(width - j) : kLanes<T>);
  }
}

template <class T>
void sum(const T* table, const int64_t* index, const T* factors, int64_t n, int64_t width, T share,
         T* out) {
  over_columns<T>(width, [&](auto vectors, int64_t j, int lanes) {
    sum_columns<T, decltype(vectors)::value>(table + j, index, factors, n, width, lanes, share,
                                             out + j);
  });
}

template <class T>
void add(const T* source, const int64_t* rows, const int64_t* index, const T* factors, int64_t n,
         int64_t width, int64_t begin, int64_t end, T* table) {
  for (int64_t i = 0; i < n; ++i) {
    if (i + kAhead < n && index[i + kAhead] >= 0) {
      fetch(table + index[i + kAhead] * width + begin, end - begin);
    }
    if (index[i] < 0) continue;
    const T* from = source + (rows ? rows[i] : i) * width;
    T* to = table + index[i] * width;
    const Vec<T> factor = splat(factors ? factors[i] : T(1));
    int64_t j = begin;
    for (; j + kLanes<T> <= end; j += kLanes<T>) {
      store(to + j, load(to + j) + load(from + j) * factor);
    }
    if (j < end) {
      const int lanes = static_cast<int>(end - j);
      store_partial(to + j, load_partial(to + j, lanes) + load_partial(from + j, lanes) * factor,
                    lanes);
    }
  }
}

// Largest elements of Vecs vectors of columns. What is kept in lanes is the number of the entry;
// its index follows in the end.
template <class T, int Vecs>
CR_INLINE void max_columns(const T* table, const int64_t* index, int64_t n, int64_t width,
                           int lanes, T* out, int64_t* picked) {
  using Lane = MaskLane<T>;
  Vec<T> best[Vecs] = {};
  Mask<T> entry[Vecs];
#pragma GCC unroll 8
  for (int v = 0; v < Vecs; ++v) entry[v] = splat(Lane(-1));
  for (int64_t i = 0; i < n; ++i) {
    if (i + kAhead < n && index[i + kAhead] >= 0) {
      fetch(table + index[i + kAhead] * width, Vecs * kLanes<T>);
    }
    if (index[i] < 0) continue;
    const T* row = table + index[i] * width;
    const Mask<T> here = splat(static_cast<Lane>(i));
#pragma GCC unroll 8
    for (int v = 0; v < Vecs; ++v) {
      const T* p = row + v * kLanes<T>;
      const Vec<T> x = v + 1 < Vecs || lanes == kLanes<T> ? load(p) : load_partial(p, lanes);
      const Mask<T> larger = (x > best[v]) | (x != x) | (entry[v] < 0);
      best[v] = larger ? x : best[v];
      entry[v] = larger ? here : entry[v];
    }
  }
  Lane entries[Vecs * kLanes<T>];
#pragma GCC unroll 8
  for (int v = 0; v < Vecs; ++v) {
    T* p = out + v * kLanes<T>;
    v + 1 < Vecs || lanes == kLanes<T> ? store(p, best[v]) : store_partial(p, best[v], lanes);
    store(entries + v * kLanes<T>, entry[v]);
  }
  for (int j = 0; j < (Vecs - 1) * kLanes<T> + lanes; ++j) {
    picked[j] = entries[j] < 0 ? -1 : index[entries[j]];
  }
}

template <class T>
void max(const T* table, const int64_t* index, int64_t n, int64_t width, T* out, int64_t* picked) {
  over_columns<T>(width, [&](auto vectors, int64_t j, int lanes) {
    max_columns<T, decltype(vectors)::value>(table + j, index, n, width, lanes, out + j,
                                             picked + j);
  });
}

template <class T>
T dot(const T* a, const T* b, int64_t n) {
  Vec<T> sums = {};
  int64_t j = 0;
  for (; j + kLanes<T> <= n; j += kLanes<T>) sums += load(a + j) * load(b + j);
  if (j < n) {
    const int lanes = static_cast<int>(n - j);
    sums += load_partial(a + j, lanes) * load_partial(b + j, lanes);
  }
  T total = 0;
  for (int l = 0; l < kLanes<T>; ++l) total += sums[l];
  return total;
}

}  // namespace

extern const EmbeddingTable embedding_table;
const EmbeddingTable embedding_table = {{sum<float>, add<float>, max<float>, dot<float>},
                                        {sum<double>, add<double>, max<double>, dot<double>}};

}  // namespace CR_ISA
}  // namespace cr
