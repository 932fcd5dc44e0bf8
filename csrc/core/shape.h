// Shapes and strides: small value types without heap memory, plus the rules about them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <ostream>

#include "core/error.h"

namespace cr {

constexpr int kMaxRank = 16;

// A short list of sizes, strides, axes... Copies only what is used.
class Dims {
 public:
  Dims() = default;
  Dims(std::initializer_list<int64_t> values) { assign(values.begin(), values.end()); }
  template <class It>
  Dims(It begin, It end) {
    assign(begin, end);
  }
  Dims(const Dims& other) { *this = other; }
  Dims& operator=(const Dims& other) {
    size_ = other.size_;
    for (int i = 0; i < size_; ++i) values_[i] = other.values_[i];
    return *this;
  }
  static Dims filled(int n, int64_t value) {
    Dims dims;
    for (int i = 0; i < n; ++i) dims.push_back(value);
    return dims;
  }

  int size() const { return size_; }
  bool empty() const { return size_ == 0; }
  int64_t operator[](int i) const { return values_[i]; }
  int64_t& operator[](int i) { return values_[i]; }
  const int64_t* begin() const { return values_; }
  const int64_t* end() const { return values_ + size_; }
  int64_t* begin() { return values_; }
  int64_t* end() { return values_ + size_; }
  int64_t back() const { return values_[size_ - 1]; }
  int64_t& back() { return values_[size_ - 1]; }

  void push_back(int64_t value) {
    CR_CHECK(size_ < kMaxRank, "a tensor has at most ", kMaxRank, " dimensions");
    values_[size_++] = value;
  }
  void pop_back() { --size_; }
  void resize(int n) { size_ = n; }
  void insert(int at, int64_t value) {
    push_back(value);
    std::rotate(values_ + at, values_ + size_ - 1, values_ + size_);
  }
  void erase(int at) {
    std::copy(values_ + at + 1, values_ + size_, values_ + at);
    --size_;
  }
  bool contains(int64_t value) const { return std::find(begin(), end(), value) != end(); }

  bool operator==(const Dims& other) const {
    if (size_ != other.size_) return false;
    for (int i = 0; i < size_; ++i) {
      if (values_[i] != other.values_[i]) return false;
    }
    return true;
  }
  bool operator!=(const Dims& other) const { return !(*this == other); }

 private:
  template <class It>
  void assign(It begin, It end) {
    for (; begin != end; ++begin) push_back(static_cast<int64_t>(*begin));
  }

  int size_ = 0;
  int64_t values_[kMaxRank];
};

std::ostream& operator<<(std::ostream& out, const Dims& dims);  // as a Python tuple: (2, 3)

// Product of the sizes; throws when a size is negative or the product overflows.
int64_t checked_numel(const Dims& shape);
inline int64_t numel(const Dims& shape) {
  int64_t n = 1;
  for (int64_t size : shape) n *= size;
  return n;
}

Dims contiguous_strides(const Dims& shape);
bool is_contiguous(const Dims& shape, const Dims& strides);

// NumPy's broadcasting rule. `op` names the caller in the error.
Dims broadcast_shapes(const char* op, const Dims& a, const Dims& b);
bool broadcastable_to(const Dims& from, const Dims& to);

// Axis in [-rank, rank) to [0, rank); rank 0 counts as rank 1.
int normalize_dim(const char* op, int64_t dim, int rank);
// Sorted distinct axes; an empty list means all of them.
Dims normalize_dims(const char* op, const Dims& dims, int rank);

}  // namespace cr
