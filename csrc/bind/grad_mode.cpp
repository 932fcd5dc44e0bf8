// The switches no_grad and enable_grad: context managers entered around every step of an inference
// loop, so written here (0.15 us where a Python class costs 0.6). Decorating is Python's part
// (autograd/mode.py).
#include "bind/python.h"

namespace cr {
namespace {

struct GradSwitch {
  PyObject_HEAD bool before;
};

// The two ways to call the class: no_grad() and, as a decorator without parentheses, no_grad(f).
PyObject* switch_new(PyTypeObject* type, PyObject* args, PyObject* keywords) {
  const Py_ssize_t given = PyTuple_GET_SIZE(args);
  if (given > 1 || (keywords && PyDict_GET_SIZE(keywords) > 0)) {
    PyErr_Format(PyExc_TypeError, "%s: takes no arguments but the function it decorates",
                 type->tp_name);
    return nullptr;
  }
  py::object self = py::reinterpret_steal<py::object>(type->tp_alloc(type, 0));
  if (!self || given == 0) return self.release().ptr();
  return PyObject_CallOneArg(self.ptr(), PyTuple_GET_ITEM(args, 0));
}

// Everything was said to switch_new.
int switch_init(PyObject*, PyObject*, PyObject*) { return 0; }

void switch_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

template <bool on>
PyObject* switch_enter(PyObject* self, PyObject*) {
  reinterpret_cast<GradSwitch*>(self)->before = GradMode::enabled();
  GradMode::set(on);
  Py_RETURN_NONE;
}

PyObject* switch_exit(PyObject* self, PyObject* const*, Py_ssize_t) {
  GradMode::set(reinterpret_cast<GradSwitch*>(self)->before);
  Py_RETURN_NONE;
}

template <bool on>
void make_switch(py::module_& m, const char* qualified_name, const char* name) {
  static PyMethodDef methods[] = {
      {"__enter__", switch_enter<on>, METH_NOARGS, nullptr},
      {"__exit__", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(switch_exit)),
       METH_FASTCALL, nullptr},
      {nullptr, nullptr, 0, nullptr}};
  PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(switch_new)},
                         {Py_tp_init, reinterpret_cast<void*>(switch_init)},
                         {Py_tp_dealloc, reinterpret_cast<void*>(switch_dealloc)},
                         {Py_tp_methods, methods},
                         {0, nullptr}};
  PyType_Spec spec = {qualified_name, sizeof(GradSwitch), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  PyObject* type = PyType_FromSpec(&spec);
  if (!type) throw py::error_already_set();
  m.attr(name) = py::reinterpret_steal<py::object>(type);
}

}  // namespace

void make_grad_switches(py::module_& m) {
  make_switch<false>(m, "chainrule._core._NoGrad", "_NoGrad");
  make_switch<true>(m, "chainrule._core._EnableGrad", "_EnableGrad");
}

}  // namespace cr
