// Reductions of the middle axis of [rows, n, inner].
//
// Sums of floats are added in blocks: within a block in several accumulators of the element type,
// across blocks in float64 with Neumaier's compensation, so the error does not grow with n
// (Higham, "The accuracy of floating point summation", 1993). The order depends on n only, never on
// threads. inner == 1 is vectorised along the axis, inner > 1 across the columns.
#include "ops/reduce.kernel.h"

#include "simd/transpose.h"

namespace cr {
namespace CR_ISA {
namespace {

constexpr int64_t kBlock = 4096;     // elements of one block along a contiguous axis
constexpr int64_t kBlockRows = 256;  // rows of one block across columns, added four at a time
constexpr int64_t kColumns = 256;    // columns handled together

// ---------------------------------------------------------------- sums

// Adds x to a total that keeps what rounding loses; the result is sum + lost.
inline void add_compensated(double& sum, double& lost, double x) {
  const double next = sum + x;
  const double kept =
      __builtin_fabs(sum) >= __builtin_fabs(x) ? (sum - next) + x : (x - next) + sum;
  lost += next - next == 0 ? kept : 0;  // infinities would make the correction NaN
  sum = next;
}

struct Plain {
  template <class V>
  static V of(V x) {
    return x;
  }
};
struct Squared {
  template <class V>
  static V of(V x) {
    return x * x;
  }
};

// A vector whose lanes add up to the sum of n elements.
template <class T, class F>
CR_INLINE Vec<T> block_lanes(const T* x, int64_t n) {
  constexpr int kLane = kLanes<T>;
  constexpr int kAccumulators = 4;
  Vec<T> acc[kAccumulators] = {};
  int64_t i = 0;
  for (; i + kAccumulators * kLane <= n; i += kAccumulators * kLane) {
#pragma GCC unroll 4
    for (int j = 0; j < kAccumulators; ++j) acc[j] += F::of(load(x + i + j * kLane));
  }
  for (; i + kLane <= n; i += kLane) acc[0] += F::of(load(x + i));
  if (i < n) acc[1] += F::of(load_partial(x + i, static_cast<int>(n - i)));
  return (acc[0] + acc[1]) + (acc[2] + acc[3]);
}

template <class T, class F>
T block_sum(const T* x, int64_t n) {
  return sum_lanes<T>(block_lanes<T, F>(x, n));
}

// Sums of `rows` rows of one block: in groups of one row a lane, then the rest, to the same bits.
template <class T, class F>
void sum_rows(const T* x, T* out, int64_t rows, int64_t n) {
  constexpr int kLane = kLanes<T>;
  int64_t row = 0;
  for (; row + kLane <= rows; row += kLane) {
    Vec<T> lanes[kLane];
    for (int r = 0; r < kLane; ++r) lanes[r] = block_lanes<T, F>(x + (row + r) * n, n);
    store(out + row, sums_of_lanes<T>(lanes));
  }
  for (; row < rows; ++row) out[row] = block_sum<T, F>(x + row * n, n);
}

// to[j] = the sum of n lines' elements j.
template <class T, class F>
void sum_lines(T* to, const T* line, int64_t n, int64_t inner, int64_t width) {
  for (int64_t j = 0; j < width; ++j) to[j] = 0;
  int64_t r = 0;
  for (; r + 4 <= n; r += 4, line += 4 * inner) {
    const T *a = line, *b = a + inner, *c = b + inner, *d = c + inner;
    for (int64_t j = 0; j < width; ++j) {
      to[j] += (F::of(a[j]) + F::of(b[j])) + (F::of(c[j]) + F::of(d[j]));
    }
  }
  for (; r < n; ++r, line += inner) {
    for (int64_t j = 0; j < width; ++j) to[j] += F::of(line[j]);
  }
}

template <class T, class F>
void sum_float(const void* input, void* output, const ReduceShape& s) {
  const T* x = static_cast<const T*>(input);
  T* out = static_cast<T*>(output);
  if (s.inner == 1 && s.n <= kBlock) {
    return sum_rows<T, F>(x + s.row_begin * s.n, out + s.row_begin, s.row_end - s.row_begin, s.n);
  }
  for (int64_t row = s.row_begin; row < s.row_end; ++row) {
    const T* from = x + row * s.n * s.inner;
    if (s.inner == 1) {
      double sum = 0, lost = 0;
      for (int64_t i = 0; i < s.n; i += kBlock) {
        const int64_t size = s.n - i < kBlock ? s.n - i : kBlock;
        add_compensated(sum, lost, block_sum<T, F>(from + i, size));
      }
      out[row] = static_cast<T>(sum + lost);
      continue;
    }
    for (int64_t c = s.col_begin; c < s.col_end; c += kColumns) {
      const int64_t width = s.col_end - c < kColumns ? s.col_end - c : kColumns;
      if (s.n <= kBlockRows) {
        sum_lines<T, F>(out + row * s.inner + c, from + c, s.n, s.inner, width);
        continue;
      }
      double sum[kColumns] = {}, lost[kColumns] = {};
      for (int64_t i = 0; i < s.n; i += kBlockRows) {
        const int64_t lines = s.n - i < kBlockRows ? s.n - i : kBlockRows;
        T block[kColumns];
        sum_lines<T, F>(block, from + i * s.inner + c, lines, s.inner, width);
        for (int64_t j = 0; j < width; ++j) add_compensated(sum[j], lost[j], block[j]);
      }
      for (int64_t j = 0; j < width; ++j) {
        out[row * s.inner + c + j] = static_cast<T>(sum[j] + lost[j]);
      }
    }
  }
}

// ---------------------------------------------------------------- folds

// Op: start(value) and step(accumulator, value), which joins accumulators too; Acc<T>, the type of
// an accumulator, is as wide as T, so that a loop over both is vectorised.

// acc[j] takes in the elements j of n lines.
template <class Op, class Acc, class T>
void fold_lines(Acc* __restrict acc, const T* __restrict line, int64_t n, int64_t stride,
                int64_t width) {
  int64_t i = 0;
  for (; i + 4 <= n; i += 4, line += 4 * stride) {
    const T *a = line, *b = a + stride, *c = b + stride, *d = c + stride;
    for (int64_t j = 0; j < width; ++j) {
      acc[j] = Op::step(Op::step(Op::step(Op::step(acc[j], a[j]), b[j]), c[j]), d[j]);
    }
  }
  for (; i < n; ++i, line += stride) {
    for (int64_t j = 0; j < width; ++j) acc[j] = Op::step(acc[j], line[j]);
  }
}

template <class Op, class T>
auto fold_row(const T* x, int64_t n) {
  using Acc = typename Op::template Acc<T>;
  constexpr int64_t kWidth = 512 / sizeof(T);  // a row seen as lines of so many columns
  Acc result = Op::template start<Acc>(n > 0 ? x[0] : T());
  int64_t i = 0;
  if (n >= 2 * kWidth) {
    Acc acc[kWidth];
    for (int64_t j = 0; j < kWidth; ++j) acc[j] = Op::template start<Acc>(x[j]);
    fold_lines<Op>(acc, x, n / kWidth, kWidth, kWidth);
    for (int64_t half = kWidth / 2; half > 0; half /= 2) {
      for (int64_t j = 0; j < half; ++j) acc[j] = Op::step(acc[j], acc[j + half]);
    }
    result = acc[0];
    i = n / kWidth * kWidth;
  }
  for (; i < n; ++i) result = Op::step(result, x[i]);
  return result;
}

template <class T, class Out, class Op>
void fold(const void* input, void* output, const ReduceShape& s) {
  using Acc = typename Op::template Acc<T>;
  const T* x = static_cast<const T*>(input);
  Out* out = static_cast<Out*>(output);
  for (int64_t row = s.row_begin; row < s.row_end; ++row) {
    const T* from = x + row * s.n * s.inner;
    if (s.inner == 1) {
      out[row] = static_cast<Out>(fold_row<Op>(from, s.n));
      continue;
    }
    for (int64_t c = s.col_begin; c < s.col_end; c += kColumns) {
      const int64_t width = s.col_end - c < kColumns ? s.col_end - c : kColumns;
      Acc acc[kColumns];
      for (int64_t j = 0; j < width; ++j) {
        acc[j] = Op::template start<Acc>(s.n > 0 ? from[c + j] : T());
      }
      fold_lines<Op>(acc, from + c, s.n, s.inner, width);
      for (int64_t j = 0; j < width; ++j) out[row * s.inner + c + j] = static_cast<Out>(acc[j]);
    }
  }
}

struct SameType {
  template <class T>
  using Acc = T;
};
struct SumInt : SameType {
  template <class Acc, class T>
  static Acc start(T) {
    return 0;
  }
  static int64_t step(int64_t a, int64_t x) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(x));
  }
};
struct Prod : SameType {
  template <class Acc, class T>
  static Acc start(T) {
    return 1;
  }
  static float step(float a, float x) { return a * x; }
  static double step(double a, double x) { return a * x; }
  static int64_t step(int64_t a, int64_t x) {
    return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(x));
  }
};
// NaN wins: x != x is true for it only.
struct Max : SameType {
  template <class Acc, class T>
  static Acc start(T x) {
    return x;
  }
  template <class T>
  static T step(T a, T x) {
    return (x > a) | (x != x) ? x : a;
  }
};
struct Min : SameType {
  template <class Acc, class T>
  static Acc start(T x) {
    return x;
  }
  template <class T>
  static T step(T a, T x) {
    return (x < a) | (x != x) ? x : a;
  }
};
template <int Bytes>
struct FlagOf;
template <>
struct FlagOf<1> {
  using Type = uint8_t;
};
template <>
struct FlagOf<2> {
  using Type = uint16_t;
};
template <>
struct FlagOf<4> {
  using Type = uint32_t;
};
template <>
struct FlagOf<8> {
  using Type = uint64_t;
};
struct Flags {
  template <class T>
  using Acc = typename FlagOf<sizeof(T)>::Type;
};
struct Any : Flags {
  template <class Acc, class T>
  static Acc start(T) {
    return 0;
  }
  template <class Acc, class T>
  static Acc step(Acc a, T x) {
    return static_cast<Acc>(a | (x != T(0) ? 1 : 0));
  }
};
struct All : Flags {
  template <class Acc, class T>
  static Acc start(T) {
    return 1;
  }
  template <class Acc, class T>
  static Acc step(Acc a, T x) {
    return static_cast<Acc>(a & (x != T(0) ? 1 : 0));
  }
};

