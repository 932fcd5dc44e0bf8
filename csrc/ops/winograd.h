// Winograd convolution: 3x3 layers of stride 1 in float32, forward and both gradients.
//
// The largest tile that may be chosen is a setting of the process: 0 (none), 2 or 4. F(2x2, 3x3)
// rounds about as a direct sum does and takes 4/9 of its multiply-adds, F(4x4, 3x3) takes 1/4 and
// has two to four times the error; docs/design.md has the bounds.
#pragma once

#include "ops/conv_algorithms.h"

namespace cr {

int conv_winograd();
void set_conv_winograd(int tile);

// "winograd4" or "winograd2".
ConvAlgorithm winograd_algorithm(ConvDirection direction, int tile);

}  // namespace cr
