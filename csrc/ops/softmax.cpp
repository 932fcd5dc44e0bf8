// Rows of softmax, log_softmax, logsumexp and the losses built on them. Kernels:
// softmax.kernel.cpp, along the last dimension or across columns; a dimension with few elements
// behind it is moved to the end first.
#include <algorithm>

#include "autograd/node.h"
#include "core/parallel.h"
#include "core/rounding.h"
#include "ops/pointwise.h"
#include "ops/softmax.kernel.h"

namespace cr {
namespace {

int kernel_index(const Tensor& x) { return x.dtype() == DType::kFloat64; }

int64_t last_size(const Tensor& x) { return x.rank() ? x.shape().back() : 1; }

void check_floating(const Call& call) {
  CR_CHECK_TYPE(is_floating(call.in[0].dtype()), call.name(),
                ": needs a floating-point tensor (got ", call.in[0].dtype(),
                "); convert with .float()");
}

void infer_rows(Call& call) {
  check_floating(call);
  call.contiguous = true;
  call.out_meta[0] = call.in[0].meta();
}

// f(first row, count) over the rows of a contiguous tensor.
template <class F>
void over_rows(const Tensor& x, F&& f) {
  const int64_t n = last_size(x);
  if (x.numel() == 0) return;
  parallel(x.numel() / n, grain_for(20 + 1.5 * static_cast<double>(n)),
           [&](int64_t begin, int64_t end, int) { f(begin, end - begin); });
}

char* row_at(const Tensor& x, int64_t row) {
  return x.data() + row * last_size(x) * itemsize(x.dtype());
}

// Elements behind dimension `dim`.
int64_t inner_size(const Tensor& x, int dim) {
  int64_t inner = 1;
  for (int i = dim + 1; i < x.rank(); ++i) inner *= x.shape()[i];
  return inner;
}

// The dimension in attribute 0, checked; the last one of a scalar.
int dim_of(const Call& call) {
  const int rank = call.in[0].rank();
  const int dim = normalize_dim(call.name(), call.attrs.i(0), rank);
  return rank ? dim : -1;
}

// Columns that are few would not fill a vector.
constexpr int64_t kFewColumns = 16;

// f(byte offset, n, inner, width) over stretches of columns along `dim`.
template <class F>
void over_columns(const Tensor& x, int dim, F&& f) {
  const int64_t n = x.shape()[dim], inner = inner_size(x, dim);
  if (x.numel() == 0) return;
  const int64_t stretches = ceil_div(inner, kSoftmaxColumns);
  const double ns = 1.5 * static_cast<double>(n * std::min(inner, kSoftmaxColumns));
  parallel(x.numel() / (n * inner) * stretches, grain_for(20 + ns),
           [&](int64_t begin, int64_t end, int) {
             for (int64_t i = begin; i < end; ++i) {
               const int64_t row = i / stretches, column = i % stretches * kSoftmaxColumns;
               f((row * n * inner + column) * itemsize(x.dtype()), n, inner,
                 std::min(inner - column, kSoftmaxColumns));
             }
           });
}

void launch_forward(Call& call, const RowKernel* kernels, const ColumnKernel* columns) {
  const Tensor &x = call.in[0], &out = call.out[0];
  const int dim = dim_of(call), type = kernel_index(x);
  if (dim == x.rank() - 1) {
    return over_rows(x, [&](int64_t row, int64_t count) {
      kernels[type](row_at(x, row), row_at(out, row), count, last_size(x));
    });
  }
  over_columns(x, dim, [&](int64_t at, int64_t n, int64_t inner, int64_t width) {
    columns[type](x.data() + at, out.data() + at, n, inner, width);
  });
}

void launch_grad(Call& call, const RowGradKernel* kernels, const ColumnGradKernel* columns) {
  const Tensor &g = call.in[0], &y = call.in[1], &out = call.out[0];
  const int dim = dim_of(call), type = kernel_index(g);
  if (dim == g.rank() - 1) {
    return over_rows(g, [&](int64_t row, int64_t count) {
      kernels[type](row_at(g, row), row_at(y, row), row_at(out, row), count, last_size(g));
    });
  }
  over_columns(g, dim, [&](int64_t at, int64_t n, int64_t inner, int64_t width) {
    columns[type](g.data() + at, y.data() + at, out.data() + at, n, inner, width);
  });
}

// An op applied along the last dimension instead of another, where columns would not fill a vector
// or the input lies transposed anyway; undefined otherwise.
Tensor on_last_dim(const OpDef& op, const TensorList& in, const Attrs& attrs, int k) {
  const Tensor& x = in[0];
  const int dim = normalize_dim(op.name().c_str(), attrs.i(k), x.rank());
  if (x.rank() == 0 || dim == x.rank() - 1) return Tensor();
  if (x.contiguous() && inner_size(x, dim) >= kFewColumns) return Tensor();
  return OP(transpose)(op(OP(transpose)(x, dim, -1), -1), dim, -1);
}

DType cast_target(const Tensor& x, const Attrs& attrs) { return attrs.dtype(1, x.dtype()); }

const Row softmax_row =
    Row("softmax(Tensor input, int dim, *, dtype? dtype=None)")
        .doc(R"(``exp(input) / sum(exp(input), dim)``, without overflow.

Example:
    >>> cr.softmax(cr.tensor([0., 0.]), 0)
    tensor([0.5000, 0.5000])
)")
        .compose([](const TensorList& in, const Attrs& attrs) {
          if (cast_target(in[0], attrs) != in[0].dtype()) {
            return OP(softmax)(OP(to)(in[0], attrs.dtype(1)), attrs.i(0));
          }
          return on_last_dim(OP(softmax), in, attrs, 0);
        })
        .infer(infer_rows)
        .launch([](Call& call) {
          launch_forward(call, softmax_table().softmax, softmax_table().softmax_columns);
        })
        .saves("out")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_softmax_grad)(v.grad(), v.out(), v.attrs().i(0)); });
        });

