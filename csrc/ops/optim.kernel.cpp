// Fused optimizer steps: one pass over parameter, gradient and state, each read and written once,
// which is all the memory traffic there can be.
//
// `update` is the loop: vectors of all streams are loaded, handed to the algorithm, stored back;
// the last partial vector goes through the same arithmetic in a padded register, so an element's
// result does not depend on where a range begins. The number of state streams is a template
// parameter, so each variant (with momentum or without) touches only the memory it needs.
//
// Formulas as in torch.optim: SGD (Sutskever et al. 2013), Adam (Kingma and Ba 2014; Reddi et al.
// 2018; Loshchilov and Hutter 2019), RMSprop (Hinton 2012; Graves 2013), Adagrad (Duchi et al.
// 2011), Adadelta (Zeiler 2012), Adamax (Kingma and Ba 2014), NAdam (Dozat 2016), RAdam (Liu et al.
// 2020), Rprop (Riedmiller and Braun 1993), averaged SGD (Polyak and Juditsky 1992). Divisions by
// scalars became products with their reciprocals.
#include "ops/optim.kernel.h"

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

template <class T, int kStates, class F>
CR_INLINE void update(const StepRange& range, const StepGradient& gradient, F algorithm) {
  T* const param = static_cast<T*>(range.param);
  const T* const grad = static_cast<const T*>(range.grad);
  T* const state[] = {static_cast<T*>(range.state[0]), static_cast<T*>(range.state[1]),
                      static_cast<T*>(range.state[2])};
  const Vec<T> decay = splat<T>(static_cast<T>(gradient.weight_decay));
  const bool decays = gradient.weight_decay != 0;  // 0 * inf would be NaN

  const auto one = [&](Vec<T>& p, Vec<T> g, Vec<T>* s) __attribute__((always_inline)) {
    if (gradient.maximize) g = -g;
    if (decays) g += decay * p;
    algorithm(p, g, s);
  };

  int64_t i = 0;
  for (; i + kLanes<T> <= range.n; i += kLanes<T>) {
    Vec<T> p = load(param + i), s[kStates + 1];
#pragma GCC unroll 3
    for (int k = 0; k < kStates; ++k) s[k] = load(state[k] + i);
    one(p, load(grad + i), s);
    store(param + i, p);
#pragma GCC unroll 3
    for (int k = 0; k < kStates; ++k) store(state[k] + i, s[k]);
  }
  if (const int rest = static_cast<int>(range.n - i)) {
    Vec<T> p = load_partial(param + i, rest), s[kStates + 1];
#pragma GCC unroll 3
    for (int k = 0; k < kStates; ++k) s[k] = load_partial(state[k] + i, rest);
    one(p, load_partial(grad + i, rest), s);
    store_partial(param + i, p, rest);
#pragma GCC unroll 3
    for (int k = 0; k < kStates; ++k) store_partial(state[k] + i, s[k], rest);
  }
}

template <class T>
void sgd(const StepRange& range, const SgdStep& step) {
  const Vec<T> lr = splat<T>(static_cast<T>(step.lr));
  if (step.momentum == 0) {
    update<T, 0>(range, step.gradient,
                 [&](Vec<T>& p, Vec<T> g, Vec<T>*) __attribute__((always_inline)) { p -= lr * g; });
    return;
  }
  const Vec<T> momentum = splat<T>(static_cast<T>(step.momentum));
  const Vec<T> share = splat<T>(static_cast<T>(1 - step.dampening));
  const bool nesterov = step.nesterov;
  update<T, 1>(range, step.gradient,
               [&](Vec<T>& p, Vec<T> g, Vec<T>* s) __attribute__((always_inline)) {
                 s[0] = momentum * s[0] + share * g;
                 p -= lr * (nesterov ? g + momentum * s[0] : s[0]);
               });
}

template <class T, int kStates>
CR_INLINE void adam_loop(const StepRange& range, const AdamStep& step) {
  const Vec<T> shrink = splat<T>(static_cast<T>(step.shrink));
  const Vec<T> gain1 = splat<T>(static_cast<T>(1 - step.beta1));
  const Vec<T> beta2 = splat<T>(static_cast<T>(step.beta2));
  const Vec<T> gain2 = splat<T>(static_cast<T>(1 - step.beta2));
  const Vec<T> size = splat<T>(static_cast<T>(step.step_size));
  const Vec<T> root_scale = splat<T>(static_cast<T>(step.root_scale));
  const Vec<T> eps = splat<T>(static_cast<T>(step.eps));
  update<T, kStates>(range, step.gradient,
                     [&](Vec<T>& p, Vec<T> g, Vec<T>* s) __attribute__((always_inline)) {
                       s[0] += gain1 * (g - s[0]);
                       s[1] = beta2 * s[1] + gain2 * (g * g);
                       Vec<T> square = s[1];
                       if (kStates == 3) square = s[2] = s[2] > square ? s[2] : square;
                       p = shrink * p - size * s[0] / (root_scale * sqrt(square) + eps);
                     });
}

