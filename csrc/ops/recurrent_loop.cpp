// The loops over time. The weights are packed into strips once for all steps; a step is a product
// that adds to the gates' sums where they lie, then the cell's pointwise part over the same rows.
//
// Samples do not meet before the weights' gradients are summed, so a thread takes some rows of the
// batch through all steps alone. A batch too small for that and with large weights is cut by hidden
// units instead, with all threads meeting after each step. Both give the same bits.
#include "ops/recurrent_loop.h"

#include <algorithm>

#include "core/parallel.h"
#include "core/rounding.h"
#include "core/table.h"
#include "ops/gemm.h"

namespace cr {
namespace {

template <class T>
const RecurrentKernels<T>& kernels() {
  return part_for<T>(recurrent_table());
}

template <class T>
const GemmKernels& gemm_kernels() {
  return matmul_table().gemm[sizeof(T) == 8];
}

template <class T>
Gemm gemm_of(const Product& product) {
  return Gemm(sizeof(T) == 8 ? DType::kFloat64 : DType::kFloat32, product);
}

// Of an array that may be absent.
template <class T>
T* offset(T* base, int64_t n) {
  return base ? base + n : nullptr;
}

// ---------------------------------------------------------------- how the work is cut

struct Cut {
  int64_t rows;     // of the batch, for a thread to take through all steps
  int64_t units;    // of each step, where the batch is not cut; else 0
  bool packed;      // are the weights worth packing?
  int64_t workers;  // that need rows of scratch

  template <class T>
  static Cut of(const Layer& layer, bool masked) {
    const GemmKernels& gemm = gemm_kernels<T>();
    const double weights = static_cast<double>(layer.gates() * layer.hidden * layer.state);
    const double row_ns = 2 * weights / gemm.flops_per_ns + 0.5 * static_cast<double>(layer.hidden);
    Cut cut{layer.batch, 0, layer.steps > 1, 1};
    if (!cut.packed) return cut;  // one step: the products are cut
    // Eight rows fill the register tile; fewer leave something for a second thread.
    const int64_t even = layer.batch >= 64 ? 16 : layer.batch >= 16 ? 8 : 4;
    const int64_t least = grain_for(row_ns * static_cast<double>(layer.steps));
    cut.rows = std::min(layer.batch, std::max(even, least));
    if (cut.rows < layer.batch) cut.workers = max_workers();
    if (layer.batch > even || masked || layer.projected()) return cut;
    constexpr double kBytesPerNs = 25;
    const double step_ns =
        std::max(row_ns * static_cast<double>(layer.batch), weights * sizeof(T) / kBytesPerNs);
    const int64_t block = gemm.tile_cols;
    const int64_t blocks = ceil_div(layer.hidden, block);
    const int64_t grain = grain_for(step_ns / static_cast<double>(blocks));
    if (grain < blocks) {
      cut.units = grain * block;
      cut.rows = layer.batch;
    }
    return cut;
  }
};

// ---------------------------------------------------------------- weights

// The right operand of a product that is repeated: depth x cols.
template <class T>
class Weights {
 public:
  // B(k, j) = b[k * b_row + j * b_col].
  Weights() = default;
  Weights(const T* b, int64_t b_row, int64_t b_col, int64_t depth, int64_t cols, bool packed,
          int64_t rows, Carver& carver)
      : b_(b), b_row_(b_row), b_col_(b_col), depth_(depth), cols_(cols) {
    const GemmKernels& gemm = gemm_kernels<T>();
    if (packed) {
      const int64_t edge = cols % gemm.tile_cols;
      const int64_t padded = cols - edge + round_up(edge, gemm.lanes);
      strips_ = carver.take<T>(depth * padded);
      packed_ = true;
    } else {
      bytes_ = gemm_workspace(gemm_of<T>(product(rows, nullptr, 0, nullptr, cols, true, nullptr)));
      memory_ = carver.take<char>(static_cast<int64_t>(bytes_));
    }
  }

