// Which instruction set runs. Every `ops/*.kernel.cpp` is compiled once per level into the
// namespace named by CR_ISA; a family exports one table of function pointers per level and
// CR_KERNEL_TABLE gives the accessor that picks the table of the level chosen at load.
#pragma once

namespace cr {

enum class Isa { kBaseline, kV3, kV4 };

// Best level of this processor and operating system (CPUID and XGETBV), capped by
// CHAINRULE_ISA=baseline|v3|v4. Decided once.
Isa isa();
const char* isa_name(Isa level);

}  // namespace cr

// The levels above baseline exist on x86-64 only (CMake defines CR_HAVE_X86_LEVELS there).
#ifdef CR_HAVE_X86_LEVELS
#define CR_KERNEL_TABLE(Type, table)                                                        \
  namespace baseline {                                                                      \
  extern const Type table;                                                                  \
  }                                                                                         \
  namespace v3 {                                                                            \
  extern const Type table;                                                                  \
  }                                                                                         \
  namespace v4 {                                                                            \
  extern const Type table;                                                                  \
  }                                                                                         \
  inline const Type& table() {                                                              \
    return isa() == Isa::kV4 ? v4::table : isa() == Isa::kV3 ? v3::table : baseline::table; \
  }
#else
#define CR_KERNEL_TABLE(Type, table) \
  namespace baseline {               \
  extern const Type table;           \
  }                                  \
  inline const Type& table() { return baseline::table; }
#endif
