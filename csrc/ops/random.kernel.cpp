// Philox in vectors, and dropout in one pass over it.
//
// A 64-bit lane holds one 32-bit word of one block, so that the two 32x32 -> 64-bit products of a
// round are one instruction each for all lanes. Only the low half of a lane counts: the products
// read nothing else, which saves the masks. Several groups of blocks run side by side, because a
// round waits for the one before.
#include "ops/random.kernel.h"

#include "simd/vec.h"

namespace cr {
namespace CR_ISA {
namespace {

using Words = Vec<uint64_t>;
using Numbers = Vec<uint32_t>;
constexpr int kGroups = 4;
constexpr int kGroupBlocks = kLanes<uint64_t>;
constexpr int kBatch = kGroups * kGroupBlocks;  // blocks of one call
constexpr uint64_t kLow = 0xffffffff;

// Of the low halves.
CR_INLINE Words product(Words a, Words b) {
#if defined(__AVX512F__)  // maskz: gcc 12 warns of the plain one's own header
  return reinterpret_cast<Words>(
      _mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
#elif defined(__AVX2__)
  return reinterpret_cast<Words>(
      _mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
#elif defined(__SSE2__)
  typedef long long Pair __attribute__((vector_size(16)));
  typedef int Quad __attribute__((vector_size(16)));
  return reinterpret_cast<Words>(static_cast<Pair>(
      __builtin_ia32_pmuludq128(reinterpret_cast<Quad>(a), reinterpret_cast<Quad>(b))));
#else
  return (a & kLow) * (b & kLow);
#endif
}

// a0 b0 a1 b1 ...: the first vector of it, or the second.
CR_INLINE Words interleave(Words a, Words b, int half) {
  Words order{};
#pragma GCC unroll 8
  for (int i = 0; i < kLanes<uint64_t>; ++i) {
    order[i] = static_cast<uint64_t>(half * kGroupBlocks / 2 + i / 2 + i % 2 * kGroupBlocks);
  }
  return __builtin_shuffle(a, b, order);
}

// kBatch blocks as 32-bit numbers in their order, 4 * kBatch of them.
CR_INLINE void batch(uint32_t* out, uint64_t position, uint64_t seed) {
  Words c[kGroups][4];
  for (int g = 0; g < kGroups; ++g) {
    Words place{};
#pragma GCC unroll 8
    for (int i = 0; i < kGroupBlocks; ++i) place[i] = static_cast<uint64_t>(g * kGroupBlocks + i);
    place += position;
    c[g][0] = place;
    c[g][1] = place >> 32;
    c[g][2] = c[g][3] = Words{};
  }
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  const Words m0 = splat<uint64_t>(0xD2511F53), m1 = splat<uint64_t>(0xCD9E8D57);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Words key0 = splat<uint64_t>(k0), key1 = splat<uint64_t>(k1);
#pragma GCC unroll 4
    for (int g = 0; g < kGroups; ++g) {
      const Words p0 = product(c[g][0], m0), p1 = product(c[g][2], m1);
      c[g][0] = (p1 >> 32) ^ c[g][1] ^ key0;
      c[g][1] = p1;
      c[g][2] = (p0 >> 32) ^ c[g][3] ^ key1;
      c[g][3] = p0;
    }
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
#pragma GCC unroll 4
  for (int g = 0; g < kGroups; ++g) {
    const Words first = (c[g][0] & kLow) | c[g][1] << 32;
    const Words second = (c[g][2] & kLow) | c[g][3] << 32;
    uint32_t* const group = out + 4 * g * kGroupBlocks;
    store(group, reinterpret_cast<Numbers>(interleave(first, second, 0)));
    store(group + kLanes<uint32_t>, reinterpret_cast<Numbers>(interleave(first, second, 1)));
  }
}

void blocks(PhiloxBlock* out, int64_t n, uint64_t position, uint64_t seed) {
  int64_t i = 0;
  for (; i + kBatch <= n; i += kBatch) {
    batch(out[i].x, position + static_cast<uint64_t>(i), seed);
  }
  if (i == n) return;
  PhiloxBlock rest[kBatch];
  batch(rest[0].x, position + static_cast<uint64_t>(i), seed);
  memcpy(out + i, rest, static_cast<size_t>(n - i) * sizeof(PhiloxBlock));
}

// Which lanes are kept, as wide as the elements.
CR_INLINE Mask<float> kept(const uint32_t* numbers, uint32_t threshold, float) {
  return load(numbers) >= splat<uint32_t>(threshold);
}
CR_INLINE Mask<double> kept(const uint32_t* numbers, uint32_t threshold, double) {
  typedef uint32_t Half __attribute__((vector_size(CR_VEC_BYTES / 2)));
  Half narrow;
  memcpy(&narrow, numbers, sizeof(narrow));
  return __builtin_convertvector(narrow, Words) >= splat<uint64_t>(threshold);
}

template <class T>
void drop(const void* source, void* target, int64_t n, const Drop& drop) {
  constexpr int64_t kStep = 4 * kBatch;  // elements
  const T* from = static_cast<const T*>(source);
  T* to = static_cast<T*>(target);
  const Vec<T> scale = splat<T>(static_cast<T>(drop.scale)), zero{};
  uint32_t numbers[kStep];
  for (int64_t i = 0; i < n; i += kStep) {
    batch(numbers, drop.position + static_cast<uint64_t>(i / 4), drop.seed);
    const int count = static_cast<int>(n - i < kStep ? n - i : kStep);
    int k = 0;
    for (; k + kLanes<T> <= count; k += kLanes<T>) {
      const Vec<T> x = load(from + i + k) * scale;
      store(to + i + k, select<T>(kept(numbers + k, drop.threshold, T()), x, zero));
    }
    if (const int rest = count - k) {
      const Vec<T> x = load_partial(from + i + k, rest) * scale;
      store_partial(to + i + k, select<T>(kept(numbers + k, drop.threshold, T()), x, zero), rest);
    }
  }
}

}  // namespace

extern const RandomTable random_table;
const RandomTable random_table = {blocks, {drop<float>, drop<double>}};

}  // namespace CR_ISA
}  // namespace cr
