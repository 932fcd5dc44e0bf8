#include "core/isa.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#ifdef CR_HAVE_X86_LEVELS
#include <cpuid.h>
#endif

namespace cr {
namespace {

Isa best_isa() {
#ifdef CR_HAVE_X86_LEVELS
  // __builtin_cpu_supports also asks the operating system (XGETBV) for the vector registers. It
  // does not know every feature by name in older compilers; the rest is read from CPUID.
  unsigned a, b, c = 0, d, extended = 0;
  __builtin_cpu_init();
  const bool f16c_movbe = __get_cpuid(1, &a, &b, &c, &d) && (c & (1u << 29)) && (c & (1u << 22));
  const bool lzcnt = __get_cpuid(0x80000001, &a, &b, &extended, &d) && (extended & (1u << 5));
  const bool v3 = f16c_movbe && lzcnt && __builtin_cpu_supports("avx2") &&
                  __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd");
  return v4 ? Isa::kV4 : v3 ? Isa::kV3 : Isa::kBaseline;
#else
  return Isa::kBaseline;
#endif
}

Isa choose_isa() {
  const Isa best = best_isa();
  const char* cap = std::getenv("CHAINRULE_ISA");
  if (!cap || !*cap) return best;
  for (Isa level : {Isa::kBaseline, Isa::kV3, Isa::kV4}) {
    if (std::strcmp(cap, isa_name(level)) == 0) return level < best ? level : best;
  }
  // This runs while the library loads, too early for an exception; silence would let a misspelt
  // level pass for a slower one.
  std::fprintf(stderr, "chainrule: CHAINRULE_ISA=%s ignored; expected baseline, v3 or v4\n", cap);
  return best;
}

}  // namespace

Isa isa() {
  static const Isa chosen = choose_isa();
  return chosen;
}

const char* isa_name(Isa level) {
  switch (level) {
    case Isa::kV3: return "v3";
    case Isa::kV4: return "v4";
    default: return "baseline";
  }
}

}  // namespace cr
