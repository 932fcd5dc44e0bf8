// How many processors this process may use.
#pragma once

#include <string>
#include <thread>

namespace cr {

constexpr int kMaxThreads = 1024;

// CHAINRULE_NUM_THREADS, else the first number of OMP_NUM_THREADS, else the processors of the
// affinity mask, limited by the cgroup CPU quota. At least 1.
int default_num_threads();

// The CPU quota of the process's control groups (v1 and v2) in whole processors, rounded down but
// at least 1; 0 without one. Arguments: /proc/self/cgroup and where cgroups are mounted.
int cgroup_processors(const std::string& membership, const std::string& mount);

// Makes the scheduler move a thread that waits for the caller's processor to another one of its
// affinity mask. Nothing happens if it is elsewhere already, or on other systems than Linux.
void move_off_this_processor(std::thread::native_handle_type thread);

}  // namespace cr
