#include "core/tensor.h"

#include <new>
#include <vector>

namespace cr {
namespace {

TensorImpl* new_impl() { return new (allocate(sizeof(TensorImpl))) TensorImpl; }

template <class V>
Tensor make_scalar(V value, DType dtype, bool weak) {
  Tensor result = Tensor::empty({}, dtype);
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    *result.data<T>() = static_cast<T>(value);
  });
  result.impl()->weak = weak;
  return result;
}

template <class V>
V read_item(const Tensor& tensor) {
  CR_CHECK_STATE(tensor.numel() == 1, "item: a tensor with ", tensor.numel(),
                 " elements cannot be converted to a number (got shape ", tensor.shape(),
                 "); expected one element");
  return dispatch(tensor.dtype(), [&](auto tag) {
    return static_cast<V>(*tensor.data<typename decltype(tag)::type>());
  });
}

}  // namespace

void GraphNode::destroy(GraphNode* node) {
  // Deleting a node drops its references, which lands here again: those nodes wait in the list.
  static thread_local std::vector<GraphNode*> waiting;
  static thread_local bool busy = false;
  waiting.push_back(node);
  if (busy) return;
  busy = true;
  while (!waiting.empty()) {
    GraphNode* next = waiting.back();
    waiting.pop_back();
    delete next;
  }
  busy = false;
}

void TensorImpl::destroy(TensorImpl* impl) {
  impl->~TensorImpl();
  deallocate(impl, sizeof(TensorImpl));
}

Tensor Tensor::empty(const Dims& shape, DType dtype) {
  TensorImpl* impl = new_impl();
  Tensor result{Ref<TensorImpl>(impl)};
  impl->numel = checked_numel(shape);
  impl->dtype = dtype;
  impl->shape = shape;
  impl->strides = contiguous_strides(shape);
  impl->storage = Storage::make(static_cast<size_t>(impl->numel * itemsize(dtype)));
  impl->data = impl->storage->data();
  return result;
}

Tensor Tensor::scalar(double value, DType dtype, bool weak) {
  return make_scalar(value, dtype, weak);
}

Tensor Tensor::scalar(int64_t value, DType dtype, bool weak) {
  return make_scalar(value, dtype, weak);
}

Tensor Tensor::alias() const {
  TensorImpl* impl = new_impl();
  impl->storage = impl_->storage;
  impl->data = impl_->data;
  impl->numel = impl_->numel;
  impl->dtype = impl_->dtype;
  impl->contiguous = impl_->contiguous;
  impl->inference = impl_->inference;
  impl->shape = impl_->shape;
  impl->strides = impl_->strides;
  return Tensor{Ref<TensorImpl>(impl)};
}

Tensor Tensor::alias(const Dims& shape, const Dims& strides, int64_t offset_elements) const {
  TensorImpl* impl = new_impl();
  impl->storage = impl_->storage;
  impl->data = impl_->data + offset_elements * itemsize(impl_->dtype);
  impl->numel = cr::numel(shape);
  impl->dtype = impl_->dtype;
  impl->contiguous = is_contiguous(shape, strides);
  impl->inference = impl_->inference;
  impl->shape = shape;
  impl->strides = strides;
  return Tensor{Ref<TensorImpl>(impl)};
}

DType result_type(const TensorList& inputs, int from) {
  DType tiers[3] = {DType::kUndefined, DType::kUndefined, DType::kUndefined};
  for (int i = from; i < inputs.size(); ++i) {
    if (!inputs[i]) continue;
    const bool weak = inputs[i].impl()->weak;
    const int tier = weak ? 2 : inputs[i].rank() == 0 ? 1 : 0;
    DType dtype = inputs[i].dtype();
    if (weak && is_floating(dtype)) dtype = default_dtype();
    tiers[tier] = tiers[tier] == DType::kUndefined ? dtype : promote(tiers[tier], dtype);
  }
  DType result = tiers[0];
  for (int tier = 1; tier < 3; ++tier) {
    const DType lower = tiers[tier];
    if (lower == DType::kUndefined) continue;
    if (result == DType::kUndefined)
      result = lower;
    else if (category(lower) > category(result))
      result = promote(result, lower);
  }
  return result;
}

double item_double(const Tensor& tensor) { return read_item<double>(tensor); }
int64_t item_int(const Tensor& tensor) { return read_item<int64_t>(tensor); }

}  // namespace cr
