// Rows that carry batch, group, instance, layer and RMS normalization (norm_functions.cpp).
// Kernels: norm.kernel.cpp.
//
// `_plane_norm` sees the input as (batch, groups, channels of a group, size): statistics per group,
// or per channel across the batch; weight and bias per channel. `_plane_scale` is given the
// statistics of the channels. `_row_norm` sees rows, with a weight and a bias per element. Mean and
// variance are outputs, for the backward pass and the running statistics; they carry no gradient
// themselves.
#include <algorithm>
#include <cmath>

#include "autograd/node.h"
#include "core/parallel.h"
#include "core/rounding.h"
#include "core/table.h"
#include "ops/carver.h"
#include "ops/fused_activation.h"
#include "ops/norm.kernel.h"

namespace cr {
namespace {

template <class T>
const NormKernels<T>& kernels() {
  return part_for<T>(norm_table());
}

template <class T>
const T* data_or_null(const Tensor& x) {
  return x ? x.data<T>() : nullptr;
}

double inverse_deviation(double var, double eps) { return 1 / std::sqrt(var + eps); }

// ---------------------------------------------------------------- gradients by ops

struct Gradients {
  Tensor input, weight, bias;
};

// The gradients of (x - mean) / sqrt(var + eps) * weight + bias written with ops, so that they can
// be differentiated again. Statistics run over `axes`, the sums of weight and bias over `shared`.
Gradients taped_gradients(const Tensor& grad, const Tensor& x, const Tensor& weight,
                          const Dims& axes, const Dims& shared, double eps, bool centered) {
  const auto mean = [&](const Tensor& t) { return OP(mean)(t, axes, true); };
  const Tensor distance = centered ? x - mean(x) : x;
  const Tensor inverse = OP(rsqrt)(mean(OP(square)(distance)) + eps);
  const Tensor normal = distance * inverse;
  const Tensor scaled = weight ? grad * weight : grad;
  Tensor dx = scaled - normal * mean(scaled * normal);
  if (centered) dx = dx - mean(scaled);
  return {dx * inverse, OP(sum)(grad * normal, shared), OP(sum)(grad, shared)};
}

// ---------------------------------------------------------------- planes

// Planes of `size` elements: plane p belongs to channel p % channels().
struct Planes {
  int64_t batch, groups, per_group, size;
  bool across;  // one mean and variance per group for the whole batch

  Planes(const Dims& input, int64_t groups, bool across) : groups(groups), across(across) {
    CR_CHECK_STATE(input.size() == 3 && groups > 0 && input[1] % groups == 0 &&
                       (!across || groups == input[1]),
                   "normalization of ", input, " in ", groups, " groups");
    batch = input[0];
    per_group = input[1] / groups;
    size = input[2];
  }

  int64_t channels() const { return groups * per_group; }
  int64_t count() const { return batch * channels(); }
  bool columns() const { return across && per_group == 1 && size == 1 && batch > 0; }
  int64_t statistics() const { return across ? groups : batch * groups; }
  int64_t per_statistic() const { return across ? batch * per_group : per_group; }
  double elements() const { return static_cast<double>(per_statistic() * size); }
  int64_t statistic(int64_t plane) const {
    const int64_t group = plane / per_group;
    return across ? group % groups : group;
  }
  // The planes of a statistic: per_statistic() of them, step() apart.
  int64_t first(int64_t statistic) const { return across ? statistic : statistic * per_group; }
  int64_t step() const { return across ? channels() : 1; }
  double nanoseconds() const { return 5 + 0.08 * static_cast<double>(size); }  // of a plane
  // Whether to go statistic by statistic: there are enough for the threads, and planes far apart
  // are long enough to be worth the way.
  bool by_statistic() const { return statistics() >= 16 && (!across || size >= 256); }
  // Where numbers of planes are kept: those of a statistic are apart() apart.
  int64_t place(int64_t plane) const {
    return across && by_statistic() ? plane % groups * batch + plane / groups : plane;
  }
  int64_t apart() const { return by_statistic() ? 1 : step(); }
  // Numbers that belong to a plane: of its channel when a channel is a statistic.
  int64_t scales() const { return across ? groups : count(); }
  int64_t scale(int64_t plane) const { return across ? plane % groups : plane; }
};

// Planes `step` apart: of one statistic, or (`many`) each of the next one.
struct Run {
  int64_t first, count, step;
  bool many;
};

// f(run) for all planes in the order of memory.
template <class F>
void in_order(const Planes& p, F&& f) {
  const int64_t unit = p.across ? p.channels() : p.per_group;
  parallel(p.count(), grain_for(p.nanoseconds()), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin, next; i < end; i = next) {
      next = std::min(end, (i / unit + 1) * unit);
      f(Run{i, next - i, 1, p.across});
    }
  });
}

