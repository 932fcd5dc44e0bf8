// Checks of core/parallel.h that Python cannot reach; test_threads.py builds it for each backend.
#include "core/parallel.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "core/cpus.h"
#include "core/error.h"
#include "core/storage.h"

#define EXPECT(cond)                                                  \
  do {                                                                \
    if (!(cond)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
      std::exit(1);                                                   \
    }                                                                 \
  } while (0)

using cr::parallel;

namespace {

// Every chunk [i*grain, (i+1)*grain) exactly once, by a worker with an id of its own.
void check_chunks(int64_t n, int64_t grain) {
  const int64_t chunks = (n + grain - 1) / grain;
  std::vector<std::atomic<int>> seen(static_cast<size_t>(chunks));
  std::vector<std::atomic<int>> busy(static_cast<size_t>(cr::max_workers()));
  parallel(n, grain, [&](int64_t begin, int64_t end, int worker) {
    EXPECT(worker >= 0 && worker < cr::max_workers());
    EXPECT(busy[static_cast<size_t>(worker)]++ == 0);
    EXPECT(begin % grain == 0);
    EXPECT(end == std::min(n, begin + grain));
    ++seen[static_cast<size_t>(begin / grain)];
    --busy[static_cast<size_t>(worker)];
  });
  for (auto& count : seen) EXPECT(count == 1);
}

void partition() {
  for (int threads : {1, 2, 4, 7}) {
    cr::set_num_threads(threads);
    for (int64_t n : {0, 1, 2, 63, 64, 65, 1000}) {
      for (int64_t grain : {1, 7, 64, 2000}) check_chunks(n, grain);
    }
  }
}

// More than one thread takes part: one chunk waits for another to begin.
void helpers_help() {
  cr::set_num_threads(2);
  std::atomic<int> begun{0};
  parallel(2, 1, [&](int64_t, int64_t, int) {
    for (++begun; begun < 2;) std::this_thread::yield();
  });
}

// An inner call stays on its thread and keeps the worker's id, so that workspace is not shared.
void nested() {
  cr::set_num_threads(4);
  std::atomic<int> inner{0};
  parallel(16, 1, [&](int64_t, int64_t, int worker) {
    const auto self = std::this_thread::get_id();
    for (int64_t grain : {1, 5, 10}) {
      parallel(10, grain, [&](int64_t begin, int64_t end, int id) {
        EXPECT(std::this_thread::get_id() == self);
        EXPECT(id == worker);
        inner += static_cast<int>(end - begin);
      });
    }
  });
  EXPECT(inner == 16 * 3 * 10);
}

double sum(int64_t n) {
  std::vector<double> parts(static_cast<size_t>((n + 99) / 100));
  parallel(n, 100, [&](int64_t begin, int64_t end, int) {
    double total = 0;
    for (int64_t i = begin; i < end; ++i) total += 1.0 / static_cast<double>(i + 1);
    parts[static_cast<size_t>(begin / 100)] = total;
  });
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

void many_callers() {
  cr::set_num_threads(4);
  const double expected = sum(20000);
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] {
      for (int round = 0; round < 300; ++round) EXPECT(sum(20000) == expected);
    });
  }
  for (auto& caller : callers) caller.join();
}

// A scope holds the thread count against other threads' changes.
void frozen_count() {
  cr::set_num_threads(3);
  cr::KernelScope scope;
  std::thread([] { cr::set_num_threads(8); }).join();
  EXPECT(cr::num_threads() == 8);
  EXPECT(cr::max_workers() == 3);
  parallel(100, 1, [](int64_t, int64_t, int worker) {
    EXPECT(worker < 3);
    usleep(100);  // time for everyone who would join
  });
}

// How many of 64 products that are subnormal survive.
int subnormals() {
  volatile float tiny = 1e-39f;
  std::atomic<int> kept{0};
  std::atomic<int> begun{0};
  cr::KernelScope scope;
  parallel(64, 1, [&](int64_t, int64_t, int) {
    const bool wait = cr::max_workers() > 1 && begun++ < 2;
    while (wait && begun < 2) std::this_thread::yield();  // a helper takes part
    if (tiny * 1.0f != 0) ++kept;
  });
  return kept;
}

void flush() {
  volatile float tiny = 1e-39f;
  for (int threads : {1, 2}) {
    cr::set_num_threads(threads);
    EXPECT(subnormals() == 0);
    EXPECT(tiny * 1.0f != 0);  // put back
    cr::set_flush_denormal(false);
    EXPECT(subnormals() == 64);
    cr::set_flush_denormal(true);
  }
}

[[maybe_unused]] int in_child(bool (*f)()) {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(20);  // a hang is a failure
    _exit(f() ? 0 : 1);
  }
  int status = -1;
  waitpid(pid, &status, 0);
  return status;
}

double expected_sum;

void use_memory() { cr::deallocate(cr::allocate(10000), 10000); }

bool computes() {
  use_memory();
#ifndef CR_THREADS_OPENMP  // whose children compute serially
  helpers_help();
#endif
  return sum(20000) == expected_sum;
}

[[maybe_unused]] void forks() {
  expected_sum = sum(20000);
  EXPECT(in_child(computes) == 0);
  EXPECT(in_child([] { return in_child(computes) == 0; }) == 0);
  // While other threads run regions and hold locks.
  std::atomic<bool> stop{false};
  std::thread other([&] {
    while (!stop) EXPECT(sum(20000) == expected_sum);
  });
  std::thread allocator([&] {
    while (!stop) use_memory();
  });
  for (int round = 0; round < 100; ++round) EXPECT(in_child(computes) == 0);
  stop = true;
  other.join();
  allocator.join();
  EXPECT(computes());  // the parent goes on
}

}  // namespace

// Without arguments: all checks. With two: the processors of a control group.
int main(int argc, char** argv) {
  if (argc == 3) {
    std::printf("%d\n", cr::cgroup_processors(argv[1], argv[2]));
    return 0;
  }
  partition();
  helpers_help();
  nested();
  many_callers();
  frozen_count();
  flush();
#ifndef __SANITIZE_THREAD__  // which has no idea of threads that start after a fork
  forks();
#endif
  std::puts(cr::threading_backend());
}
