// The Python side of the core types, shared by the files of this folder.
//
// Tensor and the op functions are hand-written heap types (a pybind11 class costs 0.3 us a call
// where these cost 0.05); pybind11 sees Tensor through the type_caster below and serves everything
// that is not per-op.
#pragma once

#include <pybind11/pybind11.h>

#include "autograd/engine.h"
#include "core/op.h"

namespace cr {

namespace py = pybind11;

struct PyTensor {
  PyObject_HEAD Tensor tensor;
  PyObject* dict;
  PyObject* weakrefs;
};

extern PyTypeObject* tensor_type;

inline bool is_tensor(PyObject* object) {
  return Py_TYPE(object) == tensor_type || PyType_IsSubtype(Py_TYPE(object), tensor_type);
}
inline const Tensor& as_tensor(PyObject* object) {
  return reinterpret_cast<PyTensor*>(object)->tensor;
}
PyObject* wrap(const Tensor& tensor);                         // new reference; None when undefined
PyObject* wrap_as(PyTypeObject* type, const Tensor& tensor);  // an object of a subclass

PyObject* dtype_object(DType dtype);  // borrowed
bool is_dtype(PyObject* object);
DType dtype_from_object(PyObject* object);  // throws TypeError

PyObject* dims_tuple(const Dims& dims);

// A Python int that fits in 64 bits, the usual case; the functions below take everything else.
inline bool plain_int(PyObject* object, int64_t* value) {
  if (!PyLong_CheckExact(object)) return false;
  int overflow = 0;
  *value = PyLong_AsLongLongAndOverflow(object, &overflow);
  return overflow == 0;
}
Dims dims_from_object(PyObject* object, const char* what);  // a sequence of ints
int64_t int_from_object(PyObject* object, const char* what);
// The value of a Python int: int64, or the bits of a uint64 from 2^63 on.
struct PyInteger {
  int64_t bits;
  DType dtype;
};
PyInteger integer_from_object(PyObject* object);

// The same for a label whose text() costs an allocation: asked for only when needed.
template <class Label>
int64_t int_from_object(PyObject* object, const Label& label) {
  int64_t value;
  return plain_int(object, &value) ? value : int_from_object(object, label.text().c_str());
}
template <class Label>
Dims dims_from_object(PyObject* object, const Label& label) {
  if (PyTuple_CheckExact(object)) {
    Dims dims;
    const Py_ssize_t n = PyTuple_GET_SIZE(object);
    Py_ssize_t i = 0;
    for (int64_t value; i < n && i < kMaxRank && plain_int(PyTuple_GET_ITEM(object, i), &value);) {
      dims.push_back(value);
      ++i;
    }
    if (i == n) return dims;
  }
  return dims_from_object(object, label.text().c_str());
}

// A tensor, or a Python number as a weak 0-d tensor; undefined when it is neither.
Tensor operand_from_object(PyObject* object);

// The Python int of an element read as int64.
inline PyObject* integer_object(DType dtype, int64_t value) {
  return dtype == DType::kUInt64 ? PyLong_FromUnsignedLongLong(static_cast<uint64_t>(value))
                                 : PyLong_FromLongLong(value);
}

// Sets the Python error that stands for the C++ exception in flight.
void translate_exception();

// Runs a function at the boundary: C++ exceptions become Python errors and a null result.
template <class F>
PyObject* guarded(F&& f) {
  try {
    return f();
  } catch (...) {
    translate_exception();
    return nullptr;
  }
}

// Work worth letting other Python threads run meanwhile.
constexpr int64_t kReleaseGilElements = 1 << 15;
bool worth_releasing(const TensorList& inputs);
void run_from_python(const OpDef& op, TensorList inputs, const Attrs& attrs, Tensor* out);
Tensor run_inplace_from_python(const OpDef& op, TensorList inputs, const Attrs& attrs);

// Who owns borrowed memory, and how it is told that the last tensor let go (from any thread).
struct Lender {
  void* owner;
  void (*release)(void*);
  bool read_only;
};
// A tensor on somebody else's memory, once its geometry has been checked; strides in elements.
// When this throws, the lender still has its memory.
Tensor adopt_memory(const char* op, char* first, DType dtype, const Dims& shape,
                    const Dims& strides, const Lender& lender);

PyObject* get_item(PyObject* self, PyObject* key);
int set_item(PyObject* self, PyObject* key, PyObject* value);
int get_buffer(PyObject* self, Py_buffer* view, int flags);
void release_buffer(PyObject* self, Py_buffer* view);

void make_dtype_type(py::module_& m);
void make_tensor_type(py::module_& m);
void make_op_functions(py::module_& m);
void make_grad_switches(py::module_& m);
void bind_autograd(py::module_& m);
void bind_buffer(py::module_& m);
void bind_dlpack(py::module_& m);
void bind_interop(py::module_& m);
void bind_runtime(py::module_& m);

}  // namespace cr

namespace pybind11::detail {
template <>
struct type_caster<cr::Tensor> {
  static constexpr auto name = const_name("Tensor");
  bool load(handle source, bool) {
    if (source.is_none()) {
      value = cr::Tensor();
      return true;
    }
    if (!cr::is_tensor(source.ptr())) return false;
    value = cr::as_tensor(source.ptr());
    return true;
  }
  static handle cast(const cr::Tensor& tensor, return_value_policy, handle) {
    return cr::wrap(tensor);
  }
  template <class>
  using cast_op_type = const cr::Tensor&;
  operator const cr::Tensor&() { return value; }
  cr::Tensor value;
};
}  // namespace pybind11::detail