// measure(run), combine(statistic), then apply(run) for all planes. One statistic at a time, so
// that its planes are still in cache when they are read again; else in the order of memory.
template <class Measure, class Combine, class Apply>
void over_statistics(const Planes& p, Measure&& measure, Combine&& combine, Apply&& apply) {
  if (p.by_statistic()) {
    const int64_t grain = grain_for(2 * p.nanoseconds() * static_cast<double>(p.per_statistic()));
    parallel(p.statistics(), grain, [&](int64_t begin, int64_t end, int) {
      for (int64_t s = begin; s < end; ++s) {
        const Run run{p.first(s), p.per_statistic(), p.step(), false};
        measure(run);
        combine(s);
        apply(run);
      }
    });
    return;
  }
  in_order(p, measure);
  for (int64_t s = 0; s < p.statistics(); ++s) combine(s);
  in_order(p, apply);
}

template <class T>
PlaneRows<T> rows_of(const Run& run, const Planes& p, const T* x, const T* mean) {
  return {.x = x + run.first * p.size,
          .rows = run.count,
          .stride = run.step * p.size,
          .n = p.size,
          .mean = mean + p.statistic(run.first),
          .mean_step = run.many,
          .step = run.step == 1};
}

// The factor of every plane's elements: weight / sqrt(var + eps) of statistic s.
template <class T>
void set_scales(const Planes& p, int64_t s, const T* weight, double inverse, T* scale) {
  const int64_t count = p.across ? 1 : p.per_group, first = p.first(s);
  for (int64_t plane = first; plane < first + count; ++plane) {
    const T* factor = weight ? weight + plane % p.channels() : nullptr;
    scale[plane] = static_cast<T>(factor ? inverse * static_cast<double>(*factor) : inverse);
  }
}

// kernel.affine, then the activation, a few planes at a time: they are still in L1.
template <class T>
void affine(const NormKernels<T>& kernel, PlaneRows<T> planes, const T* scale, const T* shift,
            T* out, Activation activation) {
  planes.rectify = activation.relu;
  if (!activation || activation.relu) return kernel.affine(planes, scale, shift, out);
  constexpr int64_t kElements = 2048;
  const int64_t few = std::max<int64_t>(kElements / std::max<int64_t>(planes.n, 1), 1);
  for (int64_t r = 0; r < planes.rows; r += few) {
    PlaneRows<T> part = planes;
    part.x += r * planes.stride;
    part.rows = std::min(few, planes.rows - r);
    part.mean += r * planes.mean_step;
    T* to = out + r * planes.stride;
    kernel.affine(part, scale + r * planes.step, shift ? shift + r * planes.step : shift, to);
    activation.rows(to, part.rows, planes.n, planes.stride, sizeof(T));
  }
}

// f(first, count) over the columns of (batch, groups), which are planes of one element.
template <class F>
void over_columns(const Planes& p, F&& f) {
  constexpr int64_t kStrip = 64;
  const double strip_ns = 10 * static_cast<double>(p.batch);
  parallel(ceil_div(p.groups, kStrip), grain_for(strip_ns), [&](int64_t begin, int64_t end, int) {
    f(begin * kStrip, std::min(end * kStrip, p.groups) - begin * kStrip);
  });
}

