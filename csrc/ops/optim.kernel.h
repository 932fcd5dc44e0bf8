// The optimizers' contract between host code (optim.cpp) and kernels (optim.kernel.cpp).
//
// A kernel updates n neighbouring elements of one parameter and of its state. Every element is
// computed alone and in the same way wherever it stands, so how a tensor is cut into ranges does
// not show in the result.
#pragma once

#include <cstdint>

#include "core/isa.h"

namespace cr {

constexpr int kMaxStepStates = 3;

struct StepRange {
  void* param;
  const void* grad;
  void* state[kMaxStepStates];  // what the algorithm remembers per element
  int64_t n;
};

// The gradient every algorithm starts from: (maximize ? -grad : grad) + weight_decay * param.
struct StepGradient {
  double weight_decay;
  bool maximize;
};

struct SgdStep {  // state: momentum buffer (unless momentum is 0)
  StepGradient gradient;
  double lr, momentum, dampening;
  bool nesterov;
};

struct AdamStep {  // state: mean, mean square, with amsgrad the largest mean square
  StepGradient gradient;
  double shrink;  // of the parameter before the step: decoupled weight decay
  double beta1, beta2, eps;
  double step_size;   // lr / (1 - beta1^t)
  double root_scale;  // 1 / sqrt(1 - beta2^t)
  bool amsgrad;
};

struct RmspropStep {  // state: mean square, [mean if centered], [momentum buffer if momentum]
  StepGradient gradient;
  double lr, alpha, eps, momentum;
  bool centered;
};

struct AdagradStep {  // state: sum of squares
  StepGradient gradient;
  double step_size, eps;  // step_size = lr / (1 + (t - 1) lr_decay)
};

struct AdadeltaStep {  // state: mean square, mean squared update
  StepGradient gradient;
  double lr, rho, eps;
};

struct AdamaxStep {  // state: mean, decaying maximum
  StepGradient gradient;
  double beta1, beta2, eps;
  double step_size;  // lr / (1 - beta1^t)
};

struct NadamStep {  // state: mean, mean square
  StepGradient gradient;
  double shrink;  // as in AdamStep
  double beta1, beta2, eps;
  double grad_size, mean_size;  // of the gradient's and of the mean's part of the step
  double root_scale;            // 1 / sqrt(1 - beta2^t)
};

struct RadamStep {  // state: mean, mean square
  StepGradient gradient;
  double shrink;  // as in AdamStep
  double beta1, beta2, eps;
  double step_size;  // corrections of bias and variance included
  bool rectified;    // else the mean alone, while its mean square is not to be trusted
};

struct RpropStep {  // state: last gradient, step size
  StepGradient gradient;
  double shrink, grow;  // factors of the step size where the gradient's sign changed or stayed
  double smallest, largest;
};

struct AsgdStep {  // state: average
  StepGradient gradient;
  double rate, keep;  // keep = 1 - lambd * rate
  double share;       // of the new parameter in the average
};

struct AverageStep {  // the "gradient" is the value the average moves to
  StepGradient gradient;
  double weight;
};

template <class Step>
using StepKernel = void (*)(const StepRange& range, const Step& step);

// [0] is float32, [1] float64.
struct OptimTable {
  StepKernel<SgdStep> sgd[2];
  StepKernel<AdamStep> adam[2];
  StepKernel<RmspropStep> rmsprop[2];
  StepKernel<AdagradStep> adagrad[2];
  StepKernel<AdadeltaStep> adadelta[2];
  StepKernel<AdamaxStep> adamax[2];
  StepKernel<NadamStep> nadam[2];
  StepKernel<RadamStep> radam[2];
  StepKernel<RpropStep> rprop[2];
  StepKernel<AsgdStep> asgd[2];
  StepKernel<AverageStep> average[2];
};
CR_KERNEL_TABLE(OptimTable, optim_table)

}  // namespace cr
