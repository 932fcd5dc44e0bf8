// Rows of connectionist temporal classification (Graves et al., 2006). Kernels: ctc.kernel.cpp,
// one sample at a time, samples in parallel. What the labels and lengths say is checked here, for
// both rows, before a kernel follows them.
#include <algorithm>
#include <cstring>
#include <vector>

#include "autograd/node.h"
#include "core/parallel.h"
#include "ops/carver.h"
#include "ops/ctc.kernel.h"

namespace cr {
namespace {

constexpr double kNever = -__builtin_inf();

// The arguments of both rows: (T, N, C) log-probabilities; labels (N, S), or those of all samples
// one after another; the numbers of steps and labels of every sample, (N,).
struct Problem {
  Problem(const char* op, const Tensor& log_probs, const Tensor& targets, const Tensor& steps,
          const Tensor& sizes, int64_t blank);

  int64_t states(int64_t n) const { return 2 * sizes[n] + 1; }
  int64_t pitch() const { return kCtcPad + ctc_width(2 * longest + 1); }
  // The labels of a sample with blanks between them, and where a state may be entered over one.
  template <class T>
  CtcSample sample(int64_t n, const T* log_probs, int64_t* labels, T* skip) const;
  template <class T>
  size_t workspace() const;  // of one worker

  const char* op;
  int64_t length, batch, classes, blank;
  bool padded;
  int64_t row = 0;  // labels given per sample, when padded
  const int64_t *targets, *steps, *sizes;
  int64_t longest = 0;

