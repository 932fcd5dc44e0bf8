// The Python type Tensor: a heap type with number slots that go straight to the funnel, a
// freelist of shells, one Python object per tensor while there is one.
#include "bind/python.h"

// After Python.h, which it needs.
#include <structmember.h>

namespace cr {

PyTypeObject* tensor_type = nullptr;

namespace {

// ---------------------------------------------------------------- life and death

#if !defined(Py_DEBUG) && !defined(Py_GIL_DISABLED)
constexpr int kFreelistSize = 256;
#else
constexpr int kFreelistSize = 0;  // reference tracing and free threading want real allocations
#endif
PyTensor* freelist[kFreelistSize + 1];
int freelist_count = 0;

PyTensor* new_shell(PyTypeObject* type) {
  if (type == tensor_type && freelist_count > 0) {
    PyTensor* shell = freelist[--freelist_count];
    PyObject_Init(reinterpret_cast<PyObject*>(shell), type);
    return shell;
  }
  return PyObject_GC_New(PyTensor, type);
}

void tensor_dealloc(PyObject* self) {
  PyTensor* object = reinterpret_cast<PyTensor*>(self);
  PyObject_GC_UnTrack(self);
  if (object->weakrefs) PyObject_ClearWeakRefs(self);
  Py_CLEAR(object->dict);
  if (object->tensor && object->tensor.impl()->pyobj == self)
    object->tensor.impl()->pyobj = nullptr;
  object->tensor.~Tensor();
  PyTypeObject* type = Py_TYPE(self);
  if (type == tensor_type && freelist_count < kFreelistSize) {
    freelist[freelist_count++] = object;
  } else {
    PyObject_GC_Del(self);
  }
  Py_DECREF(type);
}

int tensor_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(reinterpret_cast<PyTensor*>(self)->dict);
  return 0;
}

int tensor_clear(PyObject* self) {
  Py_CLEAR(reinterpret_cast<PyTensor*>(self)->dict);
  return 0;
}

// Tensor(data) makes a float tensor of any data, as torch.Tensor does.
PyObject* tensor_new(PyTypeObject* type, PyObject* args, PyObject*) {
  return guarded([&]() -> PyObject* {
    Tensor data;
    if (PyTuple_GET_SIZE(args) == 0) {
      data = Tensor::empty({0}, default_dtype());
    } else {
      PyObject* first = PyTuple_GET_ITEM(args, 0);
      if (is_tensor(first)) {
        data = detach(as_tensor(first));
      } else {
        const py::object made =
            py::module_::import("chainrule")
                .attr("tensor")(py::handle(first),
                                py::arg("dtype") = py::handle(dtype_object(default_dtype())));
        data = as_tensor(made.ptr());
      }
    }
    return wrap_as(type, data);
  });
}

// ---------------------------------------------------------------- operators

const Attrs& default_attrs(const OpDef& op) { return op.signature.defaults; }

// An operand of an operator; undefined when Python should try the other side's method.
Tensor operator_operand(PyObject* object) {
  if (Tensor operand = operand_from_object(object)) return operand;
  // NumPy arrays and scalars: either side of the operator.
  if (!PyUnicode_Check(object) && PyObject_HasAttrString(object, "__array_interface__")) {
    const py::object made = py::module_::import("chainrule").attr("tensor")(py::handle(object));
    return as_tensor(made.ptr());
  }
  return Tensor();
}

PyObject* binary(const OpDef& op, PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    TensorList operands;
    for (PyObject* object : {a, b}) {
      operands.push_back(operator_operand(object));
      if (!operands.back()) Py_RETURN_NOTIMPLEMENTED;
    }
    Tensor out[kMaxOutputs];
    run_from_python(op, std::move(operands), default_attrs(op), out);
    return wrap(out[0]);
  });
}

