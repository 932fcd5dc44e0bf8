// Rows of the optimizer steps: one call updates all parameters of a group.
//
// A row takes its tensors as lists: parameters, gradients, state (kind after kind: all first means,
// then all mean squares, ...) and step counts. Counts are tensors that the row itself advances, so
// a recorded step replays with the right bias correction. Kernels: optim.kernel.cpp.
#include <cmath>
#include <vector>

#include "core/op.h"
#include "core/parallel.h"
#include "ops/optim.kernel.h"

namespace cr {
namespace {

// Elements a thread takes at a time: some 20 us of work.
constexpr int64_t kGrain = 32768;

// The lists of a call.
struct Lists {
  explicit Lists(const Call& call, bool counted)
      : count(static_cast<int>(call.attrs.i(0))),
        kinds(count ? static_cast<int>(call.attrs.i(2)) / count : 0),
        params(call.in.begin()),
        grads(params + count),
        states(grads + call.attrs.i(1)),
        steps(counted ? states + call.attrs.i(2) : nullptr) {}

  const Tensor& state(int kind, int i) const { return states[kind * count + i]; }

  int count;  // of parameters
  int kinds;  // of state
  const Tensor *params, *grads, *states, *steps;
};

void check_writable(const char* what, int i, const Tensor& tensor) {
  CR_CHECK(!tensor.storage()->read_only(), "optimizer step: the memory of ", what, " ", i,
           " is read-only (it belongs to a read-only array); use .clone()");
}

void check_like(const char* what, int i, const Tensor& tensor, const Tensor& param) {
  CR_CHECK(tensor.shape() == param.shape() && tensor.dtype() == param.dtype(),
           "optimizer step: ", what, " of parameter ", i, " has shape ", tensor.shape(),
           " and dtype ", tensor.dtype(), "; expected the parameter's, ", param.shape(), " and ",
           param.dtype());
}

// Checks the lists; `kinds` is the number of state tensors per parameter.
void check_lists(Call& call, int kinds, bool counted) {
  call.outputs = 0;
  const int64_t n = call.attrs.i(0);
  CR_CHECK(
      call.attrs.i(1) == n && call.attrs.i(2) == n * kinds && (!counted || call.attrs.i(3) == n),
      "optimizer step: lists of ", n, " parameters, ", call.attrs.i(1), " gradients and ",
      call.attrs.i(2), " state tensors; expected as many gradients as parameters and ", kinds,
      " state tensors for each");
  const Lists lists(call, counted);
  for (int i = 0; i < n; ++i) {
    const Tensor& param = lists.params[i];
    CR_CHECK_TYPE(is_floating(param.dtype()), "optimizer step: parameter ", i, " has dtype ",
                  param.dtype(), "; expected float32 or float64");
    check_writable("parameter", i, param);
    check_like("the gradient", i, lists.grads[i], param);
    for (int kind = 0; kind < kinds; ++kind) {
      check_like("a state tensor", i, lists.state(kind, i), param);
      check_writable("a state tensor of parameter", i, lists.state(kind, i));
    }
    if (!counted) continue;
    const Tensor& step = lists.steps[i];
    CR_CHECK(step.numel() == 1 && is_floating(step.dtype()), "optimizer step: the step count of ",
             "parameter ", i, " has shape ", step.shape(), " and dtype ", step.dtype(),
             "; expected one float");
    check_writable("the step count of parameter", i, step);
  }
}

// Tensors the kernels write to: a contiguous copy stands in for one that is not contiguous.
class Written {
 public:
  void* data(const Tensor& tensor) {
    tensor.storage()->bump_version();
    if (tensor.contiguous()) return tensor.data();
    copies_.push_back({tensor, contiguous_copy(tensor)});
    return copies_.back().second.data();
  }
  void write_back() const {
    for (const auto& [target, copy] : copies_) copy_into(target, copy);
  }