template <class T>
void plane_norm(Call& call, Activation activation) {
  const Planes p(call.in[0].shape(), call.attrs.i(0), call.attrs.b(1));
  const double eps = call.attrs.f(2);
  const T *x = call.in[0].data<T>(), *weight = data_or_null<T>(call.in[1]),
          *bias = data_or_null<T>(call.in[2]);
  T *out = call.out[0].data<T>(), *mean = call.out[1].data<T>(), *var = call.out[2].data<T>();
  if (p.columns()) {
    over_columns(p, [&](int64_t j, int64_t width) {
      kernels<T>().columns(x + j, weight ? weight + j : weight, bias ? bias + j : bias, p.batch,
                           p.groups, width, eps, out + j, mean + j, var + j);
      activation.rows(out + j, p.batch, width, p.groups, sizeof(T));
    });
    return;
  }
  Carver carver(call.workspace);
  double* means = carver.take<double>(p.count());
  double* squares = carver.take<double>(p.count());
  T* scale = carver.take<T>(p.scales());
  const NormKernels<T>& kernel = kernels<T>();
  // Planes that lie behind one another are measured as one.
  const int64_t joined = p.by_statistic() && !p.across ? p.per_group : 1;
  const int64_t pieces = p.per_statistic() / joined, size = joined * p.size;
  over_statistics(
      p,
      [&](const Run& run) {
        const int64_t at = p.place(run.first);
        kernel.moments(x + run.first * p.size, run.count / joined, run.step * p.size, size, true,
                       means + at, squares + at);
      },
      [&](int64_t s) {
        const int64_t first = p.place(p.first(s)), end = first + pieces * p.apart();
        double center = 0, total = 0;
        for (int64_t k = first; k < end; k += p.apart()) center += means[k];
        center /= static_cast<double>(pieces);
        for (int64_t k = first; k < end; k += p.apart()) {
          const double step = means[k] - center;
          total += squares[k] + static_cast<double>(size) * step * step;
        }
        mean[s] = static_cast<T>(center);
        var[s] = static_cast<T>(total / p.elements());
        set_scales(p, s, weight, inverse_deviation(var[s], eps), scale);
      },
      [&](const Run& run) {
        affine(kernel, rows_of(run, p, x, mean), scale + p.scale(run.first),
               bias ? bias + run.first % p.channels() : bias, out + run.first * p.size, activation);
      });
}

template <class T>
void plane_norm_grad(Call& call) {
  const Planes p(call.in[1].shape(), call.attrs.i(0), call.attrs.b(1));
  const double eps = call.attrs.f(2);
  const T *g = call.in[0].data<T>(), *x = call.in[1].data<T>(),
          *weight = data_or_null<T>(call.in[2]), *mean = call.in[3].data<T>(),
          *var = call.in[4].data<T>();
  T *dx = call.out[0].data<T>(), *dweight = call.out[1].data<T>(), *dbias = call.out[2].data<T>();
  if (p.columns()) {
    over_columns(p, [&](int64_t j, int64_t width) {
      kernels<T>().columns_grad(g + j, x + j, weight ? weight + j : weight, mean + j, var + j,
                                p.batch, p.groups, width, eps, dx + j, dweight + j, dbias + j);
    });
    return;
  }
  Carver carver(call.workspace);
  double* sums = carver.take<double>(2 * p.count());  // see grad_sums
  double* inverse = carver.take<double>(p.statistics());
  T* scale = carver.take<T>(p.scales());
  T* slope = carver.take<T>(p.statistics());
  T* level = carver.take<T>(p.statistics());
  const NormKernels<T>& kernel = kernels<T>();
  over_statistics(
      p,
      [&](const Run& run) {
        kernel.grad_sums(rows_of(run, p, x, mean), g + run.first * p.size,
                         sums + 2 * p.place(run.first));
      },
      [&](int64_t s) {
        const double* part = sums + 2 * p.place(p.first(s));
        const T* factor = weight ? weight + p.first(s) % p.channels() : nullptr;
        double total[2] = {};
        for (int64_t k = 0; k < p.per_statistic(); ++k, part += 2 * p.apart()) {
          const double by = factor ? static_cast<double>(factor[p.across ? 0 : k]) : 1;
          total[0] += by * part[0];
          total[1] += by * part[1];
        }
        const double scale_of = inverse[s] = inverse_deviation(var[s], eps);
        set_scales(p, s, weight, scale_of, scale);
        slope[s] = static_cast<T>(-scale_of * scale_of * scale_of * total[1] / p.elements());
        level[s] = static_cast<T>(-scale_of * total[0] / p.elements());
      },
      [&](const Run& run) {
        const int64_t s = p.statistic(run.first);
        kernel.grad_input(rows_of(run, p, x, mean), g + run.first * p.size,
                          scale + p.scale(run.first), slope + s, level + s,
                          dx + run.first * p.size);
      });
  parallel(p.channels(), grain_for(2 * static_cast<double>(p.batch)),
           [&](int64_t begin, int64_t end, int) {
             for (int64_t channel = begin; channel < end; ++channel) {
               double total[2] = {};
               for (int64_t example = 0; example < p.batch; ++example) {
                 const int64_t plane = example * p.channels() + channel;
                 const double* part = sums + 2 * p.place(plane);
                 total[0] += part[0];
                 total[1] += part[1] * inverse[p.statistic(plane)];
               }
               dbias[channel] = static_cast<T>(total[0]);
               dweight[channel] = static_cast<T>(total[1]);
             }
           });
}