PyObject* binary_inplace(const OpDef& op, PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    const Tensor y = operator_operand(b);
    if (!y) Py_RETURN_NOTIMPLEMENTED;
    run_inplace_from_python(op, {as_tensor(a), y}, default_attrs(op));
    Py_INCREF(a);
    return a;
  });
}

PyObject* unary(const OpDef& op, PyObject* a) {
  return guarded([&]() -> PyObject* {
    Tensor out[kMaxOutputs];
    run_from_python(op, {as_tensor(a)}, default_attrs(op), out);
    return wrap(out[0]);
  });
}

#define CR_BINARY(slot, op) \
  PyObject* slot(PyObject* a, PyObject* b) { return binary(OP(op), a, b); }
#define CR_INPLACE(slot, op) \
  PyObject* slot(PyObject* a, PyObject* b) { return binary_inplace(OP(op), a, b); }
#define CR_UNARY(slot, op) \
  PyObject* slot(PyObject* a) { return unary(OP(op), a); }
CR_BINARY(nb_add, add)
CR_BINARY(nb_subtract, sub)
CR_BINARY(nb_multiply, mul)
CR_BINARY(nb_true_divide, div)
CR_BINARY(nb_floor_divide, floor_divide)
CR_BINARY(nb_remainder, remainder)
CR_BINARY(nb_matrix_multiply, matmul)
CR_BINARY(nb_and, bitwise_and)
CR_BINARY(nb_or, bitwise_or)
CR_BINARY(nb_xor, bitwise_xor)
CR_BINARY(nb_lshift, bitwise_left_shift)
CR_BINARY(nb_rshift, bitwise_right_shift)
CR_INPLACE(nb_inplace_add, add)
CR_INPLACE(nb_inplace_subtract, sub)
CR_INPLACE(nb_inplace_multiply, mul)
CR_INPLACE(nb_inplace_true_divide, div)
CR_INPLACE(nb_inplace_floor_divide, floor_divide)
CR_INPLACE(nb_inplace_remainder, remainder)
CR_INPLACE(nb_inplace_and, bitwise_and)
CR_INPLACE(nb_inplace_or, bitwise_or)
CR_INPLACE(nb_inplace_xor, bitwise_xor)
CR_INPLACE(nb_inplace_lshift, bitwise_left_shift)
CR_INPLACE(nb_inplace_rshift, bitwise_right_shift)
CR_UNARY(nb_negative, neg)
CR_UNARY(nb_absolute, abs)
CR_UNARY(nb_invert, bitwise_not)

PyObject* nb_power(PyObject* a, PyObject* b, PyObject* modulus) {
  if (modulus != Py_None) {
    PyErr_SetString(PyExc_TypeError, "pow: three arguments are not supported for tensors");
    return nullptr;
  }
  return binary(OP(pow), a, b);
}

PyObject* nb_inplace_power(PyObject* a, PyObject* b, PyObject*) {
  return binary_inplace(OP(pow), a, b);
}

PyObject* nb_positive(PyObject* a) {
  Py_INCREF(a);
  return a;
}

PyObject* rich_compare(PyObject* a, PyObject* b, int how) {
  switch (how) {
    case Py_EQ: return binary(OP(eq), a, b);
    case Py_NE: return binary(OP(ne), a, b);
    case Py_LT: return binary(OP(lt), a, b);
    case Py_LE: return binary(OP(le), a, b);
    case Py_GT: return binary(OP(gt), a, b);
    default: return binary(OP(ge), a, b);
  }
}

Py_hash_t tensor_hash(PyObject* self) {
  return static_cast<Py_hash_t>(reinterpret_cast<uintptr_t>(self) >> 4);
}

// ---------------------------------------------------------------- scalars

PyObject* item(PyObject* self, PyObject*) {
  return guarded([&]() -> PyObject* {
    const Tensor& tensor = as_tensor(self);
    if (is_floating(tensor.dtype())) return PyFloat_FromDouble(item_double(tensor));
    if (tensor.dtype() == DType::kBool) return PyBool_FromLong(item_int(tensor) != 0);
    return integer_object(tensor.dtype(), item_int(tensor));
  });
}