const Row softmax_grad_row =
    Row("_softmax_grad(Tensor grad, Tensor result, int dim=-1)")
        .doc("``result * (grad - sum(grad * result))`` along a dimension.")
        .infer(infer_rows)
        .launch([](Call& call) {
          launch_grad(call, softmax_table().softmax_grad, softmax_table().softmax_grad_columns);
        })
        .saves("grad for result, result")
        .vjp([](Vjp& v) {
          const Tensor y = v.in(1);
          v.set(0, [&] { return OP(_softmax_grad)(v.grad(), y, v.attrs().i(0)); });
          v.set(1, [&] {
            const Tensor g = v.in(0), u = v.grad();
            const Dims dim{v.attrs().i(0)};
            if (y.rank() == 0) return u * g - u * (g * y) - g * (u * y);
            return u * g - u * OP(sum)(g * y, dim, true) - g * OP(sum)(u * y, dim, true);
          });
        });

const Row log_softmax_row =
    Row("log_softmax(Tensor input, int dim, *, dtype? dtype=None)")
        .doc(R"(``input - log(sum(exp(input), dim))``, without overflow.

Example:
    >>> cr.log_softmax(cr.tensor([0., 0.]), 0)
    tensor([-0.6931, -0.6931])
)")
        .compose([](const TensorList& in, const Attrs& attrs) {
          if (cast_target(in[0], attrs) != in[0].dtype()) {
            return OP(log_softmax)(OP(to)(in[0], attrs.dtype(1)), attrs.i(0));
          }
          return on_last_dim(OP(log_softmax), in, attrs, 0);
        })
        .infer(infer_rows)
        .launch([](Call& call) {
          launch_forward(call, softmax_table().log_softmax, softmax_table().log_softmax_columns);
        })
        .saves("out")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return OP(_log_softmax_grad)(v.grad(), v.out(), v.attrs().i(0)); });
        });

const Row log_softmax_grad_row =
    Row("_log_softmax_grad(Tensor grad, Tensor result, int dim=-1)")
        .doc("``grad - exp(result) * sum(grad)`` along a dimension.")
        .infer(infer_rows)
        .launch([](Call& call) {
          launch_grad(call, softmax_table().log_softmax_grad,
                      softmax_table().log_softmax_grad_columns);
        })
        .saves("grad for result, result")
        .vjp([](Vjp& v) {
          const Tensor p = OP(exp)(v.in(1)), u = v.grad();
          const Dims dim{v.attrs().i(0)};
          const auto total = [&](const Tensor& x) { return x.rank() ? OP(sum)(x, dim, true) : x; };
          v.set(0, [&] { return u - total(u * p); });
          v.set(1, [&] { return -u * p * total(v.in(0)); });
        });

