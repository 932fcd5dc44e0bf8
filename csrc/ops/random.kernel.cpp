// Philox in vectors; uniform and normal numbers and dropout in one pass over it.
//
// A 64-bit lane holds one 32-bit word of one block, so that the two 32x32 -> 64-bit products of a
// round are one instruction each for all lanes. Only the low half of a lane counts: the products
// read nothing else, which saves the masks. Several groups of blocks run side by side, because a
// round waits for the one before.
#include "ops/random.kernel.h"

#include "simd/transpose.h"
#include "simd/vtrig.h"

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
    store(group, reinterpret_cast<Numbers>(interleave<uint64_t>(first, second, 0)));
    store(group + kLanes<uint32_t>,
          reinterpret_cast<Numbers>(interleave<uint64_t>(first, second, kGroupBlocks / 2)));
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

// Uniform on [0, 1): multiples of 2^-24 from 32 bits, of 2^-53 from 64.
CR_INLINE Vec<float> uniform_lanes(const uint32_t* numbers, float) {
  const Vec<int32_t> bits = reinterpret_cast<Vec<int32_t>>(load(numbers) >> 8);
  return __builtin_convertvector(bits, Vec<float>) * 0x1p-24f;
}
CR_INLINE Vec<double> uniform_lanes(const uint32_t* numbers, double) {
  const Words bits = reinterpret_cast<Words>(load(numbers)) >> 11;
  return __builtin_convertvector(bits, Vec<double>) * 0x1p-53;
}

// f(target, numbers) makes as many elements as one batch has numbers for.
template <class T, class F>
CR_INLINE void draw(void* target, int64_t n, const Draw& from, F&& f) {
  constexpr int64_t kStep = 16 * kBatch / sizeof(T), kPerBlock = 16 / sizeof(T);
  T* const to = static_cast<T*>(target);
  uint32_t numbers[4 * kBatch];
  T rest[kStep];
  for (int64_t i = 0; i < n; i += kStep) {
    batch(numbers, from.position + static_cast<uint64_t>(i / kPerBlock), from.seed);
    if (n - i >= kStep) {
      f(to + i, numbers);
    } else {
      f(rest, numbers);
      memcpy(to + i, rest, static_cast<size_t>(n - i) * sizeof(T));
    }
  }
}

template <class T>
void uniform(void* target, int64_t n, const Draw& from, double low, double high) {
  const Vec<T> start = splat(static_cast<T>(low)), end = splat(static_cast<T>(high));
  const Vec<T> width = splat(static_cast<T>(high - low));
  draw<T>(target, n, from, [&](T* out, const uint32_t* numbers) {
    constexpr int kL = kLanes<T>, kNumbers = sizeof(T) / 4;
    for (int k = 0; k < 4 * kBatch / kNumbers; k += kL) {
      const Vec<T> x = start + width * uniform_lanes(numbers + k * kNumbers, T());
      store(out + k, x < end ? x : start);  // rounding may reach the end
    }
  });
}

// Box and Muller: two normals from two neighbouring uniforms. The radius is taken of 1 - u, which
// is never 0.
template <class T>
void normal(void* target, int64_t n, const Draw& from, double mean, double deviation) {
  const Vec<T> centre = splat(static_cast<T>(mean)), scale = splat(static_cast<T>(deviation));
  draw<T>(target, n, from, [&](T* out, const uint32_t* numbers) {
    constexpr int kL = kLanes<T>, kNumbers = sizeof(T) / 4;
    for (int k = 0; k < 4 * kBatch / kNumbers; k += 2 * kL) {
      const Vec<T> a = uniform_lanes(numbers + k * kNumbers, T());
      const Vec<T> b = uniform_lanes(numbers + (k + kL) * kNumbers, T());
      const Vec<T> radius = sqrt(T(-2) * log(T(1) - even_lanes<T>(a, b)));
      const SinCos<Vec<T>> turn = sin_cos(T(6.283185307179586) * odd_lanes<T>(a, b));
      const Vec<T> x = centre + scale * (radius * turn.cos);
      const Vec<T> y = centre + scale * (radius * turn.sin);
      store(out + k, interleave<T>(x, y, 0));
      store(out + k + kL, interleave<T>(x, y, kL / 2));
    }
  });
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
const RandomTable random_table = {blocks,
                                  {uniform<float>, uniform<double>},
                                  {normal<float>, normal<double>},
                                  {drop<float>, drop<double>}};

}  // namespace CR_ISA
}  // namespace cr