template <class T>
void adam(const StepRange& range, const AdamStep& step) {
  if (step.amsgrad)
    adam_loop<T, 3>(range, step);
  else
    adam_loop<T, 2>(range, step);
}

template <class T, bool kCentered, bool kMomentum>
CR_INLINE void rmsprop_loop(const StepRange& range, const RmspropStep& step) {
  const Vec<T> alpha = splat<T>(static_cast<T>(step.alpha));
  const Vec<T> gain = splat<T>(static_cast<T>(1 - step.alpha));
  const Vec<T> eps = splat<T>(static_cast<T>(step.eps));
  const Vec<T> momentum = splat<T>(static_cast<T>(step.momentum));
  const Vec<T> lr = splat<T>(static_cast<T>(step.lr));
  update<T, 1 + kCentered + kMomentum>(
      range, step.gradient, [&](Vec<T>& p, Vec<T> g, Vec<T>* s) __attribute__((always_inline)) {
        s[0] = alpha * s[0] + gain * (g * g);
        Vec<T> square = s[0];
        if (kCentered) {
          s[1] += gain * (g - s[1]);
          square -= s[1] * s[1];
        }
        Vec<T> direction = g / (sqrt(square) + eps);
        if (kMomentum) {
          Vec<T>& buffer = s[1 + kCentered];
          direction = buffer = momentum * buffer + direction;
        }
        p -= lr * direction;
      });
}

template <class T>
void rmsprop(const StepRange& range, const RmspropStep& step) {
  const bool momentum = step.momentum > 0;
  if (step.centered && momentum)
    rmsprop_loop<T, true, true>(range, step);
  else if (step.centered)
    rmsprop_loop<T, true, false>(range, step);
  else if (momentum)
    rmsprop_loop<T, false, true>(range, step);
  else
    rmsprop_loop<T, false, false>(range, step);
}

template <class T>
void adagrad(const StepRange& range, const AdagradStep& step) {
  const Vec<T> size = splat<T>(static_cast<T>(step.step_size));
  const Vec<T> eps = splat<T>(static_cast<T>(step.eps));
  update<T, 1>(range, step.gradient,
               [&](Vec<T>& p, Vec<T> g, Vec<T>* s) __attribute__((always_inline)) {
                 s[0] += g * g;
                 p -= size * g / (sqrt(s[0]) + eps);
               });
}

template <class T>
void adadelta(const StepRange& range, const AdadeltaStep& step) {
  const Vec<T> rho = splat<T>(static_cast<T>(step.rho));
  const Vec<T> gain = splat<T>(static_cast<T>(1 - step.rho));
  const Vec<T> eps = splat<T>(static_cast<T>(step.eps));
  const Vec<T> lr = splat<T>(static_cast<T>(step.lr));
  update<T, 2>(range, step.gradient,
               [&](Vec<T>& p, Vec<T> g, Vec<T>* s) __attribute__((always_inline)) {
                 s[0] = rho * s[0] + gain * (g * g);
                 const Vec<T> delta = sqrt(s[1] + eps) / sqrt(s[0] + eps) * g;
                 s[1] = rho * s[1] + gain * (delta * delta);
                 p -= lr * delta;
               });
}

template <class T>
void adamax(const StepRange& range, const AdamaxStep& step) {
  const Vec<T> gain = splat<T>(static_cast<T>(1 - step.beta1));
  const Vec<T> beta2 = splat<T>(static_cast<T>(step.beta2));
  const Vec<T> eps = splat<T>(static_cast<T>(step.eps));
  const Vec<T> size = splat<T>(static_cast<T>(step.step_size));
  update<T, 2>(range, step.gradient,
               [&](Vec<T>& p, Vec<T> g, Vec<T>* s) __attribute__((always_inline)) {
                 s[0] += gain * (g - s[0]);
                 s[1] = max_or_b(beta2 * s[1], abs(g) + eps);  // a NaN in g stays
                 p -= size * s[0] / s[1];
               });
}

