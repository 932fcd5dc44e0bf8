// What rows over lists of tensors share (optim.cpp, clip.cpp): checks, and the list as one long
// array that threads take pieces of.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "core/op.h"
#include "core/parallel.h"
#include "core/rounding.h"

namespace cr {

inline void check_floating(const char* row, const char* what, int i, const Tensor& tensor) {
  CR_CHECK_TYPE(tensor.dtype() == DType::kFloat32 || tensor.dtype() == DType::kFloat64, row, ": ",
                what, " ", i, " has dtype ", tensor.dtype(), "; expected float32 or float64");
}

inline void check_writable(const char* row, const char* what, int i, const Tensor& tensor) {
  CR_CHECK(!tensor.storage()->read_only(), row, ": the memory of ", what, " ", i,
           " is read-only (it belongs to a read-only array); use .clone()");
}

inline void check_like(const char* row, const char* what, int i, const Tensor& tensor,
                       const Tensor& like) {
  CR_CHECK(tensor.shape() == like.shape() && tensor.dtype() == like.dtype(), row, ": ", what, " ",
           i, " has shape ", tensor.shape(), " and dtype ", tensor.dtype(),
           "; expected those of the tensor it belongs to, ", like.shape(), " and ", like.dtype());
}

// Tensors the kernels write to: a contiguous copy stands in for one that is not contiguous.
class Written {
 public:
  void* data(const Tensor& tensor) {
    tensor.storage()->bump_version();
    if (tensor.contiguous()) return tensor.data();
    copies_.push_back({tensor, contiguous_copy(tensor)});
    return copies_.back().second.data();
  }
  void write_back() const {
    for (const auto& [target, copy] : copies_) copy_into(target, copy);
  }

 private:
  std::vector<std::pair<Tensor, Tensor>> copies_;
};

// Arrays laid end to end and cut every kGrain elements, wherever one array ends.
class Pieces {
 public:
  static constexpr int64_t kGrain = 32768;  // some 20 us of work

  explicit Pieces(size_t arrays) { ends_.reserve(arrays); }
  void add(int64_t n) { ends_.push_back(total() + n); }
  int64_t total() const { return ends_.empty() ? 0 : ends_.back(); }
  int64_t chunks() const { return ceil_div(total(), kGrain); }

  // Calls f(array, begin, end, chunk) for each piece, in parallel over chunks; the pieces of one
  // chunk come in order.
  template <class F>
  void run(F f) const {
    parallel(total(), kGrain, [&](int64_t begin, int64_t end, int) {
      auto i = std::upper_bound(ends_.begin(), ends_.end(), begin) - ends_.begin();
      for (const int64_t chunk = begin / kGrain; begin < end; ++i) {
        const int64_t start = i ? ends_[i - 1] : 0, stop = std::min(end, ends_[i]);
        if (begin < stop) f(static_cast<int>(i), begin - start, stop - start, chunk);
        begin = stop;
      }
    });
  }

 private:
  std::vector<int64_t> ends_;
};

}  // namespace cr
