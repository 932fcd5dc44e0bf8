// Rows of the optimizer steps: one call updates all parameters of a group.
//
// A row takes its tensors as lists: parameters, gradients, state (kind after kind: all first means,
// then all mean squares, ...) and counts: one float each, the step first, then what else changes
// with it (kind after kind). The row itself advances them, so a recorded step replays with the
// right bias correction. Kernels: optim.kernel.cpp.
#include <cmath>

#include "core/op.h"
#include "ops/optim.kernel.h"
#include "ops/tensor_lists.h"

namespace cr {
namespace {

// The lists of a call.
struct Lists {
  explicit Lists(const Call& call, int count_kinds)
      : count(static_cast<int>(call.attrs.i(0))),
        kinds(count ? static_cast<int>(call.attrs.i(2)) / count : 0),
        params(call.in.begin()),
        grads(params + count),
        states(grads + call.attrs.i(1)),
        counts(count_kinds ? states + call.attrs.i(2) : nullptr) {}

  const Tensor& state(int kind, int i) const { return states[kind * count + i]; }

  int count;  // of parameters
  int kinds;  // of state
  const Tensor *params, *grads, *states, *counts;
};

constexpr const char* kStep = "optimizer step";

// Checks the lists; `kinds` is the number of state tensors per parameter, `count_kinds` that of
// its counts.
void check_lists(Call& call, int kinds, int count_kinds) {
  call.outputs = 0;
  const int64_t n = call.attrs.i(0);
  CR_CHECK(call.attrs.i(1) == n && call.attrs.i(2) == n * kinds &&
               (!count_kinds || call.attrs.i(3) == n * count_kinds),
           "optimizer step: lists of ", n, " parameters, ", call.attrs.i(1), " gradients and ",
           call.attrs.i(2), " state tensors; expected as many gradients as parameters and ", kinds,
           " state tensors for each");
  const Lists lists(call, count_kinds);
  for (int i = 0; i < n; ++i) {
    const Tensor& param = lists.params[i];
    check_floating(kStep, "parameter", i, param);
    check_writable(kStep, "parameter", i, param);
    check_like(kStep, "the gradient of parameter", i, lists.grads[i], param);
    for (int kind = 0; kind < kinds; ++kind) {
      check_like(kStep, "a state tensor of parameter", i, lists.state(kind, i), param);
      check_writable(kStep, "a state tensor of parameter", i, lists.state(kind, i));
    }
    for (int kind = 0; kind < count_kinds; ++kind) {
      const Tensor& number = lists.counts[kind * n + i];
      CR_CHECK(number.numel() == 1 && is_floating(number.dtype()),
               "optimizer step: a count of parameter ", i, " has shape ", number.shape(),
               " and dtype ", number.dtype(), "; expected one float");
      check_writable(kStep, "a count of parameter", i, number);
    }
  }
}

// The counts of one parameter.
class Counts {
 public:
  Counts(const Lists& lists, int i) : lists_(lists), i_(i) {}

  double get(int kind) const {
    return dispatch_floating(tensor(kind).dtype(), [&](auto tag) -> double {
      return *tensor(kind).template data<typename decltype(tag)::type>();
    });
  }
  // Stores a value and returns it as it is now, rounded.
  double set(int kind, double value) const {
    tensor(kind).storage()->bump_version();
    dispatch_floating(tensor(kind).dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      *tensor(kind).template data<T>() = static_cast<T>(value);
    });
    return get(kind);
  }
  double scale(int kind, double factor) const {  // in the number's own type
    return dispatch_floating(tensor(kind).dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      return set(kind, static_cast<double>(static_cast<T>(get(kind)) * static_cast<T>(factor)));
    });
  }
  double advance() const { return set(0, get(0) + 1); }  // the step

 private:
  const Tensor& tensor(int kind) const { return lists_.counts[kind * lists_.count + i_]; }

  const Lists& lists_;
  int i_;
};

