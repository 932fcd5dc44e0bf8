// Element types, torch's promotion rules, and dispatch from a run-time dtype to a C++ type.
#pragma once

#include <cstdint>
#include <ostream>

namespace cr {

// Ordered so that a later type of the same category holds every value of an earlier one,
// except the pair (uint8, int8), which promotes to int16.
enum class DType : uint8_t {
  kBool,
  kUInt8,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat32,
  kFloat64,
  kUndefined,
};
constexpr int kNumDTypes = 8;

enum class Category : uint8_t { kBool, kInteger, kFloating };

constexpr int64_t itemsize(DType dtype) {
  constexpr int64_t kSizes[] = {1, 1, 1, 2, 4, 8, 4, 8, 0};
  return kSizes[static_cast<int>(dtype)];
}

constexpr Category category(DType dtype) {
  return dtype == DType::kBool      ? Category::kBool
         : dtype >= DType::kFloat32 ? Category::kFloating
                                    : Category::kInteger;
}

constexpr bool is_floating(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat64;
}
constexpr bool is_integral(DType dtype) { return dtype >= DType::kUInt8 && dtype <= DType::kInt64; }

const char* name(DType dtype);            // "float32"
DType dtype_from_name(const char* name);  // kUndefined when unknown
DType promote(DType a, DType b);          // torch.promote_types
bool can_cast(DType from, DType to);      // torch.can_cast: category never goes down
DType default_dtype();                    // what Python floats become
void set_default_dtype(DType dtype);      // float32 or float64

inline std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name(dtype); }

// A type passed as a value: f(TypeTag<float>{}).
template <class T>
struct TypeTag {
  using type = T;
};

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<bool>() {
  return DType::kBool;
}
template <>
constexpr DType dtype_of<uint8_t>() {
  return DType::kUInt8;
}
template <>
constexpr DType dtype_of<int8_t>() {
  return DType::kInt8;
}
template <>
constexpr DType dtype_of<int16_t>() {
  return DType::kInt16;
}
template <>
constexpr DType dtype_of<int32_t>() {
  return DType::kInt32;
}
template <>
constexpr DType dtype_of<int64_t>() {
  return DType::kInt64;
}
template <>
constexpr DType dtype_of<float>() {
  return DType::kFloat32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::kFloat64;
}

template <class F>
decltype(auto) dispatch_floating(DType dtype, F&& f) {
  return dtype == DType::kFloat64 ? f(TypeTag<double>{}) : f(TypeTag<float>{});
}

template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kBool: return f(TypeTag<bool>{});
    case DType::kUInt8: return f(TypeTag<uint8_t>{});
    case DType::kInt8: return f(TypeTag<int8_t>{});
    case DType::kInt16: return f(TypeTag<int16_t>{});
    case DType::kInt32: return f(TypeTag<int32_t>{});
    case DType::kInt64: return f(TypeTag<int64_t>{});
    case DType::kFloat32: return f(TypeTag<float>{});
    default: return f(TypeTag<double>{});
  }
}

}  // namespace cr