  const int64_t* labels(int64_t n) const { return starts[static_cast<size_t>(n)]; }
  std::vector<const int64_t*> starts;
};

Problem::Problem(const char* name, const Tensor& log_probs, const Tensor& all, const Tensor& counts,
                 const Tensor& lengths, int64_t blank_label)
    : op(name), blank(blank_label), padded(all.rank() == 2) {
  CR_CHECK_TYPE(is_floating(log_probs.dtype()), op,
                ": needs floating-point log-probabilities (got ", log_probs.dtype(), ")");
  for (const Tensor* x : {&all, &counts, &lengths}) {
    CR_CHECK_TYPE(x->dtype() == DType::kInt64 && x->contiguous(), op,
                  ": targets and lengths must be contiguous int64 (got ", x->dtype(), ")");
  }
  CR_CHECK(log_probs.rank() == 3, op, ": log_probs has shape ", log_probs.shape(),
           "; expected (T, N, C), or (T, C) for one sample");
  length = log_probs.shape()[0];
  batch = log_probs.shape()[1];
  classes = log_probs.shape()[2];
  CR_CHECK(batch > 0, op, ": the batch is empty (log_probs has shape ", log_probs.shape(), ")");
  CR_CHECK(blank >= 0 && blank < classes, op, ": blank is ", blank, "; expected one of the ",
           classes, " classes, 0 to ", classes - 1);
  CR_CHECK(counts.shape() == Dims{batch} && lengths.shape() == Dims{batch}, op,
           ": input_lengths has shape ", counts.shape(), " and target_lengths ", lengths.shape(),
           "; expected one length for each of the ", batch, " samples");
  CR_CHECK(all.rank() == 1 || (padded && all.shape()[0] == batch), op, ": targets has shape ",
           all.shape(), "; expected (N, S) with N = ", batch, ", or all labels in one dimension");
  targets = all.data<int64_t>();
  steps = counts.data<int64_t>();
  sizes = lengths.data<int64_t>();
  if (padded) row = all.shape()[1];
  int64_t total = 0;
  for (int64_t n = 0; n < batch; ++n) {
    CR_CHECK(steps[n] >= 0 && steps[n] <= length, op, ": input_lengths[", n, "] is ", steps[n],
             "; expected 0 to ", length, ", the number of steps (log_probs of shape ",
             log_probs.shape(), ")");
    const int64_t room = padded ? row : all.numel() - total;
    CR_CHECK(sizes[n] >= 0 && sizes[n] <= room, op, ": target_lengths[", n, "] is ", sizes[n],
             "; expected 0 to ", room, ", the labels there are (targets of shape ", all.shape(),
             ")");
    starts.push_back(targets + (padded ? n * row : total));
    total += sizes[n];
    longest = std::max(longest, sizes[n]);
  }
  CR_CHECK(padded || total == all.numel(), op, ": target_lengths add up to ", total, "; expected ",
           all.numel(), ", the labels there are (targets of shape ", all.shape(), ")");
  for (int64_t n = 0; n < batch; ++n) {
    const int64_t* label = labels(n);
    for (int64_t i = 0; i < sizes[n]; ++i) {
      CR_CHECK_INDEX(label[i] >= 0 && label[i] < classes && label[i] != blank, op, ": label ",
                     label[i], " at position ", i, " of sample ", n,
                     " is out of range; expected 0 to ", classes - 1, " without the blank ", blank);
    }
  }
}

template <class T>
CtcSample Problem::sample(int64_t n, const T* log_probs, int64_t* expanded, T* skip) const {
  const int64_t* label = labels(n);
  const int64_t count = states(n), width = ctc_width(count);
  for (int64_t s = 0; s < width + kCtcPad; ++s) skip[s] = static_cast<T>(kNever);
  for (int64_t s = 0; s < count; ++s) {
    expanded[s] = s % 2 ? label[s / 2] : blank;
    if (s > 2 && s % 2 && label[s / 2] != label[s / 2 - 1]) skip[s] = 0;
  }
  return {
      log_probs + n * classes, batch * classes, steps[n], count, width, pitch(), expanded, skip};
}

template <class T>
struct Buffers {
  Buffers(Carver& carver, int64_t width)
      : labels(carver.take<int64_t>(width)),
        skip(carver.take<T>(width + kCtcPad)),
        scratch(carver.take<T>(ctc_scratch(width))) {}
  int64_t* labels;
  T *skip, *scratch;
};

template <class T>
size_t Problem::workspace() const {
  Carver carver(nullptr);
  Buffers<T>(carver, pitch());
  return carver.used();
}

// Calls f(n, sample, buffers) for every sample, in parallel.
template <class T, class F>
void each_sample(Call& call, const Problem& p, const T* log_probs, F&& f) {
  const double cells = static_cast<double>(p.length * p.pitch());
  const size_t bytes = p.workspace<T>();
  parallel(p.batch, grain_for(4 * cells), [&](int64_t begin, int64_t end, int worker) {
    Carver carver(call.workspace + static_cast<size_t>(worker) * bytes);
    const Buffers<T> buffers(carver, p.pitch());
    for (int64_t n = begin; n < end; ++n) {
      f(n, p.sample(n, log_probs, buffers.labels, buffers.skip), buffers);
    }
  });
}

// ---------------------------------------------------------------- gradients of any order

// What `_ctc_loss_grad` computes, by ops on rows of all samples: for higher derivatives.
Tensor taped_gradient(const Tensor& grad, const Tensor& log_probs, const Problem& p) {
  const int64_t states = 2 * p.longest + 1;
  const DType dtype = log_probs.dtype();
  Tensor index = Tensor::empty({p.batch, states}, DType::kInt64);
  Tensor skip = Tensor::empty({p.batch, states}, dtype), last = Tensor::empty(skip.shape(), dtype),
         first = Tensor::empty(skip.shape(), dtype);
  dispatch_floating(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t n = 0; n < p.batch; ++n) {
      const int64_t* label = p.labels(n);
      for (int64_t s = 0; s < states; ++s) {
        const int64_t i = n * states + s, k = s / 2;
        const bool own = s < p.states(n), odd = s % 2;
        index.data<int64_t>()[i] = own && odd ? label[k] : p.blank;
        const bool enter = own && odd && k > 0 && label[k] != label[k - 1];
        skip.data<T>()[i] = enter ? T(0) : static_cast<T>(kNever);
        first.data<T>()[i] = own && s < 2 ? T(0) : static_cast<T>(kNever);
        last.data<T>()[i] = own && s + 2 >= p.states(n) ? T(0) : static_cast<T>(kNever);
      }
    }
  });
  const Tensor emissions =
      OP(gather)(log_probs, 2, OP(expand)(index, Dims{p.length, p.batch, states}));
  // The row moved by some states, -inf moving in.
  const auto moved = [&](const Tensor& row, int64_t by) {
    return OP(_constant_pad)(row, Dims{by, -by}, kNever);
  };
  const auto log_add = [](const Tensor& a, const Tensor& b, const Tensor& c) {
    Arguments call(OP(cat));
    call.add(TensorList{OP(unsqueeze)(a, 0), OP(unsqueeze)(b, 0), OP(unsqueeze)(c, 0)});
    call.finish();
    return OP(logsumexp)(run(OP(cat), std::move(call.in), call.attrs), Dims{0});
  };
  // Is step t the last of a sample, or one of its steps at all?
  const auto mask = [&](auto&& says) {
    Tensor result = Tensor::empty({p.batch, 1}, DType::kBool);
    for (int64_t n = 0; n < p.batch; ++n) result.data<bool>()[n] = says(n);
    return result;
  };
  TensorList alpha, rows;
  for (int64_t t = 0; t < p.length; ++t) {
    const Tensor now = OP(select)(emissions, 0, t);
    if (t == 0) {
      alpha.push_back(first + now);
    } else {
      const Tensor& before = alpha[static_cast<int>(t) - 1];
      alpha.push_back(log_add(before, moved(before, 1), moved(before, 2) + skip) + now);
    }
  }
  Tensor beta = last;
  for (int64_t t = p.length - 1; t >= 0; --t) {
    if (t + 1 < p.length) {
      const Tensor next = beta + OP(select)(emissions, 0, t + 1);
      const Tensor onward = log_add(next, moved(next, -1), moved(next + skip, -2));
      beta = OP(where)(mask([&](int64_t n) { return p.steps[n] - 1 == t; }), last, onward);
    }
    const Tensor both = alpha[static_cast<int>(t)] + beta;
    const Tensor possible = OP(gt)(OP(amax)(both, Dims{1}, true), kNever);
    const Tensor counted =
        OP(logical_and)(possible, mask([&](int64_t n) { return t < p.steps[n]; }));
    const Tensor share = OP(softmax)(OP(where)(counted, both, 0.0), int64_t{1});
    const Tensor weight = OP(where)(counted, share, 0.0) * OP(unsqueeze)(-grad, 1);
    const Tensor none = OP(zeros_like)(OP(select)(log_probs, 0, t));
    rows.push_back(OP(unsqueeze)(OP(scatter_add)(none, int64_t{1}, index, weight), 0));
  }
  TensorList forward;
  for (int i = rows.size() - 1; i >= 0; --i) forward.push_back(rows[i]);
  if (forward.empty()) return OP(zeros_like)(log_probs);
  Arguments call(OP(cat));
  call.add(forward);
  call.finish();
  return run(OP(cat), std::move(call.in), call.attrs);
}

