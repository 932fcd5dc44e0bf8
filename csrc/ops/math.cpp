// Rows of the functions of real numbers. Kernels: math.kernel.cpp. Integers are computed in the
// default float type. Derivatives: Abramowitz & Stegun, Handbook of Mathematical Functions.
#include <cmath>

#include "autograd/node.h"

namespace cr {
namespace {

constexpr double kLn2 = 0.69314718055994530942;
constexpr double kLn10 = 2.30258509299404568402;
constexpr double kPi = 3.14159265358979323846;
constexpr double kTwoOverSqrtPi = 1.12837916709551257390;

// Second derivative of lgamma, written with ops so that it has derivatives of every order:
// recurrence up to 8, then the asymptotic series; reflection for negative inputs (A&S 6.4).
Tensor trigamma(const Tensor& x) {
  const Tensor negative = OP(lt)(x, 0.5);
  const Tensor z = OP(where)(negative, 1.0 - x, x);
  Tensor sum = OP(reciprocal)(OP(square)(z));
  for (int k = 1; k < 8; ++k) sum = sum + OP(reciprocal)(OP(square)(z + double(k)));
  const Tensor r = OP(reciprocal)(z + 8.0), r2 = OP(square)(r);
  const Tensor series =
      1.0 / 6 - r2 * (1.0 / 30 - r2 * (1.0 / 42 - r2 * (1.0 / 30 - r2 * (5.0 / 66))));
  sum = sum + r + r2 * 0.5 + r2 * r * series;
  const Tensor reflected = OP(square)(kPi / OP(sin)(OP(where)(negative, x, 0.25) * kPi)) - sum;
  return OP(where)(negative, reflected, sum);
}

const Row exp_row = Row("exp(Tensor input)")
                        .doc(R"(E to the power of the input, element by element.

Example:
    >>> cr.exp(cr.tensor([0., 1.]))
    tensor([1.0000, 2.7183])
)")
                        .pointwise(Pointwise::kFloat)
                        .inplace()
                        .saves("out")
                        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() * v.out(); }); });

const Row exp2_row = Row("exp2(Tensor input)")
                         .doc(R"(2 to the power of the input, element by element.

Example:
    >>> cr.exp2(cr.tensor([0., 3.]))
    tensor([1., 8.])
)")
                         .pointwise(Pointwise::kFloat)
                         .inplace()
                         .saves("out")
                         .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() * v.out() * kLn2; }); });

const Row expm1_row =
    Row("expm1(Tensor input)")
        .doc(R"(``exp(input) - 1``, accurate near 0, element by element.

Example:
    >>> cr.expm1(cr.tensor([0.]))
    tensor([0.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("out")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() * (v.out() + 1.0); }); });

const Row log_row = Row("log(Tensor input)")
                        .doc(R"(Natural logarithm, element by element.

Example:
    >>> cr.log(cr.tensor([1.]))
    tensor([0.])
)")
                        .pointwise(Pointwise::kFloat)
                        .inplace()
                        .saves("input")
                        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() / v.in(0); }); });

const Row log2_row =
    Row("log2(Tensor input)")
        .doc(R"(Logarithm to base 2, element by element.

Example:
    >>> cr.log2(cr.tensor([8.]))
    tensor([3.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() / (v.in(0) * kLn2); }); });

const Row log10_row =
    Row("log10(Tensor input)")
        .doc(R"(Logarithm to base 10, element by element.

Example:
    >>> cr.log10(cr.tensor([100.]))
    tensor([2.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() / (v.in(0) * kLn10); }); });

const Row log1p_row =
    Row("log1p(Tensor input)")
        .doc(R"(``log(1 + input)``, accurate near 0, element by element.

Example:
    >>> cr.log1p(cr.tensor([0.]))
    tensor([0.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() / (v.in(0) + 1.0); }); });

const Row sqrt_row = Row("sqrt(Tensor input)")
                         .doc(R"(Square root, element by element.

Example:
    >>> cr.sqrt(cr.tensor([4., 9.]))
    tensor([2., 3.])
)")
                         .pointwise(Pointwise::kFloat)
                         .inplace()
                         .saves("out")
                         .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() / (v.out() * 2.0); }); });

const Row rsqrt_row =
    Row("rsqrt(Tensor input)")
        .doc(R"(``1 / sqrt(input)``, element by element.

Example:
    >>> cr.rsqrt(cr.tensor([4.]))
    tensor([0.5000])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("out")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() * OP(_cube)(v.out()) * -0.5; }); });

