#include "bind/python.h"

namespace py = pybind11;

PYBIND11_MODULE(_core, m) {
  m.doc() = "The C++ core of chainrule.";
  py::register_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const cr::Error&) {
      cr::translate_exception();
    }
  });
  cr::finish_registration();
  cr::make_dtype_type(m);
  cr::make_tensor_type(m);
  cr::make_op_functions(m);
  cr::make_grad_switches(m);
  cr::bind_autograd(m);
  cr::bind_buffer(m);
  cr::bind_dlpack(m);
  cr::bind_interop(m);
  cr::bind_runtime(m);
  // What `from chainrule._core import *` gives the package: all but internals and nn functions.
  py::list exported;
  for (const auto& item : m.attr("__dict__").cast<py::dict>()) {
    const std::string name = py::cast<std::string>(item.first);
    const cr::OpDef* op = cr::find_op(name);
    if (name[0] != '_' && !(op && op->nn)) exported.append(item.first);
  }
  m.attr("__all__") = exported;
}