int nb_bool(PyObject* self) {
  const Tensor& tensor = as_tensor(self);
  if (tensor.numel() != 1) {
    PyErr_Format(
        PyExc_RuntimeError,
        "bool: the truth value of a tensor with %lld elements is ambiguous; use .any() or .all()",
        static_cast<long long>(tensor.numel()));
    return -1;
  }
  return item_double(tensor) != 0;
}

PyObject* nb_float(PyObject* self) {
  return guarded([&]() -> PyObject* { return PyFloat_FromDouble(item_double(as_tensor(self))); });
}

PyObject* nb_int(PyObject* self) {
  const py::object value = py::reinterpret_steal<py::object>(item(self, nullptr));
  return value ? PyNumber_Long(value.ptr()) : nullptr;
}

PyObject* nb_index(PyObject* self) {
  return guarded(
      [&]() -> PyObject* { return PyLong_FromLongLong(int_from_object(self, "index")); });
}

// ---------------------------------------------------------------- attributes

PyObject* get_shape(PyObject* self, void*) { return dims_tuple(as_tensor(self).shape()); }
PyObject* get_dtype(PyObject* self, void*) {
  PyObject* dtype = dtype_object(as_tensor(self).dtype());
  Py_INCREF(dtype);
  return dtype;
}
PyObject* get_ndim(PyObject* self, void*) { return PyLong_FromLong(as_tensor(self).rank()); }
PyObject* get_itemsize(PyObject* self, void*) {
  return PyLong_FromLongLong(itemsize(as_tensor(self).dtype()));
}
PyObject* get_nbytes(PyObject* self, void*) {
  return PyLong_FromLongLong(as_tensor(self).nbytes());
}
PyObject* get_version(PyObject* self, void*) {
  return PyLong_FromUnsignedLong(as_tensor(self).version());
}
PyObject* get_is_leaf(PyObject* self, void*) {
  const Tensor& tensor = as_tensor(self);
  if (tensor.impl()->view) tape.refresh(tensor);
  return PyBool_FromLong(tensor.is_leaf());
}

PyObject* get_requires_grad(PyObject* self, void*) {
  const Tensor& tensor = as_tensor(self);
  if (tensor.impl()->view) tape.refresh(tensor);
  return PyBool_FromLong(tensor.requires_grad());
}
int set_requires_grad_attribute(PyObject* self, PyObject* value, void*) {
  const int on = value ? PyObject_IsTrue(value) : 0;
  if (on < 0) return -1;
  return guarded([&]() -> PyObject* {
    set_requires_grad(as_tensor(self), on);
    return Py_None;
  })
             ? 0
             : -1;
}

PyObject* get_grad_attribute(PyObject* self, void*) { return wrap(get_grad(as_tensor(self))); }
int set_grad_attribute(PyObject* self, PyObject* value, void*) {
  return guarded([&]() -> PyObject* {
    CR_CHECK_TYPE(!value || value == Py_None || is_tensor(value),
                  "grad: expected a Tensor or None (got ", Py_TYPE(value)->tp_name, ")");
    set_grad(as_tensor(self), !value || value == Py_None ? Tensor() : as_tensor(value));
    return Py_None;
  })
             ? 0
             : -1;
}