 private:
  std::vector<std::pair<Tensor, Tensor>> copies_;
};

double advance(const Tensor& step) {
  step.storage()->bump_version();
  return dispatch_floating(step.dtype(), [&](auto tag) -> double {
    return *step.data<typename decltype(tag)::type>() += 1;
  });
}

// Runs the kernel over all parameters as if they were one long array, cut every kGrain elements.
// make(t) gives the scalars of a parameter in its t-th step.
template <class Step, class Make>
void update_all(const Call& call, const StepKernel<Step> (&kernels)[2], bool counted, Make make) {
  const Lists lists(call, counted);
  std::vector<StepRange> ranges(lists.count);
  std::vector<Step> steps;
  std::vector<int64_t> ends(lists.count);
  std::vector<Tensor> grads;
  steps.reserve(lists.count);
  Written written;
  int64_t total = 0;
  for (int i = 0; i < lists.count; ++i) {
    StepRange& range = ranges[i];
    range.n = lists.params[i].numel();
    range.param = written.data(lists.params[i]);
    range.grad = lists.grads[i].data();
    if (!lists.grads[i].contiguous()) {
      grads.push_back(contiguous_copy(lists.grads[i]));
      range.grad = grads.back().data();
    }
    for (int kind = 0; kind < lists.kinds; ++kind) {
      range.state[kind] = written.data(lists.state(kind, i));
    }
    steps.push_back(make(counted ? advance(lists.steps[i]) : 0));
    ends[i] = total += range.n;
  }

  parallel(total, kGrain, [&](int64_t begin, int64_t end, int) {
    auto i = std::upper_bound(ends.begin(), ends.end(), begin) - ends.begin();
    while (begin < end) {
      const DType dtype = lists.params[i].dtype();
      const int64_t offset = (begin - (ends[i] - ranges[i].n)) * itemsize(dtype);
      StepRange part = ranges[i];
      part.n = std::min(end, ends[i]) - begin;
      part.param = static_cast<char*>(part.param) + offset;
      part.grad = static_cast<const char*>(part.grad) + offset;
      for (int kind = 0; kind < lists.kinds; ++kind) {
        part.state[kind] = static_cast<char*>(part.state[kind]) + offset;
      }
      kernels[dtype == DType::kFloat64](part, steps[i]);
      begin += part.n;
      ++i;
    }
  });
  written.write_back();
}

// ---------------------------------------------------------------- SGD

bool has_momentum(const Call& call) { return call.attrs.f(4) != 0; }

const Row sgd_row =
    Row("_sgd_step_(Tensor[] params, Tensor[] grads, Tensor[] state, float lr, float momentum, "
        "float dampening, float weight_decay, bool nesterov, bool maximize) -> ()")
        .doc("One step of gradient descent. State: momentum buffers, if there is momentum.")
        .mutates()
        .infer([](Call& call) { check_lists(call, has_momentum(call), false); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          const SgdStep step{{a.f(6), a.b(8)}, a.f(3), a.f(4), a.f(5), a.b(7)};
          update_all<SgdStep>(call, optim_table().sgd, false, [&](double) { return step; });
        });

// ---------------------------------------------------------------- Adam

bool is_amsgrad(const Call& call) { return call.attrs.i(2) == 3 * call.attrs.i(0); }

const Row adam_row =
    Row("_adam_step_(Tensor[] params, Tensor[] grads, Tensor[] state, Tensor[] steps, float lr, "
        "float beta1, float beta2, float eps, float weight_decay, bool decoupled, bool maximize) "
        "-> ()")
        .doc("One step of Adam or AdamW. State: means, mean squares and, for amsgrad, maxima.")
        .mutates()
        .infer([](Call& call) { check_lists(call, is_amsgrad(call) ? 3 : 2, true); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          const double lr = a.f(4), beta1 = a.f(5), beta2 = a.f(6), decay = a.f(8);
          const bool decoupled = a.b(9);
          update_all<AdamStep>(call, optim_table().adam, true, [&](double t) {
            AdamStep step;
            step.gradient = {decoupled ? 0.0 : decay, a.b(10)};
            step.shrink = decoupled ? 1 - lr * decay : 1.0;
            step.beta1 = beta1;
            step.beta2 = beta2;
            step.eps = a.f(7);
            step.step_size = lr / (1 - std::pow(beta1, t));
            step.root_scale = 1 / std::sqrt(1 - std::pow(beta2, t));
            step.amsgrad = is_amsgrad(call);
            return step;
          });
        });

// ---------------------------------------------------------------- RMSprop

const Row rmsprop_row =
    Row("_rmsprop_step_(Tensor[] params, Tensor[] grads, Tensor[] state, Tensor[] steps, float lr, "
        "float alpha, float eps, float weight_decay, float momentum, bool centered, bool maximize) "
        "-> ()")
        .doc(
            "One step of RMSprop. State: mean squares, means if centered, momentum buffers if any.")
        .mutates()
        .infer([](Call& call) {
          check_lists(call, 1 + call.attrs.b(9) + (call.attrs.f(8) > 0), true);
        })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          const RmspropStep step{{a.f(7), a.b(10)}, a.f(4), a.f(5), a.f(6), a.f(8), a.b(9)};
          update_all<RmspropStep>(call, optim_table().rmsprop, true, [&](double) { return step; });
        });

// ---------------------------------------------------------------- Adagrad

const Row adagrad_row =
    Row("_adagrad_step_(Tensor[] params, Tensor[] grads, Tensor[] state, Tensor[] steps, float lr, "
        "float lr_decay, float eps, float weight_decay, bool maximize) -> ()")
        .doc("One step of Adagrad. State: sums of squares.")
        .mutates()
        .infer([](Call& call) { check_lists(call, 1, true); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          update_all<AdagradStep>(call, optim_table().adagrad, true, [&](double t) {
            return AdagradStep{{a.f(7), a.b(8)}, a.f(4) / (1 + (t - 1) * a.f(5)), a.f(6)};
          });
        });

// ---------------------------------------------------------------- Adadelta, Adamax

const Row adadelta_row =
    Row("_adadelta_step_(Tensor[] params, Tensor[] grads, Tensor[] state, Tensor[] steps, "
        "float lr, float rho, float eps, float weight_decay, bool maximize) -> ()")
        .doc("One step of Adadelta. State: mean squares of gradients and of updates.")
        .mutates()
        .infer([](Call& call) { check_lists(call, 2, true); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          const AdadeltaStep step{{a.f(7), a.b(8)}, a.f(4), a.f(5), a.f(6)};
          update_all<AdadeltaStep>(call, optim_table().adadelta, true,
                                   [&](double) { return step; });
        });

const Row adamax_row =
    Row("_adamax_step_(Tensor[] params, Tensor[] grads, Tensor[] state, Tensor[] steps, float lr, "
        "float beta1, float beta2, float eps, float weight_decay, bool maximize) -> ()")
        .doc("One step of Adamax. State: means, and decaying maxima of magnitudes.")
        .mutates()
        .infer([](Call& call) { check_lists(call, 2, true); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          update_all<AdamaxStep>(call, optim_table().adamax, true, [&](double t) {
            const double step_size = a.f(4) / (1 - std::pow(a.f(5), t));
            return AdamaxStep{{a.f(8), a.b(9)}, a.f(5), a.f(6), a.f(7), step_size};
          });
        });

}  // namespace
}  // namespace cr