  void pack() {
    if (!packed_) return;
    const GemmKernels& gemm = gemm_kernels<T>();
    const int64_t strip = depth_ * gemm.tile_cols;
    parallel(ceil_div(cols_, gemm.tile_cols), grain_for(static_cast<double>(strip) / 4),
             [&](int64_t begin, int64_t end, int) {
               const int64_t first = begin * gemm.tile_cols;
               const int64_t count = std::min(end * gemm.tile_cols, cols_) - first;
               gemm.pack(strips_ + begin * strip, b_ + first * b_col_, b_row_, b_col_, depth_,
                         count);
             });
  }

  // C = A B or C += A B in the columns [first, last), first on a strip's border.
  void multiply(int64_t rows, const T* a, int64_t a_row, T* c, int64_t c_row, bool accumulate,
                const T* bias, int64_t first, int64_t last) const {
    if (rows == 0) return;
    Product p = product(rows, a, a_row, c, c_row, accumulate, bias);
    if (!packed_) return gemm_run(gemm_of<T>(p), memory_, bytes_);
    const GemmKernels& gemm = gemm_kernels<T>();
    const int64_t strip = depth_ * gemm.tile_cols;
    p.cols = last - first;
    p.b = strips_ + first / gemm.tile_cols * strip;
    p.b_row = gemm.tile_cols;
    p.b_col = 1;
    p.c = c + first;
    p.col_bias = bias ? bias + first : nullptr;
    gemm.multiply({p, strip, strips_ + cols_ / gemm.tile_cols * strip});
  }
  void multiply(int64_t rows, const T* a, int64_t a_row, T* c, int64_t c_row, bool accumulate,
                const T* bias = nullptr) const {
    multiply(rows, a, a_row, c, c_row, accumulate, bias, 0, cols_);
  }

 private:
  Product product(int64_t rows, const T* a, int64_t a_row, T* c, int64_t c_row, bool accumulate,
                  const T* bias) const {
    return {rows,   cols_,  depth_, a,     a_row,      1,       b_,
            b_row_, b_col_, c,      c_row, accumulate, nullptr, bias};
  }

  const T* b_ = nullptr;
  int64_t b_row_ = 0, b_col_ = 0, depth_ = 0, cols_ = 0;
  bool packed_ = false;
  T* strips_ = nullptr;
  char* memory_ = nullptr;
  size_t bytes_ = 0;
};

// ---------------------------------------------------------------- what both loops share

template <class T>
class Loop {
 protected:
  Loop(const Layer& layer, bool masked, Carver& carver)
      : layer_(layer), cut_(Cut::of<T>(layer, masked)) {
    if (layer.batch_sizes) {
      layer_.begins = carver.take<int64_t>(layer.steps);
      if (layer_.begins) {
        for (int64_t t = 0, row = 0; t < layer.steps; row += layer.size(t++)) {
          layer_.begins[t] = row;
        }
      }
    }
  }

  T* take_rows(int64_t width, Carver& carver) const {  // for each worker
    return carver.take<T>(cut_.workers * cut_.rows * width);
  }
  T* rows_of(T* base, int64_t width, int worker) const {
    return base + (cut_.workers > 1 ? worker : 0) * cut_.rows * width;
  }

  // step(k, first row, last row, first unit, last unit, worker) for k = 0 ... steps - 1.
  template <class F>
  void over_steps(F&& step) const {
    const Layer& l = layer_;
    if (cut_.units) {
      for (int64_t k = 0; k < l.steps; ++k) {
        parallel(l.hidden, cut_.units, [&](int64_t begin, int64_t end, int worker) {
          step(k, 0, l.batch, begin, end, worker);
        });
      }
      return;
    }
    parallel(l.batch, cut_.rows, [&](int64_t begin, int64_t end, int worker) {
      for (int64_t k = 0; k < l.steps; ++k) step(k, begin, end, 0, l.hidden, worker);
    });
  }

  // f(first, last, h before, c before) for the rows of step t in [begin, end) that go on from the
  // step before, then for those that start.
  template <class F>
  void over_rows(int64_t t, int64_t begin, int64_t end, const T* out, const T* cells, const T* h0,
                 const T* c0, F&& f) const {
    const Layer& l = layer_;
    end = std::min(end, l.size(t));
    const int64_t middle = std::min(std::max(begin, l.continuing(t)), end);
    if (begin < middle) {
      const int64_t row = l.begin(l.beside(t, -1)) + begin;
      f(begin, middle, out + row * l.state, offset(cells, row * l.hidden));
    }
    if (middle < end) f(middle, end, h0 + middle * l.state, offset(c0, middle * l.hidden));
  }