// Runs the kernel over all parameters as if they were one long array. make(counts) gives the
// scalars of a parameter.
template <class Step, class Make>
void update_all(const Call& call, const StepKernel<Step> (&kernels)[2], int count_kinds,
                Make make) {
  const Lists lists(call, count_kinds);
  std::vector<StepRange> ranges(lists.count);
  std::vector<Step> steps;
  Pieces pieces(lists.count);
  std::vector<Tensor> grads;
  steps.reserve(lists.count);
  Written written;
  for (int i = 0; i < lists.count; ++i) {
    StepRange& range = ranges[i];
    range.param = written.data(lists.params[i]);
    range.grad = lists.grads[i].data();
    if (!lists.grads[i].contiguous()) {
      grads.push_back(contiguous_copy(lists.grads[i]));
      range.grad = grads.back().data();
    }
    for (int kind = 0; kind < lists.kinds; ++kind) {
      range.state[kind] = written.data(lists.state(kind, i));
    }
    steps.push_back(make(Counts(lists, i)));
    pieces.add(lists.params[i].numel());
  }

  pieces.run([&](int i, int64_t begin, int64_t end, int64_t) {
    const DType dtype = lists.params[i].dtype();
    const int64_t offset = begin * itemsize(dtype);
    StepRange part = ranges[i];
    part.n = end - begin;
    part.param = static_cast<char*>(part.param) + offset;
    part.grad = static_cast<const char*>(part.grad) + offset;
    for (int kind = 0; kind < lists.kinds; ++kind) {
      part.state[kind] = static_cast<char*>(part.state[kind]) + offset;
    }
    kernels[dtype == DType::kFloat64](part, steps[i]);
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
        .infer([](Call& call) { check_lists(call, has_momentum(call), 0); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          const SgdStep step{{a.f(6), a.b(8)}, a.f(3), a.f(4), a.f(5), a.b(7)};
          update_all<SgdStep>(call, optim_table().sgd, 0, [&](Counts) { return step; });
        });

// ---------------------------------------------------------------- Adam

bool is_amsgrad(const Call& call) { return call.attrs.i(2) == 3 * call.attrs.i(0); }

const Row adam_row =
    Row("_adam_step_(Tensor[] params, Tensor[] grads, Tensor[] state, Tensor[] steps, float lr, "
        "float beta1, float beta2, float eps, float weight_decay, bool decoupled, bool maximize) "
        "-> ()")
        .doc("One step of Adam or AdamW. State: means, mean squares and, for amsgrad, maxima.")
        .mutates()
        .infer([](Call& call) { check_lists(call, is_amsgrad(call) ? 3 : 2, 1); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          const double lr = a.f(4), beta1 = a.f(5), beta2 = a.f(6), decay = a.f(8);
          const bool decoupled = a.b(9);
          update_all<AdamStep>(call, optim_table().adam, 1, [&](Counts counts) {
            const double t = counts.advance();
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
        .infer(
            [](Call& call) { check_lists(call, 1 + call.attrs.b(9) + (call.attrs.f(8) > 0), 1); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          const RmspropStep step{{a.f(7), a.b(10)}, a.f(4), a.f(5), a.f(6), a.f(8), a.b(9)};
          update_all<RmspropStep>(call, optim_table().rmsprop, 1, [&](Counts counts) {
            counts.advance();
            return step;
          });
        });

// ---------------------------------------------------------------- Adagrad

const Row adagrad_row =
    Row("_adagrad_step_(Tensor[] params, Tensor[] grads, Tensor[] state, Tensor[] steps, float lr, "
        "float lr_decay, float eps, float weight_decay, bool maximize) -> ()")
        .doc("One step of Adagrad. State: sums of squares.")
        .mutates()
        .infer([](Call& call) { check_lists(call, 1, 1); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          update_all<AdagradStep>(call, optim_table().adagrad, 1, [&](Counts counts) {
            const double t = counts.advance();
            return AdagradStep{{a.f(7), a.b(8)}, a.f(4) / (1 + (t - 1) * a.f(5)), a.f(6)};
          });
        });

// ---------------------------------------------------------------- Adadelta, Adamax

const Row adadelta_row =
    Row("_adadelta_step_(Tensor[] params, Tensor[] grads, Tensor[] state, Tensor[] steps, "
        "float lr, float rho, float eps, float weight_decay, bool maximize) -> ()")
        .doc("One step of Adadelta. State: mean squares of gradients and of updates.")
        .mutates()
        .infer([](Call& call) { check_lists(call, 2, 1); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          const AdadeltaStep step{{a.f(7), a.b(8)}, a.f(4), a.f(5), a.f(6)};
          update_all<AdadeltaStep>(call, optim_table().adadelta, 1, [&](Counts counts) {
            counts.advance();
            return step;
          });
        });

const Row adamax_row =
    Row("_adamax_step_(Tensor[] params, Tensor[] grads, Tensor[] state, Tensor[] steps, float lr, "
        "float beta1, float beta2, float eps, float weight_decay, bool maximize) -> ()")
        .doc("One step of Adamax. State: means, and decaying maxima of magnitudes.")
        .mutates()
        .infer([](Call& call) { check_lists(call, 2, 1); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          update_all<AdamaxStep>(call, optim_table().adamax, 1, [&](Counts counts) {
            const double t = counts.advance();
            const double step_size = a.f(4) / (1 - std::pow(a.f(5), t));
            return AdamaxStep{{a.f(8), a.b(9)}, a.f(5), a.f(6), a.f(7), step_size};
          });
        });

// ---------------------------------------------------------------- NAdam, RAdam

const Row nadam_row =
    Row("_nadam_step_(Tensor[] params, Tensor[] grads, Tensor[] state, Tensor[] counts, float lr, "
        "float beta1, float beta2, float eps, float weight_decay, float momentum_decay, "
        "bool decoupled, bool maximize) -> ()")
        .doc("One step of NAdam. State: means, mean squares. Counts: steps, products of momenta.")
        .mutates()
        .infer([](Call& call) { check_lists(call, 2, 2); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          const double lr = a.f(4), beta1 = a.f(5), beta2 = a.f(6), decay = a.f(8);
          const auto momentum = [&](double t) {  // rises to beta1
            return beta1 * (1 - 0.5 * std::pow(0.96, t * a.f(9)));
          };
          update_all<NadamStep>(call, optim_table().nadam, 2, [&](Counts counts) {
            const double t = counts.advance();
            const double mu = momentum(t), next = momentum(t + 1);
            const double product = counts.scale(1, mu);
            NadamStep step;
            step.gradient = {a.b(10) ? 0.0 : decay, a.b(11)};
            step.shrink = a.b(10) ? 1 - lr * decay : 1.0;
            step.beta1 = beta1;
            step.beta2 = beta2;
            step.eps = a.f(7);
            step.grad_size = lr * (1 - mu) / (1 - product);
            step.mean_size = lr * next / (1 - product * next);
            step.root_scale = 1 / std::sqrt(1 - std::pow(beta2, t));
            return step;
          });
        });

const Row radam_row =
    Row("_radam_step_(Tensor[] params, Tensor[] grads, Tensor[] state, Tensor[] steps, float lr, "
        "float beta1, float beta2, float eps, float weight_decay, bool decoupled, bool maximize) "
        "-> ()")
        .doc("One step of RAdam. State: means, mean squares.")
        .mutates()
        .infer([](Call& call) { check_lists(call, 2, 1); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          const double lr = a.f(4), beta1 = a.f(5), beta2 = a.f(6), decay = a.f(8);
          const double longest = 2 / (1 - beta2) - 1;
          update_all<RadamStep>(call, optim_table().radam, 1, [&](Counts counts) {
            const double t = counts.advance();
            const double power = std::pow(beta2, t), unbias = 1 - power;
            // How many steps the mean square averages over; its variance is finite above 4.
            const double length = longest - 2 * t * power / unbias;
            RadamStep step;
            step.gradient = {a.b(9) ? 0.0 : decay, a.b(10)};
            step.shrink = a.b(9) ? 1 - lr * decay : 1.0;
            step.beta1 = beta1;
            step.beta2 = beta2;
            step.eps = a.f(7);
            step.step_size = lr / (1 - std::pow(beta1, t));
            step.rectified = length > 5;
            if (step.rectified) {
              step.step_size *= std::sqrt(unbias * (length - 4) * (length - 2) * longest /
                                          ((longest - 4) * (longest - 2) * length));
            }
            return step;
          });
        });

// ---------------------------------------------------------------- Rprop, ASGD

const Row rprop_row =
    Row("_rprop_step_(Tensor[] params, Tensor[] grads, Tensor[] state, Tensor[] steps, "
        "float shrink, float grow, float smallest, float largest, bool maximize) -> ()")
        .doc("One step of Rprop. State: last gradients, step sizes.")
        .mutates()
        .infer([](Call& call) { check_lists(call, 2, 1); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          const RpropStep step{{0, a.b(8)}, a.f(4), a.f(5), a.f(6), a.f(7)};
          update_all<RpropStep>(call, optim_table().rprop, 1, [&](Counts counts) {
            counts.advance();
            return step;
          });
        });

const Row asgd_row =
    Row("_asgd_step_(Tensor[] params, Tensor[] grads, Tensor[] state, Tensor[] counts, float lr, "
        "float lambd, float alpha, float t0, float weight_decay, bool maximize) -> ()")
        .doc("One step of averaged SGD. State: averages. Counts: steps, rates, shares of the mean.")
        .mutates()
        .infer([](Call& call) { check_lists(call, 1, 3); })
        .launch([](Call& call) {
          const Attrs& a = call.attrs;
          const double lr = a.f(4), lambd = a.f(5);
          update_all<AsgdStep>(call, optim_table().asgd, 3, [&](Counts counts) {
            const double rate = counts.get(1), share = counts.get(2), t = counts.advance();
            counts.set(1, lr / std::pow(1 + lambd * lr * t, a.f(6)));
            counts.set(2, 1 / std::max(1.0, t - a.f(7)));
            return AsgdStep{{a.f(8), a.b(9)}, rate, 1 - lambd * rate, share};
          });
        });

// ---------------------------------------------------------------- running averages of parameters

const Row average_row =
    Row("_average_(Tensor[] averages, Tensor[] values, Tensor[] state, float weight) -> ()")
        .doc("Moves each average by `weight` of the way to its value. State: none.")
        .mutates()
        .infer([](Call& call) {
          const int64_t n = call.attrs.i(0);
          call.outputs = 0;
          CR_CHECK(call.attrs.i(1) == n && call.attrs.i(2) == 0, "average: lists of ", n,
                   " averages and ", call.attrs.i(1), " values; expected as many");
          for (int i = 0; i < n; ++i) {
            check_floating("average", "tensor", i, call.in[i]);
            check_writable("average", "tensor", i, call.in[i]);
            check_like("average", "the value for tensor", i, call.in[n + i], call.in[i]);
          }
        })
        .launch([](Call& call) {
          const AverageStep step{{0, false}, call.attrs.f(3)};
          update_all<AverageStep>(call, optim_table().average, 0, [&](Counts) { return step; });
        });

}  // namespace
}  // namespace cr
