// Backward: gradients of roots with respect to leaves or chosen tensors.
#pragma once

#include <vector>

#include "autograd/node.h"

namespace cr {

struct BackwardOptions {
  bool retain_graph = false;
  bool create_graph = false;  // tape the backward pass itself
  bool accumulate = true;     // into the leaves' .grad; otherwise return what `inputs` received
};

// `grads[i]` may be undefined for a one-element root. With `inputs` only the part of the graph
// that leads to them is run. Returns one gradient per input (undefined when unused) unless
// accumulating.
std::vector<Tensor> backward(const std::vector<Tensor>& roots, const std::vector<Tensor>& grads,
                             const std::vector<Tensor>& inputs, const BackwardOptions& options);

// Whether the history of the roots leads to a leaf that wants a gradient and is none of `own`.
bool reaches_other_leaf(const std::vector<Tensor>& roots, const std::vector<Tensor>& own);

}  // namespace cr
