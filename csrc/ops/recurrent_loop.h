// One layer of a recurrent net in one direction, over all steps: the loops of recurrent.cpp.
#pragma once

#include "core/tensor.h"
#include "ops/carver.h"
#include "ops/recurrent.kernel.h"

namespace cr {

// Rows of all steps stand one after the other: step t holds the samples [0, size(t)), all of the
// batch or, when samples differ in length and are sorted by it, those that reach step t.
struct Layer {
  Cell cell;
  bool reverse;
  DType dtype;
  int64_t steps, batch, rows;            // rows: of all steps
  int64_t features, hidden, state;       // state: of h, other than hidden when it is projected
  const int64_t* batch_sizes = nullptr;  // null: every step holds the batch
  int64_t* begins = nullptr;             // first row of each step, when there are batch sizes

  int64_t gates() const { return cell == Cell::kLstm ? 4 : cell == Cell::kGru ? 3 : 1; }
  int64_t gate_width() const { return (cell == Cell::kGru ? 4 : gates()) * hidden; }
  bool plain() const { return cell == Cell::kTanh || cell == Cell::kRelu; }
  bool projected() const { return state != hidden; }

  int64_t size(int64_t t) const { return batch_sizes ? batch_sizes[t] : batch; }
  int64_t begin(int64_t t) const { return begins ? begins[t] : t * batch; }
  int64_t step(int64_t k) const { return reverse ? steps - 1 - k : k; }  // the k-th to run
  // The step that runs before (-1) or after (1) step t, -1 when there is none.
  int64_t beside(int64_t t, int64_t k) const {
    const int64_t other = reverse ? t - k : t + k;
    return other < steps ? other : -1;
  }
  // How many of step t's samples come from the step before; the others start.
  int64_t continuing(int64_t t) const {
    const int64_t before = beside(t, -1);
    return before < 0 ? 0 : size(before) < size(t) ? size(before) : size(t);
  }
};

template <class T>
struct ForwardArrays {
  const T *input, *h0, *c0, *weight_ih, *weight_hh, *weight_hr, *mask, *bias_ih, *bias_hh;
  T *out, *h_n, *c_n, *gates, *cells, *hidden;
};

template <class T>
struct BackwardArrays {
  const T *grad_out, *grad_h, *grad_c, *h0, *c0, *weight_hh, *weight_hr, *mask;
  const T *out, *gates, *cells;
  T *grad_gates, *grad_h0, *grad_c0, *previous, *grad_projected;
  bool to_start;  // is grad_h0 wanted?
};

// Bytes of workspace for either loop.
size_t forward_workspace(const Layer& layer, bool masked);
size_t backward_workspace(const Layer& layer, bool masked);

template <class T>
void run_forward(const Layer& layer, const ForwardArrays<T>& arrays, char* workspace);
template <class T>
void run_backward(const Layer& layer, const BackwardArrays<T>& arrays, char* workspace);

}  // namespace cr
