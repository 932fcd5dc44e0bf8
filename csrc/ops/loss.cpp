// Rows of losses that need a gradient of their own. (Cross entropy is in softmax.cpp; the other
// losses are Python over these and over common ops.)
#include "autograd/node.h"

namespace cr {
namespace {

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