// Enough for both directions.
size_t plane_workspace(const Planes& p) {
  Carver carver(nullptr);
  carver.take<double>(2 * p.count());
  for (int k = 0; k < 3; ++k) carver.take<double>(p.statistics());
  carver.take<double>(p.scales());
  return carver.used() + 64;
}

void infer_plane_norm(Call& call) {
  call.contiguous = true;
  call.outputs = 3;
  const Tensor& x = call.in[0];
  const Planes p(x.shape(), call.attrs.i(0), call.attrs.b(1));
  call.out_meta[0] = x.meta();
  call.set_output(1, {p.statistics()}, x.dtype());
  call.set_output(2, {p.statistics()}, x.dtype());
  call.workspace_bytes = plane_workspace(p);
}

void launch_plane_norm(Call& call, Activation activation = {}) {
  dispatch_floating(call.in[0].dtype(),
                    [&](auto tag) { plane_norm<typename decltype(tag)::type>(call, activation); });
}

void plane_norm_vjp(Vjp& v, const Tensor& grad) {
  const Tensor x = v.in(0), weight = v.needs(0) ? v.in(1) : Tensor();
  const Planes p(x.shape(), v.attrs().i(0), v.attrs().b(1));
  const double eps = v.attrs().f(2);
  if (!GradMode::enabled()) {
    Attrs attrs;
    attrs.push_int(p.groups);
    attrs.push_bool(p.across);
    attrs.push_float(eps);
    Tensor out[kMaxOutputs];
    run(OP(_plane_norm_grad), {grad, x, weight, v.out(1), v.out(2)}, attrs, out);
    for (int i = 0; i < 3; ++i) v.set(i, out[i]);
    return;
  }
  const Dims axes = p.across ? Dims{0, 2, 3} : Dims{2, 3};
  const Dims shape{p.batch, p.groups, p.per_group, p.size};
  const Tensor factor = weight ? OP(reshape)(weight, Dims{1, p.groups, p.per_group, 1}) : Tensor();
  const Gradients d = taped_gradients(OP(reshape)(grad, shape), OP(reshape)(x, shape), factor, axes,
                                      {0, 3}, eps, true);
  v.set(0, [&] { return OP(reshape)(d.input, x.shape()); });
  v.set(1, [&] { return OP(reshape)(d.weight, Dims{p.channels()}); });
  v.set(2, [&] { return OP(reshape)(d.bias, Dims{p.channels()}); });
}

