// The NaN watch: each call remembers the Python line that made it, and a NaN in a result or in a
// gradient is an error that names both.
//
// Off, it costs nothing: turned on, it replaces two functions of the tape.
#pragma once

#include <functional>
#include <string>

#include "autograd/node.h"

namespace cr {

struct Anomaly {
  bool on = false;
  bool check_nan = true;
  std::function<std::string()> where;  // the Python line being run, installed by the binding
};
extern Anomaly anomaly;

void set_anomaly(bool on, bool check_nan);
// A new node of the tape: remember its line, check its outputs.
void watch_forward(Node& node, const Tensor* outputs, int count);
// node.apply(vjp), with errors and NaNs reported.
void apply_watched(Node& node, Vjp& vjp, const TensorList& results);

}  // namespace cr
