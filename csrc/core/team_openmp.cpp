// The OpenMP team, a build option. libgomp has two faults for a library that others share a process
// with:
// - After fork() its child waits for threads that are gone. The prepare handler dissolves the
// forking
//   thread's team first; parent and child build new ones when they need them.
// - Its idle threads spin for milliseconds and starve other libraries' threads, unless
// GOMP_SPINCOUNT
//   or OMP_WAIT_POLICY says otherwise before anyone loads it. Nothing here can change that, which
//   is why the default is team_pool.cpp (docs/dev/threads.md).
#ifdef CR_THREADS_OPENMP

#include <omp.h>
#include <pthread.h>

#include "core/team.h"

namespace cr {
namespace {

void register_fork_handlers() {
  static const int registered = pthread_atfork([] { omp_pause_resource_all(omp_pause_soft); },
                                               nullptr, team_reset_after_fork);
  (void)registered;
}

}  // namespace

const char* team_backend() { return "openmp"; }

// Always the whole team, whatever `items` is: libgomp ends and restarts threads whenever the size
// of the team changes.
void run_team(int threads, int64_t, void* context, void (*work)(void*, int)) {
  register_fork_handlers();
#pragma omp parallel num_threads(threads)
  work(context, omp_get_thread_num());
}

}  // namespace cr

#endif  // CR_THREADS_OPENMP
