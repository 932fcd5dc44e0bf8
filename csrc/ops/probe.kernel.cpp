// Chains of multiply-adds x = x * factor + term in registers: enough of them to hide the latency,
// with different starts so that no compiler merges two. factor < 1: x stays near 1.
#include "ops/probe.kernel.h"

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

constexpr int kChains = CR_VEC_BYTES == 64 ? 24 : 12;  // of 32 or 16 registers

template <class T>
double multiply_add(int64_t rounds, double start, double* result) {
  const Vec<T> factor = splat(T(0.75)), term = splat(T(0.25));
  Vec<T> x[kChains];
#pragma GCC unroll 24
  for (int i = 0; i < kChains; ++i) x[i] = splat(static_cast<T>(start * (i + 1)));
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 24
    for (int i = 0; i < kChains; ++i) x[i] = x[i] * factor + term;
  }
#pragma GCC unroll 24
  for (int i = 1; i < kChains; ++i) x[0] += x[i];
  *result = static_cast<double>(x[0][0]);
  return 2.0 * kChains * kLanes<T> * static_cast<double>(rounds);
}

}  // namespace

extern constexpr ProbeTable probe_table = {{multiply_add<float>, multiply_add<double>}};

}  // namespace CR_ISA
}  // namespace cr
