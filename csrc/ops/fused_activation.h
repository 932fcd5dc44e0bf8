// Activations that are part of another op: a product, a convolution or a normalization applies the
// block of the activation's own row to every part of its output that it has just finished, while
// that is in cache; relu is left to the kernels, most of which do it where they store. So the bits
// are those of the two ops one after the other.
//
// A row with an activation attribute hands its call to a hidden row, `_x_activated`, which saves
// its output: the gradient of the activation is taken from there. An activation whose gradient
// needs its input is fused where nothing is taped, and else is an op of its own.
#pragma once

#include "core/op.h"

namespace cr {

// The attribute as signatures have it; the index of the word is the `choice` below.
#define CR_ACTIVATION                                                                           \
  "{none|relu|relu6|leaky_relu|sigmoid|tanh|elu|gelu|silu|mish|softplus|hardsigmoid|hardswish}" \
  " activation='none'"

// Applied in place to finished elements, or nothing.
struct Activation {
  Block block = nullptr;
  const double* params = nullptr;
  bool relu = false;  // which kernels do themselves where they write an element once

  explicit operator bool() const { return block != nullptr; }
  void operator()(void* data, int64_t n) const { block(data, &data, n, params); }
  // To rows of n elements of `size` bytes, `stride` elements apart.
  void rows(void* data, int64_t rows, int64_t n, int64_t stride, int64_t size) const {
    if (!block) return;
    if (stride == n) return (*this)(data, rows * n);
    for (int64_t r = 0; r < rows; ++r) (*this)(static_cast<char*>(data) + r * stride * size, n);
  }
};

Activation fused_activation(int64_t choice, DType dtype);
// The gradient for what the activation was applied to, from that for its result.
Tensor fused_activation_grad(int64_t choice, const Tensor& grad, const Tensor& out);

// Whether a call of an `_x_activated` row on these inputs does what the two ops would.
bool fuses_activation(int64_t choice, const TensorList& in);
// The activation's own op, with the arguments that torch gives it by default.
Tensor activated(int64_t choice, const Tensor& x);

}  // namespace cr