const Row logsumexp_row =
    Row("logsumexp(Tensor input, int[] dim, bool keepdim=False)")
        .doc(R"(``log(sum(exp(input), dim))``, without overflow.

Example:
    >>> cr.logsumexp(cr.tensor([0., 0.]), 0)
    tensor(0.6931)
)")
        .compose([](const TensorList& in, const Attrs& attrs) {
          // Several dimensions, and one that lies apart, become one last dimension.
          const Tensor x = is_floating(in[0].dtype()) ? in[0] : OP(to)(in[0], default_dtype());
          const Dims axes = normalize_dims("logsumexp", attrs.ints(0), x.rank());
          if (axes.size() == 1 && x.contiguous() &&
              inner_size(x, static_cast<int>(axes[0])) >= kFewColumns) {
            const Tensor result = OP(_logsumexp)(x, axes[0]);
            return attrs.b(1) ? OP(unsqueeze)(result, axes[0]) : result;
          }
          Dims order, kept, rest;
          for (int i = 0; i < x.rank(); ++i) {
            const bool reduced = axes.contains(i);
            if (!reduced) {
              order.push_back(i);
              rest.push_back(x.shape()[i]);
            }
            if (!reduced || attrs.b(1)) kept.push_back(reduced ? 1 : x.shape()[i]);
          }
          for (int64_t axis : axes) order.push_back(axis);
          int64_t n = 1;
          for (int64_t axis : axes) n *= x.shape()[static_cast<int>(axis)];
          Dims flat = rest;
          flat.push_back(n);
          return OP(reshape)(OP(_logsumexp)(OP(reshape)(OP(permute)(x, order), flat), -1), kept);
        });

const Row logsumexp_kernel_row =
    Row("_logsumexp(Tensor input, int dim)")
        .doc("Kernel row of ``logsumexp``, along one dimension.")
        .infer([](Call& call) {
          infer_rows(call);
          call.compute = call.in[0].dtype();
          call.out_meta[0].shape.erase(dim_of(call));
        })
        .launch([](Call& call) {
          const Tensor &x = call.in[0], &out = call.out[0];
          const RowKernel kernel = softmax_table().logsumexp[kernel_index(x)];
          if (x.numel() == 0) {
            copy_into(out, Tensor::scalar(-__builtin_inf(), out.dtype()));
            return;
          }
          const int dim = dim_of(call);
          const int64_t size = itemsize(x.dtype());
          if (dim == x.rank() - 1) {
            return over_rows(x, [&](int64_t row, int64_t count) {
              kernel(row_at(x, row), out.data() + row * size, count, last_size(x));
            });
          }
          const ColumnKernel columns = softmax_table().logsumexp_columns[kernel_index(x)];
          over_columns(x, dim, [&](int64_t at, int64_t n, int64_t inner, int64_t width) {
            const int64_t first = at / size, row = first / (n * inner), column = first % inner;
            columns(x.data() + at, out.data() + (row * inner + column) * size, n, inner, width);
          });
        })
        .saves("input, out")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            // exp(-inf - -inf) would be NaN: rows of -inf have no slope.
            const int dim = normalize_dim("logsumexp", v.attrs().i(0), v.in_shape(0).size());
            const Tensor total = OP(unsqueeze)(v.out(), dim);
            const Tensor dead = OP(isinf)(total);
            const Tensor p = OP(exp)(v.in(0) - OP(where)(dead, 0.0, total));
            return OP(unsqueeze)(v.grad(), dim) * p;
          });
        });

// ---------------------------------------------------------------- losses over classes

// Labels as contiguous int64, ignored ones as -1, everything else checked.
Tensor checked_labels(const char* op, const Tensor& target, int64_t classes, int64_t ignore) {
  CR_CHECK_TYPE(is_integral(target.dtype()), op, ": class labels must be integers (got ",
                target.dtype(), "); for probabilities give floats of the input's shape");
  Tensor labels = Tensor::empty(target.shape(), DType::kInt64);
  copy_into(labels, target);
  int64_t* values = labels.data<int64_t>();
  for (int64_t i = 0; i < labels.numel(); ++i) {
    if (values[i] == ignore) {
      values[i] = -1;
      continue;
    }
    CR_CHECK_INDEX(values[i] >= 0 && values[i] < classes, op, ": label ", values[i],
                   " at position ", i, " is out of range; expected 0 to ", classes - 1, " for ",
                   classes, " classes");
  }
  return labels;
}