  Layer layer_;
  Cut cut_;
};

// ---------------------------------------------------------------- forward

template <class T>
class Forward : Loop<T> {
  using Loop<T>::layer_;
  using Loop<T>::cut_;

 public:
  Forward(const Layer& layer, bool masked, const ForwardArrays<T>& arrays, Carver& carver)
      : Loop<T>(layer, masked, carver), a_(arrays) {
    const int64_t h = layer.hidden, p = layer.state, width = layer.gates() * h;
    bias_ = carver.take<T>(width);
    input_bytes_ = gemm_workspace(gemm_of<T>(input_product()));
    input_memory_ = carver.take<char>(static_cast<int64_t>(input_bytes_));
    // GRU keeps the recurrent part of the last gate apart.
    const bool gru = layer.cell == Cell::kGru;
    const int64_t each = cut_.units ? h : gru ? 2 * h : width;
    for (int64_t column = 0; column < width; column += each) {
      const int64_t cols = std::min(each, width - column);
      const bool apart = gru && column == 2 * h;
      parts_[part_count_++] = {Weights<T>(offset(a_.weight_hh, column * p), 1, p, p, cols,
                                          cut_.packed, layer.batch, carver),
                               apart ? 3 * h : column, apart};
    }
    if (layer.projected()) {
      projection_ = Weights<T>(a_.weight_hr, 1, h, h, p, cut_.packed, layer.batch, carver);
    }
    if (masked) scratch_ = this->take_rows(p, carver);
  }

  void run() {
    const Layer& l = layer_;
    sum_biases();
    gemm_run(gemm_of<T>(input_product()), input_memory_, input_bytes_);
    for (int i = 0; i < part_count_; ++i) parts_[i].weights.pack();
    projection_.pack();
    this->over_steps(
        [&](int64_t k, int64_t begin, int64_t end, int64_t first, int64_t last, int worker) {
          const int64_t t = l.step(k);
          this->over_rows(t, begin, end, a_.out, a_.cells, a_.h0, a_.c0,
                          [&](int64_t row, int64_t stop, const T* h_before, const T* c_before) {
                            step({stop - row, first, last, l.hidden, l.gate_width(), nullptr,
                                  h_before, c_before, nullptr, nullptr},
                                 l.begin(t) + row, row, worker);
                          });
        });
    final_states();
  }

 private:
  struct Part {
    Weights<T> weights;
    int64_t column;  // of the gates
    bool apart;      // not added to the input's part
  };

  T* sums() const { return layer_.plain() ? a_.out : a_.gates; }

  Product input_product() const {
    const Layer& l = layer_;
    return {l.rows,         l.gates() * l.hidden,
            l.features,     a_.input,
            l.features,     1,
            a_.weight_ih,   1,
            l.features,     sums(),
            l.gate_width(), false,
            nullptr,        a_.bias_ih ? bias_ : nullptr};
  }

  void sum_biases() {
    if (!a_.bias_ih) return;
    const int64_t width = layer_.gates() * layer_.hidden;
    const int64_t joined = layer_.cell == Cell::kGru ? 2 * layer_.hidden : width;
    for (int64_t j = 0; j < width; ++j) {
      bias_[j] = j < joined ? a_.bias_ih[j] + a_.bias_hh[j] : a_.bias_ih[j];
    }
  }

  // `at`: the first row among all steps' rows; `sample`: in the batch.
  void step(CellStep<T> s, int64_t at, int64_t sample, int worker) const {
    const Layer& l = layer_;
    const T* operand = s.h_before;
    if (a_.mask) {
      T* masked = this->rows_of(scratch_, l.state, worker);
      const T* mask = a_.mask + sample * l.state;
      for (int64_t i = 0; i < s.rows * l.state; ++i) masked[i] = s.h_before[i] * mask[i];
      operand = masked;
    }
    T* target = sums() + at * l.gate_width();
    for (int i = 0; i < part_count_; ++i) {
      const Part& part = parts_[i];
      const T* bias = part.apart && a_.bias_hh ? a_.bias_hh + 2 * l.hidden : nullptr;
      if (cut_.units) {
        part.weights.multiply(s.rows, operand, l.state, target + part.column, l.gate_width(),
                              !part.apart, bias, s.begin, s.end);
      } else {
        part.weights.multiply(s.rows, operand, l.state, target + part.column, l.gate_width(),
                              !part.apart, bias);
      }
    }
    s.gates = offset(a_.gates, at * l.gate_width());
    s.c = offset(a_.cells, at * l.hidden);
    s.h = (l.projected() ? a_.hidden : a_.out) + at * l.hidden;
    kernels<T>().step[static_cast<int>(l.cell)](s);
    if (l.projected()) {
      projection_.multiply(s.rows, s.h, l.hidden, a_.out + at * l.state, l.state, false);
    }
  }