PyObject* get_data(PyObject* self, void*) { return wrap(detach(as_tensor(self))); }
int set_data(PyObject* self, PyObject* value, void*) {
  return guarded([&]() -> PyObject* {
    CR_CHECK_TYPE(value && is_tensor(value), "data: expected a Tensor");
    const Tensor& source = as_tensor(value);
    TensorImpl& impl = *as_tensor(self).impl();
    CR_CHECK_TYPE(!impl.node || source.dtype() == impl.dtype || is_floating(source.dtype()),
                  "data: a tensor with a gradient needs floating-point data (got ", source.dtype(),
                  ")");
    impl.storage = source.storage();
    impl.data = source.impl()->data;
    impl.numel = source.numel();
    impl.dtype = source.dtype();
    impl.contiguous = source.contiguous();
    impl.shape = source.shape();
    impl.strides = source.strides();
    if (impl.node && impl.node->is_leaf()) {
      Leaf& leaf = static_cast<Leaf&>(*impl.node);
      leaf.outputs()[0] = source.meta();
      if (leaf.grad && leaf.grad.meta().shape != source.shape()) leaf.grad = Tensor();
    }
    return Py_None;
  })
             ? 0
             : -1;
}

PyObject* get_transposed(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    const Tensor& tensor = as_tensor(self);
    Dims order;
    for (int i = tensor.rank() - 1; i >= 0; --i) order.push_back(i);
    return wrap(OP(permute)(tensor, order));
  });
}
PyObject* get_matrix_transposed(PyObject* self, void*) {
  return guarded([&]() -> PyObject* {
    CR_CHECK(as_tensor(self).rank() >= 2, "mT: needs at least 2 dimensions (got shape ",
             as_tensor(self).shape(), ")");
    return wrap(OP(transpose)(as_tensor(self), -2, -1));
  });
}

PyGetSetDef tensor_getset[] = {
    {"shape", get_shape, nullptr, "Sizes of the dimensions, a tuple of ints.", nullptr},
    {"dtype", get_dtype, nullptr, "Element type, such as chainrule.float32.", nullptr},
    {"ndim", get_ndim, nullptr, "Number of dimensions.", nullptr},
    {"itemsize", get_itemsize, nullptr, "Bytes of one element.", nullptr},
    {"nbytes", get_nbytes, nullptr, "Bytes of all elements.", nullptr},
    {"_version", get_version, nullptr, "How often the memory was written to in place.", nullptr},
    {"is_leaf", get_is_leaf, nullptr,
     "True unless an operation on tensors that require a gradient made it.", nullptr},
    {"requires_grad", get_requires_grad, set_requires_grad_attribute,
     "Whether gradients flow to this tensor.", nullptr},
    {"grad", get_grad_attribute, set_grad_attribute, "Gradient that backward() left here, or None.",
     nullptr},
    {"data", get_data, set_data, "The same memory without gradient history.", nullptr},
    {"T", get_transposed, nullptr, "View with the dimensions reversed.", nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, "Attributes set from Python.",
     nullptr},
    {"mT", get_matrix_transposed, nullptr, "View with the last two dimensions swapped.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

// ---------------------------------------------------------------- methods

PyObject* dims_or_one(const Dims& dims, PyObject* const* args, Py_ssize_t n, const char* what) {
  if (n == 0) return dims_tuple(dims);
  const int dim = normalize_dim(what, int_from_object(args[0], what), dims.size());
  CR_CHECK_INDEX(dims.size() > 0, what, ": a 0-d tensor has no dimension ", dim);
  return PyLong_FromLongLong(dims[dim]);
}

PyObject* method_size(PyObject* self, PyObject* const* args, Py_ssize_t n) {
  return guarded([&] { return dims_or_one(as_tensor(self).shape(), args, n, "size"); });
}
PyObject* method_stride(PyObject* self, PyObject* const* args, Py_ssize_t n) {
  return guarded([&] { return dims_or_one(as_tensor(self).strides(), args, n, "stride"); });
}
PyObject* method_dim(PyObject* self, PyObject*) { return get_ndim(self, nullptr); }
PyObject* method_numel(PyObject* self, PyObject*) {
  return PyLong_FromLongLong(as_tensor(self).numel());
}
PyObject* method_element_size(PyObject* self, PyObject*) { return get_itemsize(self, nullptr); }
PyObject* method_data_ptr(PyObject* self, PyObject*) {
  return PyLong_FromVoidPtr(as_tensor(self).data());
}
PyObject* method_is_contiguous(PyObject* self, PyObject*) {
  return PyBool_FromLong(as_tensor(self).contiguous());
}
PyObject* method_storage_offset(PyObject* self, PyObject*) {
  return PyLong_FromLongLong(as_tensor(self).storage_offset());
}
PyObject* method_detach(PyObject* self, PyObject*) { return wrap(detach(as_tensor(self))); }
PyObject* method_is_floating_point(PyObject* self, PyObject*) {
  return PyBool_FromLong(is_floating(as_tensor(self).dtype()));
}

PyMethodDef tensor_methods[] = {
    {"item", item, METH_NOARGS, "The value of a one-element tensor as a Python number."},
    {"size", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(method_size)), METH_FASTCALL,
     "The shape, or the size of one dimension."},
    {"stride", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(method_stride)), METH_FASTCALL,
     "Strides in elements, or the stride of one dimension."},
    {"dim", method_dim, METH_NOARGS, "Number of dimensions."},
    {"ndimension", method_dim, METH_NOARGS, "Number of dimensions."},
    {"numel", method_numel, METH_NOARGS, "Number of elements."},
    {"nelement", method_numel, METH_NOARGS, "Number of elements."},
    {"element_size", method_element_size, METH_NOARGS, "Bytes of one element."},
    {"data_ptr", method_data_ptr, METH_NOARGS, "Address of the first element."},
    {"is_contiguous", method_is_contiguous, METH_NOARGS,
     "Whether the memory is row-major without gaps."},
    {"storage_offset", method_storage_offset, METH_NOARGS,
     "First element's place in the memory, in elements."},
    {"detach", method_detach, METH_NOARGS, "The same memory without gradient history."},
    {"is_floating_point", method_is_floating_point, METH_NOARGS,
     "Whether the dtype holds real numbers."},
    {nullptr, nullptr, 0, nullptr}};

