// Rows of arithmetic, comparison, logic and selection. Kernels: arithmetic.kernel.cpp.
#include <cmath>

#include "autograd/node.h"

namespace cr {
namespace {

// A bool mask as factors 0 and 1.
Tensor masked(const Tensor& grad, const Tensor& mask) { return OP(where)(mask, grad, 0.0); }

// ---------------------------------------------------------------- arithmetic

// input + factor * other in one pass, for floats.
bool scales(const TensorList& in, const Attrs& attrs) {
  return attrs.f(0) != 1 && (is_floating(in[0].dtype()) || is_floating(in[1].dtype()));
}

template <int Sign>
bool add_scaled_inplace(const TensorList& in, const Attrs& attrs) {
  if (!scales(in, attrs)) return false;
  Attrs factor;
  factor.push_float(Sign * attrs.f(0));
  run_inplace(OP(_add_scaled), in, factor);
  return true;
}

const Row add_scaled_row = Row("_add_scaled(Operand input, Operand other, float factor)")
                               .doc("``input + factor * other``.")
                               .pointwise(Pointwise::kFloat)
                               .inplace()
                               .vjp([](Vjp& v) {
                                 v.set(0, v.grad());
                                 v.set(1, [&] { return v.grad() * v.attrs().f(0); });
                               });

// `alpha` scales the second operand before the kernel, or in it.
template <int Sign>
Tensor scale_other(const OpDef& op, const TensorList& in, const Attrs& attrs) {
  if (attrs.f(0) == 1) return Tensor();
  const double alpha = attrs.f(0);
  if (scales(in, attrs)) return OP(_add_scaled)(in[0], in[1], Sign * alpha);
  const bool whole = attrs.kind(0) == Attrs::Kind::kInt || alpha == static_cast<int64_t>(alpha);
  CR_CHECK(whole, op.name(), ": alpha must be an integer for integer tensors (got ", alpha, ")");
  return op(in[0], OP(mul)(in[1], static_cast<int64_t>(alpha)));
}

const Row add_row =
    Row("add(Operand input, Operand other, *, float alpha=1)")
        .doc(R"(Add element by element: ``input + alpha * other``, with broadcasting.

Example:
    >>> cr.add(cr.tensor([1., 2.]), 10)
    tensor([11., 12.])
)")
        .pointwise(Pointwise::kArithmetic)
        .inplace()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return scale_other<1>(OP(add), in, attrs);
        })
        .compose_inplace(add_scaled_inplace<1>)
        .vjp([](Vjp& v) {
          v.set(0, v.grad());
          v.set(1, v.grad());
        });

const Row sub_row =
    Row("sub(Operand input, Operand other, *, float alpha=1)")
        .doc(R"(Subtract element by element: ``input - alpha * other``, with broadcasting.

Example:
    >>> cr.sub(cr.tensor([1., 2.]), 10)
    tensor([-9., -8.])
)")
        .pointwise(Pointwise::kArithmetic)
        .inplace()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return scale_other<-1>(OP(sub), in, attrs);
        })
        .compose_inplace(add_scaled_inplace<-1>)
        .vjp([](Vjp& v) {
          v.set(0, v.grad());
          v.set(1, [&] { return -v.grad(); });
        });

const Row mul_row = Row("mul(Operand input, Operand other)")
                        .doc(R"(Multiply element by element, with broadcasting.

Example:
    >>> cr.mul(cr.tensor([1., 2.]), cr.tensor([3., 4.]))
    tensor([3., 8.])
)")
                        .pointwise(Pointwise::kArithmetic)
                        .inplace()
                        .saves("input for other, other for input")
                        .vjp([](Vjp& v) {
                          v.set(0, [&] { return v.grad() * v.in(1); });
                          v.set(1, [&] { return v.grad() * v.in(0); });
                        });

