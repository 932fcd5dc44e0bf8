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
  constexpr auto kOrder = Sequence<__integer_pack(kL)...>{};
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
#pragma GCC ivdep
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

template <class Op, bool Reverse>
constexpr ScanKernels kernels() {
  return {scan<uint64_t, Op, Reverse>, scan<float, Op, Reverse>, scan<double, Op, Reverse>};
}

}  // namespace

extern const ScanTable scan_table;
const ScanTable scan_table = {kernels<Sum, false>(), kernels<Sum, true>(), kernels<Prod, false>()};

}  // namespace CR_ISA
}  // namespace cr
