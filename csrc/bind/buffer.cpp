// Python's buffer protocol: memoryview(tensor) and, the other way round, frombuffer.
#include "bind/python.h"

namespace cr {
namespace {

// The letter of the struct module; int64 as the platform's own type, which NumPy prefers.
const char* format_of(DType dtype) {
  constexpr bool kLong = sizeof(long) == 8;
  switch (dtype) {
    case DType::kBool: return "?";
    case DType::kUInt8: return "B";
    case DType::kUInt16: return "H";
    case DType::kUInt32: return "I";
    case DType::kUInt64: return kLong ? "L" : "Q";
    case DType::kInt8: return "b";
    case DType::kInt16: return "h";
    case DType::kInt32: return "i";
    case DType::kInt64: return kLong ? "l" : "q";
    case DType::kFloat16: return "e";
    case DType::kFloat32: return "f";
    case DType::kFloat64: return "d";
    default: return nullptr;
  }
}

// Keeps the memory of an exported buffer, whatever becomes of the tensor, and its geometry.
struct Export {
  Tensor tensor;
  Py_ssize_t shape[kMaxRank], strides[kMaxRank];
};

const char* refusal(const Tensor& tensor, int flags) {
  if (tensor.requires_grad()) {
    return "buffer: the tensor requires a gradient, which the buffer would lose; use .detach()";
  }
  if (!format_of(tensor.dtype())) {
    return "buffer: bfloat16 has no buffer format; use .view(chainrule.uint16) for the bits or "
           ".float() for the values";
  }
  if ((flags & PyBUF_WRITABLE) && tensor.storage()->read_only()) {
    return "buffer: the tensor's memory is read-only";
  }
  return nullptr;
}

bool has_layout(const Py_buffer* view, int flags) {
  const auto asked = [&](int flag) { return (flags & flag) == flag; };
  if (asked(PyBUF_C_CONTIGUOUS) || !asked(PyBUF_STRIDES)) return PyBuffer_IsContiguous(view, 'C');
  if (asked(PyBUF_F_CONTIGUOUS)) return PyBuffer_IsContiguous(view, 'F');
  if (asked(PyBUF_ANY_CONTIGUOUS)) return PyBuffer_IsContiguous(view, 'A');
  return true;
}

}  // namespace

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  const Tensor& tensor = as_tensor(self);
  view->obj = nullptr;
  if (const char* reason = refusal(tensor, flags)) {
    PyErr_SetString(PyExc_BufferError, reason);
    return -1;
  }
  Export* lent = new Export{detach(tensor), {}, {}};
  const int64_t size = itemsize(tensor.dtype());
  for (int d = 0; d < tensor.rank(); ++d) {
    lent->shape[d] = tensor.shape()[d];
    lent->strides[d] = tensor.strides()[d] * size;
  }
  view->buf = tensor.data();
  view->len = tensor.nbytes();
  view->itemsize = size;
  view->readonly = tensor.storage()->read_only();
  view->ndim = tensor.rank();
  view->format = const_cast<char*>(format_of(tensor.dtype()));
  view->shape = lent->shape;
  view->strides = lent->strides;
  view->suboffsets = nullptr;
  view->internal = lent;
  if (!has_layout(view, flags)) {
    delete lent;
    PyErr_SetString(PyExc_BufferError,
                    "buffer: the tensor's memory is not contiguous; use .contiguous()");
    return -1;
  }
  if (!(flags & PyBUF_FORMAT)) view->format = nullptr;
  if ((flags & PyBUF_STRIDES) != PyBUF_STRIDES) view->strides = nullptr;
  if (!(flags & PyBUF_ND)) view->shape = nullptr;
  view->obj = Py_NewRef(self);
  return 0;
}

void release_buffer(PyObject*, Py_buffer* view) { delete static_cast<Export*>(view->internal); }

namespace {

void release_borrowed(void* owner) {
  auto* view = static_cast<Py_buffer*>(owner);
  if (Py_IsInitialized()) {
    py::gil_scoped_acquire gil;
    PyBuffer_Release(view);
  }
  delete view;
}

struct ReleaseBuffer {
  void operator()(Py_buffer* view) const { release_borrowed(view); }
};

Tensor from_buffer(const py::object& buffer, const py::object& dtype_like, int64_t count,
                   int64_t offset) {
  const DType dtype = dtype_from_object(dtype_like.ptr());
  const int64_t size = itemsize(dtype);
  std::unique_ptr<Py_buffer, ReleaseBuffer> view;
  {
    auto fresh = std::make_unique<Py_buffer>();
    if (PyObject_GetBuffer(buffer.ptr(), fresh.get(), PyBUF_SIMPLE) != 0)
      throw py::error_already_set();
    view.reset(fresh.release());
  }
  CR_CHECK(offset >= 0 && offset <= view->len, "frombuffer: offset must lie in the buffer (got ",
           offset, " for ", view->len, " bytes)");
  const int64_t room = view->len - offset;
  CR_CHECK(count >= 0 || room % size == 0, "frombuffer: ", room, " bytes are no whole number of ",
           dtype, " elements; give count");
  if (count < 0) count = room / size;
  CR_CHECK(count <= room / size, "frombuffer: ", count, " elements of ", dtype,
           " do not fit in the ", room, " bytes after the offset");
  char* first = static_cast<char*>(view->buf) + offset;
  const Tensor tensor = adopt_memory("frombuffer", first, dtype, {count}, {1},
                                     {view.get(), release_borrowed, view->readonly != 0});
  view.release();
  return tensor;
}

}  // namespace

void bind_buffer(py::module_& m) { m.def("_from_buffer", &from_buffer); }

}  // namespace cr
