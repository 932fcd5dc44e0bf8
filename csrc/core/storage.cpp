#include "core/storage.h"

#include <pthread.h>

#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

namespace cr {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kSmallLimit = 4096;  // up to here: per-thread lists
constexpr int kSmallClasses = kSmallLimit / kAlignment;
constexpr int kSmallKeep = 64;                 // blocks a thread keeps of each small class
constexpr size_t kMaxBytes = size_t{1} << 47;  // the address space of a process
constexpr int kLargeClasses = 4 * 48;

struct FreeBlock {
  FreeBlock* next;
};

std::atomic<int64_t> g_allocated{0};
std::atomic<int64_t> g_peak{0};

void* system_allocate(size_t bytes) {
  void* p = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  if (!p) throw std::bad_alloc();
  return p;
}

// Small blocks: multiples of 64 bytes.
int small_class(size_t bytes) {
  return bytes == 0 ? 0 : static_cast<int>((bytes - 1) / kAlignment);
}

struct ThreadCache {
  FreeBlock* head[kSmallClasses] = {};
  int count[kSmallClasses] = {};
  void clear() {
    for (int i = 0; i < kSmallClasses; ++i) {
      while (FreeBlock* block = head[i]) {
        head[i] = block->next;
        std::free(block);
      }
      count[i] = 0;
    }
  }
};

// This thread's cache, made at its first use. Null also while the thread dies: its last blocks go
// straight to the system. Initial-exec: one load instead of a call.
__thread ThreadCache* t_cache __attribute__((tls_model("initial-exec"))) = nullptr;

ThreadCache* make_thread_cache() {
  static thread_local bool dead = false;
  struct Owner {
    ~Owner() {
      t_cache->clear();
      delete std::exchange(t_cache, nullptr);
      dead = true;
    }
  };
  if (dead) return nullptr;
  static thread_local Owner owner;
  (void)owner;
  return t_cache = new ThreadCache;
}

ThreadCache* thread_cache() { return t_cache ? t_cache : make_thread_cache(); }

// Large blocks: four classes per power of two, shared by all threads.
struct SharedCache {
  std::mutex mutex;
  FreeBlock* head[kLargeClasses] = {};
  int64_t cached = 0;
  int64_t limit;
  SharedCache() {
    const char* text = std::getenv("CHAINRULE_CACHE_MB");
    const long megabytes = text ? std::strtol(text, nullptr, 10) : 1024;
    limit = static_cast<int64_t>(megabytes < 0 ? 0 : megabytes) << 20;
  }
};

SharedCache& shared_cache() {
  static SharedCache* cache = new SharedCache;  // never destroyed: tensors may outlive statics
  return *cache;
}

// A fork waits for the lock, so that the child does not inherit one held by a thread it lacks. At
// load: a fork could meet a later initialisation half-way.
[[maybe_unused]] const int fork_handlers =
    pthread_atfork([] { shared_cache().mutex.lock(); }, [] { shared_cache().mutex.unlock(); },
                   [] { shared_cache().mutex.unlock(); });
[[maybe_unused]] SharedCache& made_at_load = shared_cache();

int large_class(size_t bytes, size_t* rounded) {
  const int log = 63 - __builtin_clzll(bytes - 1);
  const size_t quarter = size_t{1} << (log - 2);
  const size_t steps = (bytes - (size_t{1} << log) + quarter - 1) / quarter;  // 1..4
  *rounded = (size_t{1} << log) + steps * quarter;
  return 4 * log + static_cast<int>(steps) - 1;
}

void count_allocated(int64_t bytes) {
  const int64_t now = g_allocated.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  int64_t peak = g_peak.load(std::memory_order_relaxed);
  while (now > peak && !g_peak.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
  }
}

}  // namespace

void* allocate(size_t bytes) {
  if (bytes <= kSmallLimit) {
    const int size_class = small_class(bytes);
    if (ThreadCache* cache = thread_cache()) {
      if (FreeBlock* block = cache->head[size_class]) {
        cache->head[size_class] = block->next;
        --cache->count[size_class];
        return block;
      }
    }
    return system_allocate((size_class + 1) * kAlignment);
  }
  if (bytes > kMaxBytes) throw std::bad_alloc();
  size_t rounded;
  const int size_class = large_class(bytes, &rounded);
  SharedCache& cache = shared_cache();
  void* block = nullptr;
  {
    std::lock_guard<std::mutex> lock(cache.mutex);
    if (FreeBlock* first = cache.head[size_class]) {
      cache.head[size_class] = first->next;
      cache.cached -= static_cast<int64_t>(rounded);
      block = first;
    }
  }
  if (!block) {
    try {
      block = system_allocate(rounded);
    } catch (const std::bad_alloc&) {
      empty_cache();  // perhaps the cache holds what is missing
      block = system_allocate(rounded);
    }
  }
  count_allocated(static_cast<int64_t>(rounded));
  return block;
}

void deallocate(void* p, size_t bytes) {
  if (!p) return;
  FreeBlock* block = static_cast<FreeBlock*>(p);
  if (bytes <= kSmallLimit) {
    const int size_class = small_class(bytes);
    ThreadCache* cache = thread_cache();
    if (!cache || cache->count[size_class] >= kSmallKeep) {
      std::free(p);
      return;
    }
    block->next = cache->head[size_class];
    cache->head[size_class] = block;
    ++cache->count[size_class];
    return;
  }
  size_t rounded;
  const int size_class = large_class(bytes, &rounded);
  g_allocated.fetch_sub(static_cast<int64_t>(rounded), std::memory_order_relaxed);
  SharedCache& cache = shared_cache();
  {
    std::lock_guard<std::mutex> lock(cache.mutex);
    if (cache.cached + static_cast<int64_t>(rounded) <= cache.limit) {
      block->next = cache.head[size_class];
      cache.head[size_class] = block;
      cache.cached += static_cast<int64_t>(rounded);
      return;
    }
  }
  std::free(p);
}

MemoryStats memory_stats() {
  SharedCache& cache = shared_cache();
  std::lock_guard<std::mutex> lock(cache.mutex);
  return {g_allocated.load(), g_peak.load(), cache.cached};
}

void reset_peak_memory() { g_peak.store(g_allocated.load()); }

void empty_cache() {
  if (t_cache) t_cache->clear();
  SharedCache& cache = shared_cache();
  std::lock_guard<std::mutex> lock(cache.mutex);
  for (FreeBlock*& head : cache.head) {
    while (FreeBlock* block = head) {
      head = block->next;
      std::free(block);
    }
  }
  cache.cached = 0;
}

Ref<Storage> Storage::make(size_t bytes) {
  Storage* storage = new (allocate(sizeof(Storage))) Storage;
  Ref<Storage> ref(storage);
  storage->data_ = static_cast<char*>(allocate(bytes));
  storage->bytes_ = bytes;
  return ref;
}

Ref<Storage> Storage::adopt(void* data, size_t bytes, void* owner, void (*release)(void*),
                            bool read_only) {
  Storage* storage = new (allocate(sizeof(Storage))) Storage;
  storage->data_ = static_cast<char*>(data);
  storage->bytes_ = bytes;
  storage->owner_ = owner;
  storage->release_ = release;
  storage->read_only_ = read_only;
  return Ref<Storage>(storage);
}

void Storage::destroy(Storage* storage) {
  if (storage->release_) {
    storage->release_(storage->owner_);
  } else {
    deallocate(storage->data_, storage->bytes_);
  }
  storage->~Storage();
  deallocate(storage, sizeof(Storage));
}

}  // namespace cr
