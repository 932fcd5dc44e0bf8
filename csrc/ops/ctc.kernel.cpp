// Connectionist temporal classification (Graves et al., 2006): sums over all alignments of labels
// with steps, in the logarithm.
//
// alpha[t][s] is the log-probability of all beginnings of alignments that are in state s at step t,
// beta[t][s] that of all ends that go on from there. A state is entered from itself, from the one
// before or, between different labels, over the blank from the last but one; so a row is three
// shifted reads of the row before, and all its states are computed side by side. Every row is
// shifted by the largest value of the one before, whose sum is kept in double: numbers stay small
// and float32 keeps its digits over thousands of steps. The gradient divides alpha * beta by its
// own sum over the states of a step, so the shifts cancel.
#include "ops/ctc.kernel.h"

#include "simd/vmath.h"

namespace cr {
namespace CR_ISA {
namespace {

template <class T>
constexpr T kNever = static_cast<T>(-__builtin_inf());

// log(exp(a) + exp(b) + exp(c)); -inf when all are.
template <class T>
CR_INLINE Vec<T> log_add(Vec<T> a, Vec<T> b, Vec<T> c) {
  const Vec<T> top = max_or_b(max_or_b(a, b), c);
  const Vec<T> shift = top == splat(kNever<T>) ? Vec<T>{} : top;
  return shift + log(exp(a - shift) + exp(b - shift) + exp(c - shift));
}

template <class T>
CR_INLINE T largest(Vec<T> v) {
  T lanes[kLanes<T>];
  store(lanes, v);
  T top = lanes[0];
  for (int i = 1; i < kLanes<T>; ++i) top = lanes[i] > top ? lanes[i] : top;
  return top;
}

// What a row is shifted by.
template <class T>
CR_INLINE T shift_of(Vec<T> top) {
  const T value = largest<T>(top);
  return value == kNever<T> ? T(0) : value;
}

template <class T>
CR_INLINE void fill(T* cells, int64_t n, T value) {
  for (int64_t i = 0; i < n; ++i) cells[i] = value;
}

// The log-probabilities of the states' labels at a step; the cells behind them stay as they are.
template <class T>
CR_INLINE void emit(const CtcSample& sample, int64_t step, T* emissions) {
  const T* row = static_cast<const T*>(sample.log_probs) + step * sample.stride;
  for (int64_t s = 0; s < sample.states; ++s) emissions[s] = row[sample.labels[s]];
}

template <class T>
double forward(const CtcSample& sample, void* scratch, void* output) {
  T* const emissions = static_cast<T*>(scratch);
  T* row = static_cast<T*>(output);
  const T* const skip = static_cast<const T*>(sample.skip);
  const int64_t width = sample.width;
  if (sample.steps == 0) return sample.states == 1 ? 0 : static_cast<double>(kNever<double>);
  fill(emissions, width, kNever<T>);
  emit(sample, 0, emissions);
  fill(row, kCtcPad + width, kNever<T>);
  row[kCtcPad] = emissions[0];
  if (sample.states > 1) row[kCtcPad + 1] = emissions[1];
  Vec<T> top = max_or_b(splat(row[kCtcPad]), splat(row[kCtcPad + 1]));
  double total = 0;
  for (int64_t t = 1; t < sample.steps; ++t) {
    const T* const before = row + kCtcPad;
    row += sample.pitch;
    fill(row, kCtcPad, kNever<T>);
    emit(sample, t, emissions);
    const T shift = shift_of<T>(top);
    total += static_cast<double>(shift);
    top = splat(kNever<T>);
    for (int64_t s = 0; s < width; s += kLanes<T>) {
      const Vec<T> sum =
          log_add<T>(load(before + s), load(before + s - 1), load(before + s - 2) + load(skip + s));
      const Vec<T> cell = sum + (load(emissions + s) - splat(shift));
      store(row + kCtcPad + s, cell);
      top = max_or_b(cell, top);
    }
  }
  // An alignment ends with the last label or the blank behind it.
  const T* const end = row + kCtcPad + sample.states - 1;
  const Vec<T> sum = log_add<T>(splat(end[0]), splat(end[-1]), splat(kNever<T>));
  return total + static_cast<double>(sum[0]);
}

template <class T>
void backward(const CtcSample& sample, const void* saved, double slope, void* scratch,
              void* output) {
  const int64_t width = sample.width, room = width + kCtcBlock;
  T* const emissions = static_cast<T*>(scratch);
  T* const beta = emissions + room;
  T* const next = beta + room;  // beta and emissions of the step after
  T* const weight = next + room;
  const T* const skip = static_cast<const T*>(sample.skip);
  fill(emissions, width, kNever<T>);
  fill(beta, width, kNever<T>);
  fill(next, room, kNever<T>);
  beta[sample.states - 1] = 0;
  if (sample.states > 1) beta[sample.states - 2] = 0;
  T shift = 0;
  for (int64_t t = sample.steps - 1; t >= 0; --t) {
    if (t + 1 < sample.steps) {
      emit(sample, t + 1, emissions);
      for (int64_t s = 0; s < width; s += kLanes<T>) {
        store(next + s, load(beta + s) + (load(emissions + s) - splat(shift)));
      }
      Vec<T> top = splat(kNever<T>);
      for (int64_t s = 0; s < width; s += kLanes<T>) {
        const Vec<T> cell =
            log_add<T>(load(next + s), load(next + s + 1), load(next + s + 2) + load(skip + s + 2));
        store(beta + s, cell);
        top = max_or_b(cell, top);
      }
      shift = shift_of<T>(top);
    }
    const T* const alpha = static_cast<const T*>(saved) + t * sample.pitch + kCtcPad;
    Vec<T> top = splat(kNever<T>);
    for (int64_t s = 0; s < width; s += kLanes<T>) {
      const Vec<T> cell = load(alpha + s) + load(beta + s);
      store(weight + s, cell);
      top = max_or_b(cell, top);
    }
    const Vec<T> offset = splat(shift_of<T>(top));
    double sum = 0;
    for (int64_t s = 0; s < width; s += kLanes<T>) {
      store(weight + s, exp(load(weight + s) - offset));
    }
    for (int64_t s = 0; s < sample.states; ++s) sum += static_cast<double>(weight[s]);
    // No alignment, no slope.
    const T factor = sum == 0 ? T(0) : static_cast<T>(-slope / sum);
    T* const grad = static_cast<T*>(output) + t * sample.stride;
    for (int64_t s = 0; s < sample.states; ++s) grad[sample.labels[s]] += factor * weight[s];
  }
}

}  // namespace

extern const CtcTable ctc_table;
const CtcTable ctc_table = {{forward<float>, forward<double>}, {backward<float>, backward<double>}};

}  // namespace CR_ISA
}  // namespace cr
