#include "core/cpus.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#ifdef __linux__
#include <pthread.h>
#include <sched.h>
#endif

namespace cr {
namespace {

// The leading number of an environment variable ("4" or the nested list "4,2"); 0 when absent or
// not a positive number.
int threads_from(const char* variable) {
  const char* text = std::getenv(variable);
  if (!text) return 0;
  char* end = nullptr;
  const long n = std::strtol(text, &end, 10);
  while (*end == ' ') ++end;
  if (end == text || (*end != '\0' && *end != ',') || n < 1) return 0;
  return static_cast<int>(std::min<long>(n, kMaxThreads));
}

#ifdef __linux__
// Calls use(mask, size in bytes, processors in it) with a thread's affinity mask.
template <class Use>
void with_affinity(pthread_t thread, Use use) {
  // The mask must be as wide as the kernel's, which may know more processors than cpu_set_t.
  for (int bits = CPU_SETSIZE, count = 0; bits <= 1 << 16 && count == 0; bits *= 4) {
    cpu_set_t* mask = CPU_ALLOC(bits);
    const size_t size = CPU_ALLOC_SIZE(bits);
    if (pthread_getaffinity_np(thread, size, mask) == 0) count = CPU_COUNT_S(size, mask);
    if (count > 0) use(mask, size, count);
    CPU_FREE(mask);
  }
}
#endif

int affinity_processors() {
  int processors = 0;
#ifdef __linux__
  with_affinity(pthread_self(), [&](cpu_set_t*, size_t, int count) { processors = count; });
#endif
  if (processors > 0) return processors;
  return static_cast<int>(std::thread::hardware_concurrency());
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// quota / period in processors; infinite ("max", -1 or absent) is 0.
double processors_from(const std::string& quota, const std::string& period) {
  const double q = std::atof(quota.c_str()), p = std::atof(period.c_str());
  return q > 0 && p > 0 ? q / p : 0;
}

double quota_of(const std::string& directory, bool v2) {
  if (v2) {
    std::istringstream fields(first_line(directory + "/cpu.max"));
    std::string quota, period;
    fields >> quota >> period;
    return processors_from(quota, period);
  }
  return processors_from(first_line(directory + "/cpu.cfs_quota_us"),
                         first_line(directory + "/cpu.cfs_period_us"));
}

bool has_cpu_controller(const std::string& controllers) {
  return ("," + controllers + ",").find(",cpu,") != std::string::npos;
}

}  // namespace

int cgroup_processors(const std::string& membership, const std::string& mount) {
  double least = 0;
  std::ifstream file(membership);
  // Lines are "id:controllers:path"; v2 has id 0 and no controllers.
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && !has_cpu_controller(controllers)) continue;
    // Every ancestor's quota binds. Inside a container the path may not exist below the mount
    // (it is the host's); the root, visited last, is then the container's own group.
    for (std::string path = line.substr(second + 1);; path.erase(path.rfind('/'))) {
      if (path == "/") path.clear();
      const std::string root = v2 ? mount : mount + "/cpu";
      const double quota = quota_of(root + path, v2);
      if (quota > 0) least = least > 0 ? std::min(least, quota) : quota;
      if (path.find('/') == std::string::npos) break;
    }
  }
  return least > 0 ? std::max(1, static_cast<int>(least)) : 0;
}

int default_num_threads() {
  if (const int n = threads_from("CHAINRULE_NUM_THREADS")) return n;
  if (const int n = threads_from("OMP_NUM_THREADS")) return n;
  const int processors = affinity_processors();
  const int quota = cgroup_processors("/proc/self/cgroup", "/sys/fs/cgroup");
  return std::clamp(quota > 0 ? std::min(processors, quota) : processors, 1, kMaxThreads);
}

void move_off_this_processor([[maybe_unused]] std::thread::native_handle_type thread) {
#ifdef __linux__
  with_affinity(thread, [&](cpu_set_t* mask, size_t size, int count) {
    const int here = sched_getcpu();
    if (here < 0 || count < 2 || !CPU_ISSET_S(here, size, mask)) return;
    CPU_CLR_S(here, size, mask);
    if (pthread_setaffinity_np(thread, size, mask) != 0) return;
    CPU_SET_S(here, size, mask);  // free to come back
    pthread_setaffinity_np(thread, size, mask);
  });
#endif
}

}  // namespace cr
