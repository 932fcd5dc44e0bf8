// Casts between all dtypes. Integers wrap to the narrower type; a float is truncated towards zero,
// saturates where it does not fit, and NaN becomes 0 (so no value is undefined, on any processor);
// anything becomes the bool `x != 0`; what becomes float16 or bfloat16 is rounded once, to nearest.
// Plain loops, vectorised by the compiler.
#include "ops/pointwise.kernel.h"
#include "simd/transpose.h"
#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

// The integer type that a float is truncated to first: one the processor has an instruction for.
template <class Int>
struct TruncatesTo {
  using type = typename IntOfSize<(sizeof(Int) < 4 ? 4 : sizeof(Int))>::type;
};
template <>
struct TruncatesTo<uint32_t> {
  using type = int64_t;
};
template <>
struct TruncatesTo<uint64_t> {
  using type = uint64_t;
};

// Truncation towards zero that saturates; written as selections, so that it vectorises.
template <class Int, class Float>
CR_INLINE Int truncate(Float x) {
  constexpr bool kSigned = Int(-1) < Int(0);
  constexpr int kBits = sizeof(Int) * 8 - (kSigned ? 1 : 0);
  constexpr int kDigits = Ieee<Float>::kMantissaBits + 1;
  constexpr Int kMax = Int(~uint64_t(0) >> (64 - kBits)), kMin = kSigned ? Int(-kMax - 1) : Int(0);
  constexpr Float kPast = Float(uint64_t(1) << (kBits - 1)) * 2;
  // The largest float that truncates into the type.
  constexpr bool kExact = kBits <= kDigits;
  constexpr Float kTop = kExact ? Float(kMax) : kPast - kPast / Float(uint64_t(1) << kDigits);
  using Wide = typename TruncatesTo<Int>::type;
  Float y = x == x ? x : Float(0);
  y = y < Float(kMin) ? Float(kMin) : y;
  y = y > kTop ? kTop : y;
  const Int result = static_cast<Int>(static_cast<Wide>(y));
  return !kExact && x >= kPast ? kMax : result;
}

template <class To, class From>
CR_INLINE To convert(From x) {
  if constexpr (dtype_of<To>() == DType::kBool) {
    return x != From(0);
  } else if constexpr (is_floating(dtype_of<From>()) && is_integral(dtype_of<To>())) {
    return truncate<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

template <class From, class To>
CR_NOINLINE void cast_block(void* out, const void* const* in, int64_t n, const double*) {
  const From* x = static_cast<const From*>(in[0]);
  To* y = static_cast<To*>(out);
  CR_INDEPENDENT
  for (int64_t i = 0; i < n; i++) y[i] = convert<To>(x[i]);
}

#ifdef __AVX2__
// Floats become int32, with AVX-512 also shorter integers, by whole vectors: of the loop above gcc
// makes comparisons and blends where one instruction limits a number. (Without AVX-512 narrowing a
// whole vector is slow.)
template <class Float, class Int>
CR_NOINLINE void truncate_block(void* out, const void* const* in, int64_t n, const double*) {
  using V = Vec<Float>;
  typedef int32_t Wide __attribute__((vector_size(kLanes<Float> * 4)));
  typedef Int Narrow __attribute__((vector_size(kLanes<Float> * sizeof(Int))));
  constexpr bool kSigned = Int(-1) < Int(0);
  constexpr int kBits = sizeof(Int) * 8 - (kSigned ? 1 : 0);
  constexpr Int kMax = Int(~uint64_t(0) >> (64 - kBits)), kMin = kSigned ? Int(-kMax - 1) : Int(0);
  constexpr bool kExact = kBits <= Ieee<Float>::kMantissaBits + 1;  // is kMax a float?
  const V low = opaque(V{} + Float(kMin)), high = opaque(V{} + Float(kMax));
  const Float* x = static_cast<const Float*>(in[0]);
  Int* y = static_cast<Int*>(out);
  int64_t i = 0;
  for (; i + kLanes<Float> <= n; i += kLanes<Float>) {
    const V value = load(x + i), number = value == value ? value : V{};
    const V limited = min_or_b(high, max_or_b(low, number));
    Wide wide = __builtin_convertvector(limited, Wide);
    if constexpr (!kExact) wide = limited == high ? Wide{} + int32_t(kMax) : wide;
    const Narrow narrow = __builtin_convertvector(wide, Narrow);
    memcpy(y + i, &narrow, sizeof(narrow));
  }
  for (; i < n; i++) y[i] = truncate<Int>(x[i]);
}
#endif

// --- float16 and bfloat16: by way of float32
// ------------------------------------------------------

#if defined(__F16C__)
template <>
void cast_block<Float16, float>(void* out, const void* const* in, int64_t n, const double*) {
  const Float16* x = static_cast<const Float16*>(in[0]);
  float* y = static_cast<float*>(out);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i));
    _mm256_storeu_ps(y + i, _mm256_cvtph_ps(half));
  }
  for (; i < n; i++) y[i] = x[i];
}

