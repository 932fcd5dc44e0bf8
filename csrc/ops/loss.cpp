// Rows of losses between an input and a target of the same shape, and of what the other losses
// (Python over common ops) need. Cross entropy is in softmax.cpp. Kernels: loss.kernel.cpp.
//
// A mean or a sum is one pass over memory; without reduction the loss is composed of common ops.
#include <vector>

#include "autograd/node.h"
#include "core/parallel.h"
#include "core/rounding.h"
#include "ops/loss.kernel.h"
#include "ops/pointwise.h"

namespace cr {
namespace {

enum { kNone, kMean, kSum };

// Elements a thread takes at a time: some 20 us of work.
constexpr int64_t kGrain = 65536;

// A loss never broadcasts.
void check_pair(const char* op, const Tensor& x, const Tensor& t) {
  if (x.shape() != t.shape()) {
    const std::string hint =
        x.numel() == t.numel()
            ? concat("; they hold as many elements: target.reshape", x.shape(), " may be meant")
            : "";
    fail(ErrorKind::kValue, op, ": input and target differ in shape (got ", x.shape(), " and ",
         t.shape(), "); expected equal shapes", hint);
  }
  CR_CHECK_TYPE(is_floating(x.dtype()) || is_floating(t.dtype()), op,
                ": needs a floating-point input or target (got ", x.dtype(), " and ", t.dtype(),
                "); convert with .float()");
}

void infer_pair(Call& call) {
  call.compute = result_type(call.in);
  call.contiguous = true;
  call.set_output(0, Dims{}, call.compute);
}

// Chunks are summed apart and added in order: the same bits for any number of threads.
void launch_pair(Call& call, PairLoss loss) {
  const Tensor &x = call.in[0], &t = call.in[1], &out = call.out[0];
  const bool wide = x.dtype() == DType::kFloat64;
  const PairLossKernel kernel = loss_table().total[static_cast<int>(loss)][wide];
  const int64_t n = x.numel(), size = itemsize(x.dtype());
  std::vector<double> sums(static_cast<size_t>(ceil_div(n, kGrain)));
  parallel(n, kGrain, [&](int64_t begin, int64_t end, int) {
    sums[static_cast<size_t>(begin / kGrain)] =
        kernel(x.data() + begin * size, t.data() + begin * size, end - begin);
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  if (call.attrs.i(0) == kMean) total /= static_cast<double>(n);
  if (wide)
    *out.data<double>() = total;
  else
    *out.data<float>() = static_cast<float>(total);
}

// The slope of the reduction: d loss / d (an element's loss).
Tensor slope(const Vjp& v, double factor = 1) {
  double n = 1;
  if (v.attrs().i(0) == kMean) {
    for (const int64_t size : v.in_shape(0)) n *= static_cast<double>(size);
  }
  return v.grad() * (factor / n);
}

// ---------------------------------------------------------------- mean squared error

const Row mse_loss_row =
    Row("mse_loss(Tensor input, Tensor target, *, {none|mean|sum} reduction='mean')")
        .doc(R"(Mean of ``(input - target)**2``.

Args:
    input: any shape, float32 or float64.
    target: the same shape.
    reduction: 'mean', 'sum' or 'none'.

Raises:
    ValueError: the shapes differ.

Example:
    >>> F.mse_loss(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 4.0]))
    tensor(2.)
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          check_pair("mse_loss", in[0], in[1]);
          return attrs.i(0) == kNone ? OP(square)(in[0] - in[1]) : Tensor();
        })
        .infer(infer_pair)
        .launch([](Call& call) { launch_pair(call, PairLoss::kSquare); })
        .saves("input, target")
        .vjp([](Vjp& v) {
          const Tensor gradient = (v.in(0) - v.in(1)) * slope(v, 2);
          v.set(0, gradient);
          v.set(1, [&] { return -gradient; });
        });

// ---------------------------------------------------------------- mean absolute error

const Row l1_loss_row =
    Row("l1_loss(Tensor input, Tensor target, *, {none|mean|sum} reduction='mean')")
        .doc(R"(Mean of ``|input - target|``.

Args:
    input: any shape, float32 or float64.
    target: the same shape.
    reduction: 'mean', 'sum' or 'none'.

Raises:
    ValueError: the shapes differ.

Example:
    >>> F.l1_loss(cr.tensor([1.0, 2.0]), cr.tensor([1.0, 4.0]))
    tensor(1.)
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          check_pair("l1_loss", in[0], in[1]);
          return attrs.i(0) == kNone ? OP(abs)(in[0] - in[1]) : Tensor();
        })
        .infer(infer_pair)
        .launch([](Call& call) { launch_pair(call, PairLoss::kAbsolute); })
        .saves("input, target")
        .vjp([](Vjp& v) {
          const Tensor gradient = OP(sign)(v.in(0) - v.in(1)) * slope(v);
          v.set(0, gradient);
          v.set(1, [&] { return -gradient; });
        });

// ---------------------------------------------------------------- binary cross entropy

const Row bce_row = Row("_bce_with_logits(Tensor input, Tensor target, {none|mean|sum} reduction)")
                        .doc("Binary cross entropy of ``sigmoid(input)``, without weights.")
                        .compose([](const TensorList& in, const Attrs& attrs) {
                          check_pair("binary_cross_entropy_with_logits", in[0], in[1]);
                          if (attrs.i(0) != kNone) return Tensor();
                          // log(1 - s) = log(s) - x for s = sigmoid(x).
                          return (1.0 - in[1]) * in[0] - OP(log_sigmoid)(in[0]);
                        })
                        .infer(infer_pair)
                        .launch([](Call& call) { launch_pair(call, PairLoss::kBinaryEntropy); })
                        .saves("input, target for input")
                        .vjp([](Vjp& v) {
                          v.set(0, [&] { return (OP(sigmoid)(v.in(0)) - v.in(1)) * slope(v); });
                          v.set(1, [&] { return v.in(0) * slope(v, -1); });
                        });

const Row bounded_log_row =
    Row("_bounded_log(Tensor input)")
        .doc("``max(log(input), -100)``; gradient ``1 / max(input, 1e-12)``, finite at 0.")
        .pointwise(Pointwise::kFloat)
        .saves("input")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return v.grad() / OP(clamp)(v.in(0), 1e-12, nullptr); });
        });

}  // namespace
}  // namespace cr
