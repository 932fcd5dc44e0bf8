// Contract between recurrent.cpp and recurrent.kernel.cpp: what a cell does between its products,
// and back, for some rows (samples) of one step.
#pragma once

#include <cstdint>

#include "core/isa.h"

namespace cr {

enum class Cell { kTanh, kRelu, kLstm, kGru };
constexpr int kCells = 4;

// The hidden units [begin, end) of `rows` samples; every array has the row stride `hidden` but for
// the gates, whose rows hold `gate_width` values.
template <class T>
struct CellStep {
  int64_t rows, begin, end, hidden, gate_width;
  // In: the sums that the activations take. Out: the activations.
  // LSTM: input, forget, cell, output. GRU: reset, update, new, and the recurrent part of new,
  // which stays as it is. Plain cells have none: their sum is in `h`.
  T* gates;
  const T *h_before, *c_before;
  T *h, *c;
};

template <class T>
struct CellGrad {
  int64_t rows, begin, end, hidden, gate_width;
  const T* gates;
  const T *h_before, *c_before, *h, *c;
  const T* grad_out;  // of h from outside; null: none
  // Of h and c from later steps, replaced by what reaches the step before other than through the
  // recurrent product (which replaces grad_h, and for GRU adds to it).
  T *grad_h, *grad_c;
  // Of the sums; rows of gate_width, or of hidden for plain cells. GRU: new, reset, update, and the
  // recurrent part of new, so that the last three are the recurrent product's.
  T* grad_gates;
};

template <class T>
struct RecurrentKernels {
  void (*step[kCells])(const CellStep<T>&);
  void (*grad[kCells])(const CellGrad<T>&);
};

struct RecurrentTable {
  RecurrentKernels<float> f32;
  RecurrentKernels<double> f64;
};
CR_KERNEL_TABLE(RecurrentTable, recurrent_table)

}  // namespace cr
