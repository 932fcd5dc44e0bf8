// The contract of random numbers between host code (random.cpp) and kernels (random.kernel.cpp).
#pragma once

#include <cstdint>

#include "core/isa.h"
#include "core/random.h"

namespace cr {

struct Draw {
  uint64_t seed, position;  // of the block that belongs to the first element
};

struct Drop : Draw {
  uint32_t threshold;  // numbers below it drop their element
  double scale;        // of what is kept
};

// n elements from two parameters: low and high, or mean and deviation.
using DrawKernel = void (*)(void* to, int64_t n, const Draw& from, double a, double b);

struct RandomTable {
  // n neighbouring blocks of Philox, from `position` on.
  void (*blocks)(PhiloxBlock* out, int64_t n, uint64_t position, uint64_t seed);
  // [0] is float32, [1] float64.
  DrawKernel uniform[2], normal[2];
  void (*drop[2])(const void* from, void* to, int64_t n, const Drop& drop);
};
CR_KERNEL_TABLE(RandomTable, random_table)

}  // namespace cr
