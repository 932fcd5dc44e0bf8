#include "core/dtype.h"

#include <atomic>
#include <cstring>

namespace cr {
namespace {

constexpr const char* kNames[] = {"bool",  "uint8",   "int8",    "int16",    "int32",
                                  "int64", "float32", "float64", "undefined"};
std::atomic<DType> g_default_dtype{DType::kFloat32};

}  // namespace

const char* name(DType dtype) { return kNames[static_cast<int>(dtype)]; }

DType dtype_from_name(const char* name) {
  for (int i = 0; i < kNumDTypes; ++i) {
    if (std::strcmp(name, kNames[i]) == 0) return static_cast<DType>(i);
  }
  return DType::kUndefined;
}

DType promote(DType a, DType b) {
  if (a > b) return promote(b, a);
  if (a == DType::kUInt8 && b == DType::kInt8) return DType::kInt16;
  return b;
}

bool can_cast(DType from, DType to) { return category(from) <= category(to); }

DType default_dtype() { return g_default_dtype.load(std::memory_order_relaxed); }
void set_default_dtype(DType dtype) { g_default_dtype.store(dtype); }

}  // namespace cr