const Row div_row =
    Row("div(Operand input, Operand other, *, {true|floor|trunc} rounding_mode='true')")
        .doc(R"(Divide element by element; integers give floats.

``rounding_mode='floor'`` or ``'trunc'`` rounds the quotient and keeps integer types.

Example:
    >>> cr.div(cr.tensor([7, -7]), 2)
    tensor([ 3.5000, -3.5000])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .compose([](const TensorList& in, const Attrs& attrs) {
          if (attrs.i(0) == 0) return Tensor();
          if (attrs.i(0) == 1) return OP(floor_divide)(in[0], in[1]);
          const Tensor quotient = OP(div)(in[0], in[1]);
          const Tensor result = OP(trunc)(quotient);
          return is_floating(in[0].dtype()) || is_floating(in[1].dtype())
                     ? result
                     : OP(to)(result, promote(in[0].dtype(), in[1].dtype()));
        })
        .saves("input for other, other")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return v.grad() / v.in(1); });
          v.set(1, [&] { return -v.grad() * v.in(0) / (v.in(1) * v.in(1)); });
        });

const Row floor_divide_row =
    Row("floor_divide(Operand input, Operand other)")
        .doc(R"(Quotient rounded towards minus infinity. Integer division by zero gives 0.

Gradient: zero.

Example:
    >>> cr.floor_divide(cr.tensor([7, -7]), 2)
    tensor([ 3, -4])
)")
        .pointwise(Pointwise::kArithmetic)
        .inplace()
        .vjp([](Vjp& v) {
          v.set(0, [&] { return v.zeros_like_input(0); });
          v.set(1, [&] { return v.zeros_like_input(1); });
        });

const Row remainder_row =
    Row("remainder(Operand input, Operand other)")
        .doc(R"(Remainder with the sign of ``other``, as Python's ``%``.

Example:
    >>> cr.remainder(cr.tensor([7, -7]), 3)
    tensor([1, 2])
)")
        .pointwise(Pointwise::kArithmetic)
        .inplace()
        .saves("input for other, other for other")
        .vjp([](Vjp& v) {
          v.set(0, v.grad());
          v.set(1, [&] { return -v.grad() * OP(floor_divide)(v.in(0), v.in(1)); });
        });

const Row fmod_row = Row("fmod(Operand input, Operand other)")
                         .doc(R"(Remainder with the sign of ``input``, as C's ``fmod``.

Example:
    >>> cr.fmod(cr.tensor([7., -7.]), 3)
    tensor([ 1., -1.])
)")
                         .pointwise(Pointwise::kArithmetic)
                         .inplace()
                         .saves("input for other, other for other")
                         .vjp([](Vjp& v) {
                           v.set(0, v.grad());
                           v.set(1, [&] { return -v.grad() * OP(trunc)(v.in(0) / v.in(1)); });
                         });

const Row pow_row =
    Row("pow(Operand input, Operand exponent)")
        .doc(R"(Raise to a power element by element.

Gradient: ``exponent * input**(exponent - 1)`` and ``out * log(input)``.

Example:
    >>> cr.pow(cr.tensor([1., 2., 3.]), 2)
    tensor([1., 4., 9.])
)")
        .pointwise(Pointwise::kArithmetic)
        .inplace()
        .compose([](const TensorList& in, const Attrs&) {
          // The powers people write: multiplications or roots instead of exp and log.
          const Tensor& exponent = in[1];
          if (!exponent.impl()->weak) return Tensor();
          const double p = item_double(exponent);
          CR_CHECK(p >= 0 || is_floating(in[0].dtype()) || is_floating(exponent.dtype()),
                   "pow: integers cannot be raised to a negative integer power (got ", p,
                   "); convert the base to a float first");
          if (is_floating(in[0].dtype())) {
            if (p == 2) return OP(square)(in[0]);
            if (p == 3) return OP(_cube)(in[0]);
            if (p == 0.5) return OP(sqrt)(in[0]);
            if (p == -1) return OP(reciprocal)(in[0]);
            if (p == -2) return OP(reciprocal)(OP(square)(in[0]));
            if (p == -0.5) return OP(rsqrt)(in[0]);
          } else if (p == 2 && in[0].dtype() != DType::kBool && !is_floating(exponent.dtype())) {
            return OP(square)(in[0]);
          }
          return Tensor();
        })
        .saves("input, exponent, out for exponent")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            const Tensor p = v.in(1);
            return v.grad() * OP(where)(OP(eq)(p, 0.0), 0.0, p * OP(pow)(v.in(0), p - 1.0));
          });
          v.set(1, [&] {
            const Tensor x = v.in(0);
            const Tensor zero = OP(logical_and)(OP(eq)(x, 0.0), OP(ge)(v.in(1), 0.0));
            return v.grad() * OP(where)(zero, 0.0, v.out() * OP(log)(x));
          });
        });

