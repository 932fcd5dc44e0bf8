// The ways to compute a convolution and its gradients: one ordered list per direction. The first
// that accepts a problem and suits it is taken; a naive reference is last. Tests force one by name.
#pragma once

#include "core/dtype.h"
#include "ops/conv.kernel.h"

namespace cr {

enum class ConvDirection : uint8_t { kForward, kInputGrad, kWeightGrad };
constexpr int kConvDirections = 3;

// Arrays of one call, all contiguous. Forward: input, weight, bias (may be null) -> out.
// Input gradient: grad, weight -> out. Weight gradient: input, grad -> out.
struct ConvArrays {
  const void* a;
  const void* b;
  const void* bias;
  void* out;
  char* workspace;
};

struct ConvAlgorithm {
  const char* name;
  bool (*accepts)(const ConvShape& shape, DType dtype);
  // Whether it is the one to take where it accepts.
  bool (*suits)(const ConvShape& shape, DType dtype);
  size_t (*workspace)(const ConvShape& shape, DType dtype);  // bytes, for max_workers() threads
  void (*run)(const ConvShape& shape, DType dtype, const ConvArrays& arrays);
};

// Entries of the lists that have files of their own.
ConvAlgorithm images_forward();
ConvAlgorithm images_input_grad();
ConvAlgorithm images_weight_grad();

// The algorithm for a problem: the forced one, or the first that accepts it and suits. Throws when
// the forced one does not accept.
const ConvAlgorithm& choose_conv_algorithm(ConvDirection direction, const ConvShape& shape,
                                           DType dtype);

// For tests. `direction` is "forward", "input_grad" or "weight_grad". Forces an algorithm by name
// ("" gives the choice back); the name of the one that ran last on this thread ("" before the
// first).
void force_conv_algorithm(const char* direction, const char* name);
const char* last_conv_algorithm(const char* direction);

}  // namespace cr
