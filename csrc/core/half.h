// float16 (IEEE 754 binary16) and bfloat16: 16 bits in memory, converted to and from float32.
//
// Integer arithmetic on the bits, without branches, so that loops over it vectorise and subnormal
// numbers survive where the processor flushes them to zero. Rounding is to nearest, ties to even.
// Everything is forced inline: kernel units, compiled for other instruction sets, include this.
#pragma once

#include <cstdint>

#define CR_HALF_INLINE __attribute__((always_inline)) inline

namespace cr {

CR_HALF_INLINE uint32_t float_bits(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return bits;
}

CR_HALF_INLINE float float_of_bits(uint32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof(x));
  return x;
}

// float64 to float32 by rounding to odd: where bits are cut off, the last one left is set, so that
// a second rounding, to 16 bits, gives what a single one would (Boldo and Melquiond, 2008).
CR_HALF_INLINE float round_to_odd(double x) {
  constexpr uint64_t kCut = (uint64_t(1) << 29) - 1;
  uint64_t bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  const uint64_t mark = ((bits & kCut) + kCut) & (kCut + 1);  // a carry, unless all were zero
  bits = (bits & ~kCut) | mark;
  __builtin_memcpy(&x, &bits, sizeof(x));
  return static_cast<float>(x);
}

// 64-bit integers likewise: float64 first, with the last ten bits gathered into one mark where it
// would not hold them all.
CR_HALF_INLINE double marked(uint64_t magnitude) {
  const uint64_t low = magnitude & 0x3ff;
  const uint64_t mark = (magnitude ^ low) | static_cast<uint64_t>(low != 0) << 10;
  return static_cast<double>(magnitude >> 53 ? mark : magnitude);
}

// The float32 of any number from which a second rounding, to 16 bits, is right.
CR_HALF_INLINE float odd_float(float x) { return x; }
CR_HALF_INLINE float odd_float(double x) { return round_to_odd(x); }
CR_HALF_INLINE float odd_float(uint64_t x) { return round_to_odd(marked(x)); }
CR_HALF_INLINE float odd_float(int64_t x) {
  const uint64_t bits = static_cast<uint64_t>(x);
  return round_to_odd(x < 0 ? -marked(0 - bits) : marked(bits));
}
CR_HALF_INLINE float odd_float(uint32_t x) { return round_to_odd(static_cast<double>(x)); }
CR_HALF_INLINE float odd_float(int32_t x) { return round_to_odd(static_cast<double>(x)); }

// Sign, 5 bits of exponent (bias 15), 10 of mantissa.
CR_HALF_INLINE uint16_t float16_of(float x) {
  const uint32_t all = float_bits(x), bits = all & 0x7fffffff;
  const uint32_t sign = (all ^ bits) >> 16;
  const uint32_t nan = 0x7e00 | (bits >> 13 & 0x3ff);
  const uint32_t normal = (bits - (112u << 23) + 0xfff + (bits >> 13 & 1)) >> 13;
  // Below 2^-14 a unit in the last place of 0.5 + x is one of the result: the addition rounds.
  const uint32_t subnormal = float_bits(float_of_bits(bits) + 0.5f) - float_bits(0.5f);
  uint32_t result = bits < 0x38800000 ? subnormal : normal;
  result = bits >= 0x47800000 ? 0x7c00 : result;
  result = bits > 0x7f800000 ? nan : result;
  return static_cast<uint16_t>(sign | result);
}

CR_HALF_INLINE float float_of_float16(uint16_t half) {
  const uint32_t bits = half & 0x7fff, sign = (half & 0x8000u) << 16;
  const uint32_t shifted = (bits << 13) + (112u << 23);
  const float subnormal = static_cast<float>(static_cast<int32_t>(bits)) * 0x1p-24f;
  uint32_t result = bits < 0x400 ? float_bits(subnormal) : shifted;
  result = bits >= 0x7c00 ? shifted + (112u << 23) : result;
  // A signalling NaN becomes a quiet one, as the processors' own instruction has it.
  result = bits > 0x7c00 ? result | 0x400000 : result;
  return float_of_bits(sign | result);
}

// The upper half of a float32.
CR_HALF_INLINE uint16_t bfloat16_of(float x) {
  const uint32_t bits = float_bits(x);
  const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const uint32_t nan = bits >> 16 | 0x40;
  return static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? nan : rounded);
}

CR_HALF_INLINE float float_of_bfloat16(uint16_t half) {
  return float_of_bits(static_cast<uint32_t>(half) << 16);
}

// 16 bits of storage, made from any number and read as float.
#define CR_HALF_TYPE(Name, narrow, widen)                                  \
  struct Name {                                                            \
    uint16_t bits;                                                         \
    Name() = default;                                                      \
    template <class Number>                                                \
    CR_HALF_INLINE explicit Name(Number x) : bits(narrow(odd_float(x))) {} \
    CR_HALF_INLINE operator float() const { return widen(bits); }          \
  }
CR_HALF_TYPE(Float16, float16_of, float_of_float16);
CR_HALF_TYPE(BFloat16, bfloat16_of, float_of_bfloat16);

#undef CR_HALF_TYPE
#undef CR_HALF_INLINE

}  // namespace cr