const Row neg_row = Row("neg(Tensor input)")
                        .doc(R"(Change the sign.

Example:
    >>> cr.neg(cr.tensor([1., -2.]))
    tensor([-1.,  2.])
)")
                        .pointwise(Pointwise::kArithmetic)
                        .inplace()
                        .vjp([](Vjp& v) { v.set(0, [&] { return -v.grad(); }); });

const Row abs_row =
    Row("abs(Tensor input)")
        .doc(R"(Absolute value. Gradient: the sign, 0 at 0.

Example:
    >>> cr.abs(cr.tensor([1., -2.]))
    tensor([1., 2.])
)")
        .pointwise(Pointwise::kArithmetic)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() * OP(sign)(v.in(0)); }); });

const Row sign_row = Row("sign(Tensor input)")
                         .doc(R"(-1, 0 or 1. Gradient: zero.

Example:
    >>> cr.sign(cr.tensor([3., -2., 0.]))
    tensor([ 1., -1.,  0.])
)")
                         .pointwise(Pointwise::kArithmetic)
                         .inplace()
                         .vjp([](Vjp& v) { v.set(0, [&] { return v.zeros_like_input(0); }); });

const Row square_row = Row("square(Tensor input)")
                           .doc(R"(``input * input``.

Example:
    >>> cr.square(cr.tensor([3., -2.]))
    tensor([9., 4.])
)")
                           .pointwise(Pointwise::kArithmetic)
                           .inplace()
                           .saves("input")
                           .vjp([](Vjp& v) { v.set(0, [&] { return v.grad() * v.in(0) * 2.0; }); });

const Row cube_row = Row("_cube(Tensor input)")
                         .doc("``input * input * input``.")
                         .pointwise(Pointwise::kFloat)
                         .saves("input")
                         .vjp([](Vjp& v) {
                           v.set(0, [&]() -> Tensor {
                             const Tensor x = v.in(0);
                             if (!GradMode::enabled()) return v.grad() * OP(square)(x) * 3.0;
                             // A power's derivatives have a history to the last, which is 0.
                             const Tensor two = OP(ones)(Dims{}, x.dtype()) * 2.0;
                             return v.grad() * OP(pow)(x, two) * 3.0;
                           });
                         });

// Ties give half of the gradient to each side.
Tensor winner(const Tensor& grad, const Tensor& wins, const Tensor& ties) {
  return masked(grad, wins) + masked(grad * 0.5, ties);
}

const Row maximum_row =
    Row("maximum(Operand input, Operand other)")
        .doc(R"(Larger of two, element by element; NaN wins. Gradient: ties are split in half.

Example:
    >>> cr.maximum(cr.tensor([1., 5.]), cr.tensor([3., 2.]))
    tensor([3., 5.])
)")
        .pointwise(Pointwise::kArithmetic)
        .saves("input, other")
        .vjp([](Vjp& v) {
          const Tensor a = v.in(0), b = v.in(1), ties = OP(eq)(a, b);
          v.set(0, [&] { return winner(v.grad(), OP(gt)(a, b), ties); });
          v.set(1, [&] { return winner(v.grad(), OP(lt)(a, b), ties); });
        });

const Row minimum_row =
    Row("minimum(Operand input, Operand other)")
        .doc(R"(Smaller of two, element by element; NaN wins. Gradient: ties are split in half.

Example:
    >>> cr.minimum(cr.tensor([1., 5.]), cr.tensor([3., 2.]))
    tensor([1., 2.])
)")
        .pointwise(Pointwise::kArithmetic)
        .saves("input, other")
        .vjp([](Vjp& v) {
          const Tensor a = v.in(0), b = v.in(1), ties = OP(eq)(a, b);
          v.set(0, [&] { return winner(v.grad(), OP(lt)(a, b), ties); });
          v.set(1, [&] { return winner(v.grad(), OP(gt)(a, b), ties); });
        });

// Where `input` is the one that fmax (or fmin) takes: a NaN in `other` counts as the loser.
Tensor taken(const OpDef& wins, const Tensor& input, const Tensor& other) {
  return OP(logical_or)(wins(input, other), OP(isnan)(other));
}

