// The one door to threads: the only `#pragma omp` of the tree is behind it.
//
// The same bits for any number of threads: the chunks [i*grain, (i+1)*grain) are fixed by the
// problem (n, grain), never by the thread count, and are claimed dynamically. Work of one chunk,
// nested calls and calls made while another thread's region runs are serial: chunk by chunk, in
// order, on the calling thread.
#pragma once

#include <cstdint>
#include <type_traits>

namespace cr {

int num_threads();            // CHAINRULE_NUM_THREADS, OMP_NUM_THREADS, affinity, cgroup quota
void set_num_threads(int n);  // n >= 1; may exceed the processor count
int max_workers();            // worker ids are in [0, max_workers()): sizes per-worker workspace
const char* threading_backend();  // "openmp" or "pool"

bool flush_denormal();
void set_flush_denormal(bool on);  // default on: subnormal numbers count as zero inside kernels

// The surroundings of one kernel launch, workspace sizing included: the thread count stays what it
// was when the scope opened (another thread may call set_num_threads) and subnormals are flushed.
// Threads of a parallel region take over the caller's floating-point mode, so that serial and
// threaded runs give the same bits. A scope inside a scope does nothing.
class KernelScope {
 public:
  KernelScope();
  ~KernelScope();
  KernelScope(const KernelScope&) = delete;
  KernelScope& operator=(const KernelScope&) = delete;

 private:
  uint64_t saved_mode_;
  bool outermost_;
  bool changed_mode_;
};

using ChunkFunction = void (*)(void* context, int64_t begin, int64_t end, int worker);
void parallel_chunks(int64_t n, int64_t grain, void* context, ChunkFunction f);

// The id of the running worker; 0 outside a parallel region. Initial-exec: one load.
extern __thread int current_worker __attribute__((tls_model("initial-exec")));

// Calls f(begin, end, worker) for every chunk. f must not throw.
template <class F>
inline void parallel(int64_t n, int64_t grain, F&& f) {
  if (n <= 0) return;
  if (n <= grain) return f(int64_t{0}, n, current_worker);
  using Function = std::remove_reference_t<F>;
  parallel_chunks(n, grain, const_cast<void*>(static_cast<const void*>(&f)),
                  [](void* context, int64_t begin, int64_t end, int worker) {
                    (*static_cast<Function*>(context))(begin, end, worker);
                  });
}

// Grain such that a chunk costs about `kGrainNanoseconds` when an item costs `ns_per_item`.
constexpr double kGrainNanoseconds = 20000;
inline int64_t grain_for(double ns_per_item) {
  const double items = kGrainNanoseconds / (ns_per_item > 1e-3 ? ns_per_item : 1e-3);
  return items < 1 ? 1 : static_cast<int64_t>(items);
}

}  // namespace cr