PyMemberDef tensor_members[] = {
    {"__dictoffset__", T_PYSSIZET, offsetof(PyTensor, dict), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(PyTensor, weakrefs), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};

Py_ssize_t tensor_length(PyObject* self) {
  const Tensor& tensor = as_tensor(self);
  if (tensor.rank() == 0) {
    PyErr_SetString(PyExc_TypeError, "len: a 0-d tensor has no length");
    return -1;
  }
  return tensor.shape()[0];
}

template <class F>
void* slot(F* f) {
  return reinterpret_cast<void*>(f);
}

}  // namespace

PyObject* wrap_as(PyTypeObject* type, const Tensor& tensor) {
  PyTensor* object = new_shell(type);
  if (!object) return nullptr;
  new (&object->tensor) Tensor(tensor);
  object->dict = nullptr;
  object->weakrefs = nullptr;
  if (tensor) tensor.impl()->pyobj = object;
  PyObject_GC_Track(reinterpret_cast<PyObject*>(object));
  return reinterpret_cast<PyObject*>(object);
}

PyObject* wrap(const Tensor& tensor) {
  if (!tensor) Py_RETURN_NONE;
  if (PyObject* existing = static_cast<PyObject*>(tensor.impl()->pyobj)) {
    Py_INCREF(existing);
    return existing;
  }
  tensor.impl()->weak = false;
  return wrap_as(tensor_type, tensor);
}

