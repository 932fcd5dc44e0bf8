// Convolutions that are a product of matrices as they stand, and their gradients: kernels as large
// as the image (squeeze-and-excitation, the last layer of LeNet-5, the first of a generator) and
// kernels of one pixel.
#include <algorithm>

#include "ops/carver.h"
#include "ops/conv_algorithms.h"
#include "ops/gemm.h"

namespace cr {
namespace {

// One window, which is the image: a linear layer of the batch.
bool is_whole(const ConvShape& s) {
  return s.kernel_d == s.depth && s.kernel_h == s.height && s.kernel_w == s.width &&
         s.out_depth == 1 && s.out_plane() == 1 && s.pad_front == 0 && s.pad_top == 0 &&
         s.pad_left == 0;
}

bool accepts(const ConvShape& s, DType dtype) {
  return s.groups == 1 && (is_whole(s) || is_pointwise(s, dtype));
}

// The product of a batch whose images are neighbours, or that of one image.
Gemm product(ConvDirection direction, const ConvShape& s, DType dtype, const ConvArrays& arrays) {
  const int64_t n = s.batch, o = s.out_channels, k = s.channels * s.kernel_size();
  const int64_t c = s.channels, p = s.out_plane();
  const bool whole = is_whole(s);
  Product product{};
  product.a = arrays.a;
  product.b = arrays.b;
  product.c = arrays.out;
  const auto set = [&](int64_t rows, int64_t cols, int64_t depth, int64_t a_row, int64_t a_col,
                       int64_t b_row, int64_t b_col) {
    product.rows = rows;
    product.cols = product.c_row = cols;
    product.depth = depth;
    product.a_row = a_row;
    product.a_col = a_col;
    product.b_row = b_row;
    product.b_col = b_col;
  };
  switch (direction) {
    case ConvDirection::kForward:
      if (whole) {
        set(n, o, k, k, 1, 1, k);
        product.col_bias = arrays.bias;
        break;
      }
      std::swap(product.a, product.b);
      set(o, p, c, c, 1, p, 1);
      product.row_bias = arrays.bias;
      break;
    case ConvDirection::kInputGrad:
      if (whole) {
        set(n, k, o, o, 1, k, 1);
        product.col_bias = arrays.bias;
        break;
      }
      std::swap(product.a, product.b);
      set(c, p, o, 1, c, p, 1);
      product.row_bias = arrays.bias;
      break;
    default:
      std::swap(product.a, product.b);
      whole ? set(o, k, n, 1, o, k, 1) : set(o, c, p, p, 1, 1, p);
  }
  Gemm gemm(dtype, product);
  gemm.activation = arrays.activation;
  if (whole || direction == ConvDirection::kWeightGrad) return gemm;
  gemm.batch = Dims{n};
  gemm.a_batch = Dims{0};
  gemm.b_batch = Dims{product.depth * p};
  gemm.c_batch = Dims{product.rows * p};
  return gemm;
}

// A bias for every element of an image instead of one for every channel.
bool spreads_bias(ConvDirection direction, const ConvShape& s) {
  return direction == ConvDirection::kInputGrad && is_whole(s) && s.kernel_size() > 1;
}

struct Work {
  char* biases;
  char* memory;
  size_t gemm_bytes, bytes;

  // Planned with a bias (never read here): small products without one need less.
  Work(ConvDirection direction, const ConvShape& s, DType dtype, char* base) {
    ConvArrays planned{};
    planned.bias = &s;
    gemm_bytes = gemm_workspace(product(direction, s, dtype, planned));
    Carver carver(base);
    const int64_t values = spreads_bias(direction, s) ? s.channels * s.kernel_size() : 0;
    biases = carver.take<char>(values * itemsize(dtype));
    memory = carver.take<char>(static_cast<int64_t>(gemm_bytes));
    bytes = carver.used();
  }
};

template <ConvDirection Direction>
void run(const ConvShape& s, DType dtype, const ConvArrays& arrays) {
  const Work work(Direction, s, dtype, arrays.workspace);
  Gemm gemm = product(Direction, s, dtype, arrays);
  if (arrays.bias && spreads_bias(Direction, s)) {
    dispatch_floating(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      T* to = reinterpret_cast<T*>(work.biases);
      for (int64_t c = 0; c < s.channels; ++c, to += s.kernel_size()) {
        std::fill_n(to, s.kernel_size(), static_cast<const T*>(arrays.bias)[c]);
      }
    });
    gemm.product.col_bias = work.biases;
  }
  gemm_run(gemm, work.memory, work.gemm_bytes);
  if (Direction != ConvDirection::kWeightGrad || is_whole(s)) return;
  const int64_t size = itemsize(dtype);  // the other images are added to the first
  gemm.product.accumulate = true;
  for (int64_t n = 1; n < s.batch; ++n) {
    gemm.product.a =
        static_cast<const char*>(gemm.product.a) + s.out_channels * s.out_plane() * size;
    gemm.product.b = static_cast<const char*>(gemm.product.b) + s.channels * s.out_plane() * size;
    gemm_run(gemm, work.memory, work.gemm_bytes);
  }
}

// Multiply-adds of an image that threads may share: its gradient is added to those before it.
constexpr int64_t kSharedProduct = 1000000;

// Large planes, or one image: the products leave no lanes idle between images. Sums of a few dozen
// terms are better gathered (`pointwise`); one row or one term has ways of its own in `gemm`.
template <ConvDirection Direction>
bool suits(const ConvShape& s, DType) {
  if (is_whole(s)) return true;
  const int64_t plane = s.out_plane();
  if (Direction == ConvDirection::kWeightGrad) {
    return plane >= 32 && (s.batch == 1 || s.channels * s.out_channels * plane >= kSharedProduct);
  }
  const bool forward = Direction == ConvDirection::kForward;
  const int64_t depth = forward ? s.channels : s.out_channels;
  const int64_t rows = forward ? s.out_channels : s.channels;
  return (s.batch == 1 || plane >= 128) && (depth >= 64 || depth <= 2 || rows <= 2);
}

template <ConvDirection Direction>
ConvAlgorithm algorithm() {
  return {"gemm", accepts, suits<Direction>,
          [](const ConvShape& s, DType dtype) { return Work(Direction, s, dtype, nullptr).bytes; },
          run<Direction>};
}

}  // namespace

ConvAlgorithm gemm_forward() { return algorithm<ConvDirection::kForward>(); }
ConvAlgorithm gemm_input_grad() { return algorithm<ConvDirection::kInputGrad>(); }
ConvAlgorithm gemm_weight_grad() { return algorithm<ConvDirection::kWeightGrad>(); }

}  // namespace cr