// Products of floats: a row in vectors, the others as any fold.
template <class T>
void product(const void* input, void* output, const ReduceShape& s) {
  if (s.inner != 1) return fold<T, T, Prod>(input, output, s);
  constexpr int kLane = kLanes<T>;
  constexpr int kAccumulators = 4;
  for (int64_t row = s.row_begin; row < s.row_end; ++row) {
    const T* x = static_cast<const T*>(input) + row * s.n;
    Vec<T> acc[kAccumulators];
#pragma GCC unroll 4
    for (int j = 0; j < kAccumulators; ++j) acc[j] = splat(T(1));
    int64_t i = 0;
    for (; i + kAccumulators * kLane <= s.n; i += kAccumulators * kLane) {
#pragma GCC unroll 4
      for (int j = 0; j < kAccumulators; ++j) acc[j] *= load(x + i + j * kLane);
    }
    for (; i + kLane <= s.n; i += kLane) acc[0] *= load(x + i);
    if (i < s.n) acc[1] *= load_partial(x + i, static_cast<int>(s.n - i), T(1));
    static_cast<T*>(output)[row] = fold_lanes<T>((acc[0] * acc[1]) * (acc[2] * acc[3]),
                                                 [](Vec<T> a, Vec<T> b) { return a * b; });
  }
}

