// Recurrent layers: one call per layer and direction. The loops: recurrent_loop.cpp.
//
// The backward loop gives the gradient of the gates' sums for all steps; the gradients of input,
// weights and biases are then one product or sum each. What must be differentiated again is
// replayed step by step with ops.
#include <vector>

#include "autograd/engine.h"
#include "autograd/node.h"
#include "ops/recurrent_loop.h"

namespace cr {
namespace {

// The inputs and outputs of `_recurrent`.
enum In { kInput, kH0, kC0, kWeightIh, kWeightHh, kWeightHr, kMask, kBatchSizes, kBiasIh, kBiasHh };
enum Out { kOut, kHN, kCN, kGates, kCells, kHidden };

// ---------------------------------------------------------------- checks

template <class T>
T* data_or_null(const Tensor& x) {
  return x ? x.data<T>() : nullptr;
}

// One sequence of rows for all steps: (steps, batch, ...) or, with batch sizes, (rows, ...).
void set_extent(Layer& layer, const char* op, const Tensor& x, const Tensor& batch_sizes) {
  if (!batch_sizes) {
    CR_CHECK(x.rank() == 3, op, ": got input of shape ", x.shape(),
             "; expected (steps, batch, features)");
    layer.steps = x.size(0);
    layer.rows = layer.steps * layer.batch;
    CR_CHECK(x.size(1) == layer.batch, op, ": input and h0 differ in batch (got ", x.shape(),
             " and a batch of ", layer.batch, ")");
  } else {
    CR_CHECK(x.rank() == 2, op, ": got input of shape ", x.shape(),
             "; expected (rows, features) with batch_sizes");
    CR_CHECK_TYPE(batch_sizes.dtype() == DType::kInt64, op, ": batch_sizes has dtype ",
                  batch_sizes.dtype(), "; expected int64");
    CR_CHECK(batch_sizes.rank() == 1, op, ": got batch_sizes of shape ", batch_sizes.shape(),
             "; expected one size a step");
    layer.steps = batch_sizes.size(0);
    layer.rows = 0;
    const int64_t stride = batch_sizes.strides()[0];
    for (int64_t t = 0, before = layer.batch; t < layer.steps; ++t) {
      const int64_t size = batch_sizes.data<int64_t>()[t * stride];
      CR_CHECK(t == 0 ? size == layer.batch : size >= 1 && size <= before, op, ": batch_sizes[", t,
               "] is ", size, "; expected ", t == 0 ? "the batch of h0, " : "between 1 and ",
               before, t == 0 ? "" : ", the size before it");
      layer.rows += before = size;
    }
    CR_CHECK(x.size(0) == layer.rows, op, ": input has ", x.size(0),
             " rows; expected the sum of batch_sizes, ", layer.rows);
  }
  layer.batch_sizes = data_or_null<int64_t>(batch_sizes);
  CR_CHECK(layer.steps >= 1, op, ": the sequence has no steps (got input of shape ", x.shape(),
           "); expected at least one");
}

void check_shape(const char* op, const char* what, const Tensor& x, const Dims& shape,
                 DType dtype) {
  CR_CHECK(x.shape() == shape, op, ": ", what, " has shape ", x.shape(), "; expected ", shape);
  CR_CHECK_TYPE(x.dtype() == dtype, op, ": ", what, " differs in dtype (got ", x.dtype(),
                "); expected ", dtype);
}

// The layer of a call of `_recurrent`, whose inputs are checked.
Layer layer_of(const Call& call) {
  const char* op = call.name();
  const TensorList& in = call.in;
  const Tensor &x = in[kInput], &w = in[kWeightHh];
  CR_CHECK_TYPE(is_floating(x.dtype()), op, ": got input of dtype ", x.dtype(),
                "; expected float32 or float64");
  CR_CHECK(in[kH0].rank() == 2 && w.rank() == 2, op, ": got h0 of shape ", in[kH0].shape(),
           " and weight_hh of shape ", w.shape(), "; expected 2 dimensions each");
  Layer layer{};
  layer.cell = static_cast<Cell>(call.attrs.i(0));
  layer.reverse = call.attrs.b(1);
  layer.dtype = x.dtype();
  layer.batch = in[kH0].size(0);
  layer.state = w.size(1);
  layer.hidden = w.size(0) / layer.gates();
  layer.features = x.size(-1);
  set_extent(layer, op, x, in[kBatchSizes]);
  const bool lstm = layer.cell == Cell::kLstm;
  const int64_t h = layer.hidden, p = layer.state, width = layer.gates() * h;
  CR_CHECK(h >= 1 && p >= 1, op, ": got weight_hh of shape ", w.shape(), "; expected hidden units");
  const auto check = [&](In i, const char* what, const Dims& shape) {
    check_shape(op, what, in[i], shape, layer.dtype);
  };
  check(kH0, "h0", {layer.batch, p});
  check(kWeightIh, "weight_ih", {width, layer.features});
  check(kWeightHh, "weight_hh", {width, p});
  CR_CHECK(static_cast<bool>(in[kC0]) == lstm, op, lstm ? ": c0 is missing" : ": c0 is for LSTM");
  CR_CHECK(static_cast<bool>(in[kWeightHr]) == layer.projected(), op, ": weight_hh has shape ",
           w.shape(), "; expected columns for the hidden size ", h, " or a weight_hr");
  CR_CHECK(lstm || !layer.projected(), op, ": weight_hr is for LSTM");
  CR_CHECK(static_cast<bool>(in[kBiasIh]) == static_cast<bool>(in[kBiasHh]), op,
           ": got one of two biases; expected both or none");
  if (lstm) check(kC0, "c0", {layer.batch, h});
  if (layer.projected()) check(kWeightHr, "weight_hr", {p, h});
  if (in[kMask]) check(kMask, "mask", {layer.batch, p});
  if (in[kBiasIh]) {
    check(kBiasIh, "bias_ih", {width});
    check(kBiasHh, "bias_hh", {width});
  }
  return layer;
}

Dims with_last(Dims shape, int64_t size) {
  shape.back() = size;
  return shape;
}

// ---------------------------------------------------------------- replay with ops

struct States {
  Tensor h, c;
};

Tensor rows_of(const Tensor& x, int64_t begin, int64_t end) { return OP(slice)(x, 0, begin, end); }

Tensor gate(const Tensor& sums, int64_t k, int64_t hidden) {
  return OP(slice)(sums, 1, k * hidden, (k + 1) * hidden);
}

// One step: `sums` is the input's part, with its bias.
States cell_by_ops(Cell cell, const Tensor& sums, const States& s, const TensorList& in,
                   const Tensor& mask) {
  const int64_t h = in[kWeightHh].size(0) / (cell == Cell::kLstm ? 4 : cell == Cell::kGru ? 3 : 1);
  const Tensor recurrent = OP(linear)(mask ? s.h * mask : s.h, in[kWeightHh], in[kBiasHh]);
  if (cell == Cell::kGru) {
    const Tensor r = OP(sigmoid)(gate(sums, 0, h) + gate(recurrent, 0, h));
    const Tensor z = OP(sigmoid)(gate(sums, 1, h) + gate(recurrent, 1, h));
    const Tensor n = OP(tanh)(gate(sums, 2, h) + r * gate(recurrent, 2, h));
    return {n + z * (s.h - n), {}};
  }
  const Tensor total = sums + recurrent;
  if (cell == Cell::kTanh) return {OP(tanh)(total), {}};
  if (cell == Cell::kRelu) return {OP(relu)(total), {}};
  const Tensor c = OP(sigmoid)(gate(total, 1, h)) * s.c +
                   OP(sigmoid)(gate(total, 0, h)) * OP(tanh)(gate(total, 2, h));
  const Tensor out = OP(sigmoid)(gate(total, 3, h)) * OP(tanh)(c);
  return {in[kWeightHr] ? OP(linear)(out, in[kWeightHr]) : out, c};
}

Tensor join(const std::vector<Tensor>& parts) {
  TensorList list;
  for (const Tensor& part : parts) list.push_back(part);
  return OP(cat)(list, 0);
}

// out (steps, batch, state) or (rows, state), h_n and c_n of `_recurrent`.
std::vector<Tensor> layer_by_ops(Cell cell, bool reverse, const TensorList& in) {
  const Tensor& x = in[kInput];
  const bool lstm = cell == Cell::kLstm;
  const int64_t batch = in[kH0].size(0);
  std::vector<int64_t> sizes(static_cast<size_t>(x.size(0)), batch);
  if (in[kBatchSizes]) {
    const Tensor list = contiguous_copy(in[kBatchSizes]);
    sizes.assign(list.data<int64_t>(), list.data<int64_t>() + list.numel());
  }
  const size_t steps = sizes.size();
  const Tensor sums = OP(linear)(OP(reshape)(x, Dims{-1, x.size(-1)}), in[kWeightIh], in[kBiasIh]);
  // Samples start at their first step and leave after their last.
  States s{rows_of(in[kH0], 0, reverse ? sizes.back() : batch),
           lstm ? rows_of(in[kC0], 0, reverse ? sizes.back() : batch) : Tensor()};
  std::vector<Tensor> out(steps), h_n, c_n;
  int64_t row = reverse ? sums.size(0) : 0;
  for (size_t k = 0; k < steps; ++k) {
    const size_t t = reverse ? steps - 1 - k : k;
    const int64_t size = sizes[t], present = s.h.size(0);
    if (size > present) {
      s.h = join({s.h, rows_of(in[kH0], present, size)});
      if (lstm) s.c = join({s.c, rows_of(in[kC0], present, size)});
    } else if (size < present) {
      h_n.insert(h_n.begin(), rows_of(s.h, size, present));
      s.h = rows_of(s.h, 0, size);
      if (lstm) c_n.insert(c_n.begin(), rows_of(s.c, size, present));
      if (lstm) s.c = rows_of(s.c, 0, size);
    }
    if (reverse) row -= size;
    const Tensor mask = in[kMask] ? rows_of(in[kMask], 0, size) : Tensor();
    s = cell_by_ops(cell, rows_of(sums, row, row + size), s, in, mask);
    out[t] = s.h;
    if (!reverse) row += size;
  }
  h_n.insert(h_n.begin(), s.h);
  if (lstm) c_n.insert(c_n.begin(), s.c);
  const Tensor all = OP(reshape)(join(out), with_last(x.shape(), s.h.size(1)));
  return {all, join(h_n), lstm ? join(c_n) : Tensor()};
}

// The gradients by the engine itself, from a replay of the layer on inputs of its own.
void gradients_by_replay(Vjp& v) {
  const bool create_graph = GradMode::enabled();
  NoGrad recording(true);
  TensorList in;
  std::vector<Tensor> wanted;
  std::vector<int> places;
  for (int i = 0; i < v.inputs(); ++i) {
    in.push_back(v.in(i));
    if (!v.needs(i)) continue;
    in[i] = OP(view)(in[i], in[i].shape());
    wanted.push_back(in[i]);
    places.push_back(i);
  }
  const std::vector<Tensor> outputs =
      layer_by_ops(static_cast<Cell>(v.attrs().i(0)), v.attrs().b(1), in);
  std::vector<Tensor> roots, grads;
  for (int k = 0; k < static_cast<int>(outputs.size()); ++k) {
    if (!v.has_grad(k) || !outputs[static_cast<size_t>(k)]) continue;
    roots.push_back(outputs[static_cast<size_t>(k)]);
    grads.push_back(v.grad(k));
  }
  BackwardOptions options;
  options.create_graph = options.retain_graph = create_graph;
  options.accumulate = false;
  const std::vector<Tensor> results = backward(roots, grads, wanted, options);
  for (size_t i = 0; i < results.size(); ++i) v.set(places[i], results[i]);
}

// ---------------------------------------------------------------- fused gradients

// Rows of the three gates of a GRU in the order of its gradient (new, reset, update), and back.
Tensor new_first(const Tensor& x, int64_t hidden) {
  return join({rows_of(x, 2 * hidden, 3 * hidden), rows_of(x, 0, 2 * hidden)});
}
Tensor new_last(const Tensor& x, int64_t hidden) {
  return join({rows_of(x, hidden, 3 * hidden), rows_of(x, 0, hidden)});
}

void fused_gradients(Vjp& v) {
  const bool gru = static_cast<Cell>(v.attrs().i(0)) == Cell::kGru;
  const auto optional_grad = [&](int k) { return v.has_grad(k) ? v.grad(k) : Tensor(); };
  Attrs attrs = v.attrs();
  attrs.push_bool(v.needs(kH0));
  Tensor d[kMaxOutputs];  // grad_gates, h0, c0, previous, grad_projected
  run(OP(_recurrent_grad),
      {optional_grad(kOut), optional_grad(kHN), optional_grad(kCN), v.in(kH0), v.in(kC0),
       v.in(kWeightHh), v.in(kWeightHr), v.in(kMask), v.in(kBatchSizes), v.out(kOut), v.out(kGates),
       v.out(kCells)},
      attrs, d);
  const int64_t width = d[0].size(1), hidden = width / 4;  // of GRU's four
  const Tensor from_input = gru ? OP(slice)(d[0], 1, 0, 3 * hidden) : d[0];
  const Tensor from_state = gru ? OP(slice)(d[0], 1, hidden, width) : d[0];
  const auto weight_grad = [](const Tensor& sums, const Tensor& x) {
    return OP(matmul)(OP(transpose)(sums, 0, 1), OP(reshape)(x, Dims{sums.size(0), x.size(-1)}));
  };
  v.set(kInput, [&] {
    const Tensor w = v.in(kWeightIh);
    return OP(reshape)(OP(matmul)(from_input, gru ? new_first(w, hidden) : w), v.in_shape(kInput));
  });
  v.set(kH0, d[1]);
  v.set(kC0, d[2]);
  v.set(kWeightIh, [&] {
    const Tensor w = weight_grad(from_input, v.in(kInput));
    return gru ? new_last(w, hidden) : w;
  });
  v.set(kWeightHh, [&] { return weight_grad(from_state, d[3]); });
  v.set(kWeightHr, [&] { return weight_grad(d[4], v.out(kHidden)); });
  if (!v.needs(kBiasIh) && !v.needs(kBiasHh)) return;
  const Tensor sums = OP(sum)(d[0], Dims{0});
  v.set(kBiasIh, [&] { return gru ? new_last(OP(slice)(sums, 0, 0, 3 * hidden), hidden) : sums; });
  v.set(kBiasHh, [&] { return gru ? OP(slice)(sums, 0, hidden, width) : sums; });
}

// ---------------------------------------------------------------- rows

const Row recurrent_row =
    Row("_recurrent(Tensor input, Tensor h0, Tensor? c0, Tensor weight_ih, Tensor weight_hh, "
        "Tensor? weight_hr, Tensor? mask, Tensor? batch_sizes, Tensor? bias_ih, Tensor? bias_hh, "
        "{rnn_tanh|rnn_relu|lstm|gru} mode, bool reverse) -> (Tensor out, Tensor h_n, Tensor c_n, "
        "Tensor gates, Tensor cells, Tensor hidden)")
        .doc(
            "Run one recurrent layer in one direction over (T, N, features), or over packed rows "
            "with ``batch_sizes``; ``mask`` multiplies the state before the recurrent product.")
        .infer([](Call& call) {
          call.contiguous = true;
          call.outputs = 6;
          const Layer layer = layer_of(call);
          const DType dtype = layer.dtype;
          const bool lstm = layer.cell == Cell::kLstm;
          call.set_output(kOut, with_last(call.in[kInput].shape(), layer.state), dtype);
          call.set_output(kHN, {layer.batch, layer.state}, dtype);
          call.set_output(kCN, {lstm ? layer.batch : 0, layer.hidden}, dtype);
          call.set_output(kGates, {layer.plain() ? 0 : layer.rows, layer.gate_width()}, dtype);
          call.set_output(kCells, {lstm ? layer.rows : 0, layer.hidden}, dtype);
          call.set_output(kHidden, {layer.projected() ? layer.rows : 0, layer.hidden}, dtype);
          call.workspace_bytes = forward_workspace(layer, static_cast<bool>(call.in[kMask]));
        })
        .launch([](Call& call) {
          const Layer layer = layer_of(call);
          dispatch_floating(layer.dtype, [&](auto tag) {
            using T = typename decltype(tag)::type;
            const auto in = [&](In i) { return data_or_null<const T>(call.in[i]); };
            const auto out = [&](Out k) {
              return call.out[k].numel() ? call.out[k].template data<T>() : nullptr;
            };
            run_forward<T>(layer,
                           {in(kInput), in(kH0), in(kC0), in(kWeightIh), in(kWeightHh),
                            in(kWeightHr), in(kMask), in(kBiasIh), in(kBiasHh), out(kOut), out(kHN),
                            out(kCN), out(kGates), out(kCells), out(kHidden)},
                           call.workspace);
          });
        })
        .saves(
            "input, h0, c0, weight_ih, weight_hh, weight_hr, mask, batch_sizes, bias_ih, "
            "bias_hh, out, gates, cells, hidden")
        .vjp([](Vjp& v) {
          if (GradMode::enabled() || v.needs(kMask)) {
            gradients_by_replay(v);
          } else {
            fused_gradients(v);
          }
        });

// The layer of a call of `_recurrent_grad`: its inputs come from the tape, checked before.
Layer grad_layer_of(const Call& call) {
  const TensorList& in = call.in;
  const Tensor &h0 = in[3], &weight_hh = in[5], &batch_sizes = in[8], &out = in[9];
  Layer layer{};
  layer.cell = static_cast<Cell>(call.attrs.i(0));
  layer.reverse = call.attrs.b(1);
  layer.dtype = out.dtype();
  layer.batch = h0.size(0);
  layer.state = out.size(-1);
  layer.hidden = weight_hh.size(0) / layer.gates();
  layer.steps = batch_sizes ? batch_sizes.size(0) : out.size(0);
  layer.rows = batch_sizes ? out.size(0) : layer.steps * layer.batch;
  layer.batch_sizes = data_or_null<int64_t>(batch_sizes);
  return layer;
}

const Row recurrent_grad_row =
    Row("_recurrent_grad(Tensor? grad_out, Tensor? grad_h, Tensor? grad_c, Tensor h0, Tensor? c0, "
        "Tensor weight_hh, Tensor? weight_hr, Tensor? mask, Tensor? batch_sizes, Tensor out, "
        "Tensor gates, Tensor cells, {rnn_tanh|rnn_relu|lstm|gru} mode, bool reverse, "
        "bool to_start) -> (Tensor grad_gates, Tensor grad_h0, Tensor grad_c0, Tensor previous, "
        "Tensor grad_projected)")
        .doc(
            "Gradients of ``_recurrent`` with respect to the sums before the gates, the initial "
            "states and what is projected; and the states that the recurrent product took.")
        .infer([](Call& call) {
          call.contiguous = true;
          call.outputs = 5;
          const Layer layer = grad_layer_of(call);
          const DType dtype = layer.dtype;
          call.set_output(0, {layer.rows, layer.gate_width()}, dtype);
          call.set_output(1, {layer.batch, layer.state}, dtype);
          call.set_output(2, {layer.cell == Cell::kLstm ? layer.batch : 0, layer.hidden}, dtype);
          call.set_output(3, {layer.rows, layer.state}, dtype);
          call.set_output(4, {layer.projected() ? layer.rows : 0, layer.state}, dtype);
          call.workspace_bytes = backward_workspace(layer, static_cast<bool>(call.in[7]));
        })
        .launch([](Call& call) {
          const Layer layer = grad_layer_of(call);
          dispatch_floating(layer.dtype, [&](auto tag) {
            using T = typename decltype(tag)::type;
            const auto in = [&](int i) {
              return call.in[i] && call.in[i].numel() ? call.in[i].template data<const T>()
                                                      : nullptr;
            };
            const auto out = [&](int k) {
              return call.out[k].numel() ? call.out[k].template data<T>() : nullptr;
            };
            run_backward<T>(layer,
                            {in(0), in(1), in(2), in(3), in(4), in(5), in(6), in(7), in(9), in(10),
                             in(11), out(0), out(1), out(2), out(3), out(4), call.attrs.b(2)},
                            call.workspace);
          });
        });

}  // namespace
}  // namespace cr
