// Element types, torch's promotion rules, and dispatch from a run-time dtype to a C++ type.
#pragma once

#include <cstdint>
#include <ostream>

#include "core/half.h"

namespace cr {

// By category, and within one by size: `promote` and the tests below rest on this order.
enum class DType : uint8_t {
  kBool,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFloat16,
  kBFloat16,
  kFloat32,
  kFloat64,
  kUndefined,
};
constexpr int kNumDTypes = 13;

enum class Category : uint8_t { kBool, kInteger, kFloating };

constexpr int64_t itemsize(DType dtype) {
  constexpr int64_t kSizes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 0};
  return kSizes[static_cast<int>(dtype)];
}

constexpr Category category(DType dtype) {
  return dtype == DType::kBool      ? Category::kBool
         : dtype >= DType::kFloat16 ? Category::kFloating
                                    : Category::kInteger;
}

constexpr bool is_floating(DType dtype) {
  return dtype >= DType::kFloat16 && dtype <= DType::kFloat64;
}
constexpr bool is_integral(DType dtype) { return dtype >= DType::kUInt8 && dtype <= DType::kInt64; }
constexpr bool is_unsigned(DType dtype) {
  return dtype >= DType::kUInt8 && dtype <= DType::kUInt64;
}
// Stored in 16 bits, computed in float32 (see the funnel, core/op.cpp).
constexpr bool is_half(DType dtype) {
  return dtype == DType::kFloat16 || dtype == DType::kBFloat16;
}

const char* name(DType dtype);            // "float32"
DType dtype_from_name(const char* name);  // kUndefined when unknown
DType promote(DType a, DType b);          // torch.promote_types; throws for uint64 with a signed
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
#define CR_DTYPE_OF(type, dtype)     \
  template <>                        \
  constexpr DType dtype_of<type>() { \
    return DType::dtype;             \
  }
CR_DTYPE_OF(bool, kBool)
CR_DTYPE_OF(uint8_t, kUInt8)
CR_DTYPE_OF(uint16_t, kUInt16)
CR_DTYPE_OF(uint32_t, kUInt32)
CR_DTYPE_OF(uint64_t, kUInt64)
CR_DTYPE_OF(int8_t, kInt8)
CR_DTYPE_OF(int16_t, kInt16)
CR_DTYPE_OF(int32_t, kInt32)
CR_DTYPE_OF(int64_t, kInt64)
CR_DTYPE_OF(Float16, kFloat16)
CR_DTYPE_OF(BFloat16, kBFloat16)
CR_DTYPE_OF(float, kFloat32)
CR_DTYPE_OF(double, kFloat64)
#undef CR_DTYPE_OF

// The types that kernels compute in: float and double.
template <class F>
decltype(auto) dispatch_floating(DType dtype, F&& f) {
  return dtype == DType::kFloat64 ? f(TypeTag<double>{}) : f(TypeTag<float>{});
}

template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kBool: return f(TypeTag<bool>{});
    case DType::kUInt8: return f(TypeTag<uint8_t>{});
    case DType::kUInt16: return f(TypeTag<uint16_t>{});
    case DType::kUInt32: return f(TypeTag<uint32_t>{});
    case DType::kUInt64: return f(TypeTag<uint64_t>{});
    case DType::kInt8: return f(TypeTag<int8_t>{});
    case DType::kInt16: return f(TypeTag<int16_t>{});
    case DType::kInt32: return f(TypeTag<int32_t>{});
    case DType::kInt64: return f(TypeTag<int64_t>{});
    case DType::kFloat16: return f(TypeTag<Float16>{});
    case DType::kBFloat16: return f(TypeTag<BFloat16>{});
    case DType::kFloat32: return f(TypeTag<float>{});
    default: return f(TypeTag<double>{});
  }
}

}  // namespace cr