// Extreme element of n > 0 contiguous floats; NaN when there is one. Several accumulators:
// each step waits for the one before it in its own.
template <class T, class Op>
T row_extreme(const T* x, int64_t n) {
  constexpr int kLane = kLanes<T>;
  constexpr int kAccumulators = 4;
  Vec<T> best[kAccumulators];
  Mask<T> nan = {};
  const auto step = [&](Vec<T>& to, Vec<T> v) {
    nan |= v != v;
    if constexpr (__is_same(Op, Max)) {
      to = v > to ? v : to;
    } else {
      to = v < to ? v : to;
    }
  };
  const Vec<T> first = n < kLane ? load_partial(x, static_cast<int>(n), x[0]) : load(x);
#pragma GCC unroll 4
  for (int j = 0; j < kAccumulators; ++j) best[j] = first;
  int64_t i = 0;
  for (; i + kAccumulators * kLane <= n; i += kAccumulators * kLane) {
#pragma GCC unroll 4
    for (int j = 0; j < kAccumulators; ++j) step(best[j], load(x + i + j * kLane));
  }
  for (; i + kLane <= n; i += kLane) step(best[0], load(x + i));
  step(best[0], n < kLane ? first : load(x + n - kLane));  // overlaps; a maximum does not mind
#pragma GCC unroll 4
  for (int j = 1; j < kAccumulators; ++j) step(best[0], best[j]);
  if (any(nan)) return static_cast<T>(__builtin_nan(""));
  return fold_lanes<T>(best[0], [](Vec<T> a, Vec<T> b) {
    if constexpr (__is_same(Op, Max)) {
      return a > b ? a : b;
    } else {
      return a < b ? a : b;
    }
  });
}

