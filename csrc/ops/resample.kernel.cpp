// A banded matrix times one dimension: vectors along what follows the dimension, scalars where
// nothing does. A term whose weight is not in the band is never read, so that an infinity stays
// where it is.
#include "ops/resample.kernel.h"

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

template <class T>
CR_INLINE void combine_rows(const T* weights, int64_t count, int64_t inner, const T* in, T* out) {
  constexpr int kL = kLanes<T>;
  int64_t x = 0;
  for (; x + kL <= inner; x += kL) {
    Vec<T> sum{};
    if (count > 0) sum = splat(weights[0]) * load(in + x);
    for (int64_t k = 1; k < count; ++k) sum += splat(weights[k]) * load(in + k * inner + x);
    store(out + x, sum);
  }
  for (; x < inner; ++x) {
    T sum = count > 0 ? weights[0] * in[x] : T(0);
    for (int64_t k = 1; k < count; ++k) sum += weights[k] * in[k * inner + x];
    out[x] = sum;
  }
}

// The same with one element a row.
template <class T>
CR_INLINE T combine_elements(const T* weights, int64_t count, const T* in) {
  if (count == 0) return T(0);
  T sum = weights[0] * in[0];
  for (int64_t k = 1; k < count; ++k) sum += weights[k] * in[k];
  return sum;
}

template <class T>
void apply(const Band<T>& band, int64_t inner, int64_t begin, int64_t end, const T* in, T* out) {
  int64_t row = begin % band.rows;
  in += begin / band.rows * band.columns * inner;
  out += begin * inner;
  for (int64_t u = begin; u < end; ++u, out += inner) {
    const T* weights = band.weights + row * band.width;
    const T* from = in + band.first[row] * inner;
    if (inner == 1) {
      *out = combine_elements(weights, band.count[row], from);
    } else {
      combine_rows(weights, band.count[row], inner, from, out);
    }
    if (++row < band.rows) continue;
    row = 0;
    in += band.columns * inner;
  }
}

}  // namespace

extern const ResampleTable resample_table;
const ResampleTable resample_table = {{apply<float>}, {apply<double>}};

}  // namespace CR_ISA
}  // namespace cr