const Row plane_norm_row =
    Row("_plane_norm(Tensor input, Tensor? weight, Tensor? bias, int groups, bool across, "
        "float eps) -> (Tensor out, Tensor mean, Tensor var)")
        .doc("Normalize (N, C, S) by the mean and variance of groups of channels.")
        .infer(infer_plane_norm)
        .launch([](Call& call) { launch_plane_norm(call); })
        .saves("input, weight for input, mean, var")
        .vjp([](Vjp& v) { plane_norm_vjp(v, v.grad(0)); });

const Row plane_norm_activated_row =
    Row("_plane_norm_activated(Tensor input, Tensor? weight, Tensor? bias, int groups, "
        "bool across, float eps, int activation) -> (Tensor out, Tensor mean, Tensor var)")
        .doc("_plane_norm, then an activation function (ops/fused_activation.h).")
        .infer(infer_plane_norm)
        .launch([](Call& call) {
          launch_plane_norm(call, fused_activation(call.attrs.i(3), call.in[0].dtype()));
        })
        .saves("input, weight for input, out, mean, var")
        .vjp([](Vjp& v) {
          plane_norm_vjp(v, fused_activation_grad(v.attrs().i(3), v.grad(0), v.out(0)));
        });

const Row plane_norm_grad_row =
    Row("_plane_norm_grad(Tensor grad, Tensor input, Tensor? weight, Tensor mean, Tensor var, "
        "int groups, bool across, float eps) -> (Tensor input_grad, Tensor weight_grad, "
        "Tensor bias_grad)")
        .doc("Gradients of ``_plane_norm`` in one sweep over the planes.")
        .infer([](Call& call) {
          call.contiguous = true;
          call.outputs = 3;
          const Tensor& x = call.in[1];
          const Planes p(x.shape(), call.attrs.i(0), call.attrs.b(1));
          call.out_meta[0] = x.meta();
          call.set_output(1, {p.channels()}, x.dtype());
          call.set_output(2, {p.channels()}, x.dtype());
          call.workspace_bytes = plane_workspace(p);
        })
        .launch([](Call& call) {
          dispatch_floating(call.in[0].dtype(),
                            [&](auto tag) { plane_norm_grad<typename decltype(tag)::type>(call); });
        });

// ---------------------------------------------------------------- by given statistics

// Per channel: weight / sqrt(var + eps).
template <class T>
void scales(const Tensor& var, const Tensor& weight, double eps, T* scale) {
  const T *variance = var.data<T>(), *factor = data_or_null<T>(weight);
  for (int64_t c = 0; c < var.numel(); ++c) {
    const double inverse = inverse_deviation(variance[c], eps);
    scale[c] = static_cast<T>(factor ? inverse * static_cast<double>(factor[c]) : inverse);
  }
}

template <class T>
void plane_scale(Call& call, Activation activation) {
  const Planes p(call.in[0].shape(), call.in[0].shape()[1], true);
  const T *x = call.in[0].data<T>(), *mean = call.in[1].data<T>(),
          *shift = data_or_null<T>(call.in[4]);
  T *scale = reinterpret_cast<T*>(call.workspace), *out = call.out[0].data<T>();
  scales(call.in[2], call.in[3], call.attrs.f(0), scale);
  if (p.size == 1) {
    parallel(p.batch, grain_for(5 + 0.1 * static_cast<double>(p.groups)),
             [&](int64_t begin, int64_t end, int) {
               const int64_t at = begin * p.groups;
               kernels<T>().columns_affine(x + at, mean, scale, shift, end - begin, p.groups,
                                           p.groups, out + at);
               activation.rows(out + at, end - begin, p.groups, p.groups, sizeof(T));
             });
    return;
  }
  in_order(p, [&](const Run& run) {
    const int64_t channel = run.first % p.groups;
    affine(kernels<T>(), rows_of(run, p, x, mean), scale + channel, shift ? shift + channel : shift,
           out + run.first * p.size, activation);
  });
}

