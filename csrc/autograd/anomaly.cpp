#include "autograd/anomaly.h"

namespace cr {

Anomaly anomaly;

namespace {

Tape plain;                                  // the tape's own functions, while the watch is on
thread_local const Node* running = nullptr;  // whose gradient formula is being evaluated

bool has_nan(const Tensor& tensor) {
  if (!tensor || !is_floating(tensor.dtype()) || tensor.numel() == 0) return false;
  NoGrad off;
  const Tensor found = OP(any)(OP(isnan)(tensor));
  return *reinterpret_cast<const bool*>(found.impl()->data);
}

std::string made_at(const Node& node) {
  const std::string& origin = node.origin();
  if (origin.empty()) {
    return "\nTurn anomaly detection on before the forward pass to see the line that called it.";
  }
  return "\nIt was called here:\n" + origin;
}

Node* node_of(const Tensor& tensor) { return static_cast<Node*>(tensor.node().get()); }

void record(const OpDef& op, const TensorList& inputs, const Attrs& attrs, Tensor* out,
            int outputs) {
  plain.record(op, inputs, attrs, out, outputs);
  for (int k = 0; k < outputs; ++k) {
    if (Node* node = node_of(out[k])) return watch_forward(*node, out, outputs);
  }
}

void after_write(const OpDef& op, const TensorList& inputs, const Attrs& attrs, const Tensor& self,
                 bool tracked) {
  plain.after_write(op, inputs, attrs, self, tracked);
  if (tracked) watch_forward(*node_of(self), &self, 1);
}

}  // namespace

void set_anomaly(bool on, bool check_nan) {
  anomaly.check_nan = check_nan;
  if (on == anomaly.on) return;
  anomaly.on = on;
  if (on) {
    plain = tape;
    tape.record = record;
    tape.after_write = after_write;
  } else {
    tape.record = plain.record;
    tape.after_write = plain.after_write;
  }
}

void watch_forward(Node& node, const Tensor* outputs, int count) {
  if (running) {  // part of a gradient formula, which apply_watched checks as a whole
    node.set_origin(
        concat("  in the gradient of ", running->name(), ", called here:\n", running->origin()));
    return;
  }
  node.set_origin(anomaly.where());
  for (int k = 0; anomaly.check_nan && k < count; ++k) {
    CR_CHECK_STATE(!has_nan(outputs[k]), node.name(), ": the forward pass made nan in output ", k,
                   " (shape ", outputs[k].shape(), ")", made_at(node));
  }
}

void apply_watched(Node& node, Vjp& vjp, const TensorList& results) {
  const Node* before = running;
  running = &node;
  try {
    node.apply(vjp);
  } catch (const Error& error) {
    running = before;
    throw Error(error.kind(), error.what() + made_at(node));
  } catch (...) {
    running = before;
    throw;
  }
  running = before;
  if (!anomaly.check_nan) return;
  for (int i = 0; i < results.size(); ++i) {
    CR_CHECK_STATE(!has_nan(results[i]), node.name(), ": the backward pass made nan in gradient ",
                   i, " (shape ", results[i].shape(), ")", made_at(node));
  }
}

}  // namespace cr
