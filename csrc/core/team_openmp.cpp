// The OpenMP team, a build option. libgomp has two faults for a library that shares a process:
// - In the child of a fork() it waits for threads that are gone. The child computes serially:
//   dissolving the team first (omp_pause_resource_all) helps only while no other thread forks or
//   computes at that moment.
// - Its idle threads spin for milliseconds and starve other libraries' threads, unless
//   GOMP_SPINCOUNT or OMP_WAIT_POLICY says otherwise before anyone loads it. Nothing here can
//   change that, which is why the default is team_pool.cpp (docs/dev/threads.md).
#ifdef CR_THREADS_OPENMP

#include <omp.h>
#include <pthread.h>

#include "core/team.h"

namespace cr {
namespace {

// At load: a fork could meet a later registration half-way.
[[maybe_unused]] const int fork_handler = pthread_atfork(nullptr, nullptr, team_serial_after_fork);

}  // namespace

const char* team_backend() { return "openmp"; }

// Always the whole team, whatever `items` is: libgomp ends and restarts threads whenever the size
// of the team changes.
void run_team(int threads, int64_t, void* context, void (*work)(void*, int)) {
#pragma omp parallel num_threads(threads)
  work(context, omp_get_thread_num());
}

}  // namespace cr

#endif  // CR_THREADS_OPENMP
