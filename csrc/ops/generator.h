// The state of a random generator, as rows that draw numbers take it.
#pragma once

#include "core/op.h"

namespace cr {

struct Stream {
  uint64_t seed, position;
};

inline void check_state(const char* op, const Tensor& state) {
  CR_CHECK_TYPE(state.dtype() == DType::kInt64 && state.numel() == 2 && state.contiguous(), op,
                ": the generator's state must be two int64 (got ", state.dtype(), ", ",
                state.shape(), ")");
}

inline Stream stream_of(const Tensor& state) {
  const int64_t* values = state.data<int64_t>();
  return {static_cast<uint64_t>(values[0]), static_cast<uint64_t>(values[1])};
}

// Takes `blocks` blocks from the generator.
inline Stream take(const Tensor& state, int64_t blocks) {
  const Stream stream = stream_of(state);
  state.data<int64_t>()[1] += blocks;
  state.storage()->bump_version();
  return stream;
}

}  // namespace cr
