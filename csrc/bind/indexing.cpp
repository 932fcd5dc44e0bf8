// x[key] and x[key] = value: basic keys become views (select, slice, unsqueeze); arrays, lists and
// masks become one `index` or `index_put` call on the remaining dimensions, by NumPy's rules.
#include "bind/python.h"

namespace cr {
namespace {

// A key entry that is an array of indices, or a bool mask, as a tensor; undefined otherwise.
Tensor index_array(PyObject* entry) {
  if (is_tensor(entry)) {
    const Tensor& tensor = as_tensor(entry);
    CR_CHECK_INDEX(!is_floating(tensor.dtype()),
                   "index: tensors used as indices must be integer or "
                   "bool (got ",
                   tensor.dtype(), ")");
    return tensor;
  }
  if (PyBool_Check(entry)) return Tensor::scalar(int64_t{entry == Py_True}, DType::kBool);
  const bool array = PyList_Check(entry) || PyTuple_Check(entry) ||
                     PyObject_HasAttrString(entry, "__array_interface__");
  if (!array) return Tensor();
  py::object made = py::module_::import("chainrule").attr("tensor")(py::handle(entry));
  Tensor tensor = as_tensor(made.ptr());
  if (tensor.numel() == 0 && is_floating(tensor.dtype())) tensor = OP(to)(tensor, DType::kInt64);
  CR_CHECK_INDEX(!is_floating(tensor.dtype()),
                 "index: arrays used as indices must be integer or "
                 "bool (got ",
                 tensor.dtype(), ")");
  return tensor;
}

bool is_scalar_index(PyObject* entry) {
  if (PyBool_Check(entry)) return false;
  if (is_tensor(entry)) {
    const Tensor& tensor = as_tensor(entry);
    return tensor.rank() == 0 && is_integral(tensor.dtype());
  }
  if (PyLong_Check(entry)) return true;
  // NumPy integers have __index__; arrays of one element do too, but also a length.
  return PyIndex_Check(entry) && !PyObject_HasAttrString(entry, "__len__");
}

void push_bound(Attrs& attrs, PyObject* bound) {
  bound == Py_None ? attrs.push_none() : attrs.push_int(int_from_object(bound, "slice"));
}

// The basic part of a key applied as views; array indices stay, one per dimension (undefined where
// the dimension is taken whole).
struct Indexed {
  Tensor view;
  TensorList arrays;
  bool advanced = false;
};

Indexed apply_basic(const Tensor& tensor, PyObject* key) {
  Indexed result;
  result.view = tensor;
  PyObject* single[1] = {key};
  const bool tuple = PyTuple_Check(key);
  PyObject** entries = tuple ? &PyTuple_GET_ITEM(key, 0) : single;
  const int count = tuple ? static_cast<int>(PyTuple_GET_SIZE(key)) : 1;

  // Dimensions the key names, so that the ellipsis knows its length.
  TensorList arrays;
  arrays.resize(count);
  int named = 0, ellipses = 0;
  for (int i = 0; i < count; ++i) {
    if (entries[i] == Py_None) continue;
    if (entries[i] == Py_Ellipsis) {
      ++ellipses;
      continue;
    }
    if (!PySlice_Check(entries[i]) && !is_scalar_index(entries[i])) {
      arrays[i] = index_array(entries[i]);
      CR_CHECK_INDEX(arrays[i], "index: expected int, slice, None, ..., array or mask (got ",
                     Py_TYPE(entries[i])->tp_name, ")");
      named += arrays[i].dtype() == DType::kBool ? arrays[i].rank() : 1;
      continue;
    }
    ++named;
  }
  CR_CHECK_INDEX(ellipses <= 1, "index: only one ellipsis ('...') is allowed");
  CR_CHECK_INDEX(named <= tensor.rank(), "index: too many indices (got ", named,
                 " for a tensor with ", tensor.rank(), " dimensions)");

  int dim = 0;
  const auto keep_whole = [&] {
    result.arrays.push_back(Tensor());
    ++dim;
  };
  for (int i = 0; i < count; ++i) {
    PyObject* entry = entries[i];
    if (entry == Py_None) {
      result.view = OP(unsqueeze)(result.view, dim);
      keep_whole();
    } else if (entry == Py_Ellipsis) {
      for (int k = tensor.rank() - named; k > 0; --k) keep_whole();
    } else if (PySlice_Check(entry)) {
      PySliceObject* slice = reinterpret_cast<PySliceObject*>(entry);
      if (slice->start != Py_None || slice->stop != Py_None || slice->step != Py_None) {
        Attrs attrs;
        attrs.push_int(dim);
        push_bound(attrs, slice->start);
        push_bound(attrs, slice->stop);
        push_bound(attrs, slice->step);
        result.view = run(OP(slice), {result.view}, attrs);
      }
      keep_whole();
    } else if (arrays[i]) {
      result.advanced = true;
      const Tensor& array = arrays[i];
      if (array.dtype() != DType::kBool) {
        result.arrays.push_back(array);
        ++dim;
        continue;
      }
      if (array.rank() == 0) {  // x[True]: a new dimension of size 1 or 0
        result.view = OP(unsqueeze)(result.view, dim);
        result.arrays.push_back(item_int(array) ? OP(zeros)(Dims{1}, DType::kInt64)
                                                : OP(zeros)(Dims{0}, DType::kInt64));
        ++dim;
        continue;
      }
      for (int k = 0; k < array.rank(); ++k) {
        const int64_t size = array.shape()[k];  // of 0, as NumPy has it: nothing is picked
        CR_CHECK_INDEX(size == result.view.shape()[dim + k] || size == 0, "index: mask of shape ",
                       array.shape(), " does not match the tensor of shape ", tensor.shape(),
                       " at dimension ", dim + k);
      }
      const Tensor places = OP(nonzero)(array);
      for (int k = 0; k < array.rank(); ++k) {
        result.arrays.push_back(OP(select)(places, 1, k));
        ++dim;
      }
    } else {
      result.view = OP(select)(result.view, dim, int_from_object(entry, "index"));
    }
  }
  if (!result.advanced) result.arrays.clear();
  return result;
}

// x[mask] with a mask over the first dimensions of x: those dimensions as one, and of it the places
// where the mask holds. Undefined for any other key.
Tensor masked(const Tensor& x, PyObject* key) {
  if (!is_tensor(key) || as_tensor(key).dtype() != DType::kBool) return Tensor();
  const Tensor& mask = as_tensor(key);
  if (mask.rank() == 0 || mask.rank() > x.rank()) return Tensor();
  Dims shape{mask.numel()};
  for (int d = 0; d < x.rank(); ++d) {
    if (d >= mask.rank())
      shape.push_back(x.shape()[d]);
    else if (mask.shape()[d] != x.shape()[d])
      return Tensor();
  }
  const Tensor places = OP(nonzero)(OP(reshape)(mask, Dims{mask.numel()}));
  return OP(index_select)(OP(reshape)(x, shape), 0, OP(select)(places, 1, 0));
}

// x[mask] = number: a choice element by element, no places to be found.
bool fills_masked(const Tensor& x, PyObject* key, const Tensor& source) {
  return source.rank() == 0 && is_floating(x.dtype()) && x.rank() > 0 && is_tensor(key) &&
         as_tensor(key).dtype() == DType::kBool && as_tensor(key).shape() == x.shape();
}

Attrs list_attrs(const TensorList& arrays) {
  Attrs attrs;
  attrs.push_int(arrays.size());
  return attrs;
}

}  // namespace

PyObject* get_item(PyObject* self, PyObject* key) {
  return guarded([&]() -> PyObject* {
    const Tensor& tensor = as_tensor(self);
    if (PyLong_CheckExact(key)) return wrap(OP(select)(tensor, 0, int_from_object(key, "index")));
    if (const Tensor picked = masked(tensor, key)) return wrap(picked);
    Indexed indexed = apply_basic(tensor, key);
    if (!indexed.advanced) {
      // A fresh object even for x[...]: the result is a view, not the tensor itself.
      if (indexed.view.is(tensor)) indexed.view = OP(view)(tensor, tensor.shape());
      return wrap(indexed.view);
    }
    TensorList in{indexed.view};
    for (const Tensor& array : indexed.arrays) in.push_back(array);
    Tensor out[kMaxOutputs];
    run_from_python(OP(index), std::move(in), list_attrs(indexed.arrays), out);
    return wrap(out[0]);
  });
}

int set_item(PyObject* self, PyObject* key, PyObject* value) {
  PyObject* done = guarded([&]() -> PyObject* {
    CR_CHECK_TYPE(value, "a tensor's elements cannot be deleted");
    Tensor source = operand_from_object(value);
    if (!source) {
      const py::object made = py::module_::import("chainrule").attr("tensor")(py::handle(value));
      source = as_tensor(made.ptr());
    }
    const Tensor& target = as_tensor(self);
    if (fills_masked(target, key, source)) {
      run_inplace_from_python(OP(masked_fill), {target, as_tensor(key), source}, Attrs());
      return Py_None;
    }
    const Indexed indexed = apply_basic(target, key);
    if (!indexed.advanced) {
      // Extra leading dimensions of size 1 are dropped, as in NumPy.
      while (source.rank() > indexed.view.rank() && source.shape()[0] == 1) {
        source = OP(select)(source, 0, 0);
      }
      run_inplace_from_python(OP(copy), {indexed.view, source}, OP(copy).signature.defaults);
      return Py_None;
    }
    TensorList in{indexed.view};
    for (const Tensor& array : indexed.arrays) in.push_back(array);
    in.push_back(source);
    Attrs attrs = list_attrs(indexed.arrays);
    attrs.push_bool(false);
    run_inplace_from_python(OP(index_put), std::move(in), attrs);
    return Py_None;
  });
  return done ? 0 : -1;
}

}  // namespace cr
