// Memory: a caching allocator of 64-byte-aligned blocks and the reference-counted buffer on it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "core/ref.h"

namespace cr {

// Caching allocator. Sizes are rounded up to a class (four per power of two, so at most a fifth is
// wasted); freed blocks wait in a per-thread list (small) or a shared list (large) for the next
// request of their class. What is cached is bounded by CHAINRULE_CACHE_MB (default 1024); the rest
// goes back to the system.
void* allocate(size_t bytes);            // aligned to 64; throws std::bad_alloc
void deallocate(void* p, size_t bytes);  // the size that was asked for

struct MemoryStats {
  int64_t allocated;  // bytes in live blocks
  int64_t peak;       // most `allocated` has been since the last reset
  int64_t cached;     // bytes held for reuse in the shared lists
};
MemoryStats memory_stats();
void reset_peak_memory();
void empty_cache();

// A buffer shared by tensors and their views. `version` counts in-place writes: what the tape
// saved is checked against it.
class Storage : public RefCounted {
 public:
  static Ref<Storage> make(size_t bytes);
  // Memory of somebody else: release(owner) is called when the last tensor lets go.
  static Ref<Storage> adopt(void* data, size_t bytes, void* owner, void (*release)(void*),
                            bool read_only);
  static void destroy(Storage* storage);

  char* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  bool read_only() const { return read_only_; }
  bool owned() const { return release_ == nullptr; }
  uint32_t version() const { return version_.load(std::memory_order_relaxed); }
  void bump_version() { version_.fetch_add(1, std::memory_order_relaxed); }

 private:
  char* data_ = nullptr;
  size_t bytes_ = 0;
  void* owner_ = nullptr;
  void (*release_)(void*) = nullptr;
  std::atomic<uint32_t> version_{0};
  bool read_only_ = false;
};

}  // namespace cr