const Row reciprocal_row =
    Row("reciprocal(Tensor input)")
        .doc(R"(``1 / input``, element by element.

Example:
    >>> cr.reciprocal(cr.tensor([4.]))
    tensor([0.2500])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("out")
        .vjp([](Vjp& v) { v.set(0, [&] { return -v.grad() * v.out() * v.out(); }); });

const Row sin_row = Row("sin(Tensor input)")
                        .doc(R"(Sine of an angle in radians, element by element.

Example:
    >>> cr.sin(cr.tensor([0.]))
    tensor([0.])
)")
                        .pointwise(Pointwise::kFloat)
                        .inplace()
                        .saves("input")
                        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() * OP(cos)(v.in(0)); }); });

const Row cos_row =
    Row("cos(Tensor input)")
        .doc(R"(Cosine of an angle in radians, element by element.

Example:
    >>> cr.cos(cr.tensor([0.]))
    tensor([1.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return -v.grad() * OP(sin)(v.in(0)); }); });

const Row tan_row =
    Row("tan(Tensor input)")
        .doc(R"(Tangent of an angle in radians, element by element.

Example:
    >>> cr.tan(cr.tensor([0.]))
    tensor([0.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("out")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() * (v.out() * v.out() + 1.0); }); });

const Row asin_row = Row("asin(Tensor input)")
                         .doc(R"(Inverse sine, in radians, element by element.

Example:
    >>> cr.asin(cr.tensor([0.]))
    tensor([0.])
)")
                         .pointwise(Pointwise::kFloat)
                         .inplace()
                         .saves("input")
                         .vjp([](Vjp& v) {
                           v.set(0, [&] { return v.grad() * OP(rsqrt)(1.0 - v.in(0) * v.in(0)); });
                         });

const Row acos_row = Row("acos(Tensor input)")
                         .doc(R"(Inverse cosine, in radians, element by element.

Example:
    >>> cr.acos(cr.tensor([1.]))
    tensor([0.])
)")
                         .pointwise(Pointwise::kFloat)
                         .inplace()
                         .saves("input")
                         .vjp([](Vjp& v) {
                           v.set(0, [&] { return -v.grad() * OP(rsqrt)(1.0 - v.in(0) * v.in(0)); });
                         });

const Row atan_row =
    Row("atan(Tensor input)")
        .doc(R"(Inverse tangent, in radians, element by element.

Example:
    >>> cr.atan(cr.tensor([0.]))
    tensor([0.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() / (v.in(0) * v.in(0) + 1.0); }); });

const Row sinh_row =
    Row("sinh(Tensor input)")
        .doc(R"(Hyperbolic sine, element by element.

Example:
    >>> cr.sinh(cr.tensor([0.]))
    tensor([0.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() * OP(cosh)(v.in(0)); }); });

const Row cosh_row =
    Row("cosh(Tensor input)")
        .doc(R"(Hyperbolic cosine, element by element.

Example:
    >>> cr.cosh(cr.tensor([0.]))
    tensor([1.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() * OP(sinh)(v.in(0)); }); });

const Row asinh_row = Row("asinh(Tensor input)")
                          .doc(R"(Inverse hyperbolic sine, element by element.

Example:
    >>> cr.asinh(cr.tensor([0.]))
    tensor([0.])
)")
                          .pointwise(Pointwise::kFloat)
                          .inplace()
                          .saves("input")
                          .vjp([](Vjp& v) {
                            v.set(0, [&] { return v.grad() * OP(rsqrt)(v.in(0) * v.in(0) + 1.0); });
                          });

const Row acosh_row = Row("acosh(Tensor input)")
                          .doc(R"(Inverse hyperbolic cosine, element by element.

Example:
    >>> cr.acosh(cr.tensor([1.]))
    tensor([0.])
)")
                          .pointwise(Pointwise::kFloat)
                          .inplace()
                          .saves("input")
                          .vjp([](Vjp& v) {
                            v.set(0, [&] { return v.grad() * OP(rsqrt)(v.in(0) * v.in(0) - 1.0); });
                          });

const Row atanh_row =
    Row("atanh(Tensor input)")
        .doc(R"(Inverse hyperbolic tangent, element by element.

Example:
    >>> cr.atanh(cr.tensor([0.]))
    tensor([0.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() / (1.0 - v.in(0) * v.in(0)); }); });