// Input (C), (N, C) or (N, C, d1, ...) against labels (), (N) or (N, d1, ...).
int class_dim(const char* op, const Tensor& input, const Tensor& target) {
  CR_CHECK(input.rank() >= 1, op,
           ": the input needs a class dimension (got shape ()); expected (C,), "
           "(N, C) or (N, C, d1, ...)");
  const int dim = input.rank() == 1 ? 0 : 1;
  Dims expected = input.shape();
  expected.erase(dim);
  CR_CHECK(target.shape() == expected, op, ": labels of shape ", target.shape(),
           " do not fit the input of shape ", input.shape(), "; expected ", expected);
  return dim;
}

void check_weight(const char* op, const Tensor& weight, int64_t classes) {
  CR_CHECK(!weight || (weight.rank() == 1 && weight.numel() == classes), op,
           ": weight must have one entry per class (got shape ", weight ? weight.shape() : Dims{},
           "); expected (", classes, ",)");
}

enum { kNone, kMean, kSum };

// Weighted negative log-likelihood with the labels' weights; also the sum of weights used.
struct Picked {
  Tensor loss, weights;
};

Picked pick_losses(const Tensor& log_probs, const Tensor& labels, const Tensor& weight, int dim) {
  const Tensor used = OP(ge)(labels, int64_t{0});
  const Tensor safe = OP(_clamp)(labels, int64_t{0}, log_probs.shape()[dim]);
  Tensor weights = OP(to)(used, log_probs.dtype());
  if (weight) {
    const Tensor chosen = OP(index_select)(weight, 0, OP(reshape)(safe, Dims{-1}));
    weights = weights * OP(reshape)(chosen, labels.shape());
  }
  const Tensor taken = OP(squeeze)(OP(gather)(log_probs, dim, OP(unsqueeze)(safe, dim)), Dims{dim});
  return {OP(where)(used, -taken * weights, 0.0), weights};
}

Tensor reduce_losses(const Picked& picked, int64_t reduction) {
  if (reduction == kNone) return picked.loss;
  const Tensor total = OP(sum)(picked.loss);
  return reduction == kSum ? total : total / OP(sum)(picked.weights);
}

// The usual case: every label counts, and as much as any other.
bool none_ignored(const Tensor& labels) {
  const int64_t* values = labels.data<int64_t>();
  return std::none_of(values, values + labels.numel(), [](int64_t label) { return label < 0; });
}

Tensor plain_losses(const Tensor& log_probs, const Tensor& labels, int dim, int64_t reduction) {
  const Tensor taken = OP(gather)(log_probs, dim, OP(unsqueeze)(labels, dim));
  if (reduction == kNone) return -OP(squeeze)(taken, Dims{dim});
  return -(reduction == kSum ? OP(sum)(taken) : OP(mean)(taken));
}

const Row nll_loss_row =
    Row("nll_loss(Tensor input, Tensor target, Tensor? weight=None, *, int ignore_index=-100, "
        "{none|mean|sum} reduction='mean')")
        .doc(R"(Negative log-likelihood of class labels under log-probabilities.

Args:
    input: log-probabilities, ``(C,)``, ``(N, C)`` or ``(N, C, d1, ...)``.
    target: labels in [0, C), any integer dtype, the input's shape without C.
    weight: one factor per class, ``(C,)``; the mean divides by the weights used.
    ignore_index: a label that does not count.

Raises:
    ValueError: when shapes do not fit. IndexError: for labels out of range.

Example:
    >>> F.nll_loss(cr.tensor([[-1., -2.]]), cr.tensor([1]))
    tensor(2.)
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          const int dim = class_dim("nll_loss", in[0], in[1]);
          const int64_t classes = in[0].shape()[dim];
          check_weight("nll_loss", in[2], classes);
          const Tensor labels = checked_labels("nll_loss", in[1], classes, attrs.i(0));
          if (!in[2] && none_ignored(labels)) return plain_losses(in[0], labels, dim, attrs.i(1));
          return reduce_losses(pick_losses(in[0], labels, in[2], dim), attrs.i(1));
        });