  // A sample's last step holds its final state.
  void final_states() const {
    const Layer& l = layer_;
    for (int64_t t = l.reverse ? 0 : l.steps - 1, row = 0; row < l.batch; --t) {
      const int64_t count = l.size(t) - row, from = l.begin(t) + row;
      std::copy_n(a_.out + from * l.state, count * l.state, a_.h_n + row * l.state);
      if (l.cell == Cell::kLstm) {
        std::copy_n(a_.cells + from * l.hidden, count * l.hidden, a_.c_n + row * l.hidden);
      }
      row += count;
    }
  }

  ForwardArrays<T> a_;
  T* bias_;
  size_t input_bytes_;
  char* input_memory_;
  Part parts_[4];
  int part_count_ = 0;
  Weights<T> projection_;
  T* scratch_ = nullptr;
};

// ---------------------------------------------------------------- backward

template <class T>
class Backward : Loop<T> {
  using Loop<T>::layer_;
  using Loop<T>::cut_;

 public:
  Backward(const Layer& layer, bool masked, const BackwardArrays<T>& arrays, Carver& carver)
      : Loop<T>(layer, masked, carver), a_(arrays) {
    const int64_t h = layer.hidden, p = layer.state;
    recurrent_ =
        Weights<T>(a_.weight_hh, p, 1, layer.gates() * h, p, cut_.packed, layer.batch, carver);
    if (masked) scratch_ = this->take_rows(p, carver);
    if (layer.projected()) {
      projection_ = Weights<T>(a_.weight_hr, h, 1, p, h, cut_.packed, layer.batch, carver);
      unprojected_ = this->take_rows(h, carver);
    }
  }

  void run() {
    const Layer& l = layer_;
    start(a_.grad_h, l.batch * l.state, a_.grad_h0);
    if (l.cell == Cell::kLstm) start(a_.grad_c, l.batch * l.hidden, a_.grad_c0);
    recurrent_.pack();
    projection_.pack();
    this->over_steps(
        [&](int64_t k, int64_t begin, int64_t end, int64_t first, int64_t last, int worker) {
          const int64_t t = l.step(l.steps - 1 - k);
          pass_back(l.beside(t, 1), begin, end, first, last, worker);
          this->over_rows(t, begin, end, a_.out, a_.cells, a_.h0, a_.c0,
                          [&](int64_t row, int64_t stop, const T* h_before, const T* c_before) {
                            CellGrad<T> g{};
                            g.rows = stop - row;
                            g.begin = first;
                            g.end = last;
                            g.h_before = h_before;
                            g.c_before = c_before;
                            step(g, l.begin(t) + row, row, worker);
                          });
          const bool whole = !cut_.units;
          if (whole && k + 1 == l.steps && a_.to_start) {
            pass_back(t, begin, end, first, last, worker);
          }
        });
    if (cut_.units && a_.to_start) pass_back(l.step(0), 0, l.batch, 0, l.hidden, 0);
  }

 private:
  static void start(const T* from, int64_t n, T* to) {
    from ? std::copy_n(from, n, to) : std::fill_n(to, n, T(0));
  }

