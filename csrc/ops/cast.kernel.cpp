// Casts between all dtypes. Integers wrap to the narrower type; a float is truncated towards zero,
// saturates where it does not fit, and NaN becomes 0 (so no value is undefined, on any processor);
// anything becomes the bool `x != 0`. Plain loops, vectorised by the compiler.
#include "ops/pointwise.kernel.h"
#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

// Truncation towards zero that saturates; written as selections, so that it vectorises.
template <class Int, class Float>
CR_INLINE Int truncate(Float x) {
  constexpr bool kSigned = Int(-1) < Int(0);
  constexpr int kBits = sizeof(Int) * 8 - (kSigned ? 1 : 0);
  constexpr int kDigits = Ieee<Float>::kMantissaBits + 1;
  constexpr Int kMax = Int((uint64_t(1) << kBits) - 1), kMin = kSigned ? Int(-kMax - 1) : Int(0);
  constexpr Float kPast = Float(uint64_t(1) << kBits);
  // The largest float that truncates into the type.
  constexpr bool kExact = kBits <= kDigits;
  constexpr Float kTop = kExact ? Float(kMax) : kPast - kPast / Float(uint64_t(1) << kDigits);
  using Wide = typename IntOfSize<(sizeof(Int) < 4 ? 4 : sizeof(Int))>::type;
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
void cast_block(void* out, const void* const* in, int64_t n, const double*) {
  const From* x = static_cast<const From*>(in[0]);
  To* y = static_cast<To*>(out);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) y[i] = convert<To>(x[i]);
}

// What a type is read as: bool bytes are 0 or 1, and gcc vectorises bytes better.
template <class T>
struct Stored {
  using type = T;
};
template <>
struct Stored<bool> {
  using type = uint8_t;
};

// Every type to every type.
template <class... Types>
struct AllTypes {
  template <class From>
  static constexpr void fill_row(Block (&row)[kNumDTypes]) {
    ((row[static_cast<int>(dtype_of<Types>())] = cast_block<typename Stored<From>::type, Types>),
     ...);
  }
  static constexpr CastTable table() {
    CastTable t = {};
    (fill_row<Types>(t.cast[static_cast<int>(dtype_of<Types>())]), ...);
    return t;
  }
};

}  // namespace

const CastTable cast_table =
    AllTypes<bool, uint8_t, int8_t, int16_t, int32_t, int64_t, float, double>::table();

}  // namespace CR_ISA
}  // namespace cr