void infer_plane_scale(Call& call) {
  call.contiguous = true;
  call.out_meta[0] = call.in[0].meta();
  call.workspace_bytes = static_cast<size_t>(call.in[2].nbytes());
}

void launch_plane_scale(Call& call, Activation activation = {}) {
  dispatch_floating(call.in[0].dtype(),
                    [&](auto tag) { plane_scale<typename decltype(tag)::type>(call, activation); });
}

void plane_scale_vjp(Vjp& v, const Tensor& grad) {
  const double eps = v.attrs().f(0);
  const bool statistics = v.needs(1) || v.needs(2) || v.needs(3);
  const Tensor weight = v.in(3);
  const auto column = [](const Tensor& t) { return OP(reshape)(t, Dims{t.numel(), 1}); };
  Gradients d;
  if (statistics && !GradMode::enabled()) {
    Attrs attrs;
    attrs.push_float(eps);
    Tensor out[kMaxOutputs];
    run(OP(_plane_scale_grad), {grad, v.in(0), v.in(1), v.in(2), weight}, attrs, out);
    d = {out[0], out[1], out[2]};
  }
  const Tensor inverse = OP(rsqrt)(v.in(2) + eps);
  const Tensor scale = weight ? inverse * weight : inverse;
  if (!d.input) {
    if (v.needs(0)) d.input = grad * column(scale);
    if (statistics || v.needs(4)) d.bias = OP(sum)(grad, Dims{0, 2});
    if (statistics) {
      d.weight = OP(sum)(grad * (v.in(0) - column(v.in(1))), Dims{0, 2}) * inverse;
    }
  }
  v.set(0, d.input);
  v.set(1, [&] { return -(scale * d.bias); });
  v.set(2, [&] { return scale * inverse * d.weight * -0.5; });
  v.set(3, d.weight);
  v.set(4, d.bias);
}

#define CR_SCALE_SAVES                                                             \
  "input for mean, input for var, input for weight, mean, var, weight for input, " \
  "weight for mean, weight for var"

const Row plane_scale_row =
    Row("_plane_scale(Tensor input, Tensor mean, Tensor var, Tensor? weight, Tensor? bias, "
        "float eps)")
        .doc("Normalize (N, C, S) by a given mean and variance of each channel.")
        .infer(infer_plane_scale)
        .launch([](Call& call) { launch_plane_scale(call); })
        .saves(CR_SCALE_SAVES)
        .vjp([](Vjp& v) { plane_scale_vjp(v, v.grad()); });

const Row plane_scale_activated_row =
    Row("_plane_scale_activated(Tensor input, Tensor mean, Tensor var, Tensor? weight, "
        "Tensor? bias, float eps, int activation)")
        .doc("_plane_scale, then an activation function (ops/fused_activation.h).")
        .infer(infer_plane_scale)
        .launch([](Call& call) {
          launch_plane_scale(call, fused_activation(call.attrs.i(1), call.in[0].dtype()));
        })
        .saves(CR_SCALE_SAVES ", out")
        .vjp([](Vjp& v) {
          plane_scale_vjp(v, fused_activation_grad(v.attrs().i(1), v.grad(), v.out()));
        });

