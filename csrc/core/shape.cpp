#include "core/shape.h"

namespace cr {

std::ostream& operator<<(std::ostream& out, const Dims& dims) {
  out << '(';
  for (int i = 0; i < dims.size(); ++i) out << (i ? ", " : "") << dims[i];
  return out << (dims.size() == 1 ? ",)" : ")");
}

int64_t checked_numel(const Dims& shape) {
  // Zero-size dimensions do not excuse an overflow in the others: strides are computed from them.
  int64_t product = 1;
  bool has_zero = false;
  for (int64_t size : shape) {
    CR_CHECK(size >= 0, "negative size in shape ", shape, "; sizes must be 0 or more");
    if (size == 0) {
      has_zero = true;
      continue;
    }
    CR_CHECK(!__builtin_mul_overflow(product, size, &product) && product < (int64_t{1} << 59),
             "shape ", shape, " has more elements than fit in memory");
  }
  return has_zero ? 0 : product;
}

Dims contiguous_strides(const Dims& shape) {
  Dims strides;
  strides.resize(shape.size());
  int64_t step = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= std::max<int64_t>(shape[i], 1);
  }
  return strides;
}

bool is_contiguous(const Dims& shape, const Dims& strides) {
  int64_t step = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1) {
      if (strides[i] != step) return false;
      step *= shape[i];
    }
  }
  return true;
}

Dims broadcast_shapes(const char* op, const Dims& a, const Dims& b) {
  if (a == b) return a;
  const Dims& longer = a.size() >= b.size() ? a : b;
  const Dims& shorter = a.size() >= b.size() ? b : a;
  Dims result = longer;
  const int shift = longer.size() - shorter.size();
  for (int i = 0; i < shorter.size(); ++i) {
    const int64_t x = longer[i + shift], y = shorter[i];
    CR_CHECK(x == y || x == 1 || y == 1, op, ": shapes do not broadcast (got ", a, " and ", b,
             "); sizes must be equal or 1 at dimension ", i + shift);
    result[i + shift] = x == 1 ? y : x;
  }
  return result;
}

bool broadcastable_to(const Dims& from, const Dims& to) {
  const int shift = to.size() - from.size();
  if (shift < 0) return false;
  for (int i = 0; i < from.size(); ++i) {
    if (from[i] != to[i + shift] && from[i] != 1) return false;
  }
  return true;
}

int normalize_dim(const char* op, int64_t dim, int rank) {
  const int64_t n = std::max(rank, 1);
  CR_CHECK_INDEX(dim >= -n && dim < n, op, ": dimension out of range (got ", dim,
                 " for a tensor with ", rank, " dimensions); expected ", -n, " to ", n - 1);
  return static_cast<int>(dim < 0 ? dim + n : dim);
}

Dims normalize_dims(const char* op, const Dims& dims, int rank) {
  Dims result;
  if (dims.empty()) {
    for (int i = 0; i < rank; ++i) result.push_back(i);
    return result;
  }
  for (int64_t dim : dims) {
    const int axis = normalize_dim(op, dim, rank);
    CR_CHECK_KIND(ErrorKind::kRuntime, !result.contains(axis), op, ": dimension ", axis,
                  " appears twice in ", dims);
    if (rank > 0) result.push_back(axis);
  }
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace cr
