// Sums of elementwise losses: each element's loss is computed and added at once, so that input and
// target are read once and nothing is written.
//
// Four vectors of partial sums hide the latency of the addition. They are emptied into a double
// every kRun elements, so a float sum never has more than kRun / (4 lanes) terms; the loss of the
// last, partial vector is added element by element. The order is fixed by n alone.
#include "ops/loss.kernel.h"

#include "simd/vsaturate.h"

namespace cr {
namespace CR_ISA {
namespace {

constexpr int64_t kRun = 2048;
constexpr int kSums = 4;

struct Square {
  template <class V>
  CR_INLINE V loss(V x, V t) {
    const V d = x - t;
    return d * d;
  }
};

struct Absolute {
  template <class V>
  CR_INLINE V loss(V x, V t) {
    return abs(x - t);
  }
};

// Binary cross entropy of sigmoid(x): log(1 + e^x) - t x, without overflow or cancellation.
struct BinaryEntropy {
  template <class V>
  CR_INLINE V loss(V x, V t) {
    return max_or_b(V{}, x) - x * t + softplus(-abs(x));
  }
};

template <class T>
CR_INLINE double add_up(Vec<T> v, int n) {
  T lanes[kLanes<T>];
  store(lanes, v);
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += static_cast<double>(lanes[i]);
  return sum;
}

template <class F, class T>
double total(const void* input, const void* target, int64_t n) {
  const T* const x = static_cast<const T*>(input);
  const T* const t = static_cast<const T*>(target);
  constexpr int64_t kStep = kSums * kLanes<T>;
  double sum = 0;
  int64_t i = 0;
  while (i + kLanes<T> <= n) {
    const int64_t end = i + kRun < n ? i + kRun : n;
    Vec<T> sums[kSums] = {};
    for (; i + kStep <= end; i += kStep) {
#pragma GCC unroll 4
      for (int k = 0; k < kSums; ++k) {
        sums[k] += F::loss(load(x + i + k * kLanes<T>), load(t + i + k * kLanes<T>));
      }
    }
    for (; i + kLanes<T> <= end; i += kLanes<T>) sums[0] += F::loss(load(x + i), load(t + i));
    sum += add_up<T>((sums[0] + sums[1]) + (sums[2] + sums[3]), kLanes<T>);
  }
  if (const int rest = static_cast<int>(n - i)) {
    sum += add_up<T>(F::loss(load_partial(x + i, rest), load_partial(t + i, rest)), rest);
  }
  return sum;
}

}  // namespace

extern const LossTable loss_table;
const LossTable loss_table = {{{total<Square, float>, total<Square, double>},
                               {total<Absolute, float>, total<Absolute, double>},
                               {total<BinaryEntropy, float>, total<BinaryEntropy, double>}}};

}  // namespace CR_ISA
}  // namespace cr