void make_tensor_type(py::module_& m) {
  PyType_Slot slots[] = {
      {Py_tp_new, slot(tensor_new)},
      {Py_tp_dealloc, slot(tensor_dealloc)},
      {Py_tp_traverse, slot(tensor_traverse)},
      {Py_tp_clear, slot(tensor_clear)},
      {Py_tp_hash, slot(tensor_hash)},
      {Py_tp_richcompare, slot(rich_compare)},
      {Py_tp_getset, tensor_getset},
      {Py_tp_methods, tensor_methods},
      {Py_tp_members, tensor_members},
      {Py_mp_length, slot(tensor_length)},
      {Py_mp_subscript, slot(get_item)},
      {Py_mp_ass_subscript, slot(set_item)},
      {Py_sq_length, slot(tensor_length)},
      {Py_bf_getbuffer, slot(get_buffer)},
      {Py_bf_releasebuffer, slot(release_buffer)},
      {Py_nb_add, slot(nb_add)},
      {Py_nb_subtract, slot(nb_subtract)},
      {Py_nb_multiply, slot(nb_multiply)},
      {Py_nb_true_divide, slot(nb_true_divide)},
      {Py_nb_floor_divide, slot(nb_floor_divide)},
      {Py_nb_remainder, slot(nb_remainder)},
      {Py_nb_power, slot(nb_power)},
      {Py_nb_matrix_multiply, slot(nb_matrix_multiply)},
      {Py_nb_and, slot(nb_and)},
      {Py_nb_or, slot(nb_or)},
      {Py_nb_xor, slot(nb_xor)},
      {Py_nb_lshift, slot(nb_lshift)},
      {Py_nb_rshift, slot(nb_rshift)},
      {Py_nb_inplace_add, slot(nb_inplace_add)},
      {Py_nb_inplace_subtract, slot(nb_inplace_subtract)},
      {Py_nb_inplace_multiply, slot(nb_inplace_multiply)},
      {Py_nb_inplace_true_divide, slot(nb_inplace_true_divide)},
      {Py_nb_inplace_floor_divide, slot(nb_inplace_floor_divide)},
      {Py_nb_inplace_remainder, slot(nb_inplace_remainder)},
      {Py_nb_inplace_power, slot(nb_inplace_power)},
      {Py_nb_inplace_and, slot(nb_inplace_and)},
      {Py_nb_inplace_or, slot(nb_inplace_or)},
      {Py_nb_inplace_xor, slot(nb_inplace_xor)},
      {Py_nb_inplace_lshift, slot(nb_inplace_lshift)},
      {Py_nb_inplace_rshift, slot(nb_inplace_rshift)},
      {Py_nb_negative, slot(nb_negative)},
      {Py_nb_positive, slot(nb_positive)},
      {Py_nb_absolute, slot(nb_absolute)},
      {Py_nb_invert, slot(nb_invert)},
      {Py_nb_bool, slot(nb_bool)},
      {Py_nb_float, slot(nb_float)},
      {Py_nb_int, slot(nb_int)},
      {Py_nb_index, slot(nb_index)},
      {Py_tp_doc,
       const_cast<char*>("An n-dimensional array of one dtype that can carry gradients.")},
      {0, nullptr}};
  PyType_Spec spec = {"chainrule.Tensor", sizeof(PyTensor), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
  tensor_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (!tensor_type) throw py::error_already_set();
  m.attr("Tensor") = py::handle(reinterpret_cast<PyObject*>(tensor_type));
  // Address and bytes of the whole memory a tensor is a view of.
  m.def("_storage", [](const Tensor& tensor) {
    return py::make_tuple(reinterpret_cast<uintptr_t>(tensor.storage()->data()),
                          tensor.storage()->bytes());
  });
  // The same tensor as an object of a subclass, with its gradient history.
  m.def("_as_subclass", [](py::handle type, const Tensor& tensor) {
    return py::reinterpret_steal<py::object>(
        wrap_as(reinterpret_cast<PyTypeObject*>(type.ptr()), OP(view)(tensor, tensor.shape())));
  });
  // An object of a Tensor subclass on the memory of another tensor.
  m.def("_make_subclass", [](py::handle type, const Tensor& data, bool requires_grad) {
    Tensor alias = detach(data);
    if (requires_grad) set_requires_grad(alias, true);
    return py::reinterpret_steal<py::object>(
        wrap_as(reinterpret_cast<PyTypeObject*>(type.ptr()), alias));
  });
}

}  // namespace cr
