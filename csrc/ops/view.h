// Shape rules shared by the view rows and the indexing code.
#pragma once

#include "core/op.h"

namespace cr {

struct SliceRange {
  int64_t start, length, step;
};
// Python's rules for start:stop:step on an axis of the given size; step may be negative.
SliceRange slice_range(const Attrs& attrs, int first, int64_t size);

// Strides of `shape` over the same memory, or false when only a copy can have that shape.
bool reshape_strides(const Tensor& tensor, const Dims& shape, Dims& strides);

}  // namespace cr
