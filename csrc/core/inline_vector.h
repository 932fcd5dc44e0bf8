// A vector that keeps its first N elements inside itself: no heap for the usual short lists.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <new>
#include <utility>

namespace cr {

template <class T, int N>
class InlineVector {
 public:
  InlineVector() = default;
  InlineVector(std::initializer_list<T> values) {
    for (const T& value : values) push_back(value);
  }
  InlineVector(const InlineVector& other) {
    for (const T& value : other) push_back(value);
  }
  InlineVector(InlineVector&& other) noexcept { steal(other); }
  InlineVector& operator=(InlineVector other) noexcept {
    destroy();
    steal(other);
    return *this;
  }
  ~InlineVector() { destroy(); }

  int size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](int i) { return data_[i]; }
  const T& operator[](int i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }
  T& back() { return data_[size_ - 1]; }

  void push_back(T value) {
    if (static_cast<unsigned>(size_) == capacity_) grow();
    new (data_ + size_) T(std::move(value));
    ++size_;
  }
  void resize(int n) {
    while (size_ > n) data_[--size_].~T();
    while (size_ < n) push_back(T());
  }
  void clear() { resize(0); }

 private:
  T* inside() { return reinterpret_cast<T*>(inside_); }
  void grow() {
    const unsigned capacity = capacity_ * 2;
    T* data = static_cast<T*>(::operator new(sizeof(T) * capacity));
    for (int i = 0; i < size_; ++i) {
      new (data + i) T(std::move(data_[i]));
      data_[i].~T();
    }
    if (data_ != inside()) ::operator delete(data_);
    data_ = data;
    capacity_ = capacity;
  }
  void destroy() {
    for (int i = 0; i < size_; ++i) data_[i].~T();
    if (data_ != inside()) ::operator delete(data_);
    data_ = inside();
    size_ = 0;
    capacity_ = N;
  }
  void steal(InlineVector& other) noexcept {
    if (other.data_ != other.inside()) {
      data_ = std::exchange(other.data_, other.inside());
      size_ = std::exchange(other.size_, 0);
      capacity_ = std::exchange(other.capacity_, static_cast<unsigned>(N));
    } else {
      for (T& value : other) push_back(std::move(value));
      other.clear();
    }
  }

  alignas(T) unsigned char inside_[sizeof(T) * N];
  T* data_ = reinterpret_cast<T*>(inside_);
  int size_ = 0;
  unsigned capacity_ = N;
};

}  // namespace cr
