// Reductions of the middle axis of [rows, n, inner].
//
// Sums of floats are added in blocks: within a block in several accumulators of the element type,
// across blocks in float64 with Neumaier's compensation, so the error does not grow with n
// (Higham, "The accuracy of floating point summation", 1993). The order depends on n only, never on
// threads. inner == 1 is vectorised along the axis, inner > 1 across the columns: few columns are
// made many by reading several lines as one, and rows of two to four elements are turned into
// columns.
#include "ops/reduce.kernel.h"

#include "simd/transpose.h"

namespace cr {
namespace CR_ISA {
namespace {

constexpr int64_t kBlock = 4096;     // elements of one block along a contiguous axis
constexpr int64_t kBlockRows = 256;  // rows of one block across columns, added four at a time
constexpr int64_t kColumns = 1024;   // columns handled together: long stretches of every line

// Asks for the lines of `n` elements that are read some time later. The hardware's own prefetching
// leaves a fifth of the bandwidth of L3 unused.
template <class T>
CR_INLINE void prefetch(const T* x, int64_t n) {
  constexpr int64_t kAhead = 2048, kLine = 64;
  const char* at = reinterpret_cast<const char*>(x) + kAhead;
  const int64_t bytes = n * static_cast<int64_t>(sizeof(T));
#pragma GCC unroll 8
  for (int64_t i = 0; i < bytes; i += kLine) __builtin_prefetch(at + i);
}

// How many lines are read as one where there are few columns.
int64_t merged_lines(const ReduceShape& s) {
  const int64_t width = s.col_end - s.col_begin;
  if (width != s.inner) return 1;
  const int64_t most = kColumns / width, lines = s.n / 8 < most ? s.n / 8 : most;
  return lines > 1 ? lines : 1;
}

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

struct Numbers {  // a NaN counts as 0
  template <class V>
  static V of(V x) {
    return x == x ? x : V{};
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
    prefetch(x + i, kAccumulators * kLane);
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

// to[j] = the sum of n lines' elements j, in blocks where there are many.
template <class T, class F>
void sum_columns(const T* x, T* to, int64_t n, int64_t inner, int64_t width) {
  if (n <= kBlockRows) return sum_lines<T, F>(to, x, n, inner, width);
  double sum[kColumns] = {}, lost[kColumns] = {};
  for (int64_t i = 0; i < n; i += kBlockRows) {
    const int64_t lines = n - i < kBlockRows ? n - i : kBlockRows;
    T block[kColumns];
    sum_lines<T, F>(block, x + i * inner, lines, inner, width);
    for (int64_t j = 0; j < width; ++j) add_compensated(sum[j], lost[j], block[j]);
  }
  for (int64_t j = 0; j < width; ++j) to[j] = static_cast<T>(sum[j] + lost[j]);
}

// The same for few columns, `merged` lines being read as one.
template <class T, class F>
void sum_narrow(const T* x, T* to, const ReduceShape& s, int64_t merged) {
  T wide[kColumns], rest[kColumns];
  const int64_t whole = s.n / merged;
  sum_columns<T, F>(x, wide, whole, merged * s.inner, merged * s.inner);
  sum_lines<T, F>(rest, x + whole * merged * s.inner, s.n - whole * merged, s.inner, s.inner);
  sum_lines<T, Plain>(to, wide, merged, s.inner, s.inner);
  for (int64_t j = 0; j < s.inner; ++j) to[j] += rest[j];
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
    const int64_t merged = merged_lines(s);
    if (merged > 1) {
      sum_narrow<T, F>(from, out + row * s.inner, s, merged);
      continue;
    }
    for (int64_t c = s.col_begin; c < s.col_end; c += kColumns) {
      const int64_t width = s.col_end - c < kColumns ? s.col_end - c : kColumns;
      sum_columns<T, F>(from + c, out + row * s.inner + c, s.n, s.inner, width);
    }
  }
}

// ---------------------------------------------------------------- folds

// Op: start(value) and step(accumulator, value), which joins accumulators too and takes numbers or
// vectors. Acc<T>, the type of an accumulator, is as wide as T, so that a loop over both is
// vectorised.

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

// The columns of [n, inner] rows.
template <class T, class Out, class Op>
void fold_columns(const void* input, void* output, const ReduceShape& s) {
  using Acc = typename Op::template Acc<T>;
  const int64_t merged = merged_lines(s);
  for (int64_t row = s.row_begin; row < s.row_end; ++row) {
    const T* from = static_cast<const T*>(input) + row * s.n * s.inner;
    Out* out = static_cast<Out*>(output) + row * s.inner;
    for (int64_t c = s.col_begin; c < s.col_end; c += kColumns) {
      const int64_t width = s.col_end - c < kColumns ? s.col_end - c : kColumns;
      Acc acc[kColumns];
      for (int64_t j = 0; j < merged * width; ++j) {
        acc[j] = Op::template start<Acc>(s.n > 0 ? from[c + j] : T());
      }
      const int64_t whole = s.n / merged;
      fold_lines<Op>(acc, from + c, whole, merged * s.inner, merged * width);
      if (merged > 1) {
        for (int64_t k = 1; k < merged; ++k) {
          for (int64_t j = 0; j < width; ++j) acc[j] = Op::step(acc[j], acc[k * width + j]);
        }
        fold_lines<Op>(acc, from + whole * merged * s.inner, s.n - whole * merged, s.inner, width);
      }
      for (int64_t j = 0; j < width; ++j) out[c + j] = static_cast<Out>(acc[j]);
    }
  }
}

// n > 0 contiguous elements. Several accumulators: each step waits for the one before it in its
// own.
template <class Op, class T>
T fold_row(const T* x, int64_t n) {
  constexpr int kLane = kLanes<T>;
  constexpr int kAccumulators = 4;
  const T start = Op::template start<T>(x[0]);
  Vec<T> acc[kAccumulators];
#pragma GCC unroll 4
  for (int j = 0; j < kAccumulators; ++j) acc[j] = splat(start);
  int64_t i = 0;
  for (; i + kAccumulators * kLane <= n; i += kAccumulators * kLane) {
    prefetch(x + i, kAccumulators * kLane);
#pragma GCC unroll 4
    for (int j = 0; j < kAccumulators; ++j) acc[j] = Op::step(acc[j], load(x + i + j * kLane));
  }
  for (; i + kLane <= n; i += kLane) acc[0] = Op::step(acc[0], load(x + i));
  if (i < n) acc[1] = Op::step(acc[1], load_partial(x + i, static_cast<int>(n - i), start));
  return fold_lanes<T>(Op::step(Op::step(acc[0], acc[1]), Op::step(acc[2], acc[3])),
                       [](Vec<T> a, Vec<T> b) { return Op::step(a, b); });
}

template <class T, class Op>
void fold(const void* input, void* output, const ReduceShape& s) {
  if (s.inner != 1) return fold_columns<T, T, Op>(input, output, s);
  for (int64_t row = s.row_begin; row < s.row_end; ++row) {
    const T* x = static_cast<const T*>(input) + row * s.n;
    static_cast<T*>(output)[row] = s.n > 0 ? fold_row<Op>(x, s.n) : Op::template start<T>(T());
  }
}

struct SameType {
  template <class T>
  using Acc = T;
};
struct Sum : SameType {
  template <class Acc, class T>
  static Acc start(T) {
    return 0;
  }
  template <class T>
  static T step(T a, T x) {
    return static_cast<T>(a + x);
  }
};
struct Prod : SameType {
  template <class Acc, class T>
  static Acc start(T) {
    return 1;
  }
  template <class T>
  static T step(T a, T x) {
    return a * x;
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
  template <class T>
  static auto better(T x, T than) {
    return x > than;
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
  template <class T>
  static auto better(T x, T than) {
    return x < than;
  }
};

template <class T>
constexpr bool kFloating = __is_same(T, float) || __is_same(T, double);

// Extreme element of n > 0 contiguous ones; NaN when there is one. The sum of the elements tells of
// a NaN at the price of an addition; infinities of both signs make one, too, and take the long way.
template <class Op, class T>
T row_extreme(const T* x, int64_t n) {
  if constexpr (!kFloating<T>) {
    return fold_row<Op>(x, n);
  } else {
    constexpr int kLane = kLanes<T>;
    constexpr int kAccumulators = 4;
    const auto extreme = [](Vec<T> a, Vec<T> v) { return Op::better(v, a) ? v : a; };
    const Vec<T> first = n < kLane ? load_partial(x, static_cast<int>(n), x[0]) : load(x);
    Vec<T> best[kAccumulators], sum[kAccumulators] = {};
#pragma GCC unroll 4
    for (int j = 0; j < kAccumulators; ++j) best[j] = first;
    int64_t i = 0;
    for (; i + kAccumulators * kLane <= n; i += kAccumulators * kLane) {
      prefetch(x + i, kAccumulators * kLane);
#pragma GCC unroll 4
      for (int j = 0; j < kAccumulators; ++j) {
        const Vec<T> v = load(x + i + j * kLane);
        best[j] = extreme(best[j], v);
        sum[j] += v;
      }
    }
    for (; i + kLane <= n; i += kLane) {
      best[0] = extreme(best[0], load(x + i));
      sum[0] += load(x + i);
    }
    const Vec<T> last = n < kLane ? first : load(x + n - kLane);  // overlaps
    best[1] = extreme(best[1], last);
    sum[1] += last;
    const Vec<T> total = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    if (any(total != total)) return fold_row<Op>(x, n);
    return fold_lanes<T>(extreme(extreme(best[0], best[1]), extreme(best[2], best[3])), extreme);
  }
}

template <class T, class Op>
void extreme(const void* input, void* output, const ReduceShape& s) {
  if (s.inner != 1) return fold_columns<T, T, Op>(input, output, s);
  for (int64_t row = s.row_begin; row < s.row_end; ++row) {
    static_cast<T*>(output)[row] = row_extreme<Op>(static_cast<const T*>(input) + row * s.n, s.n);
  }
}

// First place of `value` among n elements (of a NaN when it is one), where it is known to be.
template <class T>
int64_t first_place(const T* x, int64_t n, T value) {
  constexpr int kLane = kLanes<T>;
  constexpr int kTogether = 4;
  const Vec<T> wanted = splat(value);
  const bool missing = value != value;
  const auto hits = [&](int64_t i) {
    const Vec<T> v = load(x + i);
    return missing ? v != v : v == wanted;
  };
  int64_t i = 0;
  for (; i + kTogether * kLane <= n; i += kTogether * kLane) {
    if (any((hits(i) | hits(i + kLane)) | (hits(i + 2 * kLane) | hits(i + 3 * kLane)))) break;
  }
  for (; i + kLane <= n; i += kLane) {
    const Mask<T> hit = hits(i);
    if (!any(hit)) continue;
    Mask<T> lane{};
#pragma GCC unroll 64
    for (int l = 0; l < kLane; ++l) lane[l] = static_cast<MaskLane<T>>(l);
    using Lane = MaskLane<T>;
    return i + fold_lanes<Lane>(hit ? lane : splat<Lane>(kLane - 1),
                                [](auto a, auto b) { return a < b ? a : b; });
  }
  while (i < n - 1 && !(missing ? x[i] != x[i] : x[i] == value)) ++i;
  return i;
}

// Index of the first extreme element, NaN counting as one: the block is found that has it, then
// its place there.
template <class T, class Op>
int64_t arg_row(const T* x, int64_t n) {
  constexpr int64_t kBlockElements = 4096 / sizeof(T);
  const auto size = [&](int64_t at) { return n - at < kBlockElements ? n - at : kBlockElements; };
  T best = row_extreme<Op>(x, size(0));
  int64_t block = 0;
  for (int64_t i = kBlockElements; i < n && best == best; i += kBlockElements) {
    const T value = row_extreme<Op>(x + i, size(i));
    if (!Op::better(value, best) && value == value) continue;
    best = value;
    block = i;
  }
  return block + first_place(x + block, size(block), best);
}

// best[j], at[j] = the extreme of n lines' elements j and its line.
template <class Op, class T>
void arg_lines(const T* line, T* best, int64_t* at, int64_t n, int64_t inner, int64_t width) {
  for (int64_t j = 0; j < width; ++j) {
    best[j] = line[j];
    at[j] = 0;
  }
  for (int64_t i = 1; i < n; ++i) {
    line += inner;
    for (int64_t j = 0; j < width; ++j) {
      const bool wins =
          (Op::better(line[j], best[j]) | (line[j] != line[j])) & (best[j] == best[j]);
      best[j] = wins ? line[j] : best[j];
      at[j] = wins ? i : at[j];
    }
  }
}

// The same for few columns, `merged` lines being read as one.
template <class Op, class T>
void arg_narrow(const T* x, int64_t* at, const ReduceShape& s, int64_t merged) {
  T best[kColumns];
  int64_t place[kColumns];
  const int64_t whole = s.n / merged, width = s.inner;
  arg_lines<Op>(x, best, place, whole, merged * width, merged * width);
  const auto take = [&](int64_t j, T value, int64_t i) {
    const bool same = value == best[j] || (value != value && best[j] != best[j]);
    const bool wins = (Op::better(value, best[j]) || value != value) && best[j] == best[j];
    if (!wins && !(same && i < at[j])) return;
    best[j] = value;
    at[j] = i;
  };
  for (int64_t j = 0; j < width; ++j) at[j] = place[j] * merged;
  for (int64_t k = 1; k < merged; ++k) {
    for (int64_t j = 0; j < width; ++j) {
      take(j, best[k * width + j], place[k * width + j] * merged + k);
    }
  }
  for (int64_t i = whole * merged; i < s.n; ++i) {
    for (int64_t j = 0; j < width; ++j) take(j, x[i * width + j], i);
  }
}

template <class T, class Op>
void arg_extreme(const void* input, void* output, const ReduceShape& s) {
  const T* x = static_cast<const T*>(input);
  int64_t* out = static_cast<int64_t*>(output);
  const int64_t merged = s.inner == 1 ? 1 : merged_lines(s);
  for (int64_t row = s.row_begin; row < s.row_end; ++row) {
    const T* from = x + row * s.n * s.inner;
    if (s.inner == 1) {
      out[row] = arg_row<T, Op>(from, s.n);
    } else if (merged > 1) {
      arg_narrow<Op>(from, out + row * s.inner, s, merged);
    } else {
      for (int64_t c = s.col_begin; c < s.col_end; c += kColumns) {
        const int64_t width = s.col_end - c < kColumns ? s.col_end - c : kColumns;
        T best[kColumns];
        arg_lines<Op>(from + c, best, out + row * s.inner + c, s.n, s.inner, width);
      }
    }
  }
}

// ---------------------------------------------------------------- flags and counts

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
  static constexpr bool kDecisive = true;  // one such element decides
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
  static constexpr bool kDecisive = false;
  template <class Acc, class T>
  static Acc start(T) {
    return 1;
  }
  template <class Acc, class T>
  static Acc step(Acc a, T x) {
    return static_cast<Acc>(a & (x != T(0) ? 1 : 0));
  }
};

// Whether one of n elements is not 0, or is 0; stops soon after the first.
template <bool NotZero, class T>
bool finds(const T* x, int64_t n) {
  constexpr int kLane = kLanes<T>;
  constexpr int kTogether = 4;
  const auto hits = [](Vec<T> v) { return NotZero ? v != Vec<T>{} : v == Vec<T>{}; };
  int64_t i = 0;
  for (; i + kTogether * kLane <= n; i += kTogether * kLane) {
    prefetch(x + i, kTogether * kLane);
    Mask<T> hit{};
#pragma GCC unroll 4
    for (int j = 0; j < kTogether; ++j) hit |= hits(load(x + i + j * kLane));
    if (any(hit)) return true;
  }
  for (; i + kLane <= n; i += kLane) {
    if (any(hits(load(x + i)))) return true;
  }
  return i < n && any(hits(load_partial(x + i, static_cast<int>(n - i), T(!NotZero))));
}

template <class T, class Op>
void flag(const void* input, void* output, const ReduceShape& s) {
  if (s.inner != 1) return fold_columns<T, bool, Op>(input, output, s);
  for (int64_t row = s.row_begin; row < s.row_end; ++row) {
    const bool found = finds<Op::kDecisive>(static_cast<const T*>(input) + row * s.n, s.n);
    static_cast<bool*>(output)[row] = found == Op::kDecisive;
  }
}

// How many of n bytes, which are 0 or 1, are 1.
int64_t count_row(const uint8_t* x, int64_t n) {
  constexpr int kLane = kLanes<uint8_t>;
  constexpr int64_t kFull = 255;  // what a byte can count to
  Vec<uint64_t> total{};
  int64_t i = 0;
  while (i < n) {
    Vec<uint8_t> count{};
    const int64_t end = n - i < kFull * kLane ? n : i + kFull * kLane;
    for (; i + kLane <= end; i += kLane) count += load(x + i);
    if (i < end) {
      count += load_partial(x + i, static_cast<int>(end - i));
      i = end;
    }
    const auto words = reinterpret_cast<Vec<uint64_t>>(count);
    constexpr uint64_t kPairs = 0x00ff00ff00ff00ff, kOnes = 0x0001000100010001;
    total += (((words & kPairs) + ((words >> 8) & kPairs)) * kOnes) >> 48;
  }
  return static_cast<int64_t>(sum_lanes<uint64_t>(total));
}

void count(const void* input, void* output, const ReduceShape& s) {
  constexpr int64_t kFull = 255;
  const uint8_t* x = static_cast<const uint8_t*>(input);
  int64_t* out = static_cast<int64_t*>(output);
  const int64_t merged = s.inner == 1 ? 1 : merged_lines(s);
  for (int64_t row = s.row_begin; row < s.row_end; ++row) {
    const uint8_t* from = x + row * s.n * s.inner;
    if (s.inner == 1) {
      out[row] = count_row(from, s.n);
      continue;
    }
    for (int64_t c = s.col_begin; c < s.col_end; c += kColumns) {
      const int64_t width = s.col_end - c < kColumns ? s.col_end - c : kColumns;
      int64_t* to = out + row * s.inner + c;
      for (int64_t j = 0; j < width; ++j) to[j] = 0;
      const auto add = [&](const uint8_t* lines, int64_t n, int64_t together) {
        for (int64_t i = 0; i < n; i += kFull) {
          uint8_t acc[kColumns] = {};
          fold_lines<Sum>(acc, lines + i * together * s.inner, n - i < kFull ? n - i : kFull,
                          together * s.inner, together * width);
          for (int64_t k = 0; k < together; ++k) {
            for (int64_t j = 0; j < width; ++j) to[j] += acc[k * width + j];
          }
        }
      };
      const int64_t whole = s.n / merged;
      add(from + c, whole, merged);
      add(from + c + whole * merged * s.inner, s.n - whole * merged, 1);
    }
  }
}

// ---------------------------------------------------------------- short rows

constexpr int64_t kShort = 4;          // elements of a short row
constexpr int64_t kTurnedRows = 1024;  // rows turned into columns together

// to[k][r] = x[r][k] of rows of N.
template <int N, class T>
void turn(const T* __restrict x, T* __restrict to, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r) {
#pragma GCC unroll 4
    for (int k = 0; k < N; ++k) to[k * kTurnedRows + r] = x[r * N + k];
  }
}

// A reduction whose short rows become columns.
template <class T, class Out, ReduceKernel reduce>
void turned(const void* input, void* output, const ReduceShape& s) {
  if (s.inner != 1 || s.n < 2 || s.n > kShort) return reduce(input, output, s);
  T columns[kShort * kTurnedRows];
  for (int64_t row = s.row_begin; row < s.row_end; row += kTurnedRows) {
    const int64_t rows = s.row_end - row < kTurnedRows ? s.row_end - row : kTurnedRows;
    const T* x = static_cast<const T*>(input) + row * s.n;
    s.n == 2   ? turn<2>(x, columns, rows)
    : s.n == 3 ? turn<3>(x, columns, rows)
               : turn<4>(x, columns, rows);
    // Whole lines, unread behind the last row.
    reduce(columns, static_cast<Out*>(output) + row, {s.n, kTurnedRows, 0, 1, 0, rows});
  }
}

// x[i] /= by
template <class T>
void divide(void* values, int64_t n, double by) {
  T* x = static_cast<T*>(values);
  for (int64_t i = 0; i < n; ++i) x[i] = static_cast<T>(x[i] / by);
}

}  // namespace

// Rows of the table, in the order of DType: kernels for every type that is computed in, and for
// the types sums are formed in. Bools count as bytes, integers are added modulo 2^64.
#define CR_ALL_TYPES(K)                                                                  \
  {K(uint8_t), K(uint8_t), K(uint16_t), K(uint32_t), K(uint64_t), K(int8_t), K(int16_t), \
   K(int32_t), K(int64_t), nullptr,     nullptr,     K(float),    K(double)}
#define CR_SUM_TYPES(of_bool, of_int64, of_float, of_double)         \
  {of_bool, nullptr,  nullptr, nullptr, nullptr,  nullptr,  nullptr, \
   nullptr, of_int64, nullptr, nullptr, of_float, of_double}
#define CR_MAX(T) turned<T, T, extreme<T, Max>>
#define CR_MIN(T) turned<T, T, extreme<T, Min>>
#define CR_ARGMAX(T) turned<T, int64_t, arg_extreme<T, Max>>
#define CR_ARGMIN(T) turned<T, int64_t, arg_extreme<T, Min>>
#define CR_ANY(T) turned<T, bool, flag<T, Any>>
#define CR_ALL(T) turned<T, bool, flag<T, All>>
#define CR_SUM(T, F) turned<T, T, sum_float<T, F>>
#define CR_FOLD(T, Op) turned<T, T, fold<T, Op>>

extern const ReduceTable reduce_table;
const ReduceTable reduce_table = {
    {
        CR_SUM_TYPES((turned<uint8_t, int64_t, count>), (CR_FOLD(uint64_t, Sum)),
                     (CR_SUM(float, Plain)), (CR_SUM(double, Plain))),
        CR_SUM_TYPES(nullptr, (CR_FOLD(uint64_t, Prod)), (CR_FOLD(float, Prod)),
                     (CR_FOLD(double, Prod))),
        CR_ALL_TYPES(CR_MAX),
        CR_ALL_TYPES(CR_MIN),
        CR_ALL_TYPES(CR_ARGMAX),
        CR_ALL_TYPES(CR_ARGMIN),
        CR_ALL_TYPES(CR_ANY),
        CR_ALL_TYPES(CR_ALL),
        CR_SUM_TYPES(nullptr, nullptr, (CR_SUM(float, Squared)), (CR_SUM(double, Squared))),
        CR_SUM_TYPES(nullptr, nullptr, (CR_SUM(float, Numbers)), (CR_SUM(double, Numbers))),
    },
    {divide<float>, divide<double>},
};

}  // namespace CR_ISA
}  // namespace cr