template <class T>
void nadam(const StepRange& range, const NadamStep& step) {
  const Vec<T> shrink = splat<T>(static_cast<T>(step.shrink));
  const Vec<T> gain1 = splat<T>(static_cast<T>(1 - step.beta1));
  const Vec<T> beta2 = splat<T>(static_cast<T>(step.beta2));
  const Vec<T> gain2 = splat<T>(static_cast<T>(1 - step.beta2));
  const Vec<T> grad_size = splat<T>(static_cast<T>(step.grad_size));
  const Vec<T> mean_size = splat<T>(static_cast<T>(step.mean_size));
  const Vec<T> root_scale = splat<T>(static_cast<T>(step.root_scale));
  const Vec<T> eps = splat<T>(static_cast<T>(step.eps));
  update<T, 2>(range, step.gradient,
               [&](Vec<T>& p, Vec<T> g, Vec<T>* s) __attribute__((always_inline)) {
                 s[0] += gain1 * (g - s[0]);
                 s[1] = beta2 * s[1] + gain2 * (g * g);
                 const Vec<T> direction = grad_size * g + mean_size * s[0];
                 p = shrink * p - direction / (root_scale * sqrt(s[1]) + eps);
               });
}

template <class T>
void radam(const StepRange& range, const RadamStep& step) {
  const Vec<T> shrink = splat<T>(static_cast<T>(step.shrink));
  const Vec<T> gain1 = splat<T>(static_cast<T>(1 - step.beta1));
  const Vec<T> beta2 = splat<T>(static_cast<T>(step.beta2));
  const Vec<T> gain2 = splat<T>(static_cast<T>(1 - step.beta2));
  const Vec<T> size = splat<T>(static_cast<T>(step.step_size));
  const Vec<T> eps = splat<T>(static_cast<T>(step.eps));
  const bool rectified = step.rectified;
  update<T, 2>(range, step.gradient,
               [&](Vec<T>& p, Vec<T> g, Vec<T>* s) __attribute__((always_inline)) {
                 s[0] += gain1 * (g - s[0]);
                 s[1] = beta2 * s[1] + gain2 * (g * g);
                 const Vec<T> direction = rectified ? s[0] / (sqrt(s[1]) + eps) : s[0];
                 p = shrink * p - size * direction;
               });
}

template <class T>
void rprop(const StepRange& range, const RpropStep& step) {
  const Vec<T> zero{}, one = splat<T>(T(1));
  const Vec<T> shrink = splat<T>(static_cast<T>(step.shrink));
  const Vec<T> grow = splat<T>(static_cast<T>(step.grow));
  const Vec<T> smallest = splat<T>(static_cast<T>(step.smallest));
  const Vec<T> largest = splat<T>(static_cast<T>(step.largest));
  update<T, 2>(range, step.gradient,
               [&](Vec<T>& p, Vec<T> g, Vec<T>* s) __attribute__((always_inline)) {
                 const Vec<T> agreement = g * s[0];
                 const Mask<T> turned = agreement < zero;
                 const Vec<T> size = s[1] * (agreement > zero ? grow : turned ? shrink : one);
                 s[1] = min_or_b(max_or_b(size, smallest), largest);
                 s[0] = turned ? zero : g;  // after a turn the next step counts as a first one
                 p -= s[0] > zero ? s[1] : s[0] < zero ? -s[1] : zero;
               });
}

template <class T>
void asgd(const StepRange& range, const AsgdStep& step) {
  const Vec<T> rate = splat<T>(static_cast<T>(step.rate));
  const Vec<T> keep = splat<T>(static_cast<T>(step.keep));
  const Vec<T> share = splat<T>(static_cast<T>(step.share));
  const bool all = step.share == 1;
  update<T, 1>(range, step.gradient,
               [&](Vec<T>& p, Vec<T> g, Vec<T>* s) __attribute__((always_inline)) {
                 p = keep * p - rate * g;
                 s[0] = all ? p : s[0] + share * (p - s[0]);
               });
}

template <class T>
void average(const StepRange& range, const AverageStep& step) {
  const Vec<T> weight = splat<T>(static_cast<T>(step.weight));
  update<T, 0>(range, step.gradient,
               [&](Vec<T>& p, Vec<T> g, Vec<T>*)
                   __attribute__((always_inline)) { p += weight * (g - p); });
}

}  // namespace

extern const OptimTable optim_table;
const OptimTable optim_table = {
    {sgd<float>, sgd<double>},           {adam<float>, adam<double>},
    {rmsprop<float>, rmsprop<double>},   {adagrad<float>, adagrad<double>},
    {adadelta<float>, adadelta<double>}, {adamax<float>, adamax<double>},
    {nadam<float>, nadam<double>},       {radam<float>, radam<double>},
    {rprop<float>, rprop<double>},       {asgd<float>, asgd<double>},
    {average<float>, average<double>}};

}  // namespace CR_ISA
}  // namespace cr
