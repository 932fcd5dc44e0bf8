#include "ops/fused_activation.h"

#include <iterator>

namespace cr {
namespace {

constexpr double kNegativeSlope = 0.01;
constexpr double kRelu6[] = {0, 6}, kLeaky[] = {kNegativeSlope}, kElu[] = {1}, kGelu[] = {0},
                 kSoftplus[] = {1, 20};

struct Entry {
  const OpDef& (*op)();
  const double* params = nullptr;  // of the op, in the order of its signature
  Tensor (*gradient)(const Tensor& grad, const Tensor& out) = nullptr;  // where `out` is enough
};

#define CR_ROW(name) []() -> const OpDef& { return OP(name); }

// In the order of CR_ACTIVATION.
constexpr Entry kEntries[] = {
    {CR_ROW(relu), nullptr,
     [](const Tensor& grad, const Tensor& out) { return OP(_relu_grad)(grad, out); }},
    {CR_ROW(hardtanh), kRelu6,
     [](const Tensor& grad, const Tensor& out) {
       return OP(_hardtanh_grad)(grad, out, kRelu6[0], kRelu6[1]);
     }},
    {CR_ROW(leaky_relu), kLeaky,
     [](const Tensor& grad, const Tensor& out) {
       return OP(_leaky_relu_grad)(grad, out, kNegativeSlope);
     }},
    {CR_ROW(sigmoid), nullptr,
     [](const Tensor& grad, const Tensor& out) { return OP(_sigmoid_grad)(grad, out); }},
    {CR_ROW(tanh), nullptr,
     [](const Tensor& grad, const Tensor& out) { return OP(_tanh_grad)(grad, out); }},
    {CR_ROW(elu), kElu},
    {CR_ROW(gelu), kGelu},
    {CR_ROW(silu)},
    {CR_ROW(mish)},
    {CR_ROW(softplus), kSoftplus},
    {CR_ROW(hardsigmoid)},
    {CR_ROW(hardswish)},
};

const Entry& entry(int64_t choice) {
  CR_CHECK_STATE(choice >= 1 && choice <= static_cast<int64_t>(std::size(kEntries)),
                 "activation: there is no number ", choice);
  return kEntries[choice - 1];
}

bool taped(const TensorList& in) {
  if (!GradMode::enabled()) return false;
  for (const Tensor& x : in) {
    if (x && x.requires_grad()) return true;
  }
  return false;
}

}  // namespace

Activation fused_activation(int64_t choice, DType dtype) {
  const Entry& e = entry(choice);
  const Block block = e.op().blocks[static_cast<int>(dtype)];
  CR_CHECK_STATE(block, e.op().name(), ": no kernel for ", dtype);
  return {block, e.params, &e == kEntries};
}

Tensor fused_activation_grad(int64_t choice, const Tensor& grad, const Tensor& out) {
  return entry(choice).gradient(grad, out);
}

bool fuses_activation(int64_t choice, const TensorList& in) {
  for (const Tensor& x : in) {  // 16-bit floats are rounded before the activation, too
    if (x && x.dtype() != DType::kFloat32 && x.dtype() != DType::kFloat64) return false;
  }
  return entry(choice).gradient || !taped(in);
}

Tensor activated(int64_t choice, const Tensor& x) {
  const Entry& e = entry(choice);
  const Attrs& defaults = e.op().signature.defaults;
  Attrs attrs;
  for (int k = 0; k < defaults.size(); ++k) {
    if (defaults.kind(k) == Attrs::Kind::kInt) {
      attrs.push_int(static_cast<int64_t>(e.params[k]));
    } else {
      attrs.push_float(e.params[k]);
    }
  }
  return run(e.op(), {x}, attrs);
}

}  // namespace cr