const Row erf_row =
    Row("erf(Tensor input)")
        .doc(
            R"(Error function, ``2/sqrt(pi) * integral of exp(-t**2) from 0 to input``, element by element.

Example:
    >>> cr.erf(cr.tensor([0.]))
    tensor([0.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return v.grad() * OP(exp)(-(v.in(0) * v.in(0))) * kTwoOverSqrtPi; });
        });

const Row erfc_row =
    Row("erfc(Tensor input)")
        .doc(R"(``1 - erf(input)``, accurate for large inputs, element by element.

Example:
    >>> cr.erfc(cr.tensor([0.]))
    tensor([1.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return v.grad() * OP(exp)(-(v.in(0) * v.in(0))) * -kTwoOverSqrtPi; });
        });

const Row erfinv_row =
    Row("erfinv(Tensor input)")
        .doc(R"(Inverse of the error function, element by element.

Example:
    >>> cr.erfinv(cr.tensor([0.]))
    tensor([0.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("out")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return v.grad() * OP(exp)(v.out() * v.out()) / kTwoOverSqrtPi; });
        });

const Row lgamma_row =
    Row("lgamma(Tensor input)")
        .doc(R"(Logarithm of the absolute value of the gamma function, element by element.

Example:
    >>> cr.lgamma(cr.tensor([1.]))
    tensor([0.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() * OP(digamma)(v.in(0)); }); });

const Row digamma_row =
    Row("digamma(Tensor input)")
        .doc(R"(Derivative of ``lgamma``, element by element.

Example:
    >>> cr.digamma(cr.tensor([1.]))
    tensor([-0.5772])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() * trigamma(v.in(0)); }); });

const Row logit_row =
    Row("logit(Tensor input, float? eps=None)")
        .doc(R"(``log(input / (1 - input))``, the inverse of the sigmoid, element by element.

Example:
    >>> cr.logit(cr.tensor([0.5]))
    tensor([0.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .compose([](const TensorList& in, const Attrs& attrs) {
          if (attrs.none(0)) return Tensor();
          return OP(logit)(OP(clamp)(in[0], attrs.f(0), 1 - attrs.f(0)));
        })
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() / (v.in(0) * (1.0 - v.in(0))); }); });

const Row frac_row = Row("frac(Tensor input)")
                         .doc(R"(Fractional part, with the sign of the input, element by element.

Example:
    >>> cr.frac(cr.tensor([1.5, -1.5]))
    tensor([ 0.5000, -0.5000])
)")
                         .pointwise(Pointwise::kFloat)
                         .inplace()
                         .vjp([](Vjp& v) { v.set(0, [&] { return v.grad(); }); });

// Integers are whole already.
Tensor whole(const TensorList& in, const char* name) {
  const DType dtype = in[0].dtype();
  CR_CHECK_TYPE(dtype != DType::kBool, name, ": not defined for bool tensors");
  return is_integral(dtype) ? OP(clone)(in[0]) : Tensor();
}

