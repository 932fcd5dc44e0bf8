// A pooling problem and its plan: what the rows of pool_max.cpp and pool_mean.cpp share.
#pragma once

#include <algorithm>
#include <type_traits>

#include "core/op.h"
#include "core/parallel.h"
#include "core/rounding.h"
#include "core/table.h"
#include "ops/carver.h"
#include "ops/pool.kernel.h"

namespace cr {

// ---------------------------------------------------------------- problems

// One spatial dimension of a pooling problem.
struct PoolAxis {
  int64_t extent = 1, kernel = 1, stride = 1, padding = 0, dilation = 1, out = 1;
  bool adaptive = false;

  // The taps of output pixel i that lie inside the plane.
  PoolSpan span(int64_t i) const {
    int64_t begin, end;
    if (adaptive) {
      begin = i * extent / out;
      end = ceil_div((i + 1) * extent, out);
    } else {
      begin = i * stride - padding;
      end = std::min(begin + (kernel - 1) * dilation + 1, extent);
      if (begin < 0) begin += round_up(-begin, dilation);
    }
    const int64_t count = begin < end ? ceil_div(end - begin, dilation) : 0;
    return {static_cast<int32_t>(count ? begin : 0), static_cast<int32_t>(count)};
  }
  // Pixels of the window that count in an average which includes the padding.
  int64_t padded_count(int64_t i) const {
    const int64_t begin = i * stride - padding;
    return std::min(begin + kernel, extent + padding) - begin;
  }
};

struct PoolProblem {
  PoolAxis h, w;
  int64_t planes = 1;
  bool count_include_pad = true;
  int64_t divisor = 0;  // override; 0: none

  bool adaptive() const { return h.adaptive; }
  // One window, which is the plane.
  bool whole_planes() const {
    const auto whole = [](const PoolAxis& a) {
      return a.out == 1 && (a.adaptive || (a.kernel == a.extent && a.padding == 0));
    };
    return whole(h) && whole(w);
  }
  // Windows that lie side by side and cover the plane.
  bool tiles() const {
    const auto covers = [](const PoolAxis& a) {
      return !a.adaptive && a.kernel == a.stride && a.dilation == 1 && a.padding == 0 &&
             a.out * a.kernel == a.extent;
    };
    return covers(h) && covers(w);
  }
  // Small windows over more than a handful of pixels; the others go window by window.
  bool split() const { return !adaptive() && h.kernel * w.kernel <= 64 && h.out * w.out >= 8; }
};

// Ordinary windows over the last one or two dimensions, as many as `kernel` has values.
PoolProblem window_problem(const char* op, const Dims& shape, DType dtype, const Dims& kernel,
                           const Dims& stride, const Dims& padding, const Dims& dilation,
                           bool ceil_mode);
// A grid of `size` cells over each plane; -1 keeps the plane's size.
PoolProblem adaptive_problem(const char* op, const Dims& shape, DType dtype, const Dims& size);

Dims out_shape(Dims shape, int spatial, const PoolProblem& p);
// `size` put in place of the last dimensions of `shape`, and the last dimensions themselves.
Dims with_spatial(Dims shape, const Dims& size);
Dims spatial_of(const Dims& shape, int spatial);

// How rows make their problem, from inputs and attributes.
using MakeProblem = PoolProblem (*)(const Call& call);
inline PoolProblem adaptive_problem(const Call& call) {
  return adaptive_problem(call.name(), call.in[0].shape(), call.in[0].dtype(), call.attrs.ints(0));
}
inline int spatial_dims(const Call& call) { return call.attrs.ints(0).size(); }

// ---------------------------------------------------------------- plans

template <class T>
using LaneInt = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;

template <class T>
const PoolKernels<T>& pool_kernels() {
  return part_for<T>(pool_table());
}

enum class PoolKind { kMax, kMean, kSpread };

// The plan of a problem, its tables and the workers' buffers, laid out in the workspace.
template <class T>
struct PoolWork {
  PoolPlan plan{};
  PoolTap* taps = nullptr;
  LaneInt<T>*base = nullptr, *start = nullptr;
  T* divisor = nullptr;
  PoolSpan *rows, *cols;
  int64_t per_worker = 0;
  T* workers = nullptr;
  int32_t* indices = nullptr;  // where the caller's are wider
  size_t bytes;

