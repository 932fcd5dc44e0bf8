// Arithmetic, comparison, logic and selection: each op is one functor and one line of the table at
// the end. A functor is written once and called on float vectors and on scalar integers alike.
//
// Integers wrap around: sums and products are formed in unsigned arithmetic. Division by zero gives
// zero instead of a trap (the host reports it); shifts by a negative or too large count give what
// shifting one place at a time would.
#include "ops/pointwise_block.h"
#include "simd/pair.h"

namespace cr {
namespace CR_ISA {
namespace {

// The same value in a type whose arithmetic wraps and is not widened behind our back.
CR_INLINE uint32_t wrap(int32_t x) { return static_cast<uint32_t>(x); }  // and all narrower types
CR_INLINE uint32_t wrap(uint32_t x) { return x; }
CR_INLINE uint64_t wrap(uint64_t x) { return x; }
CR_INLINE uint64_t wrap(int64_t x) { return static_cast<uint64_t>(x); }
CR_INLINE Vec<float> wrap(Vec<float> x) { return x; }
CR_INLINE Vec<double> wrap(Vec<double> x) { return x; }

template <class X>
constexpr bool kIsVector = kSame<X, Vec<float>> || kSame<X, Vec<double>>;
template <class X>
constexpr bool kIsSigned = X(-1) < X(0);

struct Add {
  template <class X>
  X operator()(X a, X b) const {
    return X(wrap(a) + wrap(b));
  }
};

struct Sub {
  template <class X>
  X operator()(X a, X b) const {
    return X(wrap(a) - wrap(b));
  }
};

struct Mul {
  template <class X>
  X operator()(X a, X b) const {
    return X(wrap(a) * wrap(b));
  }
};

struct Div {
  template <class V>
  V operator()(V a, V b) const {
    return a / b;
  }
};

struct Neg {
  template <class X>
  X operator()(X x) const {
    return X(-wrap(x));
  }
};

struct Abs {
  template <class X>
  X operator()(X x) const {
    if constexpr (kIsVector<X>) {
      return abs(x);
    } else {
      return x < 0 ? X(-wrap(x)) : x;
    }
  }
};

struct Sign {
  template <class X>
  X operator()(X x) const {
    if constexpr (kIsVector<X>) {
      const X zero = {}, one = zero + Lane<X>(1);
      return x > zero ? one : x < zero ? -one : zero;
    } else {
      return X((x > 0) - (x < 0));
    }
  }
};

struct Square {
  template <class X>
  X operator()(X x) const {
    return X(wrap(x) * wrap(x));
  }
};

struct Cube {
  template <class V>
  V operator()(V x) const {
    return x * x * x;
  }
};

// --- Order
// ----------------------------------------------------------------------------------------

// NaN in either operand wins.
template <class X>
CR_INLINE X maximum(X a, X b) {
  const X larger = a > b ? a : b;
  return a != a ? a : larger;
}

template <class X>
CR_INLINE X minimum(X a, X b) {
  const X smaller = a < b ? a : b;
  return a != a ? a : smaller;
}

struct Maximum {
  template <class X>
  X operator()(X a, X b) const {
    return maximum(a, b);
  }
};

struct Minimum {
  template <class X>
  X operator()(X a, X b) const {
    return minimum(a, b);
  }
};

// NaN loses against a number.
struct Fmax {
  template <class X>
  X operator()(X a, X b) const {
    return ((a >= b) | (b != b)) ? a : b;
  }
};

struct Fmin {
  template <class X>
  X operator()(X a, X b) const {
    return ((a <= b) | (b != b)) ? a : b;
  }
};

struct Clamp {
  template <class X>
  X operator()(X x, X low, X high) const {
    return minimum(maximum(x, low), high);
  }
};

struct Relu {
  template <class X>
  X operator()(X x) const {
    const X zero = {};
    return zero > x ? zero : x;
  }
};

struct ReluGrad {
  template <class X>
  X operator()(X grad, X out) const {
    const X zero = {};
    return out <= zero ? zero : grad;
  }
};

struct Slope {
  double slope;
  explicit Slope(const double* params) : slope(params[0]) {}
};

struct LeakyRelu : Slope {
  using Slope::Slope;
  template <class V>
  V operator()(V x) const {
    return x > Lane<V>(0) ? x : x * Lane<V>(slope);
  }
};

struct LeakyReluGrad : Slope {
  using Slope::Slope;
  template <class V>
  V operator()(V grad, V x) const {
    return x > Lane<V>(0) ? grad : grad * Lane<V>(slope);
  }
};

// Curves of straight lines; the slope at a corner is the one torch takes.

struct Range {
  double low, high;
  explicit Range(const double* params) : low(params[0]), high(params[1]) {}
};

struct ClampBy : Range {
  using Range::Range;
  template <class V>
  V operator()(V x) const {
    // The limits are numbers. Without opaque gcc compares and blends.
    return max_or_b(opaque(V{} + Lane<V>(low)), min_or_b(opaque(V{} + Lane<V>(high)), x));
  }
};

struct NanToNum {
  double nan, above, below;
  explicit NanToNum(const double* params) : nan(params[0]), above(params[1]), below(params[2]) {}
  template <class V>
  V operator()(V x) const {
    using T = Lane<V>;
    const V infinity = V{} + T(__builtin_inf());
    const V low = x == -infinity ? V{} + T(below) : x, high = x == infinity ? V{} + T(above) : low;
    return x == x ? high : V{} + T(nan);
  }
};

struct Hardtanh : Range {
  using Range::Range;
  template <class V>
  V operator()(V x) const {
    const V a = V{} + Lane<V>(low), b = V{} + Lane<V>(high);
    const V raised = x < a ? a : x;
    return raised > b ? b : raised;
  }
};

struct HardtanhGrad : Range {
  using Range::Range;
  template <class V>
  V operator()(V grad, V x) const {
    return (x <= Lane<V>(low)) | (x >= Lane<V>(high)) ? V{} : grad;
  }
};

// (x + 3) / 6 between 0 and 1.
template <class V>
CR_INLINE V hard_sigmoid(V x) {
  using T = Lane<V>;
  const V y = (x + T(3)) * T(1.0 / 6), one = V{} + T(1);
  return x <= T(-3) ? V{} : (x >= T(3) ? one : y);
}

struct Hardsigmoid {
  template <class V>
  V operator()(V x) const {
    return hard_sigmoid(x);
  }
};

struct HardsigmoidGrad {
  template <class V>
  V operator()(V grad, V x) const {
    using T = Lane<V>;
    return (x <= T(-3)) | (x >= T(3)) ? V{} : grad * T(1.0 / 6);
  }
};

struct Hardswish {
  template <class V>
  V operator()(V x) const {
    return x * hard_sigmoid(x);
  }
};

struct HardswishGrad {
  template <class V>
  V operator()(V grad, V x) const {
    using T = Lane<V>;
    const V inside = grad * (x * T(1.0 / 3) + T(0.5));
    return x <= T(-3) ? V{} : (x >= T(3) ? grad : inside);
  }
};

struct Softshrink : Slope {
  using Slope::Slope;
  template <class V>
  V operator()(V x) const {
    const Lane<V> by = static_cast<Lane<V>>(slope);
    return x > by ? x - by : (x < -by ? x + by : x * Lane<V>(0));
  }
};

struct Hardshrink : Slope {
  using Slope::Slope;
  template <class V>
  V operator()(V x) const {
    return (x >= Lane<V>(-slope)) & (x <= Lane<V>(slope)) ? V{} : x;
  }
};

struct ShrinkGrad : Slope {
  using Slope::Slope;
  template <class V>
  V operator()(V grad, V x) const {
    return (x >= Lane<V>(-slope)) & (x <= Lane<V>(slope)) ? V{} : grad;
  }
};

struct Threshold : Range {
  using Range::Range;
  template <class V>
  V operator()(V x) const {
    return x <= Lane<V>(low) ? V{} + Lane<V>(high) : x;
  }
};

struct ThresholdGrad : Slope {
  using Slope::Slope;
  template <class V>
  V operator()(V grad, V x) const {
    return x <= Lane<V>(slope) ? V{} : grad;
  }
};

struct Prelu {
  template <class V>
  V operator()(V x, V weight) const {
    return x > Lane<V>(0) ? x : x * weight;
  }
};

struct PreluGrad {
  template <class V>
  V operator()(V grad, V x, V weight) const {
    return x > Lane<V>(0) ? grad : grad * weight;
  }
};

#define CR_COMPARISON(Functor, op)    \
  struct Functor {                    \
    template <class X>                \
    auto operator()(X a, X b) const { \
      return a op b;                  \
    }                                 \
  }
CR_COMPARISON(Eq, ==);
CR_COMPARISON(Ne, !=);
CR_COMPARISON(Lt, <);
CR_COMPARISON(Le, <=);
CR_COMPARISON(Gt, >);
CR_COMPARISON(Ge, >=);
#undef CR_COMPARISON

// --- Division with remainder
// ----------------------------------------------------------------------

float libm_fmod(float a, float b) { return __builtin_fmodf(a, b); }
double libm_fmod(double a, double b) { return __builtin_fmod(a, b); }

// Replaces the marked lanes of r by the C library's.
template <class V>
__attribute__((noinline, cold)) V fmod_lanes(V a, V b, V r, MaskOf<V> lanes) {
  for (int i = 0; i < kLanes<Lane<V>>; i++) {
    if (lanes[i]) r[i] = libm_fmod(a[i], b[i]);
  }
  return r;
}

// a - b trunc(a / b), exact. While the quotient fits the mantissa one step gives it: rounding can
// make the quotient one too large, which shows as a negative remainder.
template <class V>
CR_INLINE V fmod(V a, V b) {
  using T = Lane<V>;
  constexpr T kTiny = sizeof(T) == 4 ? T(0x1p-70) : T(0x1p-900);  // keeps error terms normal
  constexpr T kHuge = sizeof(T) == 4 ? T(0x1p100) : T(0x1p1000);
  constexpr T kWide = T(uint64_t(1) << (Ieee<T>::kMantissaBits - 1));
  const V x = abs(a), y = abs(b), q = x / y;
  // NaN and division by zero come out right by themselves.
  const auto hard = ((y > T(0)) & ((q >= kWide) | (y <= kTiny))) | (y >= kHuge) | (x >= kHuge);
  const V rest = residual(x, floor(q), y);
  const V r = copysign(rest < T(0) ? rest + y : rest, a);
  return __builtin_expect(any(hard), 0) ? fmod_lanes(a, b, r, hard) : r;
}

// The remainder's sign is not the divisor's, as Python wants it.
template <class X>
CR_INLINE auto wrong_sign(X remainder, X divisor) {
  const X zero = {};
  return (remainder != zero) & ((remainder < zero) ^ (divisor < zero));
}

// a / b rounded towards zero; b = 0 counts as 1. Dividing by -1 is negating and dividing by 1, so
// that the least integer wraps. Up to 32 bits by the quotient of floats, which vectors have: of
// integers so much shorter than the mantissa it is never so close below one that it rounds up.
template <class X>
CR_INLINE X quotient(X a, X b) {
  const auto negate = wrap(X(0 - X(kIsSigned<X> & (b == X(-1)))));
  const X dividend = X((wrap(a) ^ negate) - negate);
  const X divisor = X(((wrap(b) ^ negate) - negate) | wrap(X(b == 0)));
  if constexpr (sizeof(X) <= 2) {
    return X(int32_t(float(dividend) / float(divisor)));
  } else if constexpr (sizeof(X) == 4) {
    using Wide = typename IntOfSize<kIsSigned<X> ? 4 : 8>::type;
    return X(Wide(double(dividend) / double(divisor)));
  } else {
    return X(dividend / divisor);
  }
}

// All ones, or 0 for b = 0: what dividing by zero gives is masked out, without a branch.
template <class X>
CR_INLINE auto if_divides(X b) {
  return wrap(X(0 - X(b != 0)));
}

struct Fmod {
  template <class X>
  X operator()(X a, X b) const {
    if constexpr (kIsVector<X>) {
      return fmod(a, b);
    } else {
      return X((wrap(a) - wrap(quotient(a, b)) * wrap(b)) & if_divides(b));
    }
  }
};

struct Remainder {
  template <class X>
  X operator()(X a, X b) const {
    const X r = Fmod()(a, b);
    if constexpr (kIsVector<X>) {  // a zero has the divisor's sign too
      return r == X{} ? copysign(r, b) : wrong_sign(r, b) ? r + b : r;
    } else {
      return X(wrap(r) + (wrap(b) & (0 - wrap(X(wrong_sign(r, b))))));  // without a branch
    }
  }
};

struct FloorDivide {
  template <class X>
  X operator()(X a, X b) const {
    if constexpr (kIsVector<X>) {
      using T = Lane<X>;
      // (a - r) / b is an integer but for rounding.
      const X r = fmod(a, b), quotient = a / b;
      const X d = (a - r) / b - (wrong_sign(r, b) ? X{} + T(1) : X{});
      const X below = floor(d), nearest = d - below > T(0.5) ? below + T(1) : below;
      return b == T(0) ? quotient : d == T(0) ? copysign(X{}, quotient) : nearest;
    } else {
      const X q = quotient(a, b), r = X(wrap(a) - wrap(q) * wrap(b));
      return X((wrap(q) - wrap(X(wrong_sign(r, b)))) & if_divides(b));
    }
  }
};

// --- Logic and bits
// -------------------------------------------------------------------------------

struct And {
  template <class X>
  X operator()(X a, X b) const {
    return X(a & b);
  }
};

struct Or {
  template <class X>
  X operator()(X a, X b) const {
    return X(a | b);
  }
};

struct Xor {
  template <class X>
  X operator()(X a, X b) const {
    return X(a ^ b);
  }
};

// Of bools; of `!x` gcc makes a loop over single bytes.
void not_block(void* out, const void* const* in, int64_t n, const double*) {
  const uint8_t* x = static_cast<const uint8_t*>(in[0]);
  uint8_t* y = static_cast<uint8_t*>(out);
  CR_INDEPENDENT
  for (int64_t i = 0; i < n; i++) y[i] = x[i] ^ 1;
}

struct Not {
  template <class X>
  X operator()(X x) const {
    return X(~x);
  }
};

// Is b no valid shift count for X?
template <class X>
CR_INLINE bool shifts_out(X b) {
  return wrap(b) >= sizeof(X) * 8;  // negative counts wrap
}

struct LeftShift {
  template <class X>
  X operator()(X a, X b) const {
    return shifts_out(b) ? X(0) : X(wrap(a) << (b & X(sizeof(X) * 8 - 1)));
  }
};

struct RightShift {
  template <class X>
  X operator()(X a, X b) const {
    const X last = X(sizeof(X) * 8 - 1);
    return X(a >> (shifts_out(b) ? last : b)) * X(kIsSigned<X> || !shifts_out(b));
  }
};

// a^b by squaring; a negative exponent gives the reciprocal rounded towards zero.
struct IntegerPow {
  template <class X>
  X operator()(X a, X b) const {
    if (b < 0) return a == 1 ? X(1) : a == X(-1) ? X(b & 1 ? -1 : 1) : X(0);
    auto result = wrap(X(1)), base = wrap(a);
    for (; b > 0; b = X(b >> 1), base *= base) {
      if (b & 1) result *= base;
    }
    return X(result);
  }
};

// --- Floating point only
// --------------------------------------------------------------------------

struct IsNan {
  template <class T>
  bool operator()(T x) const {
    return x != x;
  }
};

struct IsInf {
  template <class T>
  bool operator()(T x) const {
    return (x == T(__builtin_inf())) | (x == -T(__builtin_inf()));
  }
};

struct IsPosInf {
  template <class T>
  bool operator()(T x) const {
    return x == T(__builtin_inf());
  }
};

struct IsNegInf {
  template <class T>
  bool operator()(T x) const {
    return x == -T(__builtin_inf());
  }
};

struct SignBit {
  template <class T>
  bool operator()(T x) const {
    return bit_cast<MaskLane<T>>(x) < 0;
  }
};

struct IsFinite {
  template <class T>
  bool operator()(T x) const {
    return (x < T(__builtin_inf())) & (x > -T(__builtin_inf()));
  }
};

struct Copysign {
  template <class V>
  V operator()(V a, V b) const {
    return copysign(a, b);
  }
};

struct Scaled {
  double value;
  explicit Scaled(const double* params) : value(params[0]) {}
};

// a + weight (b - a), from the nearer end, so that weights 0 and 1 give a and b exactly.
struct Lerp {
  template <class V>
  V operator()(V a, V b, V weight) const {
    using T = Lane<V>;
    const auto near_a = abs(weight) < T(0.5);
    return near_a ? a + weight * (b - a) : b - (b - a) * (T(1) - weight);
  }
};

struct LerpBy : Scaled {
  using Scaled::Scaled;
  template <class V>
  V operator()(V a, V b) const {
    return Lerp()(a, b, V{} + Lane<V>(value));
  }
};

struct AddScaled : Scaled {
  using Scaled::Scaled;
  template <class V>
  V operator()(V x, V y) const {
    return x + Lane<V>(value) * y;
  }
};

struct Addcmul : Scaled {
  using Scaled::Scaled;
  template <class X>
  X operator()(X x, X a, X b) const {
    if constexpr (kIsVector<X>) {
      return x + Lane<X>(value) * a * b;
    } else {
      return X(wrap(x) + wrap(X(value)) * wrap(a) * wrap(b));
    }
  }
};

struct Addcdiv : Scaled {
  using Scaled::Scaled;
  template <class V>
  V operator()(V x, V a, V b) const {
    return x + Lane<V>(value) * a / b;
  }
};

// --- Selection
// ------------------------------------------------------------------------------------

// where(condition, a, b): only the size of an element matters.
template <class Bits>
void where_block(void* out, const void* const* in, int64_t n, const double*) {
  const uint8_t* condition = static_cast<const uint8_t*>(in[0]);
  const Bits* a = static_cast<const Bits*>(in[1]);
  const Bits* b = static_cast<const Bits*>(in[2]);
  Bits* y = static_cast<Bits*>(out);
  CR_INDEPENDENT
  for (int64_t i = 0; i < n; i++) {
    const Bits mask = Bits(0) - Bits(condition[i]);
    y[i] = Bits((a[i] & mask) | (b[i] & Bits(~mask)));
  }
}

constexpr PointwiseEntry kEntries[] = {
    binary<Add, kAll | kRows>("add"),
    binary<Sub, kNumbers | kRows>("sub"),
    binary<Mul, kAll | kRows>("mul"),
    binary<Div, kFloats | kRows>("div"),
    binary<FloorDivide, kNumbers>("floor_divide"),
    binary<Remainder, kNumbers>("remainder"),
    binary<Fmod, kNumbers>("fmod"),
    binary<IntegerPow, kInts>("pow"),
    unary<Neg, kNumbers>("neg"),
    unary<Abs, kNumbers>("abs"),
    unary<Sign, kNumbers>("sign"),
    unary<Square, kNumbers>("square"),
    binary<Maximum, kAll | kRows>("maximum"),
    binary<Minimum, kAll | kRows>("minimum"),
    binary<Fmax, kAll | kRows>("fmax"),
    binary<Fmin, kAll | kRows>("fmin"),
    unary<Cube, kFloats>("_cube"),
    ternary<Clamp, kNumbers | kRows>("_clamp"),
    unary<ClampBy, kFloats>("_clamp_by"),
    binary<Maximum, kNumbers | kRows>("_clamp_min"),
    binary<Minimum, kNumbers | kRows>("_clamp_max"),
    unary<Relu, kNumbers>("relu"),
    binary<ReluGrad, kFloats>("_relu_grad"),
    unary<LeakyRelu, kFloats>("leaky_relu"),
    binary<LeakyReluGrad, kFloats>("_leaky_relu_grad"),
    unary<NanToNum, kFloats>("_nan_to_num"),
    unary<Hardtanh, kFloats>("hardtanh"),
    binary<HardtanhGrad, kFloats>("_hardtanh_grad"),
    unary<Hardsigmoid, kFloats>("hardsigmoid"),
    binary<HardsigmoidGrad, kFloats>("_hardsigmoid_grad"),
    unary<Hardswish, kFloats>("hardswish"),
    binary<HardswishGrad, kFloats>("_hardswish_grad"),
    unary<Softshrink, kFloats>("softshrink"),
    unary<Hardshrink, kFloats>("hardshrink"),
    binary<ShrinkGrad, kFloats>("_shrink_grad"),
    unary<Threshold, kFloats>("threshold"),
    binary<ThresholdGrad, kFloats>("_threshold_grad"),
    binary<Prelu, kFloats | kRows>("_prelu"),
    ternary<PreluGrad, kFloats | kRows>("_prelu_grad"),
    binary<Eq, kAll>("eq"),
    binary<Ne, kAll>("ne"),
    binary<Lt, kAll>("lt"),
    binary<Le, kAll>("le"),
    binary<Gt, kAll>("gt"),
    binary<Ge, kAll>("ge"),
    binary<And, kBools>("logical_and"),
    binary<Or, kBools>("logical_or"),
    binary<Xor, kBools>("logical_xor"),
    {"logical_not", {not_block}},
    binary<And, kBools | kInts>("bitwise_and"),
    binary<Or, kBools | kInts>("bitwise_or"),
    binary<Xor, kBools | kInts>("bitwise_xor"),
    {"bitwise_not", {not_block}},
    unary<Not, kInts>("bitwise_not"),
    binary<LeftShift, kInts>("bitwise_left_shift"),
    binary<RightShift, kInts>("bitwise_right_shift"),
    unary<IsNan, kFloats>("isnan"),
    unary<IsInf, kFloats>("isinf"),
    unary<IsPosInf, kFloats>("isposinf"),
    unary<IsNegInf, kFloats>("isneginf"),
    unary<SignBit, kFloats>("signbit"),
    unary<IsFinite, kFloats>("isfinite"),
    binary<Copysign, kFloats>("copysign"),
    ternary<Lerp, kFloats | kRows>("lerp"),
    binary<LerpBy, kFloats>("_lerp_by"),
    binary<AddScaled, kFloats | kRows>("_add_scaled"),
    ternary<Addcmul, kNumbers | kRows>("addcmul"),
    ternary<Addcdiv, kFloats | kRows>("addcdiv"),
    {"where",
     {where_block<uint8_t>, where_block<uint8_t>, where_block<uint16_t>, where_block<uint32_t>,
      where_block<uint64_t>, where_block<uint8_t>, where_block<uint16_t>, where_block<uint32_t>,
      where_block<uint64_t>, where_block<uint16_t>, where_block<uint16_t>, where_block<uint32_t>,
      where_block<uint64_t>}},
};

}  // namespace

const PointwiseTable arithmetic_table = {kEntries, sizeof(kEntries) / sizeof(kEntries[0])};

}  // namespace CR_ISA
}  // namespace cr