const Row floor_row =
    Row("floor(Tensor input)")
        .doc(R"(Largest integer not above the input. Gradient: zero.

Example:
    >>> cr.floor(cr.tensor([1.5, -1.5]))
    tensor([ 1., -2.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .compose([](const TensorList& in, const Attrs&) { return whole(in, "floor"); })
        .vjp([](Vjp& v) { v.set(0, [&] { return v.zeros_like_input(0); }); });

const Row ceil_row =
    Row("ceil(Tensor input)")
        .doc(R"(Smallest integer not below the input. Gradient: zero.

Example:
    >>> cr.ceil(cr.tensor([1.5, -1.5]))
    tensor([ 2., -1.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .compose([](const TensorList& in, const Attrs&) { return whole(in, "ceil"); })
        .vjp([](Vjp& v) { v.set(0, [&] { return v.zeros_like_input(0); }); });

const Row round_row =
    Row("round(Tensor input, *, int decimals=0)")
        .doc(
            R"(Nearest integer, or multiple of ``10**-decimals``; halves go to the even one. Gradient: zero.

Example:
    >>> cr.round(cr.tensor([0.5, 1.5]))
    tensor([0., 2.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .compose([](const TensorList& in, const Attrs& attrs) {
          const double scale = std::pow(10.0, std::fabs(attrs.f(0)));
          if (attrs.i(0) > 0) return OP(round)(in[0] * scale) / scale;
          if (attrs.i(0) < 0) return OP(round)(in[0] / scale) * scale;
          return whole(in, "round");
        })
        .vjp([](Vjp& v) { v.set(0, [&] { return v.zeros_like_input(0); }); });

const Row trunc_row =
    Row("trunc(Tensor input)")
        .doc(R"(Integer part, rounded towards zero. Gradient: zero.

Example:
    >>> cr.trunc(cr.tensor([1.5, -1.5]))
    tensor([ 1., -1.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .compose([](const TensorList& in, const Attrs&) { return whole(in, "trunc"); })
        .vjp([](Vjp& v) { v.set(0, [&] { return v.zeros_like_input(0); }); });

const Row deg2rad_row = Row("deg2rad(Tensor input)")
                            .doc(R"(Degrees to radians, ``input * pi / 180``, element by element.

Example:
    >>> cr.deg2rad(cr.tensor([180.]))
    tensor([3.1416])
)")
                            .pointwise(Pointwise::kFloat)
                            .inplace()
                            .vjp([](Vjp& v) { v.set(0, [&] { return OP(deg2rad)(v.grad()); }); });

const Row rad2deg_row = Row("rad2deg(Tensor input)")
                            .doc(R"(Radians to degrees, ``input * 180 / pi``, element by element.

Example:
    >>> cr.rad2deg(cr.tensor([0.5]))
    tensor([28.6479])
)")
                            .pointwise(Pointwise::kFloat)
                            .inplace()
                            .vjp([](Vjp& v) { v.set(0, [&] { return OP(rad2deg)(v.grad()); }); });

const Row logaddexp_row =
    Row("logaddexp(Operand input, Operand other)")
        .doc(R"(``log(exp(input) + exp(other))`` without overflow, element by element.

Example:
    >>> cr.logaddexp(cr.tensor([1000.]), cr.tensor([1000.]))
    tensor([1000.6932])
)")
        .pointwise(Pointwise::kFloat)
        .saves("input, other")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return v.grad() * OP(sigmoid)(v.in(0) - v.in(1)); });
          v.set(1, [&] { return v.grad() * OP(sigmoid)(v.in(1) - v.in(0)); });
        });

const Row logaddexp2_row =
    Row("logaddexp2(Operand input, Operand other)")
        .doc(R"(``log2(2**input + 2**other)`` without overflow, element by element.

Example:
    >>> cr.logaddexp2(cr.tensor([1000.]), cr.tensor([1000.]))
    tensor([1001.])
)")
        .pointwise(Pointwise::kFloat)
        .saves("input, other")
        .vjp([](Vjp& v) {
          const double ln2 = 0.69314718055994530942;
          v.set(0, [&] { return v.grad() * OP(sigmoid)((v.in(0) - v.in(1)) * ln2); });
          v.set(1, [&] { return v.grad() * OP(sigmoid)((v.in(1) - v.in(0)) * ln2); });
        });

const Row xlogy_row =
    Row("xlogy(Operand input, Operand other)")
        .doc(R"(``input * log(other)``, which is 0 where ``input`` is 0, element by element.

Example:
    >>> cr.xlogy(cr.tensor([0., 2.]), cr.tensor([0., 1.]))
    tensor([0., 0.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input, other")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return v.grad() * OP(xlogy)(OP(ne)(v.in(0), 0), v.in(1)); });
          v.set(1, [&] { return v.grad() * (v.in(0) / v.in(1)); });
        });

const Row atan2_row = Row("atan2(Operand input, Operand other)")
                          .doc(R"(Angle of the point (other, input) in radians, in ``[-pi, pi]``.

Example:
    >>> cr.atan2(cr.tensor([0.]), cr.tensor([1.]))
    tensor([0.])
)")
                          .pointwise(Pointwise::kFloat)
                          .inplace()
                          .saves("input, other")
                          .vjp([](Vjp& v) {
                            const Tensor y = v.in(0), x = v.in(1),
                                         scaled = v.grad() / (x * x + y * y);
                            v.set(0, [&] { return scaled * x; });
                            v.set(1, [&] { return -scaled * y; });
                          });

const Row hypot_row = Row("hypot(Operand input, Operand other)")
                          .doc(R"(``sqrt(input**2 + other**2)`` without overflow.

Example:
    >>> cr.hypot(cr.tensor([3.]), cr.tensor([4.]))
    tensor([5.])
)")
                          .pointwise(Pointwise::kFloat)
                          .inplace()
                          .saves("input, other, out")
                          .vjp([](Vjp& v) {
                            v.set(0, [&] { return v.grad() * (v.in(0) / v.out()); });
                            v.set(1, [&] { return v.grad() * (v.in(1) / v.out()); });
                          });

}  // namespace
}  // namespace cr
