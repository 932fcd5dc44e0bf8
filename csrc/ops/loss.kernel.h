// Contract between loss.cpp and loss.kernel.cpp: the sum of an elementwise loss over n contiguous
// elements, in one pass.
#pragma once

#include <cstdint>

#include "core/isa.h"

namespace cr {

enum class PairLoss { kSquare, kAbsolute, kBinaryEntropy, kCount };

using PairLossKernel = double (*)(const void* input, const void* target, int64_t n);

// [0] is float32, [1] float64.
struct LossTable {
  PairLossKernel total[static_cast<int>(PairLoss::kCount)][2];
};
CR_KERNEL_TABLE(LossTable, loss_table)

}  // namespace cr
