// The project's own team: idle threads stay awake for some tens of microseconds, giving way to any
// other thread meanwhile, then sleep.
//
// The caller publishes a job and starts on it at once; helpers that wake in time take a place in
// it. When the caller finds no more work it closes the job and waits only for those that joined, so
// a helper that is asleep or descheduled never delays it.
//
// A helper that misses long jobs is moved off the caller's processor: Linux (6.12 and later) lets a
// thread that has yielded starve there behind the caller, with the other processors idle.
#ifndef CR_THREADS_OPENMP

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "core/cpus.h"
#include "core/team.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace cr {
namespace {

constexpr auto kAwakeTime = std::chrono::microseconds(50);
// This many pauses (a few microseconds) for the quickest answer; from then on yield, so that
// waiting costs another library's threads next to nothing.
constexpr int kEagerSpins = 100;
// A thread wakes this many others at most; they wake more. So nobody makes a system call for each
// of many helpers.
constexpr int kFanOut = 4;
// Helpers are moved when they have missed jobs for so long; longer each time that it did not help.
constexpr auto kLeastPatience = std::chrono::microseconds(100);
constexpr auto kMostPatience = std::chrono::milliseconds(10);

void relax() {
#if defined(__SSE2__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

class Pool {
 public:
  void run(int threads, int64_t items, void* context, void (*work)(void*, int)) {
    const auto start = Clock::now();
    const int wanted = static_cast<int>(std::min<int64_t>(threads, items)) - 1;
    while (size() < wanted && start_helper()) {
    }
    context_ = context;
    work_ = work;
    finished_.store(0, std::memory_order_relaxed);
    places_.store(wanted, std::memory_order_release);
    job_.fetch_add(1);  // sequentially consistent with `asleep_`: one side sees the other
    const int asleep = asleep_.load();
    wake(std::min(asleep, wanted - (size() - asleep)));  // those that are awake need no call
    work(context, 0);
    const int joined = wanted - std::max(0, places_.exchange(kClosed, std::memory_order_relaxed));
    for (int spins = 0; finished_.load(std::memory_order_acquire) != joined; ++spins) {
      spins < kEagerSpins ? relax() : std::this_thread::yield();
    }
    if (joined < wanted) {
      missed(Clock::now() - start);
    } else {
      patience_ = kLeastPatience;
      missing_ = {};
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int kClosed = -(1 << 30);

  struct Helper {
    std::thread::native_handle_type thread;
    std::atomic<unsigned> last_job{0};  // the last one joined
  };

  int size() const { return static_cast<int>(helpers_.size()); }

  void missed(Clock::duration time) {
    missing_ += time;
    if (missing_ < patience_) return;
    const unsigned job = job_.load(std::memory_order_relaxed);
    for (Helper& helper : helpers_) {
      if (helper.last_job.load(std::memory_order_relaxed) != job) {
        move_off_this_processor(helper.thread);
      }
    }
    missing_ = {};
    patience_ = std::min<Clock::duration>(2 * patience_, kMostPatience);
  }

  bool start_helper() {
    // Signals are for the threads of the program, not for ours.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = true;
    try {
      Helper& helper = helpers_.emplace_back();
      std::thread thread([this, &helper] { serve(helper); });
      helper.thread = thread.native_handle();
      thread.detach();
    } catch (const std::system_error&) {
      helpers_.pop_back();
      started = false;  // out of threads: the caller does the work
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return started;
  }

  void serve(Helper& self) {
    for (unsigned seen = 0;;) {
      seen = next_job(seen);
      const int place = places_.fetch_sub(1, std::memory_order_acquire);
      if (place <= 0) continue;  // late, or the job is full
      self.last_job.store(seen, std::memory_order_relaxed);
      wake(std::min(asleep_.load(std::memory_order_relaxed), place - 1));
      work_(context_, place);
      finished_.fetch_add(1, std::memory_order_release);
    }
  }

  unsigned next_job(unsigned seen) {
    for (int spins = 0; spins < kEagerSpins; ++spins, relax()) {
      const unsigned job = job_.load(std::memory_order_acquire);
      if (job != seen) return job;
    }
    for (const auto deadline = Clock::now() + kAwakeTime; Clock::now() < deadline;) {
      const unsigned job = job_.load(std::memory_order_acquire);
      if (job != seen) return job;
      std::this_thread::yield();
    }
    std::unique_lock<std::mutex> lock(mutex_);
    asleep_.fetch_add(1);
    unsigned job;
    sleepers_.wait(lock, [&] { return (job = job_.load()) != seen; });
    asleep_.fetch_sub(1, std::memory_order_relaxed);
    return job;
  }

  void wake(int sleepers) {
    if (sleepers <= 0) return;
    mutex_.lock();  // until who is about to sleep is asleep
    mutex_.unlock();
    for (int k = std::min(sleepers, kFanOut); k > 0; --k) sleepers_.notify_one();
  }

  // Written by the caller once a job.
  alignas(64) std::atomic<unsigned> job_{0};
  void* context_ = nullptr;
  void (*work_)(void*, int) = nullptr;
  std::deque<Helper> helpers_;
  Clock::duration missing_{}, patience_ = kLeastPatience;
  // Written by everyone.
  alignas(64) std::atomic<int> places_{kClosed};  // free places; the one taken is the worker's id
  std::atomic<int> finished_{0};
  alignas(64) std::atomic<int> asleep_{0};
  std::mutex mutex_;
  std::condition_variable sleepers_;
};

// Never destroyed: helpers sleep in it until the process ends. The child of a fork has no helpers
// and starts a pool of its own.
Pool* pool = nullptr;

void forget_pool() {
  pool = nullptr;
  team_reset_after_fork();
}

// At load: a fork could meet a later registration half-way.
[[maybe_unused]] const int fork_handler = pthread_atfork(nullptr, nullptr, forget_pool);

}  // namespace

const char* team_backend() { return "pool"; }

void run_team(int threads, int64_t items, void* context, void (*work)(void*, int)) {
  if (!pool) pool = new Pool;
  pool->run(threads, items, context, work);
}

}  // namespace cr

#endif  // CR_THREADS_OPENMP
