// The backend of parallel(): a team of threads that run one function together. team_openmp.cpp or
// team_pool.cpp, chosen by the CMake option CHAINRULE_THREADS; docs/dev/threads.md has the figures.
#pragma once

#include <cstdint>

namespace cr {

const char* team_backend();

// Runs work(context, worker) on the calling thread and on up to `threads - 1` others, with
// distinct worker ids below `threads`, and returns when all have returned. There are `items`
// pieces of work to share: more helpers than that are of no use. One call at a time.
void run_team(int threads, int64_t items, void* context, void (*work)(void* context, int worker));

// Called in the child of a fork: it can use threads again, or it cannot.
void team_reset_after_fork();
void team_serial_after_fork();

}  // namespace cr
