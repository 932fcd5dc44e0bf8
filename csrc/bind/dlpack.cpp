// DLPack: memory shared with other libraries through a struct of C, in both directions.
// The layout below is the published interface, versions 0.8 (unversioned) and 1.x:
// https://dmlc.github.io/dlpack/latest/c_api.html
#include "bind/python.h"

namespace cr {
namespace {

struct DlDevice {
  int32_t type, id;
};
constexpr int32_t kCpu = 1;

struct DlDataType {
  uint8_t code, bits;
  uint16_t lanes;
};
enum DlCode : uint8_t { kDlInt = 0, kDlUInt = 1, kDlFloat = 2, kDlBfloat = 4, kDlBool = 6 };

struct DlTensor {
  void* data;
  DlDevice device;
  int32_t rank;
  DlDataType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null: row-major
  uint64_t byte_offset;
};

struct Unversioned {
  static constexpr const char* kName = "dltensor";
  static constexpr const char* kUsed = "used_dltensor";
  DlTensor tensor;
  void* context;
  void (*deleter)(Unversioned*);
};

struct Versioned {
  static constexpr const char* kName = "dltensor_versioned";
  static constexpr const char* kUsed = "used_dltensor_versioned";
  static constexpr uint64_t kReadOnly = 1, kCopied = 2;
  uint32_t major, minor;
  void* context;
  void (*deleter)(Versioned*);
  uint64_t flags;
  DlTensor tensor;
};
constexpr uint32_t kMajor = 1, kMinor = 1;

DlDataType dl_dtype(DType dtype) {
  const DlCode code = dtype == DType::kBool       ? kDlBool
                      : dtype == DType::kBFloat16 ? kDlBfloat
                      : is_floating(dtype)        ? kDlFloat
                      : is_unsigned(dtype)        ? kDlUInt
                                                  : kDlInt;
  return {code, static_cast<uint8_t>(8 * itemsize(dtype)), 1};
}

DType dtype_of(const DlDataType& wanted) {
  for (int d = 0; d < kNumDTypes; ++d) {
    const DlDataType candidate = dl_dtype(static_cast<DType>(d));
    if (candidate.code == wanted.code && candidate.bits == wanted.bits && wanted.lanes == 1)
      return static_cast<DType>(d);
  }
  fail(ErrorKind::kType, "from_dlpack: no chainrule dtype for DLPack's code ", int{wanted.code},
       " with ", int{wanted.bits}, " bits and ", wanted.lanes, " lanes");
}

// ---------------------------------------------------------------- giving

// What a capsule points to, and what keeps its memory alive.
template <class Managed>
struct Lent {
  Managed managed;
  Tensor tensor;
  Dims shape, strides;
};

// The consumer calls this when it is done, from any thread, with or without the interpreter's lock.
template <class Managed>
void take_back(Managed* managed) {
  delete static_cast<Lent<Managed>*>(managed->context);
}

// A capsule that nobody consumed.
template <class Managed>
void drop_capsule(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, Managed::kName)) return;
  auto* managed = static_cast<Managed*>(PyCapsule_GetPointer(capsule, Managed::kName));
  managed->deleter(managed);
}

template <class Managed>
Managed* lend(const Tensor& tensor) {
  auto* lent = new Lent<Managed>{{}, detach(tensor), tensor.shape(), tensor.strides()};
  lent->managed.context = lent;
  lent->managed.deleter = take_back<Managed>;
  lent->managed.tensor = {tensor.data(),
                          {kCpu, 0},
                          tensor.rank(),
                          dl_dtype(tensor.dtype()),
                          lent->shape.begin(),
                          lent->strides.begin(),
                          0};
  return &lent->managed;
}

template <class Managed>
py::object capsule_of(Managed* managed) {
  PyObject* capsule = PyCapsule_New(managed, Managed::kName, drop_capsule<Managed>);
  if (!capsule) {
    managed->deleter(managed);
    throw py::error_already_set();
  }
  return py::reinterpret_steal<py::object>(capsule);
}

py::object to_dlpack(const Tensor& tensor, bool versioned, bool copied) {
  if (!versioned) {
    if (tensor.storage()->read_only()) {
      throw py::buffer_error(
          "__dlpack__: the tensor's memory is read-only, which an unversioned capsule cannot say; "
          "ask for max_version=(1, 0) or a copy");
    }
    return capsule_of(lend<Unversioned>(tensor));
  }
  Versioned* managed = lend<Versioned>(tensor);
  managed->major = kMajor;
  managed->minor = kMinor;
  managed->flags = (tensor.storage()->read_only() ? Versioned::kReadOnly : 0) |
                   (copied ? Versioned::kCopied : 0);
  return capsule_of(managed);
}

// ---------------------------------------------------------------- taking

template <class Managed>
void give_back(void* managed) {
  auto* lent = static_cast<Managed*>(managed);
  if (lent->deleter) lent->deleter(lent);
}

template <class Managed>
Tensor borrow(PyObject* capsule, Managed* managed, bool read_only) {
  const DlTensor& given = managed->tensor;
  CR_CHECK(given.device.type == kCpu, "from_dlpack: the memory is on a device of type ",
           given.device.type, "; chainrule computes on the CPU only");
  CR_CHECK(given.rank >= 0 && given.rank <= kMaxRank, "from_dlpack: got ", given.rank,
           " dimensions; at most ", kMaxRank, " are supported");
  const Dims shape(given.shape, given.shape + given.rank);
  const int64_t count = checked_numel(shape);
  CR_CHECK(given.data || count == 0, "from_dlpack: the tensor has no memory (got shape ", shape,
           ")");
  const Dims strides =
      given.strides ? Dims(given.strides, given.strides + given.rank) : contiguous_strides(shape);
  const Tensor tensor =
      adopt_memory("from_dlpack", static_cast<char*>(given.data) + given.byte_offset,
                   dtype_of(given.dtype), shape, strides, {managed, give_back<Managed>, read_only});
  // From here on the tensor calls the deleter, not the capsule.
  PyCapsule_SetName(capsule, Managed::kUsed);
  return tensor;
}

// The tensor in a capsule, and whether its memory was copied for us.
py::tuple from_capsule(const py::object& object) {
  PyObject* capsule = object.ptr();
  if (PyCapsule_IsValid(capsule, Versioned::kName)) {
    auto* managed = static_cast<Versioned*>(PyCapsule_GetPointer(capsule, Versioned::kName));
    CR_CHECK(managed->major == kMajor, "from_dlpack: the capsule has version ", managed->major, ".",
             managed->minor, "; expected 1.x");
    const bool read_only = managed->flags & Versioned::kReadOnly;
    const bool copied = managed->flags & Versioned::kCopied;
    return py::make_tuple(borrow(capsule, managed, read_only), copied);
  }
  CR_CHECK_TYPE(PyCapsule_IsValid(capsule, Unversioned::kName), "from_dlpack: got ",
                PyCapsule_CheckExact(capsule) ? "a capsule that was used already or holds no tensor"
                                              : Py_TYPE(capsule)->tp_name,
                "; expected an object with __dlpack__, or a fresh DLPack capsule");
  auto* managed = static_cast<Unversioned*>(PyCapsule_GetPointer(capsule, Unversioned::kName));
  return py::make_tuple(borrow(capsule, managed, false), false);
}

}  // namespace

void bind_dlpack(py::module_& m) {
  m.def("_to_dlpack", &to_dlpack);
  m.def("_from_dlpack", &from_capsule);
}

}  // namespace cr
