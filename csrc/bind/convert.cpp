// Conversions between Python objects and plain data, and the dtype objects.
#include <cmath>

#include "bind/python.h"

namespace cr {

// ---------------------------------------------------------------- errors

void translate_exception() {
  try {
    throw;
  } catch (const Error& error) {
    PyObject* type = PyExc_ValueError;
    if (error.kind() == ErrorKind::kType) type = PyExc_TypeError;
    if (error.kind() == ErrorKind::kIndex) type = PyExc_IndexError;
    if (error.kind() == ErrorKind::kRuntime) type = PyExc_RuntimeError;
    PyErr_SetString(type, error.what());
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const std::bad_alloc&) {
    PyErr_SetString(PyExc_MemoryError, "not enough memory for the tensor");
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
}

// ---------------------------------------------------------------- numbers and shapes

int64_t int_from_object(PyObject* object, const char* what) {
  if (is_tensor(object)) {
    const Tensor& tensor = as_tensor(object);
    CR_CHECK_TYPE(tensor.numel() == 1 && is_integral(tensor.dtype()), what,
                  ": expected an int (got a tensor of shape ", tensor.shape(), " and dtype ",
                  tensor.dtype(), ")");
    return item_int(tensor);
  }
  CR_CHECK_TYPE(PyIndex_Check(object), what, ": expected an int (got ", Py_TYPE(object)->tp_name,
                ")");
  const py::object index = py::reinterpret_steal<py::object>(PyNumber_Index(object));
  if (!index) throw py::error_already_set();
  int overflow = 0;
  const int64_t value = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
  CR_CHECK(!overflow, what, ": the number does not fit in 64 bits");
  if (value == -1 && PyErr_Occurred()) throw py::error_already_set();
  return value;
}

PyInteger integer_from_object(PyObject* object) {
  int overflow = 0;
  const int64_t value = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow == 0) return {value, DType::kInt64};
  const uint64_t large = overflow > 0 ? PyLong_AsUnsignedLongLong(object) : 0;
  const bool fits = large != 0 && !PyErr_Occurred();
  PyErr_Clear();
  CR_CHECK(fits, "number: ", py::cast<std::string>(py::str(py::handle(object))),
           " does not fit in 64 bits");
  return {static_cast<int64_t>(large), DType::kUInt64};
}

PyObject* dims_tuple(const Dims& dims) {
  PyObject* tuple = PyTuple_New(dims.size());
  for (int i = 0; tuple && i < dims.size(); ++i) {
    PyTuple_SET_ITEM(tuple, i, PyLong_FromLongLong(dims[i]));
  }
  return tuple;
}

Dims dims_from_object(PyObject* object, const char* what) {
  Dims dims;
  if (PyTuple_Check(object) || PyList_Check(object)) {
    const Py_ssize_t n = PySequence_Fast_GET_SIZE(object);
    for (Py_ssize_t i = 0; i < n; ++i) {
      dims.push_back(int_from_object(PySequence_Fast_GET_ITEM(object, i), what));
    }
    return dims;
  }
  CR_CHECK_TYPE(PySequence_Check(object) && !is_tensor(object) && !PyUnicode_Check(object), what,
                ": expected ints or a sequence of ints (got ", Py_TYPE(object)->tp_name, ")");
  for (py::handle item : py::reinterpret_borrow<py::sequence>(object)) {
    dims.push_back(int_from_object(item.ptr(), what));
  }
  return dims;
}

Tensor operand_from_object(PyObject* object) {
  if (is_tensor(object)) return as_tensor(object);
  if (PyFloat_Check(object)) {
    return Tensor::scalar(PyFloat_AS_DOUBLE(object), DType::kFloat64, true);
  }
  if (PyBool_Check(object)) {
    return Tensor::scalar(int64_t{object == Py_True}, DType::kBool, true);
  }
  if (PyLong_Check(object)) {
    const PyInteger value = integer_from_object(object);
    return Tensor::scalar(value.bits, value.dtype, true);
  }
  return Tensor();
}

// ---------------------------------------------------------------- dtype objects

namespace {

struct PyDType {
  PyObject_HEAD DType dtype;
};

PyTypeObject* dtype_type = nullptr;
PyObject* dtype_objects[kNumDTypes] = {};

DType dtype_of(PyObject* self) { return reinterpret_cast<PyDType*>(self)->dtype; }

PyObject* dtype_repr(PyObject* self) {
  return PyUnicode_FromFormat("chainrule.%s", name(dtype_of(self)));
}
PyObject* dtype_reduce(PyObject* self, PyObject*) {
  return PyUnicode_FromString(name(dtype_of(self)));
}
PyObject* dtype_name(PyObject* self, void*) { return PyUnicode_FromString(name(dtype_of(self))); }
PyObject* dtype_itemsize(PyObject* self, void*) {
  return PyLong_FromLongLong(itemsize(dtype_of(self)));
}
PyObject* dtype_is_floating(PyObject* self, void*) {
  return PyBool_FromLong(is_floating(dtype_of(self)));
}
PyObject* dtype_is_complex(PyObject*, void*) { Py_RETURN_FALSE; }
PyObject* dtype_is_signed(PyObject* self, void*) {
  return PyBool_FromLong(dtype_of(self) != DType::kBool && !is_unsigned(dtype_of(self)));
}

PyGetSetDef dtype_getset[] = {
    {"name", dtype_name, nullptr, "Name, such as 'float32'.", nullptr},
    {"itemsize", dtype_itemsize, nullptr, "Bytes of one element.", nullptr},
    {"is_floating_point", dtype_is_floating, nullptr, "Whether it holds real numbers.", nullptr},
    {"is_complex", dtype_is_complex, nullptr, "False: there are no complex dtypes.", nullptr},
    {"is_signed", dtype_is_signed, nullptr, "Whether it holds negative numbers.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef dtype_methods[] = {{"__reduce__", dtype_reduce, METH_NOARGS, "Pickled by name."},
                               {nullptr, nullptr, 0, nullptr}};

}  // namespace

PyObject* dtype_object(DType dtype) { return dtype_objects[static_cast<int>(dtype)]; }

bool is_dtype(PyObject* object) { return Py_TYPE(object) == dtype_type; }

DType dtype_from_object(PyObject* object) {
  if (is_dtype(object)) return dtype_of(object);
  if (object == reinterpret_cast<PyObject*>(&PyFloat_Type)) return default_dtype();
  if (object == reinterpret_cast<PyObject*>(&PyLong_Type)) return DType::kInt64;
  if (object == reinterpret_cast<PyObject*>(&PyBool_Type)) return DType::kBool;
  DType dtype = DType::kUndefined;
  if (PyUnicode_Check(object)) {
    dtype = dtype_from_name(py::cast<std::string>(py::handle(object)).c_str());
    if (dtype != DType::kUndefined) return dtype;
  }
  // Whatever NumPy understands: np.float32, np.dtype("int64"), "f4", ml_dtypes.bfloat16.
  try {
    const py::object numpy_dtype = py::module_::import("numpy").attr("dtype")(py::handle(object));
    dtype = dtype_from_name(py::cast<std::string>(numpy_dtype.attr("name")).c_str());
  } catch (py::error_already_set&) {
  }
  CR_CHECK_TYPE(dtype != DType::kUndefined,
                "dtype: expected a chainrule dtype such as float32 (got ",
                py::cast<std::string>(py::repr(py::handle(object))), ")");
  return dtype;
}

void make_dtype_type(py::module_& m) {
  PyType_Slot slots[] = {
      {Py_tp_repr, reinterpret_cast<void*>(dtype_repr)},
      {Py_tp_getset, dtype_getset},
      {Py_tp_methods, dtype_methods},
      {Py_tp_doc, const_cast<char*>("Element type of a tensor: chainrule.float32 and others.")},
      {0, nullptr}};
  PyType_Spec spec = {"chainrule.dtype", sizeof(PyDType), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  dtype_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (!dtype_type) throw py::error_already_set();
  m.attr("dtype") = py::handle(reinterpret_cast<PyObject*>(dtype_type));
  for (int i = 0; i < kNumDTypes; ++i) {
    PyDType* object = PyObject_New(PyDType, dtype_type);
    object->dtype = static_cast<DType>(i);
    dtype_objects[i] = reinterpret_cast<PyObject*>(object);
    m.attr(name(object->dtype)) = py::handle(dtype_objects[i]);
  }
}

}  // namespace cr