const Row fmax_row = Row("fmax(Operand input, Operand other)")
                         .doc(R"(Larger of two, element by element; a number wins over NaN.

Gradient: to the one that is taken, of equal ones the first.

Example:
    >>> cr.fmax(cr.tensor([1., float('nan')]), cr.tensor([3., 2.]))
    tensor([3., 2.])
)")
                         .pointwise(Pointwise::kArithmetic)
                         .saves("input, other")
                         .vjp([](Vjp& v) {
                           const Tensor first = taken(OP(ge), v.in(0), v.in(1));
                           v.set(0, [&] { return masked(v.grad(), first); });
                           v.set(1, [&] { return masked(v.grad(), OP(logical_not)(first)); });
                         });

const Row fmin_row = Row("fmin(Operand input, Operand other)")
                         .doc(R"(Smaller of two, element by element; a number wins over NaN.

Gradient: to the one that is taken, of equal ones the first.

Example:
    >>> cr.fmin(cr.tensor([1., float('nan')]), cr.tensor([3., 2.]))
    tensor([1., 2.])
)")
                         .pointwise(Pointwise::kArithmetic)
                         .saves("input, other")
                         .vjp([](Vjp& v) {
                           const Tensor first = taken(OP(le), v.in(0), v.in(1));
                           v.set(0, [&] { return masked(v.grad(), first); });
                           v.set(1, [&] { return masked(v.grad(), OP(logical_not)(first)); });
                         });

const Row copysign_row =
    Row("copysign(Operand input, Operand other)")
        .doc(R"(Magnitude of ``input`` with the sign of ``other``.

Example:
    >>> cr.copysign(cr.tensor([1., 2.]), cr.tensor([-1., 1.]))
    tensor([-1.,  2.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input, other")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            return v.grad() *
                   OP(copysign)(OP(sign)(v.in(0)), OP(sign)(v.in(0)) * OP(copysign)(1.0, v.in(1)));
          });
          v.set(1, [&] { return v.zeros_like_input(1); });
        });

const Row lerp_by_row = Row("_lerp_by(Tensor input, Tensor end, float weight)")
                            .doc("``lerp`` with one weight for all.")
                            .pointwise(Pointwise::kFloat)
                            .inplace()
                            .vjp([](Vjp& v) {
                              const double weight = v.attrs().f(0);
                              v.set(0, [&] { return v.grad() * (1.0 - weight); });
                              v.set(1, [&] { return v.grad() * weight; });
                            });

// The weight where it is a Python number.
Attrs number_weight(const TensorList& in) {
  Attrs weight;
  if (in[2].impl()->weak) weight.push_float(item_double(in[2]));
  return weight;
}

const Row lerp_row =
    Row("lerp(Tensor input, Tensor end, Operand weight)")
        .doc(R"(Linear interpolation: ``input + weight * (end - input)``.

Example:
    >>> cr.lerp(cr.tensor([0., 0.]), cr.tensor([10., 20.]), 0.5)
    tensor([ 5., 10.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .compose([](const TensorList& in, const Attrs&) {
          const Attrs weight = number_weight(in);
          return weight.size() ? run(OP(_lerp_by), {in[0], in[1]}, weight) : Tensor();
        })
        .compose_inplace([](const TensorList& in, const Attrs&) {
          const Attrs weight = number_weight(in);
          if (weight.size()) run_inplace(OP(_lerp_by), {in[0], in[1]}, weight);
          return weight.size() > 0;
        })
        .saves("input for weight, end for weight, weight")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return v.grad() * (1.0 - v.in(2)); });
          v.set(1, [&] { return v.grad() * v.in(2); });
          v.set(2, [&] { return v.grad() * (v.in(1) - v.in(0)); });
        });