template <class T>
constexpr bool kVectorised = __is_same(T, float) || __is_same(T, double);

template <class T, class Op>
void extreme(const void* input, void* output, const ReduceShape& s) {
  if constexpr (kVectorised<T>) {
    if (s.inner == 1) {
      const T* x = static_cast<const T*>(input);
      T* out = static_cast<T*>(output);
      for (int64_t row = s.row_begin; row < s.row_end; ++row) {
        out[row] = row_extreme<T, Op>(x + row * s.n, s.n);
      }
      return;
    }
  }
  fold<T, T, Op>(input, output, s);
}

template <class T, class Op>
T extreme_of_row(const T* x, int64_t n) {
  if constexpr (kVectorised<T>) {
    return row_extreme<T, Op>(x, n);
  } else {
    return fold_row<Op>(x, n);
  }
}

// First place of `value` among n elements (of a NaN when it is one).
template <class T>
int64_t first_place(const T* x, int64_t n, T value) {
  constexpr int64_t kStretch = 64;
  const auto found = [&](T v) { return value == value ? v == value : v != v; };
  int64_t i = 0;
  if constexpr (kVectorised<T>) {
    const Vec<T> wanted = splat(value);
    for (; i + kLanes<T> <= n; i += kLanes<T>) {
      const Vec<T> v = load(x + i);
      if (any(value == value ? v == wanted : v != v)) break;
    }
  } else {
    for (; i + kStretch <= n; i += kStretch) {
      T hits = 0;
      for (int64_t j = 0; j < kStretch; ++j) hits |= static_cast<T>(x[i + j] == value);
      if (hits) break;
    }
  }
  while (i < n - 1 && !found(x[i])) ++i;
  return i;
}

// Index of the first extreme element; a NaN counts as the extreme.
template <class T, class Op>
void arg_extreme(const void* input, void* output, const ReduceShape& s) {
  const T* x = static_cast<const T*>(input);
  int64_t* out = static_cast<int64_t*>(output);
  for (int64_t row = s.row_begin; row < s.row_end; ++row) {
    const T* from = x + row * s.n * s.inner;
    if (s.inner == 1) {
      out[row] = first_place(from, s.n, extreme_of_row<T, Op>(from, s.n));
      continue;
    }
    // Line by line over a stretch of columns.
    for (int64_t c = s.col_begin; c < s.col_end; c += kColumns) {
      const int64_t width = s.col_end - c < kColumns ? s.col_end - c : kColumns;
      T best[kColumns];
      int64_t* at = out + row * s.inner + c;
      for (int64_t j = 0; j < width; ++j) {
        best[j] = from[c + j];
        at[j] = 0;
      }
      for (int64_t i = 1; i < s.n; ++i) {
        const T* line = from + i * s.inner + c;
        for (int64_t j = 0; j < width; ++j) {
          const bool better = __is_same(Op, Max) ? line[j] > best[j] : line[j] < best[j];
          const bool wins = (better || line[j] != line[j]) && best[j] == best[j];
          best[j] = wins ? line[j] : best[j];
          at[j] = wins ? i : at[j];
        }
      }
    }
  }
}

