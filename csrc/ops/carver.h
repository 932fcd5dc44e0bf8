// Cuts the workspace of a call into aligned arrays, front to back. On a null base it only counts,
// so that one function both states the size and lays the workspace out.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cr {

class Carver {
 public:
  explicit Carver(char* base) : base_(base) {}
  template <class T>
  T* take(int64_t n) {
    T* p = base_ ? reinterpret_cast<T*>(base_ + used_) : nullptr;
    used_ += (static_cast<size_t>(n) * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    return p;
  }
  size_t used() const { return used_; }

 private:
  static constexpr size_t kAlignment = 64;
  char* base_;
  size_t used_ = 0;
};

}  // namespace cr