template <class T>
void plane_scale_grad(Call& call) {
  const Planes p(call.in[1].shape(), call.in[1].shape()[1], true);
  const double eps = call.attrs.f(0);
  const T *g = call.in[0].data<T>(), *x = call.in[1].data<T>(), *mean = call.in[2].data<T>(),
          *var = call.in[3].data<T>();
  T *dx = call.out[0].data<T>(), *dweight = call.out[1].data<T>(), *dbias = call.out[2].data<T>();
  Carver carver(call.workspace);
  T* scale = carver.take<T>(p.groups);
  scales(call.in[3], call.in[4], eps, scale);
  double* sums = carver.take<double>(2 * std::max(p.count(), p.groups));
  if (p.size == 1) {
    over_columns(p, [&](int64_t j, int64_t width) {
      kernels<T>().columns_affine_grad(g + j, x + j, mean + j, scale + j, p.batch, p.groups, width,
                                       dx + j, sums + 2 * j);
    });
  } else {
    in_order(p, [&](const Run& run) {
      const T *grad = g + run.first * p.size, zero = 0;
      PlaneRows<T> rows = rows_of(run, p, x, mean);
      kernels<T>().grad_sums(rows, grad, sums + 2 * run.first);
      rows.x = grad;
      rows.mean = &zero;
      rows.mean_step = 0;
      kernels<T>().affine(rows, scale + run.first % p.groups, nullptr, dx + run.first * p.size);
    });
  }
  const int64_t pieces = p.size == 1 ? 1 : p.batch;
  for (int64_t channel = 0; channel < p.groups; ++channel) {
    double total[2] = {};
    for (int64_t k = 0; k < pieces; ++k) {
      const double* part = sums + 2 * (k * p.groups + channel);
      total[0] += part[0];
      total[1] += part[1];
    }
    dbias[channel] = static_cast<T>(total[0]);
    dweight[channel] = static_cast<T>(total[1] * inverse_deviation(var[channel], eps));
  }
}

const Row plane_scale_grad_row =
    Row("_plane_scale_grad(Tensor grad, Tensor input, Tensor mean, Tensor var, Tensor? weight, "
        "float eps) -> (Tensor input_grad, Tensor weight_grad, Tensor bias_grad)")
        .doc("Gradients of ``_plane_scale`` in one sweep.")
        .infer([](Call& call) {
          call.contiguous = true;
          call.outputs = 3;
          const Tensor& x = call.in[1];
          const Planes p(x.shape(), x.shape()[1], true);
          call.out_meta[0] = x.meta();
          call.set_output(1, {p.channels()}, x.dtype());
          call.set_output(2, {p.channels()}, x.dtype());
          Carver carver(nullptr);
          carver.take<double>(p.channels());
          carver.take<double>(2 * std::max(p.count(), p.channels()));
          call.workspace_bytes = carver.used();
        })
        .launch([](Call& call) {
          dispatch_floating(call.in[1].dtype(), [&](auto tag) {
            plane_scale_grad<typename decltype(tag)::type>(call);
          });
        });

// ---------------------------------------------------------------- rows

double row_nanoseconds(int64_t n) { return 8 + 0.08 * static_cast<double>(n); }

// How the gradient cuts the rows: each block sums its part of the weight's and bias's gradients.
struct RowBlocks {
  int64_t rows, n, per_block, count;

  explicit RowBlocks(const Dims& shape) : rows(shape[0]), n(shape[1]) {
    constexpr int64_t kMaxBlocks = 64;
    const int64_t least = grain_for(row_nanoseconds(n));
    per_block = std::max(ceil_div(rows, kMaxBlocks), least);
    count = ceil_div(rows, per_block);
  }
};

template <class T>
void row_norm(Call& call) {
  const Tensor& input = call.in[0];
  const int64_t n = input.shape()[1];
  const T *x = input.data<T>(), *weight = data_or_null<T>(call.in[1]),
          *bias = data_or_null<T>(call.in[2]);
  T *out = call.out[0].data<T>(), *mean = call.out[1].data<T>(), *var = call.out[2].data<T>();
  parallel(input.shape()[0], grain_for(row_nanoseconds(n)), [&](int64_t begin, int64_t end, int) {
    kernels<T>().rows(x + begin * n, weight, bias, end - begin, n, call.attrs.f(0), call.attrs.b(1),
                      out + begin * n, mean + begin, var + begin);
  });
}