// ---------------------------------------------------------------- rows

const Row ctc_row =
    Row("_ctc_loss(Tensor log_probs, Tensor targets, Tensor input_lengths, Tensor target_lengths, "
        "int blank, bool zero_infinity) -> (Tensor loss, Tensor alpha)")
        .doc("Negative log-probability of every sample's labels, and the rows of the recursion.")
        .infer([](Call& call) {
          const Problem p("ctc_loss", call.in[0], call.in[1], call.in[2], call.in[3],
                          call.attrs.i(0));
          call.contiguous = true;
          call.outputs = 2;
          const DType dtype = call.in[0].dtype();
          call.set_output(0, {p.batch}, dtype);
          call.set_output(1, {p.batch, p.length, p.pitch()}, dtype);
          dispatch_floating(dtype, [&](auto tag) {
            call.workspace_bytes =
                static_cast<size_t>(max_workers()) * p.workspace<typename decltype(tag)::type>();
          });
          if (call.attrs.b(1)) return;
          for (int64_t n = 0; n < p.batch; ++n) {
            const int64_t* label = p.labels(n);
            int64_t needed = p.sizes[n];
            for (int64_t i = 1; i < p.sizes[n]; ++i) needed += label[i] == label[i - 1];
            CR_CHECK(needed <= p.steps[n], "ctc_loss: the target of sample ", n, " has ",
                     p.sizes[n], " labels and needs ", needed, " steps, but the input has ",
                     p.steps[n],
                     " (input_lengths); expected one step for each label and one between equal "
                     "neighbours; with zero_infinity=True such samples count 0");
          }
        })
        .launch([](Call& call) {
          const Problem p("ctc_loss", call.in[0], call.in[1], call.in[2], call.in[3],
                          call.attrs.i(0));
          dispatch_floating(call.in[0].dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            T *loss = call.out[0].data<T>(), *alpha = call.out[1].data<T>();
            const auto kernel = ctc_table().forward[sizeof(T) == 8];
            each_sample<T>(call, p, call.in[0].data<T>(),
                           [&](int64_t n, const CtcSample& sample, const Buffers<T>& buffers) {
                             const double value =
                                 -kernel(sample, buffers.scratch, alpha + n * p.length * p.pitch());
                             const bool none = call.attrs.b(1) && value == -kNever;
                             loss[n] = none ? T(0) : static_cast<T>(value);
                           });
          });
        })
        .saves("log_probs, targets, input_lengths, target_lengths, alpha")
        .vjp([](Vjp& v) {
          v.set(0, [&] {
            if (GradMode::enabled()) {
              return taped_gradient(
                  v.grad(), v.in(0),
                  Problem("ctc_loss", v.in(0), v.in(1), v.in(2), v.in(3), v.attrs().i(0)));
            }
            return OP(_ctc_loss_grad)(v.grad(), v.in(0), v.out(1), v.in(1), v.in(2), v.in(3),
                                      v.attrs().i(0));
          });
        });