// Cross-entropy against probabilities, or smoothed labels.
Tensor soft_cross_entropy(const Tensor& log_probs, const Tensor& target, const Tensor& weight,
                          int dim, double smoothing, int64_t reduction) {
  const int64_t classes = log_probs.shape()[dim];
  Tensor wanted = target;
  if (smoothing > 0) wanted = wanted * (1 - smoothing) + smoothing / static_cast<double>(classes);
  Tensor terms = log_probs * wanted;
  if (weight) {
    Dims shape = Dims::filled(log_probs.rank(), 1);
    shape[dim] = classes;
    terms = terms * OP(reshape)(weight, shape);
  }
  const Tensor loss = -OP(sum)(terms, Dims{dim});
  if (reduction == kNone) return loss;
  const Tensor total = OP(sum)(loss);
  return reduction == kSum ? total
                           : total / static_cast<double>(std::max<int64_t>(loss.numel(), 1));
}

const Row cross_entropy_row =
    Row("cross_entropy(Tensor input, Tensor target, Tensor? weight=None, *, int ignore_index=-100, "
        "{none|mean|sum} reduction='mean', float label_smoothing=0)")
        .doc(R"(Cross-entropy of logits against class labels or class probabilities.

Args:
    input: logits, ``(C,)``, ``(N, C)`` or ``(N, C, d1, ...)``.
    target: labels in [0, C) of any integer dtype and the input's shape without C, or
        probabilities of the input's shape and a floating-point dtype.
    weight: one factor per class, ``(C,)``; with labels the mean divides by the weights used.
    ignore_index: a label that does not count.
    label_smoothing: share of the probability spread evenly over the classes, in [0, 1].

Raises:
    ValueError: when shapes do not fit. IndexError: for labels out of range.

Example:
    >>> F.cross_entropy(cr.tensor([[0., 0.]]), cr.tensor([1]))
    tensor(0.6931)
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          const Tensor &x = in[0], &target = in[1], &weight = in[2];
          const double smoothing = attrs.f(2);
          const int64_t reduction = attrs.i(1);
          CR_CHECK_TYPE(is_floating(x.dtype()),
                        "cross_entropy: the input must be floating-point logits (got ", x.dtype(),
                        ")");
          CR_CHECK(smoothing >= 0 && smoothing <= 1,
                   "cross_entropy: label_smoothing must lie in [0, 1] (got ", smoothing, ")");
          if (is_floating(target.dtype())) {
            CR_CHECK(target.shape() == x.shape() && x.rank() > 0,
                     "cross_entropy: probabilities of shape ", target.shape(),
                     " do not fit the input of shape ", x.shape(), "; they must be equal");
            const int dim = x.rank() == 1 ? 0 : 1;
            check_weight("cross_entropy", weight, x.shape()[dim]);
            const Tensor log_probs = OP(log_softmax)(x, dim);
            return soft_cross_entropy(log_probs, target, weight, dim, smoothing, reduction);
          }
          const int dim = class_dim("cross_entropy", x, target);
          const int64_t classes = x.shape()[dim];
          check_weight("cross_entropy", weight, classes);
          if (x.rank() == 2 && !weight && smoothing == 0) {
            Attrs row;
            row.push_int(attrs.i(0));
            row.push_int(reduction);
            Tensor out[kMaxOutputs];
            run(OP(_cross_entropy), {x, target}, row, out);
            return out[0];
          }
          const Tensor labels = checked_labels("cross_entropy", target, classes, attrs.i(0));
          const Tensor log_probs = OP(log_softmax)(x, dim);
          const Picked picked = pick_losses(log_probs, labels, weight, dim);
          const Tensor hard = reduce_losses(picked, reduction);
          if (smoothing == 0) return hard;
          // The even share of every class, for the examples that count.
          Tensor terms = log_probs;
          if (weight) {
            Dims shape = Dims::filled(x.rank(), 1);
            shape[dim] = classes;
            terms = terms * OP(reshape)(weight, shape);
          }
          const Tensor used = OP(ge)(labels, int64_t{0});
          const Tensor even = OP(where)(used, -OP(sum)(terms, Dims{dim}), 0.0);
          const Tensor spread = reduce_losses({even, picked.weights}, reduction);
          return hard * (1 - smoothing) + spread * (smoothing / static_cast<double>(classes));
        });