const Row addcmul_row =
    Row("addcmul(Tensor input, Tensor tensor1, Tensor tensor2, *, float value=1)")
        .doc(R"(``input + value * tensor1 * tensor2``.

Example:
    >>> cr.addcmul(cr.tensor([1.]), cr.tensor([2.]), cr.tensor([3.]), value=10)
    tensor([61.])
)")
        .pointwise(Pointwise::kArithmetic)
        .inplace()
        .compose([](const TensorList& in, const Attrs& attrs) {
          const double value = attrs.f(0);
          const bool floats = is_floating(in[0].dtype()) || is_floating(in[1].dtype()) ||
                              is_floating(in[2].dtype());
          CR_CHECK(floats || value == static_cast<double>(static_cast<int64_t>(value)),
                   "addcmul: value must be a whole number for integer tensors (got ", value, ")");
          return Tensor();
        })
        .saves("tensor1 for tensor2, tensor2 for tensor1")
        .vjp([](Vjp& v) {
          const double value = v.attrs().f(0);
          v.set(0, v.grad());
          v.set(1, [&] { return v.grad() * v.in(2) * value; });
          v.set(2, [&] { return v.grad() * v.in(1) * value; });
        });

const Row addcdiv_row =
    Row("addcdiv(Tensor input, Tensor tensor1, Tensor tensor2, *, float value=1)")
        .doc(R"(``input + value * tensor1 / tensor2``.

Example:
    >>> cr.addcdiv(cr.tensor([1.]), cr.tensor([6.]), cr.tensor([3.]), value=10)
    tensor([21.])
)")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("tensor1 for tensor2, tensor2")
        .vjp([](Vjp& v) {
          const double value = v.attrs().f(0);
          v.set(0, v.grad());
          v.set(1, [&] { return v.grad() * value / v.in(2); });
          v.set(2, [&] { return v.grad() * (-value) * v.in(1) / (v.in(2) * v.in(2)); });
        });

// ---------------------------------------------------------------- limits and selection

const Row clamp_between_row =
    Row("_clamp(Tensor input, Operand min, Operand max)")
        .doc("Kernel row of ``clamp`` with both limits.")
        .pointwise(Pointwise::kArithmetic)
        .inplace()
        .saves("input, min, max")
        .vjp([](Vjp& v) {
          const Tensor x = v.in(0), low = v.in(1), high = v.in(2);
          v.set(0,
                [&] { return masked(v.grad(), OP(logical_and)(OP(ge)(x, low), OP(le)(x, high))); });
          v.set(1, [&] {
            return masked(v.grad(), OP(logical_and)(OP(lt)(x, low), OP(lt)(low, high)));
          });
          v.set(2, [&] {
            return masked(v.grad(), OP(logical_or)(OP(gt)(x, high), OP(ge)(low, high)));
          });
        });

const Row clamp_min_row =
    Row("_clamp_min(Tensor input, Operand min)")
        .doc("Kernel row of ``clamp`` with a lower limit alone.")
        .pointwise(Pointwise::kArithmetic)
        .inplace()
        .saves("input, min")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return masked(v.grad(), OP(ge)(v.in(0), v.in(1))); });
          v.set(1, [&] { return masked(v.grad(), OP(lt)(v.in(0), v.in(1))); });
        });

const Row clamp_max_row =
    Row("_clamp_max(Tensor input, Operand max)")
        .doc("Kernel row of ``clamp`` with an upper limit alone.")
        .pointwise(Pointwise::kArithmetic)
        .inplace()
        .saves("input, max")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return masked(v.grad(), OP(le)(v.in(0), v.in(1))); });
          v.set(1, [&] { return masked(v.grad(), OP(gt)(v.in(0), v.in(1))); });
        });

const Row clamp_by_row =
    Row("_clamp_by(Tensor input, float min, float max)")
        .doc("Kernel row of ``clamp`` with two numbers, for floats.")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            const Tensor x = v.in(0);
            const double low = v.attrs().f(0), high = v.attrs().f(1);
            return masked(v.grad(), OP(logical_and)(OP(ge)(x, low), OP(le)(x, high)));
          });
        });

const Row nan_to_num_row =
    Row("_nan_to_num(Tensor input, float nan, float posinf, float neginf)")
        .doc("Kernel row of ``nan_to_num``, for floats.")
        .pointwise(Pointwise::kFloat)
        .inplace()
        .saves("input")
        .vjp([](Vjp& v) { v.set(0, [&] { return masked(v.grad(), OP(isfinite)(v.in(0))); }); });

// The limits where both are Python numbers, not NaN, and the input is floating.
Attrs number_limits(const TensorList& in) {
  Attrs limits;
  const bool numbers = in[1] && in[2] && in[1].impl()->weak && in[2].impl()->weak;
  if (!numbers || !is_floating(in[0].dtype())) return limits;
  const double low = item_double(in[1]), high = item_double(in[2]);
  if (std::isnan(low) || std::isnan(high)) return limits;
  limits.push_float(low);
  limits.push_float(high);
  return limits;
}