// ---------------------------------------------------------------- running sums

template <class T, bool Product>
void cumulate(const void* input, void* output, const ReduceShape& s) {
  using Acc = std::conditional_t<std::is_same_v<T, float>, double, T>;
  const auto step = [](Acc acc, T value) -> Acc {
    if constexpr (std::is_integral_v<T>) {
      return Product ? Prod::step(acc, value) : SumInt::step(acc, value);
    } else {
      return Product ? acc * value : acc + value;
    }
  };
  for (int64_t row = s.row_begin; row < s.row_end; ++row) {
    const T* x = static_cast<const T*>(input) + row * s.n * s.inner;
    T* out = static_cast<T*>(output) + row * s.n * s.inner;
    if (s.inner == 1) {
      Acc acc = Product ? 1 : 0;
      for (int64_t i = 0; i < s.n; ++i) out[i] = static_cast<T>(acc = step(acc, x[i]));
      continue;
    }
    // Line by line over a stretch of columns.
    for (int64_t c = s.col_begin; c < s.col_end; c += kColumns) {
      const int64_t width = s.col_end - c < kColumns ? s.col_end - c : kColumns;
      Acc acc[kColumns];
      for (int64_t j = 0; j < width; ++j) acc[j] = Product ? 1 : 0;
      for (int64_t i = 0; i < s.n; ++i) {
        const T* line = x + i * s.inner + c;
        T* to = out + i * s.inner + c;
#pragma GCC ivdep
        for (int64_t j = 0; j < width; ++j) {
          acc[j] = step(acc[j], line[j]);
          to[j] = static_cast<T>(acc[j]);
        }
      }
    }
  }
}

}  // namespace

// Rows of the table, in the order of DType: kernels for every type that is computed in, and for
// the types sums are formed in.
#define CR_ALL_TYPES(K)                                                                  \
  {K(bool),    K(uint8_t), K(uint16_t), K(uint32_t), K(uint64_t), K(int8_t), K(int16_t), \
   K(int32_t), K(int64_t), nullptr,     nullptr,     K(float),    K(double)}
#define CR_SUM_TYPES(of_int64, of_float, of_double)                  \
  {nullptr, nullptr,  nullptr, nullptr, nullptr,  nullptr,  nullptr, \
   nullptr, of_int64, nullptr, nullptr, of_float, of_double}
#define CR_MAX(T) extreme<T, Max>
#define CR_MIN(T) extreme<T, Min>
#define CR_ARGMAX(T) arg_extreme<T, Max>
#define CR_ARGMIN(T) arg_extreme<T, Min>
#define CR_ANY(T) fold<T, bool, Any>
#define CR_ALL(T) fold<T, bool, All>

extern const ReduceTable reduce_table;
const ReduceTable reduce_table = {
    {
        CR_SUM_TYPES((fold<int64_t, int64_t, SumInt>), (sum_float<float, Plain>),
                     (sum_float<double, Plain>)),
        CR_SUM_TYPES((fold<int64_t, int64_t, Prod>), product<float>, product<double>),
        CR_ALL_TYPES(CR_MAX),
        CR_ALL_TYPES(CR_MIN),
        CR_ALL_TYPES(CR_ARGMAX),
        CR_ALL_TYPES(CR_ARGMIN),
        CR_ALL_TYPES(CR_ANY),
        CR_ALL_TYPES(CR_ALL),
        CR_SUM_TYPES(nullptr, (sum_float<float, Squared>), (sum_float<double, Squared>)),
    },
    CR_SUM_TYPES((cumulate<int64_t, false>), (cumulate<float, false>), (cumulate<double, false>)),
    CR_SUM_TYPES((cumulate<int64_t, true>), (cumulate<float, true>), (cumulate<double, true>)),
};

}  // namespace CR_ISA
}  // namespace cr
