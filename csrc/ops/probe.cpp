#include <algorithm>
#include <chrono>

#include "core/error.h"
#include "ops/probe.kernel.h"

namespace cr {

double fma_peak(DType dtype) {
  using Clock = std::chrono::steady_clock;
  CR_CHECK_TYPE(is_floating(dtype), "fma_peak: got ", dtype, "; expected float32 or float64");
  const auto kernel = probe_table().multiply_add[dtype == DType::kFloat64];
  double best = 0, result = 0;
  for (int trial = 0; trial < 20; ++trial) {  // each about a millisecond: the best is undisturbed
    const auto start = Clock::now();
    const double operations = kernel(300000, 1.0, &result);
    const std::chrono::duration<double, std::nano> time = Clock::now() - start;
    CR_CHECK_STATE(result > 0, "fma_peak: the probe gave ", result);
    best = std::max(best, operations / time.count());
  }
  return best;
}

}  // namespace cr
