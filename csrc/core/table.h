#pragma once

namespace cr {

// The part of a kernel table for T, float or double.
template <class T, class Table>
const auto& part_for(const Table& table) {
  if constexpr (sizeof(T) == sizeof(float)) {
    return table.f32;
  } else {
    return table.f64;
  }
}

}  // namespace cr
