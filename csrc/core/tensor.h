// Tensor: a reference to a strided view of a storage, and its place in the autograd graph.
#pragma once

#include "core/dtype.h"
#include "core/inline_vector.h"
#include "core/ref.h"
#include "core/shape.h"
#include "core/storage.h"

namespace cr {

// What the tape hangs on a tensor. The core only counts references; csrc/autograd knows the rest.
class GraphNode : public RefCounted {
 public:
  virtual ~GraphNode() = default;
  virtual bool requires_grad() const { return true; }
  virtual bool is_leaf() const { return false; }

  // Without recursion: a chain of 100,000 nodes is freed by a loop.
  static void destroy(GraphNode* node);
  static void* operator new(size_t bytes) { return allocate(bytes); }
  static void operator delete(void* p, size_t bytes) { deallocate(p, bytes); }
};

struct TensorImpl;

// Links a view to the tensor that owns the memory, so that in-place writes through either reach
// the gradient history of both. `seen` is the base's history count when the view's node was set.
struct ViewLink : RefCounted {
  Ref<TensorImpl> base;
  uint32_t seen = 0;
  static void destroy(ViewLink* link) { delete link; }
  static void* operator new(size_t bytes) { return allocate(bytes); }
  static void operator delete(void* p, size_t bytes) { deallocate(p, bytes); }
};

struct TensorImpl : RefCounted {
  Ref<Storage> storage;
  char* data = nullptr;  // storage->data() plus the view's offset
  int64_t numel = 1;
  DType dtype = DType::kFloat32;
  bool contiguous = true;
  bool weak = false;       // a Python number: takes part in type promotion by category only
  bool inference = false;  // made under inference_mode: never taped
  uint16_t output_nr = 0;  // which output of `node` this is
  uint32_t history = 0;    // how often in-place writes replaced `node`
  Ref<GraphNode> node;     // null: no gradient wanted
  Ref<ViewLink> view;      // null: not a (differentiable) view
  void* pyobj = nullptr;   // the Python object, while there is one (borrowed)
  Dims shape;
  Dims strides;  // in elements

  static void destroy(TensorImpl* impl);
};

// Geometry and type of a tensor that may not exist yet.
struct Meta {
  Dims shape;
  DType dtype = DType::kUndefined;
};

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}

  static Tensor empty(const Dims& shape, DType dtype);                 // contiguous
  static Tensor scalar(double value, DType dtype, bool weak = false);  // 0-d
  static Tensor scalar(int64_t value, DType dtype, bool weak = false);
  // Another tensor on the same storage. Carries no gradient history.
  Tensor alias() const;
  Tensor alias(const Dims& shape, const Dims& strides, int64_t offset_elements) const;

  bool defined() const { return static_cast<bool>(impl_); }
  explicit operator bool() const { return defined(); }
  TensorImpl* impl() const { return impl_.get(); }
  const Ref<TensorImpl>& ref() const { return impl_; }
  bool is(const Tensor& other) const { return impl_ == other.impl_; }

  DType dtype() const { return impl_->dtype; }
  const Dims& shape() const { return impl_->shape; }
  const Dims& strides() const { return impl_->strides; }
  int rank() const { return impl_->shape.size(); }
  int64_t size(int64_t dim) const {
    return impl_->shape[static_cast<int>(dim < 0 ? dim + rank() : dim)];
  }
  int64_t numel() const { return impl_->numel; }
  int64_t nbytes() const { return numel() * itemsize(dtype()); }
  bool contiguous() const { return impl_->contiguous; }
  Meta meta() const { return {shape(), dtype()}; }
  const Ref<Storage>& storage() const { return impl_->storage; }
  int64_t storage_offset() const {
    return (impl_->data - impl_->storage->data()) / itemsize(dtype());
  }

  template <class T = char>
  T* data() const {
    return reinterpret_cast<T*>(impl_->data);
  }

  const Ref<GraphNode>& node() const { return impl_->node; }
  bool requires_grad() const { return impl_->node && impl_->node->requires_grad(); }
  bool is_leaf() const { return !impl_->node || impl_->node->is_leaf(); }
  uint32_t version() const { return impl_->storage->version(); }

 private:
  Ref<TensorImpl> impl_;
};

using TensorList = InlineVector<Tensor, 4>;

// torch.result_type: tensors with dimensions outrank 0-d tensors, which outrank Python numbers;
// a lower rank counts only when its category is higher.
DType result_type(const TensorList& inputs, int from = 0);

// The value of a one-element tensor, converted.
double item_double(const Tensor& tensor);
int64_t item_int(const Tensor& tensor);

}  // namespace cr