const Row clamp_row = Row("clamp(Tensor input, Operand? min=None, Operand? max=None)")
                          .doc(R"(Limit to ``[min, max]``; a missing limit is open. NaN stays NaN.

Gradient: 1 inside the limits (both included), 0 outside.

Raises:
    ValueError: when both limits are missing.

Example:
    >>> cr.clamp(cr.tensor([-2., 0.5, 3.]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
)")
                          .inplace()
                          .compose([](const TensorList& in, const Attrs&) {
                            const Tensor &x = in[0], &low = in[1], &high = in[2];
                            CR_CHECK(low || high, "clamp: needs min, max or both (got neither)");
                            if (const Attrs limits = number_limits(in); limits.size()) {
                              return run(OP(_clamp_by), {x}, limits);
                            }
                            if (low && high) return OP(_clamp)(x, low, high);
                            return low ? OP(_clamp_min)(x, low) : OP(_clamp_max)(x, high);
                          })
                          .compose_inplace([](const TensorList& in, const Attrs& attrs) {
                            const Tensor &x = in[0], &low = in[1], &high = in[2];
                            if (const Attrs limits = number_limits(in); limits.size()) {
                              return run_inplace(OP(_clamp_by), {x}, limits), true;
                            }
                            if (low && high) return run_inplace(OP(_clamp), in, attrs), true;
                            if (low) return run_inplace(OP(_clamp_min), {x, low}, attrs), true;
                            if (high) return run_inplace(OP(_clamp_max), {x, high}, attrs), true;
                            return false;
                          });

const Row where_row =
    Row("where(Tensor condition, Operand input, Operand other)")
        .doc(
            R"(``input`` where the bool ``condition`` holds, ``other`` elsewhere, with broadcasting.

Example:
    >>> x = cr.tensor([-1., 2.])
    >>> cr.where(x > 0, x, 0.0)
    tensor([0., 2.])
)")
        .pointwise(Pointwise::kSelect)
        .moves()
        .saves("condition")
        .vjp([](Vjp& v) {
          v.set(1, [&] { return OP(where)(v.in(0), v.grad(), 0.0); });
          v.set(2, [&] { return OP(where)(v.in(0), 0.0, v.grad()); });
        });

// ---------------------------------------------------------------- comparison and logic

#define CR_COMPARE(op, symbol)                                                         \
  const Row op##_row =                                                                 \
      Row(#op "(Operand input, Operand other)")                                        \
          .doc("``input " symbol                                                       \
               " other`` element by element, as bool.\n\nExample:\n"                   \
               "    >>> (cr.tensor([1, 2]) " symbol " 2).dtype\n    chainrule.bool\n") \
          .pointwise(Pointwise::kCompare)                                              \
          .inplace();
CR_COMPARE(eq, "==")
CR_COMPARE(ne, "!=")
CR_COMPARE(lt, "<")
CR_COMPARE(le, "<=")
CR_COMPARE(gt, ">")
CR_COMPARE(ge, ">=")
#undef CR_COMPARE

const Row logical_and_row = Row("logical_and(Operand input, Operand other)")
                                .doc(R"(True where both are nonzero.

Example:
    >>> cr.logical_and(cr.tensor([0, 1]), cr.tensor([1, 1]))
    tensor([False,  True])
)")
                                .pointwise(Pointwise::kLogical)
                                .inplace();
const Row logical_or_row = Row("logical_or(Operand input, Operand other)")
                               .doc(R"(True where either is nonzero.

Example:
    >>> cr.logical_or(cr.tensor([0, 1]), cr.tensor([0, 0]))
    tensor([False,  True])
)")
                               .pointwise(Pointwise::kLogical)
                               .inplace();
const Row logical_xor_row = Row("logical_xor(Operand input, Operand other)")
                                .doc(R"(True where exactly one is nonzero.

Example:
    >>> cr.logical_xor(cr.tensor([0, 1]), cr.tensor([1, 1]))
    tensor([ True, False])
)")
                                .pointwise(Pointwise::kLogical)
                                .inplace();
const Row logical_not_row = Row("logical_not(Tensor input)")
                                .doc(R"(True where zero.

Example:
    >>> cr.logical_not(cr.tensor([0, 1]))
    tensor([ True, False])
)")
                                .pointwise(Pointwise::kLogical)
                                .inplace();

const Row bitwise_and_row = Row("bitwise_and(Operand input, Operand other)")
                                .doc(R"(Bitwise and of integers; logical and of bools.

Example:
    >>> cr.bitwise_and(cr.tensor([6]), 3)
    tensor([2])
)")
                                .pointwise(Pointwise::kInteger)
                                .inplace();
const Row bitwise_or_row = Row("bitwise_or(Operand input, Operand other)")
                               .doc(R"(Bitwise or of integers; logical or of bools.

Example:
    >>> cr.bitwise_or(cr.tensor([6]), 3)
    tensor([7])
)")
                               .pointwise(Pointwise::kInteger)
                               .inplace();
const Row bitwise_xor_row =
    Row("bitwise_xor(Operand input, Operand other)")
        .doc(R"(Bitwise exclusive or of integers; of bools, whether they differ.

Example:
    >>> cr.bitwise_xor(cr.tensor([6]), 3)
    tensor([5])
)")
        .pointwise(Pointwise::kInteger)
        .inplace();
const Row bitwise_not_row = Row("bitwise_not(Tensor input)")
                                .doc(R"(All bits flipped; of bools, the negation.

Example:
    >>> cr.bitwise_not(cr.tensor([0, 5]))
    tensor([-1, -6])
)")
                                .pointwise(Pointwise::kInteger)
                                .inplace();
const Row left_shift_row =
    Row("bitwise_left_shift(Operand input, Operand other)")
        .doc(R"(``input * 2**other`` on integers; a shift by the width or more gives 0.

Example:
    >>> cr.bitwise_left_shift(cr.tensor([1, 3]), 2)
    tensor([ 4, 12])
)")
        .pointwise(Pointwise::kInteger)
        .inplace();
const Row right_shift_row = Row("bitwise_right_shift(Operand input, Operand other)")
                                .doc(R"(``floor(input / 2**other)`` on integers.

Example:
    >>> cr.bitwise_right_shift(cr.tensor([4, 13]), 2)
    tensor([1, 3])
)")
                                .pointwise(Pointwise::kInteger)
                                .inplace();

const Row isnan_row = Row("isnan(Tensor input)")
                          .doc(R"(True where not a number.

Example:
    >>> cr.isnan(cr.tensor([1., float('nan')]))
    tensor([False,  True])
)")
                          .pointwise(Pointwise::kPredicate);
const Row isinf_row = Row("isinf(Tensor input)")
                          .doc(R"(True where plus or minus infinity.

Example:
    >>> cr.isinf(cr.tensor([1., float('inf')]))
    tensor([False,  True])
)")
                          .pointwise(Pointwise::kPredicate);
const Row isposinf_row = Row("isposinf(Tensor input)")
                             .doc(R"(True where plus infinity.

Example:
    >>> cr.isposinf(cr.tensor([1., float('inf'), -float('inf')]))
    tensor([False,  True, False])
)")
                             .pointwise(Pointwise::kPredicate);
const Row isneginf_row = Row("isneginf(Tensor input)")
                             .doc(R"(True where minus infinity.

Example:
    >>> cr.isneginf(cr.tensor([1., float('inf'), -float('inf')]))
    tensor([False, False,  True])
)")
                             .pointwise(Pointwise::kPredicate);
const Row signbit_row = Row("signbit(Tensor input)")
                            .doc(R"(True where the sign is minus, which -0.0 has too.

Example:
    >>> cr.signbit(cr.tensor([1., -1., -0.]))
    tensor([False,  True,  True])
)")
                            .pointwise(Pointwise::kPredicate)
                            .compose([](const TensorList& in, const Attrs&) {
                              return is_floating(in[0].dtype()) ? Tensor() : OP(lt)(in[0], 0);
                            });
const Row isfinite_row = Row("isfinite(Tensor input)")
                             .doc(R"(True where neither infinite nor NaN.

Example:
    >>> cr.isfinite(cr.tensor([1., float('inf')]))
    tensor([ True, False])
)")
                             .pointwise(Pointwise::kPredicate);

}  // namespace
}  // namespace cr