template <class T>
void row_norm_grad(Call& call) {
  const RowBlocks blocks(call.in[1].shape());
  const int64_t n = blocks.n, affine = call.out[1].numel();
  const T *g = call.in[0].data<T>(), *x = call.in[1].data<T>(),
          *weight = data_or_null<T>(call.in[2]), *mean = call.in[3].data<T>(),
          *var = call.in[4].data<T>();
  T* dx = call.out[0].data<T>();
  Carver carver(call.workspace);
  T* partial = carver.take<T>(2 * blocks.count * affine);  // (blocks, 2, n)
  parallel(blocks.count, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t row = block * blocks.per_block;
      const int64_t rows = std::min(blocks.per_block, blocks.rows - row);
      T* sums = partial + 2 * block * affine;
      std::fill(sums, sums + 2 * affine, T(0));
      kernels<T>().rows_grad(g + row * n, x + row * n, weight, mean + row, var + row, rows, n,
                             call.attrs.f(0), call.attrs.b(1), dx + row * n,
                             affine ? sums : nullptr, affine ? sums + n : nullptr);
    }
  });
  T *dweight = call.out[1].data<T>(), *dbias = call.out[2].data<T>();
  std::fill(dweight, dweight + affine, T(0));
  std::fill(dbias, dbias + affine, T(0));
  for (int64_t block = 0; block < blocks.count; ++block) {
    const T* sums = partial + 2 * block * affine;
    for (int64_t i = 0; i < affine; ++i) dweight[i] += sums[i];
    for (int64_t i = 0; i < affine; ++i) dbias[i] += sums[affine + i];
  }
}

const Row row_norm_row =
    Row("_row_norm(Tensor input, Tensor? weight, Tensor? bias, float eps, bool centered) -> "
        "(Tensor out, Tensor mean, Tensor var)")
        .doc("Normalize every row of (R, n); not centered: by the mean square alone.")
        .infer([](Call& call) {
          call.contiguous = true;
          call.outputs = 3;
          const Tensor& x = call.in[0];
          call.out_meta[0] = x.meta();
          call.set_output(1, {x.shape()[0]}, x.dtype());
          call.set_output(2, {x.shape()[0]}, x.dtype());
        })
        .launch([](Call& call) {
          dispatch_floating(call.in[0].dtype(),
                            [&](auto tag) { row_norm<typename decltype(tag)::type>(call); });
        })
        .saves("input, weight for input, mean, var")
        .vjp([](Vjp& v) {
          const Tensor x = v.in(0), grad = v.grad(0);
          const Tensor weight = v.needs(0) ? v.in(1) : Tensor();
          const double eps = v.attrs().f(0);
          const bool centered = v.attrs().b(1);
          if (!GradMode::enabled()) {
            Attrs attrs = v.attrs();
            attrs.push_bool(v.needs(1) || v.needs(2));
            Tensor out[kMaxOutputs];
            run(OP(_row_norm_grad), {grad, x, weight, v.out(1), v.out(2)}, attrs, out);
            for (int i = 0; i < 3; ++i) v.set(i, out[i]);
            return;
          }
          const Gradients d = taped_gradients(grad, x, weight, {1}, {0}, eps, centered);
          v.set(0, d.input);
          v.set(1, d.weight);
          v.set(2, d.bias);
        });

const Row row_norm_grad_row =
    Row("_row_norm_grad(Tensor grad, Tensor input, Tensor? weight, Tensor mean, Tensor var, "
        "float eps, bool centered, bool affine) -> (Tensor input_grad, Tensor weight_grad, "
        "Tensor bias_grad)")
        .doc("Gradients of ``_row_norm`` in one sweep; those of weight and bias when ``affine``.")
        .infer([](Call& call) {
          call.contiguous = true;
          call.outputs = 3;
          const Tensor& x = call.in[1];
          const RowBlocks blocks(x.shape());
          const int64_t affine = call.attrs.b(2) ? blocks.n : 0;
          call.out_meta[0] = x.meta();
          call.set_output(1, {affine}, x.dtype());
          call.set_output(2, {affine}, x.dtype());
          call.workspace_bytes =
              static_cast<size_t>(2 * blocks.count * affine * itemsize(x.dtype())) + 64;
        })
        .launch([](Call& call) {
          dispatch_floating(call.in[0].dtype(),
                            [&](auto tag) { row_norm_grad<typename decltype(tag)::type>(call); });
        });

}  // namespace
}  // namespace cr
