// Functions of real numbers, float32 and float64: each op is one functor and one line of the table
// at the end. The mathematics, its accuracy and its special values are in simd/vmath.h and
// simd/verf.h; lgamma and digamma, rare and branchy, are scalar loops in double.
#include "ops/pointwise_block.h"
#include "simd/verf.h"
#include "simd/vtrig.h"

extern "C" double lgamma_r(double x, int* sign);  // the C library's; <math.h> brings the STL

namespace cr {
namespace CR_ISA {
namespace {

// A functor that is a function of vmath.h or vec.h by the same name.
#define CR_UNARY(Functor, function) \
  struct Functor {                  \
    template <class V>              \
    V operator()(V x) const {       \
      return function(x);           \
    }                               \
  }
#define CR_BINARY(Functor, function) \
  struct Functor {                   \
    template <class V>               \
    V operator()(V x, V y) const {   \
      return function(x, y);         \
    }                                \
  }

CR_UNARY(Exp, exp);
CR_UNARY(Exp2, exp2);
CR_UNARY(Expm1, expm1);
CR_UNARY(Log1p, log1p);
CR_UNARY(Sqrt, sqrt);
CR_UNARY(Rsqrt, rsqrt);
CR_UNARY(Asin, asin);
CR_UNARY(Acos, acos);
CR_UNARY(Atan, atan);
CR_UNARY(Sinh, sinh);
CR_UNARY(Cosh, cosh);
CR_UNARY(Tanh, tanh);
CR_UNARY(Asinh, asinh);
CR_UNARY(Acosh, acosh);
CR_UNARY(Atanh, atanh);
CR_UNARY(Sigmoid, sigmoid);
CR_UNARY(Erf, erf);
CR_UNARY(Erfc, erfc);
CR_UNARY(Erfinv, erfinv);
CR_UNARY(Logit, logit);
CR_UNARY(Floor, floor);
CR_UNARY(Ceil, ceil);
CR_UNARY(Round, round_even);
CR_UNARY(Trunc, trunc);
CR_BINARY(Atan2, atan2);
CR_BINARY(Pow, pow);
CR_BINARY(Hypot, hypot);
#undef CR_UNARY
#undef CR_BINARY

// Functors with a short form for usual arguments.
template <class Sum>
struct Logarithm {
  template <class V>
  V operator()(V x) const {
    return logarithm<Sum>(x);
  }
  template <class V>
  V usual(V x) const {
    return log_usual<Sum>(x);
  }
  template <class V>
  auto rare(V x) const {
    return log_rare(x);
  }
};

#define CR_TRIGONOMETRIC(Functor, function) \
  struct Functor {                          \
    template <class V>                      \
    V operator()(V x) const {               \
      return function(x);                   \
    }                                       \
    template <class V>                      \
    V usual(V x) const {                    \
      return function##_usual(x);           \
    }                                       \
    template <class V>                      \
    auto rare(V x) const {                  \
      return angle_rare(x);                 \
    }                                       \
  }
CR_TRIGONOMETRIC(Sin, sin);
CR_TRIGONOMETRIC(Cos, cos);
CR_TRIGONOMETRIC(Tan, tan);
#undef CR_TRIGONOMETRIC

struct Reciprocal {
  template <class V>
  V operator()(V x) const {
    return Lane<V>(1) / x;
  }
};

struct Frac {
  template <class V>
  V operator()(V x) const {
    return x - trunc(x);
  }
};

struct LogSigmoid {
  template <class V>
  V operator()(V x) const {
    return -softplus(-x);
  }
};

struct BoundedLog {
  template <class V>
  V operator()(V x) const {
    return max_or_b(V{} - Lane<V>(100), log(x));
  }
};

// --- Gamma function
// -------------------------------------------------------------------------------

// The C library's: 0.5 / 6 ulp (near the roots).
struct Lgamma {
  float operator()(float x) const { return static_cast<float>((*this)(static_cast<double>(x))); }
  double operator()(double x) const {
    int sign;
    return lgamma_r(x, &sign);
  }
};

// Reflection for x < 0; recurrence towards [1, 2], where a polynomial beside the root is accurate,
// or from 10 upward the asymptotic series. Max error: 0.5 / 2.3 ulp for x > 0; for x < 0 the
// double's is 5 ulp of max(1, |result|).
struct Digamma {
  float operator()(float x) const { return static_cast<float>((*this)(static_cast<double>(x))); }
  double operator()(double x) const {
    if (x == 0) return __builtin_copysign(__builtin_inf(), -x);
    double sum = 0;
    if (x < 0) {
      // digamma(x) = digamma(1 - x) - pi / tan(pi x), the period taken off first.
      const double fraction = x - __builtin_rint(x);
      if (!(fraction != 0)) return __builtin_nan("");
      sum = -kPi / __builtin_tan(kPi * fraction);
      x = 1 - x;
    }
    if (x >= 10) {
      const double z = 1 / (x * x);
      double tail = 0;
      for (int k = 7; k >= 0; k--) tail = tail * z + kAsymptotic[k];
      return sum + (__builtin_log(x) - 0.5 / x - (x < 1e17 ? z * tail : 0));
    }
    for (; x > 2; sum += 1 / x) x -= 1;
    for (; x < 1; x += 1) sum -= 1 / x;
    double p = 0;
    for (int k = sizeof(Coef<double>::kDigamma) / sizeof(double) - 1; k >= 0; k--) {
      p = p * (x - 1.5) + Coef<double>::kDigamma[k];
    }
    return sum + ((x - kRoot[0]) - kRoot[1]) * p;
  }

