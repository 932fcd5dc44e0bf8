// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC
// 2011).
//
// Counter-based: a block of four 32-bit numbers is a pure function of (position, stream, seed), so
// any thread can make any part of a stream and the numbers do not depend on who made them.
//
// Included by host code and kernel units alike: no STL, everything static (no weak symbols).
#pragma once

#include <cstdint>

#define CR_RANDOM [[maybe_unused]] static

namespace cr {

struct PhiloxBlock {
  uint32_t x[4];
};

// The bijection itself: ten rounds of two 32x32 -> 64-bit products on the counter; the key walks by
// Weyl constants.
CR_RANDOM constexpr PhiloxBlock philox4x32_10(PhiloxBlock c, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c.x[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57} * c.x[2];
    c = {{static_cast<uint32_t>(p1 >> 32) ^ c.x[1] ^ k0, static_cast<uint32_t>(p1),
          static_cast<uint32_t>(p0 >> 32) ^ c.x[3] ^ k1, static_cast<uint32_t>(p0)}};
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return c;
}

// Block `position` of stream `stream` under `seed`.
CR_RANDOM constexpr PhiloxBlock philox(uint64_t position, uint64_t stream, uint64_t seed) {
  return philox4x32_10({{static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32),
                         static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)}},
                       static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32));
}

// Known answers of the authors' Random123 library, checked in every build.
CR_RANDOM constexpr bool philox_gives(PhiloxBlock c, uint32_t k0, uint32_t k1, PhiloxBlock want) {
  const PhiloxBlock got = philox4x32_10(c, k0, k1);
  return got.x[0] == want.x[0] && got.x[1] == want.x[1] && got.x[2] == want.x[2] &&
         got.x[3] == want.x[3];
}
static_assert(philox_gives({{0, 0, 0, 0}}, 0, 0,
                           {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}));
static_assert(philox_gives({{~0u, ~0u, ~0u, ~0u}}, ~0u, ~0u,
                           {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}));
static_assert(philox_gives({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0xa4093822,
                           0x299f31d0, {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}));

}  // namespace cr

#undef CR_RANDOM
