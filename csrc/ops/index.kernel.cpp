// Indices checked, rows gathered. Of long rows the one after the next is fetched while one is
// copied; of short ones many are under way at once as it is.
#include "ops/index.kernel.h"

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

bool check(const int64_t* from, int64_t n, int64_t size, bool wrap, int64_t* to) {
  using V = Vec<int64_t>;
  const V end = splat(size), back = splat(wrap ? size : 0);
  V wrong = {};
  const auto one = [&](V v) {
    v += v < 0 ? back : V{};
    wrong |= (v < 0) | (v >= end);
    return v;
  };
  int64_t i = 0;
  for (; i + kLanes<int64_t> <= n; i += kLanes<int64_t>) store(to + i, one(load(from + i)));
  if (size > 0 && i < n) {  // the lanes beyond are zeros, which are right
    const int rest = static_cast<int>(n - i);
    store_partial(to + i, one(load_partial(from + i, rest)), rest);
  }
  return (size > 0 || n == 0) && !any(wrong);
}

// Rows of Vecs vectors, or of any size from a vector on: then the last one overlaps.
template <int Vecs>
CR_INLINE void gather_vectors(const char* table, const int64_t* index, int64_t n, int64_t bytes,
                              char* out) {
  for (int64_t i = 0; i < n; ++i, out += bytes) {
    const char* row = table + index[i] * bytes;
    if (Vecs > 0) {
#pragma GCC unroll 8
      for (int v = 0; v < Vecs; ++v) store(out + v * CR_VEC_BYTES, load(row + v * CR_VEC_BYTES));
    } else {
      const char* next = table + index[i + 2 < n ? i + 2 : n - 1] * bytes;
      for (int64_t at = 0; at + CR_VEC_BYTES < bytes; at += CR_VEC_BYTES) {
        __builtin_prefetch(next + at);
        store(out + at, load(row + at));
      }
      store(out + bytes - CR_VEC_BYTES, load(row + bytes - CR_VEC_BYTES));
    }
  }
}

template <class T>
CR_INLINE void gather_values(const char* table, const int64_t* index, int64_t n, char* out) {
  for (int64_t i = 0; i < n; ++i) {
    memcpy(out + i * sizeof(T), table + index[i] * static_cast<int64_t>(sizeof(T)), sizeof(T));
  }
}

void gather(const char* table, const int64_t* index, int64_t n, int64_t bytes, char* out) {
  switch (bytes) {
    case 0: return;
    case 1: return gather_values<uint8_t>(table, index, n, out);
    case 2: return gather_values<uint16_t>(table, index, n, out);
    case 4: return gather_values<uint32_t>(table, index, n, out);
    case 8: return gather_values<uint64_t>(table, index, n, out);
    case CR_VEC_BYTES: return gather_vectors<1>(table, index, n, CR_VEC_BYTES, out);
    case 2 * CR_VEC_BYTES: return gather_vectors<2>(table, index, n, 2 * CR_VEC_BYTES, out);
    case 4 * CR_VEC_BYTES: return gather_vectors<4>(table, index, n, 4 * CR_VEC_BYTES, out);
    case 8 * CR_VEC_BYTES: return gather_vectors<8>(table, index, n, 8 * CR_VEC_BYTES, out);
  }
  if (bytes >= CR_VEC_BYTES) return gather_vectors<0>(table, index, n, bytes, out);
  for (int64_t i = 0; i < n; ++i) {
    const char* row = table + index[i] * bytes;
    store_partial(out + i * bytes, load_partial(row, static_cast<int>(bytes)),
                  static_cast<int>(bytes));
  }
}

}  // namespace

extern const IndexKernels index_kernels;
const IndexKernels index_kernels = {check, gather};

}  // namespace CR_ISA
}  // namespace cr
