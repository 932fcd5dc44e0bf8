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
                           int64_t width, int lanes, T* out) {
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
    v + 1 < Vecs || lanes == kLanes<T> ? store(p, sum[v]) : store_partial(p, sum[v], lanes);
  }
}

template <class T>
void sum(const T* table, const int64_t* index, const T* factors, int64_t n, int64_t width, T* out) {
  int64_t j = 0;
  for (; j + kSumVecs * kLanes<T> <= width; j += kSumVecs * kLanes<T>) {
    sum_columns<T, kSumVecs>(table + j, index, factors, n, width, kLanes<T>, out + j);
  }
  if (j + 4 * kLanes<T> <= width) {
    sum_columns<T, 4>(table + j, index, factors, n, width, kLanes<T>, out + j);
    j += 4 * kLanes<T>;
  }
  for (; j < width; j += kLanes<T>) {
    const int lanes = width - j < kLanes<T> ? static_cast<int>(width - j) : kLanes<T>;
    sum_columns<T, 1>(table + j, index, factors, n, width, lanes, out + j);
  }
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

template <class T>
void max(const T* table, const int64_t* index, int64_t n, int64_t width, T* out, int64_t* picked) {
  for (int64_t j = 0; j < width; ++j) {
    out[j] = 0;
    picked[j] = -1;
  }
  bool first = true;
  for (int64_t i = 0; i < n; ++i) {
    if (i + kAhead < n && index[i + kAhead] >= 0) {
      fetch(table + index[i + kAhead] * width, width);
    }
    if (index[i] < 0) continue;
    const T* row = table + index[i] * width;
    for (int64_t j = 0; j < width; ++j) {
      const bool larger = first || row[j] > out[j] || row[j] != row[j];
      out[j] = larger ? row[j] : out[j];
      picked[j] = larger ? index[i] : picked[j];
    }
    first = false;
  }
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
