// Running sums and products of the middle axis of [rows, n, inner], from either end.
//
// Floats run in double. inner == 1: the lanes of a vector are scanned by shifts of 1, 2, 4, ...
// places, so that from vector to vector only one operation waits for the one before it. inner > 1:
// line by line. The order depends on n only.
#include "ops/scan.kernel.h"

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

constexpr int64_t kColumns = 256;  // columns handled together

struct Sum {
  static constexpr int kIdentity = 0;
  template <class T>
  static T step(T a, T x) {
    return a + x;
  }
};
struct Prod {
  static constexpr int kIdentity = 1;
  template <class T>
  static T step(T a, T x) {
    return a * x;
  }
};

// What is accumulated in.
template <class T>
struct AccOf {
  using Type = T;
};
template <>
struct AccOf<float> {
  using Type = double;
};
template <class T>
using Acc = typename AccOf<T>::Type;

// As many elements as there are accumulators in a vector.
template <class T>
constexpr int kWidth = kLanes<Acc<T>>;
template <class T>
struct PartOf {
  typedef T type __attribute__((vector_size(kWidth<T> * sizeof(T))));
};

template <class T>
CR_INLINE Vec<Acc<T>> widen(const T* x) {
  typename PartOf<T>::type part;
  memcpy(&part, x, sizeof(part));
  return __builtin_convertvector(part, Vec<Acc<T>>);
}

template <class T>
CR_INLINE void narrow(T* to, Vec<Acc<T>> v) {
  const auto part = __builtin_convertvector(v, typename PartOf<T>::type);
  memcpy(to, &part, sizeof(part));
}

// Lanes moved by Shift places, up or down; `fill` comes in.
template <int Shift, bool Down, class V, int... I>
CR_INLINE V moved(V v, V fill, Sequence<I...>) {
  constexpr int kL = sizeof...(I);
  return __builtin_shufflevector(
      v, fill,
      (Down ? (I + Shift < kL ? I + Shift : kL + I) : (I < Shift ? kL + I : I - Shift))...);
}

template <class Op, bool Reverse, int Shift, class V, int... I>
CR_INLINE V scan_lanes(V v, V identity, Sequence<I...> order) {
  if constexpr (Shift >= static_cast<int>(sizeof...(I))) {
    return v;
  } else {
    const V next = Op::step(moved<Shift, Reverse>(v, identity, order), v);
    return scan_lanes<Op, Reverse, 2 * Shift>(next, identity, order);
  }
}

template <int Lane, class V, int... I>
CR_INLINE V spread_lane(V v, Sequence<I...>) {
  return __builtin_shufflevector(v, v, (Lane + 0 * I)...);
}

template <class T, class Op, bool Reverse>
void scan_row(const T* x, T* out, int64_t n) {
  using A = Acc<T>;
  constexpr int kL = kWidth<T>;
  constexpr FirstNumbers<kL> kOrder{};
  const Vec<A> identity = splat(A(Op::kIdentity));
  Vec<A> carry = identity;
  const auto advance = [&](Vec<A> v) {
    const Vec<A> scanned = scan_lanes<Op, Reverse, 1>(v, identity, kOrder);
    const Vec<A> result = Op::step(carry, scanned);
    carry = Op::step(carry, spread_lane<Reverse ? 0 : kL - 1>(scanned, kOrder));
    return result;
  };
  const int64_t whole = n / kL * kL, rest = n - whole;
  for (int64_t i = 0; i < whole; i += kL) {
    const int64_t at = Reverse ? n - kL - i : i;
    narrow(out + at, advance(widen(x + at)));
  }
  A acc = carry[0];
  for (int64_t l = 0; l < rest; ++l) {
    const int64_t at = Reverse ? rest - 1 - l : whole + l;
    out[at] = static_cast<T>(acc = Op::template step<A>(acc, x[at]));
  }
}