  // From the gates of step t to the state before it.
  void pass_back(int64_t t, int64_t begin, int64_t end, int64_t first, int64_t last, int worker) {
    if (t < 0) return;
    const Layer& l = layer_;
    const int64_t rows = std::min(end, l.size(t)) - begin;
    if (rows <= 0) return;
    const bool gru = l.cell == Cell::kGru;
    const T* gates = a_.grad_gates + (l.begin(t) + begin) * l.gate_width() + (gru ? l.hidden : 0);
    T* grad_h = a_.grad_h0 + begin * l.state;
    if (!a_.mask) {
      if (!cut_.units) last = l.state;
      recurrent_.multiply(rows, gates, l.gate_width(), grad_h, l.state, gru, nullptr, first, last);
      return;
    }
    T* product = this->rows_of(scratch_, l.state, worker);
    recurrent_.multiply(rows, gates, l.gate_width(), product, l.state, false);
    const T* mask = a_.mask + begin * l.state;
    for (int64_t i = 0; i < rows * l.state; ++i) {
      grad_h[i] = product[i] * mask[i] + (gru ? grad_h[i] : T(0));
    }
  }

  void step(CellGrad<T> g, int64_t at, int64_t sample, int worker) const {
    const Layer& l = layer_;
    keep_previous(g, at, sample);
    g.hidden = l.hidden;
    g.gate_width = l.gate_width();
    g.gates = offset(a_.gates, at * l.gate_width());
    g.c = offset(a_.cells, at * l.hidden);
    g.grad_c = offset(a_.grad_c0, sample * l.hidden);
    g.grad_gates = a_.grad_gates + at * l.gate_width();
    if (l.projected()) {
      T* joined = a_.grad_projected + at * l.state;
      const T* carried = a_.grad_h0 + sample * l.state;
      for (int64_t i = 0; i < g.rows * l.state; ++i) {
        joined[i] = a_.grad_out ? a_.grad_out[at * l.state + i] + carried[i] : carried[i];
      }
      g.grad_h = this->rows_of(unprojected_, l.hidden, worker);
      projection_.multiply(g.rows, joined, l.state, g.grad_h, l.hidden, false);
    } else {
      g.h = a_.out + at * l.hidden;
      g.grad_out = offset(a_.grad_out, at * l.hidden);
      g.grad_h = a_.grad_h0 + sample * l.hidden;
    }
    kernels<T>().grad[static_cast<int>(l.cell)](g);
  }

  // What the recurrent product took: the other factor of its weight's gradient.
  void keep_previous(const CellGrad<T>& g, int64_t at, int64_t sample) const {
    const int64_t width = layer_.state;
    const int64_t first = g.begin, last = cut_.units ? g.end : width;
    for (int64_t row = 0; row < g.rows; ++row) {
      const T* from = g.h_before + row * width;
      T* to = a_.previous + (at + row) * width;
      std::copy(from + first, from + last, to + first);
      if (!a_.mask) continue;
      const T* mask = a_.mask + (sample + row) * width;
      for (int64_t j = 0; j < width; ++j) to[j] *= mask[j];
    }
  }

  BackwardArrays<T> a_;
  Weights<T> recurrent_, projection_;
  T *scratch_ = nullptr, *unprojected_ = nullptr;
};

template <template <class> class Pass, template <class> class Arrays>
size_t workspace_of(const Layer& layer, bool masked) {
  Carver carver(nullptr);
  dispatch_floating(layer.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    Pass<T>(layer, masked, Arrays<T>{}, carver);
  });
  return carver.used();
}

}  // namespace

size_t forward_workspace(const Layer& layer, bool masked) {
  return workspace_of<Forward, ForwardArrays>(layer, masked);
}
size_t backward_workspace(const Layer& layer, bool masked) {
  return workspace_of<Backward, BackwardArrays>(layer, masked);
}

template <class T>
void run_forward(const Layer& layer, const ForwardArrays<T>& arrays, char* workspace) {
  Carver carver(workspace);
  Forward<T>(layer, arrays.mask, arrays, carver).run();
}
template <class T>
void run_backward(const Layer& layer, const BackwardArrays<T>& arrays, char* workspace) {
  Carver carver(workspace);
  Backward<T>(layer, arrays.mask, arrays, carver).run();
}

template void run_forward(const Layer&, const ForwardArrays<float>&, char*);
template void run_forward(const Layer&, const ForwardArrays<double>&, char*);
template void run_backward(const Layer&, const BackwardArrays<float>&, char*);
template void run_backward(const Layer&, const BackwardArrays<double>&, char*);

}  // namespace cr
