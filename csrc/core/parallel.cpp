#include "core/parallel.h"

#include <algorithm>
#include <atomic>

#include "core/cpus.h"
#include "core/error.h"
#include "core/team.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace cr {

__thread int current_worker = 0;

namespace {

// The thread count frozen by this thread's KernelScope; 0 outside.
__thread int scope_threads __attribute__((tls_model("initial-exec"))) = 0;

// 0 until first asked for, so that importing reads no files.
std::atomic<int> thread_count{0};
std::atomic<bool> flush_wanted{true};

// One region at a time. Calls meanwhile, nested or from another Python thread, are served serially
// by their own threads: the processors are busy already.
std::atomic<bool> team_busy{false};

// The thread's floating-point mode: rounding and the treatment of subnormals.
#if defined(__SSE2__)
constexpr uint64_t kFlushBits = 0x8040;  // MXCSR: flush to zero, denormals are zero
constexpr uint64_t kStickyBits = 0x3f;   // exceptions seen so far; not part of the mode
uint64_t float_mode() { return _mm_getcsr(); }
void set_float_mode(uint64_t mode) { _mm_setcsr(static_cast<unsigned>(mode)); }
#elif defined(__aarch64__)
constexpr uint64_t kFlushBits = uint64_t{1} << 24;  // FPCR.FZ
constexpr uint64_t kStickyBits = 0;
uint64_t float_mode() {
  uint64_t mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void set_float_mode(uint64_t mode) { asm volatile("msr fpcr, %0" ::"r"(mode)); }
#else
constexpr uint64_t kFlushBits = 0;
constexpr uint64_t kStickyBits = 0;
uint64_t float_mode() { return 0; }
void set_float_mode(uint64_t) {}
#endif

}  // namespace

int num_threads() {
  int n = thread_count.load(std::memory_order_relaxed);
  if (n == 0) {
    int unset = 0;
    n = default_num_threads();
    if (!thread_count.compare_exchange_strong(unset, n)) n = unset;
  }
  return n;
}

void set_num_threads(int n) {
  CR_CHECK(n >= 1 && n <= kMaxThreads, "set_num_threads: got ", n, "; expected 1 to ", kMaxThreads);
  thread_count.store(n, std::memory_order_relaxed);
}

int max_workers() { return scope_threads > 0 ? scope_threads : num_threads(); }

const char* threading_backend() { return team_backend(); }

bool flush_denormal() { return flush_wanted.load(std::memory_order_relaxed); }
void set_flush_denormal(bool on) { flush_wanted.store(on, std::memory_order_relaxed); }

KernelScope::KernelScope() : outermost_(scope_threads == 0), changed_mode_(false) {
  if (!outermost_) return;
  scope_threads = num_threads();
  if (!flush_denormal()) return;
  saved_mode_ = float_mode();
  changed_mode_ = (saved_mode_ & kFlushBits) != kFlushBits;
  if (changed_mode_) set_float_mode(saved_mode_ | kFlushBits);
}

KernelScope::~KernelScope() {
  if (outermost_) scope_threads = 0;
  if (changed_mode_) set_float_mode(saved_mode_);
}

namespace {

struct Region {
  int64_t n, grain, chunks;
  void* context;
  ChunkFunction f;
  uint64_t mode;
  std::atomic<int64_t> next{0};

  void run_chunk(int64_t i, int worker) {
    f(context, i * grain, std::min(n, (i + 1) * grain), worker);
  }

  void work(int worker) {
    const uint64_t saved_mode = float_mode();
    const int saved_worker = current_worker;
    const bool change_mode = ((saved_mode ^ mode) & ~kStickyBits) != 0;
    if (change_mode) set_float_mode(mode);
    current_worker = worker;
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < chunks;) {
      run_chunk(i, worker);
    }
    current_worker = saved_worker;
    if (change_mode) set_float_mode(saved_mode);
  }
};

}  // namespace

void parallel_chunks(int64_t n, int64_t grain, void* context, ChunkFunction f) {
  if (n <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t chunks = (n - 1) / grain + 1;
  Region region{n, grain, chunks, context, f, float_mode()};
  const int64_t threads = max_workers();
  if (chunks > 1 && threads > 1 && !team_busy.exchange(true)) {
    run_team(static_cast<int>(threads), chunks, &region,
             [](void* r, int worker) { static_cast<Region*>(r)->work(worker); });
    team_busy.store(false, std::memory_order_release);
    return;
  }
  for (int64_t i = 0; i < chunks; ++i) region.run_chunk(i, current_worker);
}

// The child of a fork has one thread, which is in no region.
void team_reset_after_fork() { team_busy.store(false); }
void team_serial_after_fork() { team_busy.store(true); }  // for ever: every region is serial

}  // namespace cr
