#include "core/profile.h"

#include <chrono>
#include <mutex>

namespace cr {
namespace {

std::mutex mutex;
std::vector<ProfileEvent> events;

int thread_number() {
  static std::atomic<int> threads{0};
  thread_local const int number = threads++;
  return number;
}

}  // namespace

std::atomic<bool> profiling{false};

int64_t profile_clock() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

void start_profile() {
  std::lock_guard<std::mutex> lock(mutex);
  events.clear();
  profiling = true;
}

std::vector<ProfileEvent> stop_profile() {
  std::lock_guard<std::mutex> lock(mutex);
  profiling = false;
  return std::move(events);
}

void record_event(const std::string& name, int64_t start) {
  const int64_t end = profile_clock();
  std::lock_guard<std::mutex> lock(mutex);
  if (profiling) events.push_back({name, start, end, thread_number()});
}

}  // namespace cr
