// backward, hooks, graph inspection and autograd.Function.
#include <pybind11/functional.h>
#include <pybind11/stl.h>

#include "autograd/anomaly.h"
#include "bind/python.h"
#include "core/profile.h"

namespace cr {
namespace {

// Calls a Python hook from the engine, which runs without the GIL.
GradHook python_hook(py::object function) {
  // Shared, so that copies of the std::function touch no Python reference count.
  std::shared_ptr<py::object> held(new py::object(std::move(function)), [](py::object* object) {
    py::gil_scoped_acquire gil;
    delete object;
  });
  return [held](const Tensor& grad) -> Tensor {
    py::gil_scoped_acquire gil;
    const py::object result = (*held)(grad);
    if (result.is_none()) return Tensor();
    CR_CHECK_TYPE(is_tensor(result.ptr()), "hook: expected a Tensor or None (got ",
                  Py_TYPE(result.ptr())->tp_name, ")");
    return as_tensor(result.ptr());
  };
}

Node& node_of(const Tensor& tensor) { return *static_cast<Node*>(tensor.node().get()); }

void check_tracked(const Tensor& tensor, const char* what) {
  CR_CHECK_STATE(tensor.requires_grad(), what, ": the tensor does not require a gradient");
}

// A call of a Python autograd.Function.
class FunctionNode final : public Node {
 public:
  FunctionNode(py::object context, std::string name)
      : context_(std::move(context)), name_(std::move(name)) {}
  ~FunctionNode() override {
    py::gil_scoped_acquire gil;
    context_ = py::object();
  }

  std::string name() const override { return name_ + "Backward"; }

  void save(const Tensor& tensor, int output) {
    saved_.push_back(
        {output, tensor ? tensor.version() : 0, output >= 0 ? tensor.alias() : tensor});
  }

  void release_saved() override {
    saved_.clear();
    freed_ = true;
  }

  void apply(Vjp& vjp) override {
    CR_CHECK_STATE(!freed_, name_,
                   ": the graph was freed by an earlier backward; call "
                   "backward(retain_graph=True) the first time to go through it again");
    py::gil_scoped_acquire gil;
    py::tuple saved(saved_.size());
    for (size_t i = 0; i < saved_.size(); ++i) saved[i] = py::cast(unpack(saved_[i]));
    const bool materialize = py::cast<bool>(context_.attr("_materialize_grads"));
    py::tuple grads(outputs_.size());
    for (int k = 0; k < outputs_.size(); ++k) {
      grads[k] = materialize || vjp.has_grad(k) ? py::cast(vjp.grad(k)) : py::none();
    }
    const py::sequence results = context_.attr("_run_backward")(saved, grads);
    for (int i = 0; i < inputs_.size(); ++i) {
      const py::object grad = results[i];
      if (grad.is_none()) continue;
      CR_CHECK_TYPE(is_tensor(grad.ptr()), name_, ": backward returned ",
                    Py_TYPE(grad.ptr())->tp_name, " for argument ", i,
                    "; expected a Tensor or None");
      if (!vjp.needs(i)) continue;
      const Tensor& value = as_tensor(grad.ptr());
      CR_CHECK_STATE(value.shape() == inputs_[i].meta.shape, name_, ": backward returned shape ",
                     value.shape(), " for argument ", i, "; expected ", inputs_[i].meta.shape);
      vjp.set(i, value);
    }
  }

 private:
  struct Saved {
    int output;  // which output it is, or -1
    uint32_t version;
    Tensor tensor;
  };

  Tensor unpack(const Saved& saved) {
    if (!saved.tensor) return Tensor();
    CR_CHECK_STATE(saved.tensor.version() == saved.version, name_,
                   ": a tensor saved for backward was changed in place (shape ",
                   saved.tensor.shape(), ", version ", saved.tensor.version(), "; expected ",
                   saved.version, ")");
    if (saved.output < 0 || !GradMode::enabled()) return saved.tensor;
    Tensor attached = saved.tensor.alias();
    attached.impl()->node = Ref<GraphNode>(this);
    attached.impl()->output_nr = static_cast<uint16_t>(saved.output);
    return attached;
  }