// The common case in one call: labels, no weights. The second output is log_softmax(input).
const Row cross_entropy_kernel_row =
    Row("_cross_entropy(Tensor input, Tensor target, int ignore_index, {none|mean|sum} reduction) "
        "-> "
        "(Tensor loss, Tensor log_probs)")
        .doc("Kernel row of ``cross_entropy`` for logits (N, C) and labels (N,).")
        .infer([](Call& call) {
          call.contiguous = true;
          call.outputs = 2;
          const Dims& shape = call.in[0].shape();
          call.set_output(0, call.attrs.i(1) == kNone ? Dims{shape[0]} : Dims{},
                          call.in[0].dtype());
          call.out_meta[1] = call.in[0].meta();
        })
        .launch([](Call& call) {
          const Tensor &x = call.in[0], &loss = call.out[0], &log_probs = call.out[1];
          const int64_t rows = x.shape()[0], classes = x.shape()[1];
          const Tensor labels =
              checked_labels("cross_entropy", call.in[1], classes, call.attrs.i(0));
          const RowKernel kernel = softmax_table().log_softmax[kernel_index(x)];
          over_rows(x, [&](int64_t row, int64_t count) {
            kernel(row_at(x, row), row_at(log_probs, row), count, classes);
          });
          dispatch_floating(x.dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            const int64_t* label = labels.data<int64_t>();
            const T* y = log_probs.data<T>();
            T* out = loss.data<T>();
            double total = 0;
            int64_t used = 0;
            for (int64_t i = 0; i < rows; ++i) {
              const T value = label[i] < 0 ? T(0) : -y[i * classes + label[i]];
              used += label[i] >= 0;
              total += value;
              if (call.attrs.i(1) == kNone) out[i] = value;
            }
            if (call.attrs.i(1) == kMean) total /= static_cast<double>(used);
            if (call.attrs.i(1) != kNone) *out = static_cast<T>(total);
          });
        })
        .saves("target, log_probs")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            const int64_t ignore = v.attrs().i(0), reduction = v.attrs().i(1);
            const Tensor log_probs = v.out(1), target = v.in(1);
            if (!GradMode::enabled() && !v.has_grad(1)) {
              return OP(_cross_entropy_grad)(v.grad(0), log_probs, target, ignore, reduction);
            }
            // Taped: the same by ops, so that it can be differentiated again.
            const int64_t classes = log_probs.shape()[1];
            const Tensor labels = checked_labels("cross_entropy", target, classes, ignore);
            const Tensor used = OP(to)(OP(ge)(labels, int64_t{0}), log_probs.dtype());
            Tensor scale = v.grad(0) * used;
            if (reduction == kMean) scale = scale / OP(sum)(used);
            const Tensor safe = OP(_clamp)(labels, int64_t{0}, classes);
            const Tensor direct =
                OP(scatter_add)(v.grad(1), 1, OP(unsqueeze)(safe, 1), OP(unsqueeze)(-scale, 1));
            return OP(_log_softmax_grad)(direct, log_probs, 1);
          });
        });

const Row cross_entropy_grad_row =
    Row("_cross_entropy_grad(Tensor grad, Tensor log_probs, Tensor target, int ignore_index, "
        "{none|mean|sum} reduction)")
        .doc("``grad * (exp(log_probs) - onehot(target))``, divided by the examples for the mean.")
        .infer([](Call& call) {
          call.contiguous = true;
          call.out_meta[0] = call.in[1].meta();
        })
        .launch([](Call& call) {
          const Tensor &grad = call.in[0], &y = call.in[1], &out = call.out[0];
          const int64_t classes = y.shape()[1], reduction = call.attrs.i(1);
          const Tensor labels =
              checked_labels("cross_entropy", call.in[2], classes, call.attrs.i(0));
          Tensor scale = grad;
          if (reduction == kMean) {
            int64_t used = 0;
            for (int64_t i = 0; i < labels.numel(); ++i) used += labels.data<int64_t>()[i] >= 0;
            scale = Tensor::scalar(item_double(grad) / static_cast<double>(used), y.dtype());
          }
          const int64_t stride = reduction == kNone;
          const CrossEntropyGradKernel kernel = softmax_table().cross_entropy_grad[kernel_index(y)];
          over_rows(y, [&](int64_t row, int64_t count) {
            kernel(row_at(y, row), labels.data<int64_t>() + row,
                   scale.data() + row * stride * itemsize(y.dtype()), stride, row_at(out, row),
                   count, classes);
          });
        });

}  // namespace
}  // namespace cr