template <>
void cast_block<float, Float16>(void* out, const void* const* in, int64_t n, const double*) {
  const float* x = static_cast<const float*>(in[0]);
  Float16* y = static_cast<Float16*>(out);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(y + i), half);
  }
  for (; i < n; i++) y[i] = Float16(x[i]);
}
#endif

// To float32 on the way to 16 bits. Rounding twice must not show: what float32 does not hold is
// rounded to odd.
template <class From>
CR_NOINLINE void cast_to_odd(void* out, const void* const* in, int64_t n, const double*) {
  const From* x = static_cast<const From*>(in[0]);
  float* y = static_cast<float*>(out);
  CR_INDEPENDENT
  for (int64_t i = 0; i < n; i++) y[i] = odd_float(x[i]);
}

// One cast after the other, through a tile that stays in L1.
template <class From, Block First, Block Second, class To>
void cast_twice(void* out, const void* const* in, int64_t n, const double*) {
  constexpr int64_t kTile = 512;
  alignas(64) float tile[kTile];
  for (int64_t i = 0; i < n; i += kTile) {
    const int64_t count = n - i < kTile ? n - i : kTile;
    const void* from = static_cast<const From*>(in[0]) + i;
    const void* middle = tile;
    First(tile, &from, count, nullptr);
    Second(static_cast<To*>(out) + i, &middle, count, nullptr);
  }
}

// --- The table
// ------------------------------------------------------------------------------------

// What a type is read as: bool bytes are 0 or 1, and gcc vectorises bytes better. Among integers,
// signs matter to widening only: types that differ in no more share a function.
template <class From, class To>
constexpr auto read_as() {
  if constexpr (dtype_of<From>() == DType::kBool) {
    return TypeTag<uint8_t>{};
  } else if constexpr (is_integral(dtype_of<From>()) && is_integral(dtype_of<To>()) &&
                       sizeof(To) <= sizeof(From)) {
    return TypeTag<typename BitsOfSize<sizeof(From)>::type>{};
  } else {
    return TypeTag<From>{};
  }
}

template <class From, class To>
constexpr auto written_as() {
  if constexpr (is_integral(dtype_of<To>()) && !is_floating(dtype_of<From>())) {
    return TypeTag<typename BitsOfSize<sizeof(To)>::type>{};
  } else {
    return TypeTag<To>{};
  }
}

template <class From, class To>
constexpr Block cast() {
  using X = typename decltype(read_as<From, To>())::type;
  using Y = typename decltype(written_as<From, To>())::type;
  constexpr bool from_half = is_half(dtype_of<From>()), to_half = is_half(dtype_of<To>());
  constexpr bool narrow = sizeof(From) < 4 || dtype_of<From>() == DType::kFloat32;
  if constexpr (from_half && dtype_of<From>() == dtype_of<To>()) {
    return cast_block<uint16_t, uint16_t>;
  } else if constexpr (from_half && dtype_of<To>() != DType::kFloat32) {
    return cast_twice<From, cast_block<From, float>, cast_block<float, To>, To>;
  } else if constexpr (to_half && narrow && dtype_of<From>() != DType::kFloat32) {
    return cast_twice<X, cast_block<X, float>, cast_block<float, To>, To>;
  } else if constexpr (to_half && !narrow) {
    return cast_twice<X, cast_to_odd<X>, cast_block<float, To>, To>;
  } else {
#ifdef __AVX2__
    constexpr bool to_short =
        dtype_of<To>() == DType::kInt32 || (sizeof(To) < 4 && CR_VEC_BYTES == 64);
    if constexpr (is_floating(dtype_of<From>()) && is_integral(dtype_of<To>()) && to_short) {
      return truncate_block<From, To>;
    }
#endif
    return cast_block<X, Y>;
  }
}

template <class T>
void transpose(const void* from, int64_t from_row, int64_t rows, int64_t cols, void* to,
               int64_t to_row) {
  transpose_array<T, false>(static_cast<const T*>(from), from_row, rows, cols, static_cast<T*>(to),
                            to_row);
}

// Every type to every type.
template <class... Types>
struct AllTypes {
  template <class From>
  static constexpr void fill_row(Block (&row)[kNumDTypes]) {
    ((row[static_cast<int>(dtype_of<Types>())] = cast<From, Types>()), ...);
  }
  static constexpr CastTable table() {
    CastTable t = {};
    (fill_row<Types>(t.cast[static_cast<int>(dtype_of<Types>())]), ...);
    t.transpose_4 = transpose<float>;
    t.transpose_8 = transpose<double>;
    return t;
  }
};

}  // namespace

const CastTable cast_table = AllTypes<bool, uint8_t, uint16_t, uint32_t, uint64_t, int8_t, int16_t,
                                      int32_t, int64_t, Float16, BFloat16, float, double>::table();

}  // namespace CR_ISA
}  // namespace cr
