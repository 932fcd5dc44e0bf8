// Batch, group, instance, layer, RMS and local response normalization. Kernels: norm.kernel.cpp.
//
// Two kernel rows carry the first five. `_plane_norm` sees the input as (batch, groups, channels of
// a group, size): statistics per group, or per group across the batch; weight and bias per channel.
// `_row_norm` sees rows, with a weight and a bias per element. Mean and variance are outputs of
// both, for the backward pass and the running statistics; they carry no gradient themselves.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/node.h"
#include "core/parallel.h"
#include "ops/carver.h"
#include "ops/norm.kernel.h"

namespace cr {
namespace {

template <class T>
const NormKernels<T>& kernels() {
  if constexpr (sizeof(T) == 4) {
    return norm_table().f32;
  } else {
    return norm_table().f64;
  }
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
    CR_CHECK_STATE(input.size() == 3 && groups > 0 && input[1] % groups == 0, "normalization of ",
                   input, " in ", groups, " groups");
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
  // Calls f(plane, channel) for the planes of a statistic, in order.
  template <class F>
  void each_plane(int64_t statistic, F&& f) const {
    const int64_t channel = statistic % groups * per_group;
    const int64_t begin = across ? 0 : statistic / groups, end = across ? batch : begin + 1;
    for (int64_t example = begin; example < end; ++example) {
      const int64_t plane = example * channels() + channel;
      for (int64_t k = 0; k < per_group; ++k) f(plane + k, channel + k);
    }
  }
};

// measure(plane, statistic) for every plane, combine(statistic) in the order of its planes, then
// apply(plane, channel, statistic). One statistic at a time, so that its planes are still in cache
// when they are read again; plane by plane when there are too few statistics for the threads. The
// same bits both ways.
template <class Measure, class Combine, class Apply>
void over_statistics(const Planes& p, Measure&& measure, Combine&& combine, Apply&& apply) {
  constexpr int64_t kEnough = 16;
  const double plane_ns = 20 + 0.2 * static_cast<double>(p.size);
  if (p.statistics() >= kEnough) {
    const int64_t grain = grain_for(2 * plane_ns * static_cast<double>(p.per_statistic()));
    parallel(p.statistics(), grain, [&](int64_t begin, int64_t end, int) {
      for (int64_t s = begin; s < end; ++s) {
        p.each_plane(s, [&](int64_t i, int64_t) { measure(i, s); });
        combine(s);
        p.each_plane(s, [&](int64_t i, int64_t channel) { apply(i, channel, s); });
      }
    });
    return;
  }
  const auto every_plane = [&](auto&& f) {
    parallel(p.count(), grain_for(plane_ns), [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) f(i);
    });
  };
  every_plane([&](int64_t i) { measure(i, p.statistic(i)); });
  for (int64_t s = 0; s < p.statistics(); ++s) combine(s);
  every_plane([&](int64_t i) { apply(i, i % p.channels(), p.statistic(i)); });
}

// f(first, count) over the columns of (batch, groups), which are planes of one element.
template <class F>
void over_columns(const Planes& p, F&& f) {
  constexpr int64_t kStrip = 64;
  const double strip_ns = 10 * static_cast<double>(p.batch);
  parallel((p.groups + kStrip - 1) / kStrip, grain_for(strip_ns),
           [&](int64_t begin, int64_t end, int) {
             f(begin * kStrip, std::min(end * kStrip, p.groups) - begin * kStrip);
           });
}

template <class T>
void plane_norm(Call& call) {
  const Planes p(call.in[0].shape(), call.attrs.i(0), call.attrs.b(1));
  const double eps = call.attrs.f(2);
  const T *x = call.in[0].data<T>(), *weight = data_or_null<T>(call.in[1]),
          *bias = data_or_null<T>(call.in[2]);
  T *out = call.out[0].data<T>(), *mean = call.out[1].data<T>(), *var = call.out[2].data<T>();
  if (p.columns()) {
    over_columns(p, [&](int64_t j, int64_t width) {
      kernels<T>().columns(x + j, weight ? weight + j : weight, bias ? bias + j : bias, p.batch,
                           p.groups, width, eps, out + j, mean + j, var + j);
    });
    return;
  }
  Carver carver(call.workspace);
  double* means = carver.take<double>(p.count());
  double* squares = carver.take<double>(p.count());
  double* inverse = carver.take<double>(p.statistics());
  const NormKernels<T>& kernel = kernels<T>();
  over_statistics(
      p,
      [&](int64_t i, int64_t) { kernel.moments(x + i * p.size, p.size, &means[i], &squares[i]); },
      [&](int64_t s) {
        double center = 0, total = 0;
        p.each_plane(s, [&](int64_t i, int64_t) { center += means[i]; });
        center /= static_cast<double>(p.per_statistic());
        p.each_plane(s, [&](int64_t i, int64_t) {
          const double step = means[i] - center;
          total += squares[i] + static_cast<double>(p.size) * step * step;
        });
        mean[s] = static_cast<T>(center);
        var[s] = static_cast<T>(total / p.elements());
        inverse[s] = inverse_deviation(var[s], eps);
      },
      [&](int64_t i, int64_t channel, int64_t s) {
        const double scale =
            weight ? inverse[s] * static_cast<double>(weight[channel]) : inverse[s];
        kernel.affine(x + i * p.size, p.size, mean[s], static_cast<T>(scale),
                      bias ? bias[channel] : T(0), out + i * p.size);
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
  double* sums = carver.take<double>(2 * p.count());        // see grad_sums
  double* means = carver.take<double>(2 * p.statistics());  // of the sums times the weight
  double* inverse = carver.take<double>(p.statistics());
  const auto weight_of = [&](int64_t channel) {
    return weight ? static_cast<double>(weight[channel]) : 1;
  };
  const NormKernels<T>& kernel = kernels<T>();
  over_statistics(
      p,
      [&](int64_t i, int64_t s) {
        kernel.grad_sums(g + i * p.size, x + i * p.size, p.size, mean[s], sums + 2 * i);
      },
      [&](int64_t s) {
        double total[2] = {};
        p.each_plane(s, [&](int64_t i, int64_t channel) {
          total[0] += weight_of(channel) * sums[2 * i];
          total[1] += weight_of(channel) * sums[2 * i + 1];
        });
        means[2 * s] = total[0] / p.elements();
        means[2 * s + 1] = total[1] / p.elements();
        inverse[s] = inverse_deviation(var[s], eps);
      },
      [&](int64_t i, int64_t channel, int64_t s) {
        const double scale = inverse[s];
        kernel.grad_input(g + i * p.size, x + i * p.size, p.size, mean[s],
                          static_cast<T>(scale * weight_of(channel)),
                          static_cast<T>(-scale * scale * scale * means[2 * s + 1]),
                          static_cast<T>(-scale * means[2 * s]), dx + i * p.size);
      });
  for (int64_t channel = 0; channel < p.channels(); ++channel) {
    double total[2] = {};
    for (int64_t i = channel; i < p.count(); i += p.channels()) {
      total[0] += sums[2 * i];
      total[1] += sums[2 * i + 1] * inverse[p.statistic(i)];
    }
    dbias[channel] = static_cast<T>(total[0]);
    dweight[channel] = static_cast<T>(total[1]);
  }
}

// Enough for both directions: two numbers per plane and three per statistic.
size_t plane_workspace(const Planes& p) {
  Carver carver(nullptr);
  carver.take<double>(p.count());
  carver.take<double>(p.count());
  carver.take<double>(2 * p.statistics());
  carver.take<double>(p.statistics());
  return carver.used();
}

const Row plane_norm_row =
    Row("_plane_norm(Tensor input, Tensor? weight, Tensor? bias, int groups, bool across, "
        "float eps) -> (Tensor out, Tensor mean, Tensor var)")
        .doc("Normalize (N, C, S) by the mean and variance of groups of channels.")
        .infer([](Call& call) {
          call.contiguous = true;
          call.outputs = 3;
          const Tensor& x = call.in[0];
          const Planes p(x.shape(), call.attrs.i(0), call.attrs.b(1));
          call.out_meta[0] = x.meta();
          call.set_output(1, {p.statistics()}, x.dtype());
          call.set_output(2, {p.statistics()}, x.dtype());
          call.workspace_bytes = plane_workspace(p);
        })
        .launch([](Call& call) {
          dispatch_floating(call.in[0].dtype(),
                            [&](auto tag) { plane_norm<typename decltype(tag)::type>(call); });
        })
        .saves("input, weight for input, mean, var")
        .vjp([](Vjp& v) {
          const Tensor x = v.in(0), grad = v.grad(0);
          const Tensor weight = v.needs(0) ? v.in(1) : Tensor();
          const Planes p(x.shape(), v.attrs().i(0), v.attrs().b(1));
          if (!GradMode::enabled()) {
            Tensor out[kMaxOutputs];
            run(OP(_plane_norm_grad), {grad, x, weight, v.out(1), v.out(2)}, v.attrs(), out);
            for (int i = 0; i < 3; ++i) v.set(i, out[i]);
            return;
          }
          const Dims axes = p.across ? Dims{0, 2, 3} : Dims{2, 3};
          const Dims shape{p.batch, p.groups, p.per_group, p.size};
          const Tensor factor =
              weight ? OP(reshape)(weight, Dims{1, p.groups, p.per_group, 1}) : Tensor();
          const Gradients d = taped_gradients(OP(reshape)(grad, shape), OP(reshape)(x, shape),
                                              factor, axes, {0, 3}, v.attrs().f(2), true);
          v.set(0, [&] { return OP(reshape)(d.input, x.shape()); });
          v.set(1, [&] { return OP(reshape)(d.weight, Dims{p.channels()}); });
          v.set(2, [&] { return OP(reshape)(d.bias, Dims{p.channels()}); });
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

template <class T>
void plane_affine(Call& call) {
  const Planes p(call.in[0].shape(), 1, true);
  const T *x = call.in[0].data<T>(), *mean = call.in[1].data<T>(), *scale = call.in[2].data<T>(),
          *shift = data_or_null<T>(call.in[3]);
  T* out = call.out[0].data<T>();
  parallel(p.count(), grain_for(5 + 0.1 * static_cast<double>(p.size)),
           [&](int64_t begin, int64_t end, int) {
             int64_t channel = begin % p.channels();
             for (int64_t i = begin; i < end; ++i) {
               kernels<T>().affine(x + i * p.size, p.size, mean[channel], scale[channel],
                                   shift ? shift[channel] : T(0), out + i * p.size);
               if (++channel == p.channels()) channel = 0;
             }
           });
}

const Row plane_affine_row =
    Row("_plane_affine(Tensor input, Tensor mean, Tensor scale, Tensor? shift)")
        .doc("``(input - mean) * scale + shift`` of (N, C, S) with (C, 1).")
        .infer([](Call& call) {
          call.contiguous = true;
          call.out_meta[0] = call.in[0].meta();
        })
        .launch([](Call& call) {
          dispatch_floating(call.in[0].dtype(),
                            [&](auto tag) { plane_affine<typename decltype(tag)::type>(call); });
        })
        .saves("input for scale, mean for scale, scale for input, scale for mean")
        .vjp([](Vjp& v) {
          v.set(0, [&] { return v.grad() * v.in(2); });
          v.set(1, [&] { return -(v.grad() * v.in(2)); });
          v.set(2, [&] { return v.grad() * (v.in(0) - v.in(1)); });
          v.set(3, [&] { return v.grad(); });
        });

// ---------------------------------------------------------------- rows

double row_nanoseconds(int64_t n) { return 30 + 0.3 * static_cast<double>(n); }

// How the gradient cuts the rows: each block sums its part of the weight's and bias's gradients.
struct RowBlocks {
  int64_t rows, n, per_block, count;

  explicit RowBlocks(const Dims& shape) : rows(shape[0]), n(shape[1]) {
    constexpr int64_t kMaxBlocks = 64;
    const int64_t least = grain_for(row_nanoseconds(n));
    per_block = std::max((rows + kMaxBlocks - 1) / kMaxBlocks, least);
    count = (rows + per_block - 1) / per_block;
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

// ---------------------------------------------------------------- what users call

void check_input(const char* op, const Tensor& x, double eps) {
  CR_CHECK_TYPE(is_floating(x.dtype()), op, ": needs a floating-point input (got ", x.dtype(),
                "); convert with .float()");
  CR_CHECK(eps >= 0, op, ": eps must not be negative (got ", eps, ")");
}

void check_channels(const char* op, const Tensor& x) {
  CR_CHECK(x.rank() >= 2, op, ": the input needs a batch and a channel dimension (got shape ",
           x.shape(), "); expected (N, C, ...)");
  CR_CHECK(x.shape()[1] > 0, op, ": no channels (got input of shape ", x.shape(), ")");
}

void check_parameter(const char* op, const char* name, const Tensor& parameter, const Tensor& x,
                     const Dims& shape) {
  if (!parameter) return;
  CR_CHECK(parameter.shape() == shape, op, ": ", name, " of shape ", parameter.shape(),
           " does not fit the input of shape ", x.shape(), "; expected ", shape);
  CR_CHECK_TYPE(parameter.dtype() == x.dtype(), op, ": got input of dtype ", x.dtype(), " and ",
                name, " of dtype ", parameter.dtype(), "; expected one dtype; convert with .to()");
}

void check_running(const char* op, const char* name, const Tensor& running, const Tensor& x) {
  if (!running) return;
  const Dims expected{x.shape()[1]};
  CR_CHECK(running.shape() == expected, op, ": ", name, " of shape ", running.shape(),
           " does not fit the input of shape ", x.shape(), "; expected ", expected);
  CR_CHECK_TYPE(is_floating(running.dtype()), op, ": ", name,
                " must be a floating-point tensor (got ", running.dtype(), ")");
}

int64_t product(const Dims& shape, int first, int last) {
  int64_t n = 1;
  for (int i = first; i < last; ++i) n *= shape[i];
  return n;
}

constexpr int64_t kShort = 16;  // planes of fewer elements are not worth a call each

// By given statistics, as in evaluation.
Tensor normalize_by(const char* op, const Tensor& x, const Tensor& mean, const Tensor& var,
                    const Tensor& weight, const Tensor& bias, double eps) {
  CR_CHECK(mean && var, op,
           ": without the statistics of the batch, running_mean and running_var are needed "
           "(got None)");
  const Dims& shape = x.shape();
  const Dims planes{shape[0], shape[1], product(shape, 2, shape.size())};
  const Dims column{shape[1], 1};
  Tensor scale = OP(rsqrt)(OP(to)(var, x.dtype()) + eps);
  if (weight) scale = scale * weight;
  const Tensor shift = bias ? OP(reshape)(bias, column) : bias;
  const Tensor center = OP(to)(mean, x.dtype());
  const Tensor input = OP(reshape)(x, planes), middle = OP(reshape)(center, column);
  scale = OP(reshape)(scale, column);
  if (planes[2] >= kShort) {
    return OP(reshape)(OP(_plane_affine)(input, middle, scale, shift), shape);
  }
  const Tensor out = (input - middle) * scale;
  return OP(reshape)(shift ? out + shift : out, shape);
}

// running <- running + momentum * (mean of the values over the batch - running)
void follow(const Tensor& running, const Tensor& values, double momentum) {
  if (!running) return;
  const Tensor batch = OP(reshape)(values, Dims{-1, running.numel()});
  const Tensor value = OP(mean)(batch, Dims{0});
  run_inplace(OP(lerp), {running, value, Tensor::scalar(momentum, running.dtype(), true)}, Attrs());
}

struct Normalized {
  Tensor out, mean, var;
};

Normalized normalize_planes(const Tensor& x, const Tensor& weight, const Tensor& bias,
                            int64_t groups, bool across, double eps) {
  Attrs attrs;
  attrs.push_int(groups);
  attrs.push_bool(across);
  attrs.push_float(eps);
  Tensor out[kMaxOutputs];
  run(OP(_plane_norm), {x, weight, bias}, attrs, out);
  return {out[0], out[1], out[2]};
}

// Batch and instance normalization: what the two differ in is `across`.
Tensor normalize_channels(const char* op, const TensorList& in, const Attrs& attrs, bool across) {
  const Tensor &x = in[0], &running_mean = in[1], &running_var = in[2];
  const Tensor &weight = in[3], &bias = in[4];
  const bool by_input = attrs.b(0);
  const double momentum = attrs.f(1), eps = attrs.f(2);
  check_input(op, x, eps);
  check_channels(op, x);
  const Dims& shape = x.shape();
  const int64_t batch = shape[0], channels = shape[1], size = product(shape, 2, shape.size());
  check_parameter(op, "weight", weight, x, {channels});
  check_parameter(op, "bias", bias, x, {channels});
  check_running(op, "running_mean", running_mean, x);
  check_running(op, "running_var", running_var, x);
  if (!by_input) return normalize_by(op, x, running_mean, running_var, weight, bias, eps);

  const int64_t count = across ? batch * size : size;
  CR_CHECK(count != 1, op, ": one value per channel has no variance (got input of shape ", shape,
           "); expected more values, or evaluation by running statistics");
  // Short planes are gathered into one per channel.
  const bool gather = across && size > 1 && size < kShort && x.numel() > 0;
  Tensor planes = OP(reshape)(x, Dims{batch, channels, size});
  if (gather) {
    planes = OP(reshape)(OP(transpose)(planes, 0, 1), Dims{1, channels, batch * size});
  }
  Normalized result = normalize_planes(planes, weight, bias, channels, across, eps);
  if (gather) {
    result.out =
        OP(contiguous)(OP(transpose)(OP(reshape)(result.out, Dims{channels, batch, size}), 0, 1));
  }
  if (count > 1 && batch > 0) {
    const NoGrad untaped;
    const double n = static_cast<double>(count);
    follow(running_mean, result.mean, momentum);
    follow(running_var, result.var * (n / (n - 1)), momentum);
  }
  return OP(reshape)(result.out, shape);
}

// Layer and RMS normalization: what the two differ in is `centered`.
Tensor normalize_last(const char* op, const Tensor& x, const Dims& normalized, const Tensor& weight,
                      const Tensor& bias, double eps, bool centered) {
  check_input(op, x, eps);
  const int kept = x.rank() - normalized.size();
  CR_CHECK(!normalized.empty(), op, ": normalized_shape is empty; expected at least one size");
  CR_CHECK(kept >= 0 && Dims(x.shape().begin() + std::max(kept, 0), x.shape().end()) == normalized,
           op, ": the input of shape ", x.shape(), " does not end with normalized_shape ",
           normalized);
  check_parameter(op, "weight", weight, x, normalized);
  check_parameter(op, "bias", bias, x, normalized);
  const Dims flat{product(normalized, 0, normalized.size())};
  const auto flatten = [&](const Tensor& t) { return t ? OP(reshape)(t, flat) : t; };
  Attrs attrs;
  attrs.push_float(eps);
  attrs.push_bool(centered);
  const Dims rows{product(x.shape(), 0, kept), flat[0]};
  Tensor out[kMaxOutputs];
  run(OP(_row_norm), {OP(reshape)(x, rows), flatten(weight), flatten(bias)}, attrs, out);
  return OP(reshape)(out[0], x.shape());
}

const Row batch_norm_row =
    Row("batch_norm(Tensor input, Tensor? running_mean, Tensor? running_var, "
        "Tensor? weight=None, Tensor? bias=None, bool training=False, float momentum=0.1, "
        "float eps=1e-05)")
        .doc(R"(``(input - mean) / sqrt(var + eps) * weight + bias`` for every channel.

In training, mean and (biased) variance are those of the batch, and the running statistics move
towards them by ``momentum``, the variance unbiased; otherwise they are the running ones.

Args:
    input: (N, C) or (N, C, ...), floating dtype.
    running_mean: (C,), written to in training, or None.
    running_var: (C,), written to in training, or None.
    weight: (C,), the input's dtype, or None.
    bias: (C,), the input's dtype, or None.
    training: whether to use the statistics of the batch.
    momentum: weight of the new value in the running statistics.
    eps: added to the variance.

Raises:
    ValueError: when shapes do not fit, there is one value per channel in training, eps is
        negative, or the running statistics are missing in evaluation.
    TypeError: when dtypes differ or are not floating.

Example:
    >>> F.batch_norm(cr.tensor([[1.], [3.]]), None, None, training=True)
    tensor([[-1.0000],
            [ 1.0000]])
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return normalize_channels("batch_norm", in, attrs, true);
        });

const Row instance_norm_row =
    Row("instance_norm(Tensor input, Tensor? running_mean=None, Tensor? running_var=None, "
        "Tensor? weight=None, Tensor? bias=None, bool use_input_stats=True, "
        "float momentum=0.1, float eps=1e-05)")
        .doc(R"(:func:`batch_norm` with the statistics of every example by itself.

Args:
    input: (N, C, ...), floating dtype.
    running_mean: (C,), moved towards the mean over the batch, or None.
    running_var: (C,), alike.
    weight: (C,), the input's dtype, or None.
    bias: (C,), the input's dtype, or None.
    use_input_stats: False uses the running statistics.
    momentum: weight of the new value in the running statistics.
    eps: added to the variance.

Raises:
    ValueError: when shapes do not fit, a plane has one value, or eps is negative.
    TypeError: when dtypes differ or are not floating.

Example:
    >>> F.instance_norm(cr.tensor([[[1., 3.]]]))
    tensor([[[-1.0000,  1.0000]]])
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return normalize_channels("instance_norm", in, attrs, false);
        });

const Row group_norm_row =
    Row("group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, "
        "float eps=1e-05)")
        .doc(R"(Normalize groups of channels of every example, then scale and shift each channel.

Args:
    input: (N, C, ...), floating dtype.
    num_groups: divides C.
    weight: (C,), the input's dtype, or None.
    bias: (C,), the input's dtype, or None.
    eps: added to the variance.

Raises:
    ValueError: when shapes do not fit, num_groups does not divide C, or eps is negative.
    TypeError: when dtypes differ or are not floating.

Example:
    >>> F.group_norm(cr.tensor([[1., 3., 10., 30.]]), 2)
    tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          const Tensor& x = in[0];
          const int64_t groups = attrs.i(0);
          check_input("group_norm", x, attrs.f(1));
          check_channels("group_norm", x);
          const Dims& shape = x.shape();
          CR_CHECK(groups >= 1 && shape[1] % groups == 0,
                   "group_norm: num_groups must be positive "
                   "and divide the channels (got ",
                   groups, " groups and an input of shape ", shape, ")");
          check_parameter("group_norm", "weight", in[1], x, {shape[1]});
          check_parameter("group_norm", "bias", in[2], x, {shape[1]});
          const Dims planes{shape[0], shape[1], product(shape, 2, shape.size())};
          const Normalized result =
              normalize_planes(OP(reshape)(x, planes), in[1], in[2], groups, false, attrs.f(1));
          return OP(reshape)(result.out, shape);
        });

const Row layer_norm_row =
    Row("layer_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, "
        "Tensor? bias=None, float eps=1e-05)")
        .doc(R"(``(input - mean) / sqrt(var + eps) * weight + bias`` over the last dimensions.

Args:
    input: (..., *normalized_shape), floating dtype.
    normalized_shape: sizes of the dimensions that share a mean and a variance.
    weight: normalized_shape, the input's dtype, or None.
    bias: normalized_shape, the input's dtype, or None.
    eps: added to the variance.

Raises:
    ValueError: when shapes do not fit or eps is negative.
    TypeError: when dtypes differ or are not floating.

Example:
    >>> F.layer_norm(cr.tensor([[1., 3.]]), (2,))
    tensor([[-1.0000,  1.0000]])
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          return normalize_last("layer_norm", in[0], attrs.ints(0), in[1], in[2], attrs.f(1), true);
        });

const Row rms_norm_row =
    Row("rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, float? eps=None)")
        .doc(R"(``input / sqrt(mean(input ** 2) + eps) * weight`` over the last dimensions.

Args:
    input: (..., *normalized_shape), floating dtype.
    normalized_shape: sizes of the dimensions the mean runs over.
    weight: normalized_shape, the input's dtype, or None.
    eps: added to the mean square; None is the machine epsilon of the dtype.

Raises:
    ValueError: when shapes do not fit or eps is negative.
    TypeError: when dtypes differ or are not floating.

Example:
    >>> F.rms_norm(cr.tensor([[3., 4.]]), (2,))
    tensor([[0.8485, 1.1314]])
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          const double smallest = in[0].dtype() == DType::kFloat64
                                      ? std::numeric_limits<double>::epsilon()
                                      : std::numeric_limits<float>::epsilon();
          return normalize_last("rms_norm", in[0], attrs.ints(0), in[1], Tensor(),
                                attrs.none(1) ? smallest : attrs.f(1), false);
        });

const Row local_response_norm_row =
    Row("local_response_norm(Tensor input, int size, float alpha=0.0001, float beta=0.75, "
        "float k=1)")
        .doc(R"(``input / (k + alpha * mean of squares over nearby channels) ** beta``.

Args:
    input: (N, C, ...) of three or more dimensions, floating dtype.
    size: channels in a neighbourhood; those beyond the first and last count as zeros.
    alpha: factor of the mean.
    beta: exponent.
    k: constant term.

Raises:
    ValueError: when the input has fewer than three dimensions or size is not positive.
    TypeError: when the input is not floating.

Example:
    >>> F.local_response_norm(cr.tensor([[[3.], [4.]]]), 1, alpha=1.0, beta=0.5, k=0.0)
    tensor([[[1.],
             [1.]]])
)")
        .nn()
        .compose([](const TensorList& in, const Attrs& attrs) {
          const Tensor& x = in[0];
          const int64_t size = attrs.i(0);
          check_input("local_response_norm", x, 0);
          CR_CHECK(x.rank() >= 3,
                   "local_response_norm: the input needs at least 3 dimensions (got ", x.shape(),
                   "); expected (N, C, ...)");
          CR_CHECK(size >= 1, "local_response_norm: size must be positive (got ", size, ")");
          if (x.numel() == 0) return OP(clone)(x);
          const Dims planes{x.shape()[0], 1, x.shape()[1], product(x.shape(), 2, x.rank())};
          const Tensor squares =
              OP(pad)(OP(square)(OP(reshape)(x, planes)), Dims{0, 0, size / 2, (size - 1) / 2});
          const Tensor means = OP(avg_pool2d)(squares, Dims{size, 1}, Dims{1, 1});
          return x / OP(reshape)(OP(pow)(means * attrs.f(1) + attrs.f(3), attrs.f(2)), x.shape());
        });

}  // namespace
}  // namespace cr
