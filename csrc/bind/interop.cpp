// Zero-copy exchange with NumPy, and tensors from nested Python sequences.
#include <pybind11/numpy.h>

#include <cstring>

#include "bind/python.h"

namespace cr {
namespace {

void release_python_object(void* owner) {
  if (!Py_IsInitialized()) return;
  py::gil_scoped_acquire gil;
  Py_DECREF(static_cast<PyObject*>(owner));
}

// By kind and size: NumPy's names for its types are made by a Python function. Types of other
// libraries, as ml_dtypes' bfloat16, have only a name.
DType dtype_of_array(const py::array& array) {
  const py::dtype dtype = array.dtype();
  const py::ssize_t size = dtype.itemsize();
  const auto of_size = [size](DType one, DType two, DType four, DType eight) {
    return size == 1   ? one
           : size == 2 ? two
           : size == 4 ? four
           : size == 8 ? eight
                       : DType::kUndefined;
  };
  DType result = DType::kUndefined;
  switch (dtype.kind()) {
    case 'b': result = DType::kBool; break;
    case 'i': result = of_size(DType::kInt8, DType::kInt16, DType::kInt32, DType::kInt64); break;
    case 'u':
      result = of_size(DType::kUInt8, DType::kUInt16, DType::kUInt32, DType::kUInt64);
      break;
    case 'f':
      result = of_size(DType::kUndefined, DType::kFloat16, DType::kFloat32, DType::kFloat64);
      break;
    default: result = dtype_from_name(py::cast<std::string>(dtype.attr("name")).c_str()); break;
  }
  CR_CHECK_TYPE(result != DType::kUndefined, "from_numpy: no chainrule dtype for NumPy's ",
                py::cast<std::string>(py::str(dtype)),
                "; expected bool, an integer type, float16, float32 or float64");
  CR_CHECK_TYPE(
      dtype.byteorder() == '=' || dtype.byteorder() == '|',
      "from_numpy: the array is not in native byte order; use .astype(a.dtype.newbyteorder('='))");
  return result;
}

// Shares the array's memory; the array lives as long as the last tensor on it.
Tensor from_numpy(const py::array& array) {
  const DType dtype = dtype_of_array(array);
  const int64_t size = itemsize(dtype);
  CR_CHECK(array.ndim() <= kMaxRank, "from_numpy: the array has ", array.ndim(),
           " dimensions; at most ", kMaxRank, " are supported");
  Dims shape, strides;
  for (int i = 0; i < array.ndim(); ++i) {
    shape.push_back(array.shape(i));
    CR_CHECK(array.strides(i) % size == 0, "from_numpy: stride ", array.strides(i),
             " is not a multiple of the element size ", size, "; use np.ascontiguousarray first");
    strides.push_back(array.strides(i) / size);
  }
  char* first = static_cast<char*>(const_cast<void*>(array.data()));
  const Tensor tensor = adopt_memory("from_numpy", first, dtype, shape, strides,
                                     {array.ptr(), release_python_object, !array.writeable()});
  Py_INCREF(array.ptr());
  return tensor;
}

// What `tensor` copies in one step: an array of numbers in C order. None for all other data.
py::object copy_of_array(py::handle data) {
  if (!py::isinstance<py::array>(data)) return py::none();
  const auto array = py::reinterpret_borrow<py::array>(data);
  const py::dtype dtype = array.dtype();
  constexpr int kPlain = py::array::c_style | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  const bool plain = (array.flags() & kPlain) == kPlain && std::strchr("biuf", dtype.kind());
  if (!plain || dtype.byteorder() == '>') return py::none();
  return py::cast(OP(clone)(from_numpy(array)));
}

py::array to_numpy(const py::object& self) {
  const Tensor& tensor = as_tensor(self.ptr());
  CR_CHECK_TYPE(tensor.dtype() != DType::kBFloat16,
                "numpy: NumPy has no bfloat16; use .float().numpy() for the values or "
                ".view(chainrule.uint16).numpy() for the bits");
  const int64_t size = itemsize(tensor.dtype());
  std::vector<py::ssize_t> shape(tensor.shape().begin(), tensor.shape().end()), strides;
  for (int64_t stride : tensor.strides()) strides.push_back(stride * size);
  py::array array(py::dtype(name(tensor.dtype())), shape, strides, tensor.data(), self);
  if (tensor.storage()->read_only()) array.attr("setflags")(py::arg("write") = false);
  return array;
}

// ---------------------------------------------------------------- nested sequences

// Shape and the widest element type of nested lists.
struct Survey {
  Dims shape;
  DType dtype = DType::kUndefined;
  bool large = false, negative = false;  // an integer that only uint64 holds, or none of its kind
};

bool is_nested(PyObject* object) { return PyList_Check(object) || PyTuple_Check(object); }

DType note_integer(const PyInteger& value, Survey& result) {
  result.large = result.large || value.dtype == DType::kUInt64;
  result.negative = result.negative || (value.dtype == DType::kInt64 && value.bits < 0);
  return DType::kInt64;
}

void survey(PyObject* data, int depth, Survey& result) {
  if (!is_nested(data)) {
    CR_CHECK(depth == result.shape.size(),
             "tensor: the nested sequence is ragged (an element at "
             "depth ",
             depth, " where shape ", result.shape, " was expected)");
    DType dtype;
    if (PyBool_Check(data))
      dtype = DType::kBool;
    else if (PyLong_Check(data))
      dtype = note_integer(integer_from_object(data), result);
    else if (PyFloat_CheckExact(data))
      dtype = default_dtype();
    else if (PyFloat_Check(data))  // numpy.float64 is a Python float that knows its type
      dtype = PyObject_HasAttrString(data, "dtype") ? DType::kFloat64 : default_dtype();
    else if (is_tensor(data) && as_tensor(data).numel() == 1)
      dtype = as_tensor(data).dtype();
    else
      fail(ErrorKind::kType, "tensor: cannot make an element from ", Py_TYPE(data)->tp_name);
    result.dtype = result.dtype == DType::kUndefined ? dtype : promote(result.dtype, dtype);
    return;
  }
  const Py_ssize_t n = PySequence_Fast_GET_SIZE(data);
  if (depth == result.shape.size()) {
    CR_CHECK(result.dtype == DType::kUndefined,
             "tensor: the nested sequence is ragged (a sequence "
             "at depth ",
             depth, " where shape ", result.shape, " was expected)");
    result.shape.push_back(n);
  }
  CR_CHECK(result.shape[depth] == n, "tensor: the nested sequence is ragged (expected ",
           result.shape[depth], " elements at depth ", depth, ", got ", n, ")");
  for (Py_ssize_t i = 0; i < n; ++i) survey(PySequence_Fast_GET_ITEM(data, i), depth + 1, result);
}

template <class T>
void fill(PyObject* data, T*& out) {
  if (is_nested(data)) {
    const Py_ssize_t n = PySequence_Fast_GET_SIZE(data);
    for (Py_ssize_t i = 0; i < n; ++i) fill(PySequence_Fast_GET_ITEM(data, i), out);
  } else if (is_tensor(data)) {
    *out++ = is_floating(as_tensor(data).dtype()) ? static_cast<T>(item_double(as_tensor(data)))
                                                  : static_cast<T>(item_int(as_tensor(data)));
  } else if (PyFloat_Check(data)) {
    *out++ = static_cast<T>(PyFloat_AS_DOUBLE(data));
  } else {
    const PyInteger value = integer_from_object(data);
    *out++ = value.dtype == DType::kUInt64 ? static_cast<T>(static_cast<uint64_t>(value.bits))
                                           : static_cast<T>(value.bits);
  }
}

// From a number or nested lists of numbers; undefined when the data holds anything else.
Tensor from_nested(py::handle data, py::handle dtype) {
  Survey result;
  survey(data.ptr(), 0, result);
  if (result.large && result.dtype == DType::kInt64) {
    CR_CHECK(!result.negative, "tensor: no integer dtype holds negative numbers and 2**63 or more");
    result.dtype = DType::kUInt64;
  }
  DType wanted = result.dtype == DType::kUndefined ? default_dtype() : result.dtype;
  if (!dtype.is_none()) wanted = dtype_from_object(dtype.ptr());
  // A float stored as an integer is truncated in range; NaN and infinity have no integer.
  Tensor tensor =
      Tensor::empty(result.shape, result.dtype == DType::kUndefined ? wanted : result.dtype);
  if (is_floating(tensor.dtype()) && wanted == DType::kFloat64) {
    tensor = Tensor::empty(result.shape, wanted);  // Python floats keep all their digits
  }
  dispatch(tensor.dtype(), [&](auto tag) {
    auto* out = tensor.data<typename decltype(tag)::type>();
    fill(data.ptr(), out);
  });
  return OP(to)(tensor, wanted);
}

template <class T>
py::object nested_list(const T* data, const Tensor& tensor, int dim) {
  if (dim == tensor.rank()) {
    if constexpr (std::is_same_v<T, bool>)
      return py::bool_(*data);
    else if constexpr (is_floating(dtype_of<T>()))
      return py::float_(static_cast<double>(*data));
    else
      return py::int_(*data);
  }
  py::list list(tensor.shape()[dim]);
  for (int64_t i = 0; i < tensor.shape()[dim]; ++i) {
    list[i] = nested_list(data + i * tensor.strides()[dim], tensor, dim + 1);
  }
  return list;
}

}  // namespace

Tensor adopt_memory(const char* op, char* first, DType dtype, const Dims& shape,
                    const Dims& strides, const Lender& lender) {
  const int64_t size = itemsize(dtype), count = checked_numel(shape);
  int64_t low = 0, high = 0;  // elements below and above the first
  bool fits = true;
  for (int d = 0; d < shape.size() && count > 0; ++d) {
    int64_t span;
    int64_t& end = strides[d] < 0 ? low : high;
    fits = fits && !__builtin_mul_overflow(shape[d] - 1, strides[d], &span) &&
           !__builtin_add_overflow(end, span, &end);
  }
  int64_t bytes = 0;
  fits = fits && !__builtin_sub_overflow(high, low, &bytes) &&
         !__builtin_add_overflow(bytes, int64_t{count > 0}, &bytes) &&
         !__builtin_mul_overflow(bytes, size, &bytes);
  CR_CHECK(fits, op, ": shape ", shape, " with strides ", strides, " does not fit in memory");
  CR_CHECK(count == 0 || reinterpret_cast<uintptr_t>(first) % static_cast<uintptr_t>(size) == 0, op,
           ": the memory is not aligned to its elements of ", size, " bytes; copy it first");
  Tensor base = Tensor::empty({0}, dtype == DType::kBool ? DType::kUInt8 : dtype);
  base.impl()->data = first;
  const Tensor result = base.alias(shape, strides, 0);
  if (dtype == DType::kBool && count > 0) {
    CR_CHECK(item_int(OP(amax)(result)) <= 1, op,
             ": the bools are bytes other than 0 and 1; use != 0 on the bytes");
  }
  result.impl()->dtype = dtype;
  result.impl()->storage = Storage::adopt(first + low * size, static_cast<size_t>(bytes),
                                          lender.owner, lender.release, lender.read_only);
  return result;
}

void bind_interop(py::module_& m) {
  m.def(
      "from_numpy",
      [](py::handle array) {
        CR_CHECK_TYPE(py::isinstance<py::array>(array), "from_numpy: expected a NumPy array (got ",
                      Py_TYPE(array.ptr())->tp_name, "); use chainrule.tensor for other data");
        return from_numpy(py::reinterpret_borrow<py::array>(array));
      },
      py::arg("array"),
      R"(Tensor on the memory of a NumPy array: writes are seen on both sides.

A read-only array gives a tensor that refuses in-place writes.

Raises:
    TypeError: for dtypes chainrule does not have and for foreign byte order.

Example:
    >>> import numpy as np
    >>> a = np.zeros(2, np.float32)
    >>> cr.from_numpy(a).fill_(1)
    tensor([1., 1.])
    >>> a
    array([1., 1.], dtype=float32)
)");
  m.def("_copy_of_array", &copy_of_array);
  m.def("_to_numpy", &to_numpy);
  m.def("_from_nested", &from_nested);
  m.def("_to_list", [](const Tensor& tensor) {
    return dispatch(tensor.dtype(), [&](auto tag) {
      return nested_list(tensor.data<typename decltype(tag)::type>(), tensor, 0);
    });
  });
}

}  // namespace cr