  PoolWork(const PoolProblem& p, PoolKind kind, bool wide_indices, char* workspace) {
    plan.height = p.h.extent;
    plan.width = p.w.extent;
    plan.out_height = p.h.out;
    plan.out_width = p.w.out;
    plan.h = split_axis(p.h.extent, p.h.kernel, p.h.stride, p.h.padding, p.h.dilation);
    plan.w = split_axis(p.w.extent, p.w.kernel, p.w.stride, p.w.padding, p.w.dilation);
    plan.pitch = p.w.out + plan.w.halo;
    plan.step_h = p.h.dilation;
    plan.step_w = p.w.dilation;

    Carver carver(workspace);
    rows = carver.take<PoolSpan>(p.h.out);
    cols = carver.take<PoolSpan>(p.w.out);
    if (kind != PoolKind::kMax) divisor = carver.take<T>(plan.out_plane() + kSplitSlack);
    if (p.split()) {
      plan.tap_count = p.h.kernel * p.w.kernel;
      taps = carver.take<PoolTap>(plan.tap_count);
      if (kind == PoolKind::kMax) {
        base = carver.take<LaneInt<T>>(plan.out_plane() + kSplitSlack);
        start = carver.take<LaneInt<T>>(plan.out_plane() + kSplitSlack);
      }
      per_worker = plan.split_size();
      if (kind == PoolKind::kSpread) per_worker += plan.out_height * plan.pitch + kSplitSlack;
      per_worker = round_up(per_worker, 16);
      workers = carver.take<T>(max_workers() * per_worker);
    }
    if (wide_indices) indices = carver.take<int32_t>(p.planes * plan.out_plane());
    bytes = carver.used();
    if (workspace) fill_tables(p);
  }

  T* worker(int id) const { return workers + id * per_worker; }

 private:
  void fill_tables(const PoolProblem& p) {
    for (int64_t y = 0; y < p.h.out; ++y) rows[y] = p.h.span(y);
    for (int64_t x = 0; x < p.w.out; ++x) cols[x] = p.w.span(x);
    plan.rows = rows;
    plan.cols = cols;
    if (divisor) fill_divisor(p);
    plan.divisor = divisor;
    if (taps) {
      const int64_t slot_size = (plan.out_height + plan.h.halo) * plan.pitch;
      PoolTap* tap = taps;
      for (int64_t r = 0; r < p.h.kernel; ++r) {
        for (int64_t s = 0; s < p.w.kernel; ++s) {
          const int64_t slot = plan.h.slot(r) * plan.w.slots + plan.w.slot(s);
          *tap++ = {slot * slot_size + plan.h.shift(r) * plan.pitch + plan.w.shift(s),
                    r * p.h.dilation * plan.width + s * p.w.dilation};
        }
      }
    }
    plan.taps = taps;
    if (base) fill_places(p);
    plan.base = base;
    plan.start = start;
  }

  void fill_divisor(const PoolProblem& p) {
    T* d = divisor;
    for (int64_t y = 0; y < p.h.out; ++y) {
      for (int64_t x = 0; x < p.w.out; ++x) {
        int64_t count = int64_t{rows[y].count} * cols[x].count;
        if (p.count_include_pad && !p.adaptive()) {
          count = p.h.padded_count(y) * p.w.padded_count(x);
        }
        *d++ = static_cast<T>(p.divisor != 0 ? p.divisor : std::max<int64_t>(count, 1));
      }
    }
    std::fill_n(d, kSplitSlack, T(1));
  }

  void fill_places(const PoolProblem& p) {
    int64_t i = 0;
    for (int64_t y = 0; y < p.h.out; ++y) {
      for (int64_t x = 0; x < p.w.out; ++x, ++i) {
        const int64_t first =
            (y * p.h.stride - p.h.padding) * plan.width + x * p.w.stride - p.w.padding;
        const bool empty = rows[y].count == 0 || cols[x].count == 0;
        const int64_t inside = empty ? -1 : rows[y].begin * plan.width + cols[x].begin;
        base[i] = static_cast<LaneInt<T>>(first);
        start[i] = static_cast<LaneInt<T>>(inside - first);
      }
    }
    std::fill_n(base + i, kSplitSlack, 0);
    std::fill_n(start + i, kSplitSlack, 0);
  }
};

template <class F>
void over_planes(const PoolProblem& p, F&& f) {
  const double taps = p.adaptive()
                          ? static_cast<double>(p.h.extent * p.w.extent) / (p.h.out * p.w.out) + 1
                          : static_cast<double>(p.h.kernel * p.w.kernel);
  const double per_plane = 20 + static_cast<double>(p.h.out * p.w.out) * taps * 0.5;
  parallel(p.planes, grain_for(per_plane), f);
}

inline size_t pool_workspace(const PoolProblem& p, PoolKind kind, DType dtype, bool wide_indices) {
  return dispatch_floating(dtype, [&](auto tag) {
    return PoolWork<typename decltype(tag)::type>(p, kind, wide_indices, nullptr).bytes;
  });
}

}  // namespace cr