const Row ctc_grad_row =
    Row("_ctc_loss_grad(Tensor grad, Tensor log_probs, Tensor alpha, Tensor targets, "
        "Tensor input_lengths, Tensor target_lengths, int blank)")
        .doc("Gradient of ``_ctc_loss``: minus the probability of each class at each step.")
        .infer([](Call& call) {
          const Problem p("ctc_loss", call.in[1], call.in[3], call.in[4], call.in[5],
                          call.attrs.i(0));
          const DType dtype = call.in[1].dtype();
          CR_CHECK(call.in[0].shape() == Dims{p.batch} && call.in[0].dtype() == dtype &&
                       call.in[2].shape() == (Dims{p.batch, p.length, p.pitch()}) &&
                       call.in[2].dtype() == dtype,
                   "ctc_loss_grad: grad or alpha do not belong to the problem (got ",
                   call.in[0].shape(), " and ", call.in[2].shape(), ")");
          call.contiguous = true;
          call.out_meta[0] = call.in[1].meta();
          dispatch_floating(dtype, [&](auto tag) {
            call.workspace_bytes =
                static_cast<size_t>(max_workers()) * p.workspace<typename decltype(tag)::type>();
          });
        })
        .launch([](Call& call) {
          const Problem p("ctc_loss", call.in[1], call.in[3], call.in[4], call.in[5],
                          call.attrs.i(0));
          dispatch_floating(call.in[1].dtype(), [&](auto tag) {
            using T = typename decltype(tag)::type;
            const T *slope = call.in[0].data<T>(), *alpha = call.in[2].data<T>();
            T* out = call.out[0].data<T>();
            memset(out, 0, static_cast<size_t>(call.out[0].numel()) * sizeof(T));
            const auto kernel = ctc_table().backward[sizeof(T) == 8];
            each_sample<T>(call, p, call.in[1].data<T>(),
                           [&](int64_t n, const CtcSample& sample, const Buffers<T>& buffers) {
                             kernel(sample, alpha + n * p.length * p.pitch(),
                                    static_cast<double>(slope[n]), buffers.scratch,
                                    out + n * p.classes);
                           });
          });
        });

}  // namespace
}  // namespace cr