 private:
  static constexpr double kPi = 3.141592653589793;
  static constexpr double kRoot[2] = {0x1.762d86356be3fp+0, 0x1.b86a722197829p-54};
  // Bernoulli numbers B(2k) / 2k.
  static constexpr double kAsymptotic[8] = {1.0 / 12,  -1.0 / 120,     1.0 / 252, -1.0 / 240,
                                            1.0 / 132, -691.0 / 32760, 1.0 / 12,  -3617.0 / 8160};
};

// --- Activations and their fused backward blocks
// --------------------------------------------------

struct Silu {
  template <class V>
  V operator()(V x) const {
    return x * sigmoid(x);
  }
};

struct SiluGrad {
  template <class V>
  V operator()(V grad, V x) const {
    using R = LogisticRange<Lane<V>>;
    const V a = limit(x, R::kMin, R::kMax);
    const Logistic<V> s = logistic(a);
    return grad * (s.value * (Lane<V>(1) + a * s.rest));
  }
};

struct SigmoidGrad {
  template <class V>
  V operator()(V grad, V y) const {
    return grad * (y * (Lane<V>(1) - y));
  }
};

struct TanhGrad {
  template <class V>
  V operator()(V grad, V y) const {
    return grad * (Lane<V>(1) - y * y);
  }
};

// mish(x) = x tanh(log(1 + e^x)) = x n / (n + 2), n = e^x (e^x + 2); the quotient is 1 from 20 or
// 40 on. Both are held with factors that keep them normal: 2^bias for e^x, its square for n.
template <class V>
struct MishParts {
  using T = Lane<V>;
  static constexpr int kBias = sizeof(T) == 4 ? 32 : 64;
  static constexpr T kScale = T(uint64_t(1) << (kBias - 1)) * 2;
  V x, e, n;
  explicit MishParts(V any) {
    x = limit(any, Const<T>::kExpMin, T(sizeof(T) == 4 ? 20 : 40));
    e = exp_biased<kBias>(x);
    n = e * e + e * (2 * kScale);
  }
  V n_plus_2() const { return n + 2 * kScale * kScale; }
};

struct Mish {
  template <class V>
  V operator()(V x) const {
    const MishParts<V> m(x);
    return x * (m.n / m.n_plus_2());
  }
};

struct MishGrad {
  template <class V>
  V operator()(V grad, V x) const {
    using T = Lane<V>;
    const MishParts<V> m(x);
    constexpr T kScale = MishParts<V>::kScale;
    const V q = T(1) / m.n_plus_2(), unscaled = q * (kScale * kScale);
    const V slope = (m.e * unscaled) * ((m.e + kScale) * unscaled) * (4 / kScale / kScale);
    return grad * (m.n * q + m.x * slope);
  }
};

// For a normal X and a = |x|: its tail P(X > a) without a constant factor and without its density
// e^(-a^2 / 2), which is multiplied in at the end; both are done for beyond 14.5 or 38.7.
template <class V>
struct Normal {
  using T = Lane<V>;
  V a, tail;
  explicit Normal(V x) {
    a = min_or_b(opaque(V{} + T(sizeof(T) == 4 ? 14.5 : 38.7)), abs(x));
    tail = erfc_scaled(a, 0.7071067811865476);
  }
  V times_density(V factor) const {
    using R = LogisticRange<T>;  // the density's factor is as small as a logistic's
    return times_normal_density<R::kBias>(factor, a) * (1 / R::kScale);
  }
};

template <class V>
CR_INLINE V gelu_of(V x) {
  const Normal<V> p(x);
  return max_or_b(V{}, x) - p.times_density(p.tail * (Lane<V>(0.5) * p.a));
}

template <class V>
__attribute__((noinline, cold)) V gelu_far(V x, V near, MaskOf<V> far) {
  return far ? gelu_of(x) : near;
}

// x P(X <= x). Max error in float: 3.5 ulp with AVX-512, 3.8 with AVX2, 4.2 without.
struct Gelu {
  template <class V>
  V operator()(V x) const {
#ifdef __AVX512F__
    if constexpr (sizeof(Lane<V>) == 4) {
      const V a = abs(x), near = max_or_b(V{}, x) - a * normal_tail(a);
      const auto far = ~(a < kNormalTailMax);
      return __builtin_expect(any(far), 0) ? gelu_far(x, near, far) : near;
    }
#endif
    return gelu_of(x);
  }
};

struct GeluGrad {
  template <class V>
  V operator()(V grad, V x) const {
    using T = Lane<V>;
    // The derivative at -a, and one minus it at a.
    const Normal<V> p(x);
    const V slope = T(0.5) * p.tail - T(0.3989422804014327) * p.a;
    const V at_minus_a = p.times_density(slope);
    return grad * (x < T(0) ? at_minus_a : T(1) - at_minus_a);
  }
};

// The approximation by (1 + tanh(u)) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3).
template <class V>
CR_INLINE Logistic<V> half_tanh(V x) {
  using T = Lane<V>;
  return logistic(T(1.5957691216057308) * (x + T(0.044715) * x * x * x));
}

// Max error: 2.3 / 2.2 where x > 0, below that in proportion to |u|: 9 ulp at -2, 60 at -6.
struct GeluTanh {
  template <class V>
  V operator()(V x) const {
    return x * half_tanh(x).value;
  }
};

struct GeluTanhGrad {
  template <class V>
  V operator()(V grad, V x) const {
    using T = Lane<V>;
    x = limit(x, T(-25), T(sizeof(T) == 4 ? 15 : 25));  // beyond, the derivative is 0 or 1
    const Logistic<V> s = half_tanh(x);
    const V du = T(1.5957691216057308) * (T(1) + T(3 * 0.044715) * x * x);
    return grad * (s.value + x * (s.value * s.rest * du));
  }
};

struct SoftplusForm {
  double beta, threshold;
  explicit SoftplusForm(const double* params) : beta(params[0]), threshold(params[1]) {}
};

struct Softplus : SoftplusForm {
  using SoftplusForm::SoftplusForm;
  template <class V>
  V operator()(V x) const {
    using T = Lane<V>;
    const V z = x * T(beta);
    return z > T(threshold) ? x : softplus(z) * T(1 / beta);
  }
};

struct SoftplusGrad : SoftplusForm {
  using SoftplusForm::SoftplusForm;
  template <class V>
  V operator()(V grad, V x) const {
    using T = Lane<V>;
    const V z = x * T(beta);
    return z > T(threshold) ? grad : grad * sigmoid(z);
  }
};

struct EluForm {
  double alpha;
  explicit EluForm(const double* params) : alpha(params[0]) {}
};

struct Elu : EluForm {
  using EluForm::EluForm;
  template <class V>
  V operator()(V x) const {
    return x > Lane<V>(0) ? x : expm1(x) * Lane<V>(alpha);
  }
};

struct EluGrad : EluForm {
  using EluForm::EluForm;
  template <class V>
  V operator()(V grad, V x) const {
    return x > Lane<V>(0) ? grad : grad * (exp(x) * Lane<V>(alpha));
  }
};

struct Deg2rad {
  template <class V>
  V operator()(V x) const {
    return x * Lane<V>(0.017453292519943295769);  // pi / 180
  }
};

struct Rad2deg {
  template <class V>
  V operator()(V x) const {
    return x * Lane<V>(57.295779513082320877);  // 180 / pi
  }
};

// max + log(1 + e^-|x - y|), sparing equal infinities their difference.
struct Logaddexp {
  template <class V>
  V operator()(V x, V y) const {
    return add_log1p_exp(x > y ? x : y, x == y ? V{} : abs(x - y));
  }
};

struct Logaddexp2 {
  template <class V>
  V operator()(V x, V y) const {
    const V log2_e = V{} + Lane<V>(1.44269504088896340736);
    const V rest = x == y ? V{} + Lane<V>(1) : log1p(exp2(-abs(x - y))) * log2_e;
    return (x > y ? x : y) + rest;
  }
};

// 0 for x = 0, whatever log(y) is, but NaN for a y that is NaN.
struct Xlogy {
  template <class V>
  V operator()(V x, V y) const {
    const V product = x * log(y);
    return x == Lane<V>(0) ? (y == y ? V{} : y) : product;
  }
};

constexpr PointwiseEntry kEntries[] = {
    unary<Exp, kFloats>("exp"),
    unary<Exp2, kFloats>("exp2"),
    unary<Expm1, kFloats>("expm1"),
    unary<Logarithm<NaturalLog>, kFloats>("log"),
    unary<Logarithm<BinaryLog>, kFloats>("log2"),
    unary<Logarithm<DecimalLog>, kFloats>("log10"),
    unary<Log1p, kFloats>("log1p"),
    unary<Sqrt, kFloats>("sqrt"),
    unary<Rsqrt, kFloats>("rsqrt"),
    unary<Reciprocal, kFloats>("reciprocal"),
    unary<Sin, kFloats>("sin"),
    unary<Cos, kFloats>("cos"),
    unary<Tan, kFloats>("tan"),
    unary<Asin, kFloats>("asin"),
    unary<Acos, kFloats>("acos"),
    unary<Atan, kFloats>("atan"),
    binary<Atan2, kFloats>("atan2"),
    unary<Sinh, kFloats>("sinh"),
    unary<Cosh, kFloats>("cosh"),
    unary<Tanh, kFloats>("tanh"),
    unary<Asinh, kFloats>("asinh"),
    unary<Acosh, kFloats>("acosh"),
    unary<Atanh, kFloats>("atanh"),
    unary<Sigmoid, kFloats>("sigmoid"),
    unary<LogSigmoid, kFloats>("log_sigmoid"),
    unary<BoundedLog, kFloats>("_bounded_log"),
    unary<Erf, kFloats>("erf"),
    unary<Erfc, kFloats>("erfc"),
    unary<Erfinv, kFloats>("erfinv"),
    unary<Lgamma, kFloats>("lgamma"),
    unary<Digamma, kFloats>("digamma"),
    binary<Pow, kFloats>("pow"),
    binary<Hypot, kFloats>("hypot"),
    unary<Logit, kFloats>("logit"),
    unary<Floor, kFloats>("floor"),
    unary<Ceil, kFloats>("ceil"),
    unary<Round, kFloats>("round"),
    unary<Trunc, kFloats>("trunc"),
    unary<Deg2rad, kFloats>("deg2rad"),
    unary<Rad2deg, kFloats>("rad2deg"),
    binary<Logaddexp, kFloats>("logaddexp"),
    binary<Logaddexp2, kFloats>("logaddexp2"),
    binary<Xlogy, kFloats>("xlogy"),
    unary<Frac, kFloats>("frac"),
    entry<1, Either<Gelu, GeluTanh>, kFloats>("gelu"),
    unary<Silu, kFloats>("silu"),
    unary<Mish, kFloats>("mish"),
    unary<Softplus, kFloats>("softplus"),
    unary<Elu, kFloats>("elu"),
    binary<SigmoidGrad, kFloats>("_sigmoid_grad"),
    binary<TanhGrad, kFloats>("_tanh_grad"),
    entry<2, Either<GeluGrad, GeluTanhGrad>, kFloats>("_gelu_grad"),
    binary<SiluGrad, kFloats>("_silu_grad"),
    binary<MishGrad, kFloats>("_mish_grad"),
    binary<SoftplusGrad, kFloats>("_softplus_grad"),
    binary<EluGrad, kFloats>("_elu_grad"),
};

}  // namespace

const PointwiseTable math_table = {kEntries, sizeof(kEntries) / sizeof(kEntries[0])};

}  // namespace CR_ISA
}  // namespace cr
