// Timing of every op that runs, for autograd.profiler. Off, it costs one load per op.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace cr {

struct ProfileEvent {
  std::string name;
  int64_t start, end;  // nanoseconds of a clock that only goes forward
  int thread;          // numbered in order of appearance
};

extern std::atomic<bool> profiling;

void start_profile();                      // forgets earlier events
std::vector<ProfileEvent> stop_profile();  // in the order in which they ended
int64_t profile_clock();
void record_event(const std::string& name, int64_t start);

// Around one op.
class ProfileScope {
 public:
  explicit ProfileScope(const std::string& name)
      : name_(name), start_(profiling.load(std::memory_order_relaxed) ? profile_clock() : 0) {}
  ~ProfileScope() {
    if (start_ != 0) record_event(name_, start_);
  }
  ProfileScope(const ProfileScope&) = delete;
  ProfileScope& operator=(const ProfileScope&) = delete;

 private:
  const std::string& name_;
  int64_t start_;
};

}  // namespace cr