// Line by line over a stretch of columns.
template <class T, class Op, bool Reverse>
void scan_columns(const T* x, T* out, int64_t n, int64_t inner, int64_t width) {
  Acc<T> acc[kColumns];
  for (int64_t j = 0; j < width; ++j) acc[j] = Op::kIdentity;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t line = (Reverse ? n - 1 - i : i) * inner;
    CR_INDEPENDENT
    for (int64_t j = 0; j < width; ++j) {
      acc[j] = Op::template step<Acc<T>>(acc[j], x[line + j]);
      out[line + j] = static_cast<T>(acc[j]);
    }
  }
}

template <class T, class Op, bool Reverse>
void scan(const void* input, void* output, const ReduceShape& s) {
  for (int64_t row = s.row_begin; row < s.row_end; ++row) {
    const T* x = static_cast<const T*>(input) + row * s.n * s.inner;
    T* out = static_cast<T*>(output) + row * s.n * s.inner;
    if (s.inner == 1) {
      scan_row<T, Op, Reverse>(x, out, s.n);
      continue;
    }
    for (int64_t c = s.col_begin; c < s.col_end; c += kColumns) {
      const int64_t width = s.col_end - c < kColumns ? s.col_end - c : kColumns;
      scan_columns<T, Op, Reverse>(x + c, out + c, s.n, s.inner, width);
    }
  }
}

// ---------------------------------------------------------------- running extremes

// Whether x takes over from `best`: the last of equal elements counts, and every NaN.
template <bool Smallest, class T>
CR_INLINE bool takes_over(T x, T best) {
  return (Smallest ? x <= best : x >= best) | (x != x);
}

template <class T, bool Smallest>
void running_row(const T* x, T* values, int64_t* places, int64_t n) {
  T best = n > 0 ? x[0] : T();
  int64_t at = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (takes_over<Smallest>(x[i], best)) {
      best = x[i];
      at = i;
    }
    values[i] = best;
    places[i] = at;
  }
}

template <class T, bool Smallest>
void running_columns(const T* x, T* values, int64_t* places, int64_t n, int64_t inner,
                     int64_t width) {
  T best[kColumns];
  int64_t at[kColumns];
  for (int64_t j = 0; j < width; ++j) {
    best[j] = x[j];
    at[j] = 0;
  }
  for (int64_t i = 0; i < n; ++i, x += inner, values += inner, places += inner) {
    CR_INDEPENDENT
    for (int64_t j = 0; j < width; ++j) {
      const bool wins = takes_over<Smallest>(x[j], best[j]);
      values[j] = best[j] = wins ? x[j] : best[j];
      places[j] = at[j] = wins ? i : at[j];
    }
  }
}

template <class T, bool Smallest>
void running(const void* input, void* output, int64_t* places, const ReduceShape& s) {
  for (int64_t row = s.row_begin; row < s.row_end; ++row) {
    const int64_t first = row * s.n * s.inner;
    const T* x = static_cast<const T*>(input) + first;
    T* values = static_cast<T*>(output) + first;
    if (s.inner == 1) {
      running_row<T, Smallest>(x, values, places + first, s.n);
      continue;
    }
    for (int64_t c = s.col_begin; s.n > 0 && c < s.col_end; c += kColumns) {
      const int64_t width = s.col_end - c < kColumns ? s.col_end - c : kColumns;
      running_columns<T, Smallest>(x + c, values + c, places + first + c, s.n, s.inner, width);
    }
  }
}

template <bool Smallest>
constexpr RunningKernels running_kernels() {
  return {running<int64_t, Smallest>, running<float, Smallest>, running<double, Smallest>};
}

template <class Op, bool Reverse>
constexpr ScanKernels kernels() {
  return {scan<uint64_t, Op, Reverse>, scan<float, Op, Reverse>, scan<double, Op, Reverse>};
}

}  // namespace

extern const ScanTable scan_table;
const ScanTable scan_table = {kernels<Sum, false>(), kernels<Sum, true>(), kernels<Prod, false>(),
                              running_kernels<false>(), running_kernels<true>()};

}  // namespace CR_ISA
}  // namespace cr
