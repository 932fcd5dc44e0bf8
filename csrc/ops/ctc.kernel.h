// Contract between ctc.cpp and ctc.kernel.cpp: the two recursions over one sample.
#pragma once

#include <cstdint>

#include "core/isa.h"

namespace cr {

// A row of the recursion holds one cell per state: a blank, a label, a blank, ... Two cells of
// -inf stand before it, and it is filled up with -inf to a whole number of blocks, so that
// neighbours are read without looking at the ends.
constexpr int64_t kCtcPad = 2;
constexpr int64_t kCtcBlock = 16;

struct CtcSample {
  const void* log_probs;  // of the first step
  int64_t stride;         // elements between steps of log_probs
  int64_t steps, states;
  int64_t width;          // states, rounded up to blocks
  int64_t pitch;          // cells between rows of alpha
  const int64_t* labels;  // of every state
  const void* skip;  // width + kCtcPad cells: 0 where a state follows the last but one, or -inf
};

constexpr int64_t ctc_width(int64_t states) {
  return (states + kCtcBlock - 1) / kCtcBlock * kCtcBlock;
}
// Cells of scratch that both kernels are given.
constexpr int64_t ctc_scratch(int64_t width) { return 4 * (width + kCtcBlock); }

// [0] is float32, [1] float64.
struct CtcTable {
  // Fills alpha (steps rows) and returns the logarithm of the probability of the labels.
  double (*forward[2])(const CtcSample& sample, void* scratch, void* alpha);
  // Adds -slope times the probability of every class at every step to rows of `grad`, which are
  // `stride` apart.
  void (*backward[2])(const CtcSample& sample, const void* alpha, double slope, void* scratch,
                      void* grad);
};
CR_KERNEL_TABLE(CtcTable, ctc_table)

}  // namespace cr