  py::object context_;
  std::string name_;
  std::vector<Saved> saved_;
  bool freed_ = false;
};

// Puts the outputs of Function.forward on the tape. `inputs` has None for arguments that are no
// tensors. Returns the outputs (aliases where forward returned an input unchanged).
std::vector<Tensor> attach_function(py::object context, const std::string& name,
                                    const std::vector<Tensor>& inputs, std::vector<Tensor> outputs,
                                    const std::vector<Tensor>& saved,
                                    const std::vector<bool>& differentiable) {
  Ref<FunctionNode> node(new FunctionNode(std::move(context), name));
  node->inputs().resize(static_cast<int>(inputs.size()));
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i]) continue;
    InputSlot& slot = node->inputs()[static_cast<int>(i)];
    slot.meta = inputs[i].meta();
    if (inputs[i].requires_grad()) {
      slot.node = inputs[i].node();
      slot.output = inputs[i].impl()->output_nr;
    }
  }
  std::vector<Tensor> originals = outputs;
  for (size_t k = 0; k < outputs.size(); ++k) {
    for (const Tensor& input : inputs) {
      if (input && outputs[k].is(input)) {
        outputs[k] = input.alias();
        break;
      }
    }
    node->outputs().push_back(outputs[k].meta());
  }
  for (const Tensor& tensor : saved) {
    int output = -1;
    for (size_t k = 0; k < originals.size(); ++k) {
      if (tensor && tensor.is(originals[k]) && !outputs[k].impl()->node)
        output = static_cast<int>(k);
    }
    for (const Tensor& input : inputs) {
      if (tensor && input && tensor.is(input)) output = -1;
    }
    node->save(tensor, output);
  }
  for (size_t k = 0; k < outputs.size(); ++k) {
    if (!differentiable[k] || !is_floating(outputs[k].dtype())) continue;
    outputs[k].impl()->node = Ref<GraphNode>(node.get());
    outputs[k].impl()->output_nr = static_cast<uint16_t>(k);
  }
  if (anomaly.on) watch_forward(*node, outputs.data(), static_cast<int>(outputs.size()));
  return outputs;
}

// A node as seen from Python (grad_fn).
struct GraphView {
  Ref<GraphNode> ref;
  Node& node() const { return *static_cast<Node*>(ref.get()); }
};

}  // namespace

