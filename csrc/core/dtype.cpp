#include "core/dtype.h"

#include <atomic>
#include <cstring>
#include <utility>

#include "core/error.h"

namespace cr {
namespace {

constexpr const char* kNames[] = {"bool",     "uint8",   "uint16",  "uint32",   "uint64",
                                  "int8",     "int16",   "int32",   "int64",    "float16",
                                  "bfloat16", "float32", "float64", "undefined"};
std::atomic<DType> g_default_dtype{DType::kFloat32};

}  // namespace

const char* name(DType dtype) { return kNames[static_cast<int>(dtype)]; }

DType dtype_from_name(const char* name) {
  for (int i = 0; i < kNumDTypes; ++i) {
    if (std::strcmp(name, kNames[i]) == 0) return static_cast<DType>(i);
  }
  return DType::kUndefined;
}

// Torch's table. Where torch has no answer (uint16, uint32 or uint64 with another integer type or
// bool), NumPy's: the smallest integer type that holds both.
DType promote(DType a, DType b) {
  if (a > b) std::swap(a, b);
  if (a == DType::kFloat16 && b == DType::kBFloat16) return DType::kFloat32;
  if (!is_unsigned(a) || category(b) != Category::kInteger || is_unsigned(b)) return b;
  if (itemsize(b) > itemsize(a)) return b;
  CR_CHECK_TYPE(a != DType::kUInt64, "promote: uint64 and ", b,
                " have no common integer type; convert one of them first");
  return a == DType::kUInt8 ? DType::kInt16 : a == DType::kUInt16 ? DType::kInt32 : DType::kInt64;
}

bool can_cast(DType from, DType to) { return category(from) <= category(to); }

DType default_dtype() { return g_default_dtype.load(std::memory_order_relaxed); }
void set_default_dtype(DType dtype) { g_default_dtype.store(dtype); }

}  // namespace cr
