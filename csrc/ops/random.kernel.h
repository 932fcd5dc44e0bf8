// The contract of random numbers between host code (random.cpp) and kernels (random.kernel.cpp).
#pragma once

#include <cstdint>

#include "core/isa.h"
#include "core/random.h"

namespace cr {

struct Drop {
  uint64_t seed, position;  // of the block that belongs to the first element
  uint32_t threshold;       // numbers below it drop their element
  double scale;             // of what is kept
};

struct RandomTable {
  // n neighbouring blocks of Philox, from `position` on.
  void (*blocks)(PhiloxBlock* out, int64_t n, uint64_t position, uint64_t seed);
  // n elements; [0] is float32, [1] float64.
  void (*drop[2])(const void* from, void* to, int64_t n, const Drop& drop);
};
CR_KERNEL_TABLE(RandomTable, random_table)

}  // namespace cr