void bind_autograd(py::module_& m) {
  m.def("_backward", [](const std::vector<Tensor>& roots, const std::vector<Tensor>& grads,
                        const std::vector<Tensor>& inputs, bool retain_graph, bool create_graph,
                        bool accumulate) {
    py::gil_scoped_release release;
    return backward(roots, grads, inputs, {retain_graph, create_graph, accumulate});
  });
  m.def("_start_profile", &start_profile);
  m.def("_stop_profile", [] {
    py::list events;
    for (const ProfileEvent& event : stop_profile()) {
      events.append(py::make_tuple(event.name, event.start, event.end, event.thread));
    }
    return events;
  });
  m.def("_profile_clock", &profile_clock);
  m.def("_record_event", &record_event);
  m.def("_backward_from", [](const Tensor& root) {  // the call a training step makes
    py::gil_scoped_release release;
    backward({root}, {Tensor()}, {}, {false, false, true});
  });
  m.def("_reaches_other_leaf", &reaches_other_leaf);
  m.def("is_grad_enabled", &GradMode::enabled, "Whether operations are taped in this thread.");
  m.def("_set_grad_enabled", &GradMode::set);
  m.def("is_inference_mode_enabled", &GradMode::inference,
        "Whether inference_mode is on in this thread.");
  m.def("_set_inference", &GradMode::set_inference);
  m.def("_is_inference", [](const Tensor& tensor) { return tensor.impl()->inference; });

  m.def("_register_hook", [](const Tensor& tensor, py::object hook) {
    check_tracked(tensor, "register_hook");
    return node_of(tensor).add_hook(tensor.impl()->output_nr, python_hook(std::move(hook)));
  });
  m.def("_remove_hook", [](const Tensor& tensor, uint64_t id) {
    if (tensor.node()) node_of(tensor).remove_hook(id);
  });
  m.def("_register_post_accumulate_hook", [](const Tensor& tensor, py::object hook, uint64_t id) {
    Leaf* leaf = existing_leaf(tensor);
    CR_CHECK_STATE(leaf && leaf->wanted,
                   "register_post_accumulate_grad_hook: needs a leaf that requires a gradient");
    std::shared_ptr<py::object> held(new py::object(std::move(hook)), [](py::object* object) {
      py::gil_scoped_acquire gil;
      delete object;
    });
    leaf->post_hooks.emplace_back(id, [held] {
      py::gil_scoped_acquire gil;
      (*held)();
    });
  });
  m.def("_remove_post_accumulate_hook", [](const Tensor& tensor, uint64_t id) {
    Leaf* leaf = existing_leaf(tensor);
    if (!leaf) return;
    auto& hooks = leaf->post_hooks;
    for (size_t i = 0; i < hooks.size(); ++i) {
      if (hooks[i].first == id) hooks.erase(hooks.begin() + static_cast<long>(i--));
    }
  });
  m.def("_detach_", [](const Tensor& tensor) {
    CR_CHECK_STATE(!tensor.impl()->view,
                   "detach_: a view cannot be detached in place; use .detach()");
    tensor.impl()->node = nullptr;
  });
  m.def("_retain_grad", [](const Tensor& tensor) {
    check_tracked(tensor, "retain_grad");
    if (!tensor.is_leaf()) node_of(tensor).retain_grad(tensor.impl()->output_nr);
  });
  m.def("_retains_grad", [](const Tensor& tensor) {
    return !tensor.is_leaf() && node_of(tensor).retains(tensor.impl()->output_nr);
  });
  m.def("_attach_function", &attach_function);
  m.def("_set_anomaly", &set_anomaly);
  m.def("_set_anomaly_origin", [](py::object function) {
    // Held for good: the last call may come while Python is shutting down.
    py::object* held = new py::object(std::move(function));
    anomaly.where = [held] {
      py::gil_scoped_acquire gil;
      return py::cast<std::string>((*held)());
    };
  });
  m.def("is_anomaly_enabled", [] { return anomaly.on; }, "Whether autograd.detect_anomaly is on.");
  m.def(
      "is_anomaly_check_nan_enabled", [] { return anomaly.check_nan; },
      "Whether autograd.detect_anomaly, when it is on, raises for NaN.");

  py::class_<GraphView>(m, "Node", "An entry of the tape: the call that made a tensor.")
      .def(
          "name", [](const GraphView& view) { return view.node().name(); },
          "Name of the call, such as 'MulBackward'.")
      .def_property_readonly(
          "metadata",
          [](const GraphView& view) {
            py::dict result;
            const std::string& origin = view.node().origin();
            if (!origin.empty()) result["traceback_"] = py::make_tuple(origin);
            return result;
          },
          "Under anomaly detection {'traceback_': (the line of the call,)}, else {}.")
      .def_property_readonly(
          "next_functions",
          [](const GraphView& view) {
            py::tuple result(view.node().inputs().size());
            for (int i = 0; i < view.node().inputs().size(); ++i) {
              const InputSlot& slot = view.node().inputs()[i];
              py::object next = py::none();
              if (slot.node) next = py::cast(GraphView{slot.node});
              result[i] = py::make_tuple(next, slot.output);
            }
            return result;
          },
          "Pairs (node, output number) of the calls that made the inputs.")
      .def_property_readonly(
          "_shapes",
          [](const GraphView& view) {
            py::tuple result(view.node().outputs().size());
            for (int k = 0; k < view.node().outputs().size(); ++k)
              result[k] =
                  py::reinterpret_steal<py::object>(dims_tuple(view.node().outputs()[k].shape));
            return result;
          },
          "Shapes of the outputs.")
      .def("__eq__", [](const GraphView& a, const GraphView& b) { return a.ref == b.ref; })
      .def("__hash__",
           [](const GraphView& a) { return reinterpret_cast<uintptr_t>(a.ref.get()) >> 4; })
      .def("__repr__", [](const GraphView& view) {
        return concat("<", view.node().name(), " object at ",
                      static_cast<const void*>(view.ref.get()), ">");
      });
  m.def("_output_nr", [](const Tensor& tensor) { return tensor.impl()->output_nr; });
  m.def("_grad_fn", [](const Tensor& tensor) -> py::object {
    if (tensor.impl()->view) tape.refresh(tensor);
    if (tensor.is_leaf()) return py::none();
    return py::cast(GraphView{tensor.node()});
  });
}

}  // namespace cr
