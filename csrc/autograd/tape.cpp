// What the funnel calls: recording a call, and the history of in-place writes and of views.
//
// A write through a view is, for the graph, the base with a region replaced:
//   base' = as_strided_scatter(base, op(view), region),
// so no special backward exists for it. Other views of the base find out lazily (`refresh`).
#include "autograd/node.h"

namespace cr {
namespace {

void attach(const Tensor& tensor, Node* node, int output) {
  tensor.impl()->node = Ref<GraphNode>(node);
  tensor.impl()->output_nr = static_cast<uint16_t>(output);
}

void record(const OpDef& op, const TensorList& inputs, const Attrs& attrs, Tensor* out,
            int outputs) {
  for (const Tensor& input : inputs) {
    CR_CHECK_STATE(!input || !input.impl()->inference, op.name(),
                   ": a tensor made under inference_mode cannot take part in a taped computation; "
                   "use .clone() outside of it");
  }
  Ref<OpNode> node(new OpNode(op, inputs, attrs));
  for (int k = 0; k < outputs; ++k) node->outputs().push_back(out[k].meta());
  node->save(inputs, out);
  for (int k = 0; k < outputs; ++k) {
    if (is_floating(out[k].dtype())) attach(out[k], node.get(), k);
  }
}

const Tensor base_of(const Tensor& view) { return Tensor(view.impl()->view->base); }

// A tensor's dimensions from the largest stride to the smallest.
Dims memory_order(const Tensor& tensor) {
  Dims order;
  for (int d = 0; d < tensor.rank(); ++d) {
    int at = order.size();
    while (at > 0 && tensor.strides()[static_cast<int>(order[at - 1])] < tensor.strides()[d]) --at;
    order.insert(at, d);
  }
  return order;
}

Dims inverse_order(const Dims& order) {
  Dims inverse = order;
  for (int d = 0; d < order.size(); ++d) inverse[static_cast<int>(order[d])] = d;
  return inverse;
}

// The base with its dimensions as they lie in memory (taped): row-major, unless it has gaps.
Tensor in_memory_order(const Tensor& base) {
  return base.contiguous() ? base : OP(permute)(base, memory_order(base));
}

bool has_gaps(const Tensor& base) {
  if (base.contiguous()) return false;
  const Dims order = memory_order(base);
  Dims shape = order, strides = order;
  for (int d = 0; d < order.size(); ++d) {
    shape[d] = base.shape()[static_cast<int>(order[d])];
    strides[d] = base.strides()[static_cast<int>(order[d])];
  }
  return !base.alias(shape, strides, 0).contiguous();
}

// Geometry of a view in its base: sizes, strides, offset.
Attrs region_of(const Tensor& view, const Tensor& base) {
  Attrs attrs;
  attrs.push_ints(view.shape().begin(), view.shape().end());
  attrs.push_ints(view.strides().begin(), view.strides().end());
  attrs.push_int((view.impl()->data - base.impl()->data) / itemsize(view.dtype()));
  return attrs;
}

void link_view(const Tensor& source, Tensor& view) {
  ViewLink* link = new ViewLink;
  link->base = source.impl()->view ? source.impl()->view->base : source.ref();
  link->seen = link->base->history;
  view.impl()->view = Ref<ViewLink>(link);
}

void refresh(const Tensor& view) {
  ViewLink& link = *view.impl()->view;
  if (link.seen == link.base->history) return;
  const Tensor base = base_of(view);
  link.seen = base.impl()->history;
  if (!base.requires_grad()) {
    view.impl()->node = nullptr;
    return;
  }
  CR_CHECK_STATE(
      !has_gaps(base),
      "view: its base was written to in place, and no gradient flows through a view of a "
      "tensor with gaps in its memory (base of shape ",
      base.shape(), " with strides ", base.strides(), "); use .contiguous() first");
  const bool taped = GradMode::enabled();
  GradMode::set(true);
  const Tensor dense = in_memory_order(base);
  GradMode::set(taped);
  Ref<OpNode> node(new OpNode(OP(as_strided), {dense}, region_of(view, base)));
  node->outputs().push_back(view.meta());
  attach(view, node.get(), 0);
}

void before_write(const char* op, const Tensor& self, bool tracked) {
  CR_CHECK_STATE(!self.impl()->inference || GradMode::inference() || !tracked, op,
                 ": a tensor made under inference_mode cannot be written to by a taped call");
  if (!tracked) return;
  CR_CHECK_STATE(!(self.requires_grad() && self.is_leaf()), op,
                 ": a leaf that requires a gradient cannot be changed in place; do it under "
                 "no_grad(), or use the out-of-place form");
  if (!self.impl()->view) return;
  const Tensor base = base_of(self);
  CR_CHECK_STATE(!(base.requires_grad() && base.is_leaf()), op,
                 ": this is a view of a leaf that requires a gradient, which cannot be changed in "
                 "place; do it under no_grad(), or use the out-of-place form");
  CR_CHECK_STATE(!has_gaps(base), op,
                 ": cannot track an in-place write through a view of a tensor with gaps in its "
                 "memory (base of shape ",
                 base.shape(), " with strides ", base.strides(), "); use .contiguous() first");
}

void after_write(const OpDef& op, const TensorList& inputs, const Attrs& attrs, const Tensor& self,
                 bool tracked) {
  if (!tracked) return;
  Ref<OpNode> node(new OpNode(op, inputs, attrs));
  node->outputs().push_back(self.meta());
  node->save(inputs, &self);
  if (self.impl()->view) {
    const Tensor base = base_of(self);
    const Tensor dense = in_memory_order(base);
    Ref<OpNode> scatter(new OpNode(OP(as_strided_scatter), {dense, self}, region_of(self, base)));
    InputSlot& written = scatter->inputs()[1];
    written.node = Ref<GraphNode>(node.get());
    written.output = 0;
    scatter->outputs().push_back(dense.meta());
    if (dense.is(base)) {
      attach(base, scatter.get(), 0);
    } else {
      const Tensor written_to = dense.alias();
      attach(written_to, scatter.get(), 0);
      const Tensor back = OP(permute)(written_to, inverse_order(memory_order(base)));
      base.impl()->node = back.node();
      base.impl()->output_nr = back.impl()->output_nr;
    }
    self.impl()->view->seen = ++base.impl()->history;
  } else {
    ++self.impl()->history;
  }
  attach(self, node.get(), 0);
}

}  // namespace

// The tensor takes the geometry and the history of a view of what it was. Its base, if it is a
// view, keeps its own: no value changes.
Tensor run_inplace_view(const OpDef& op, TensorList inputs, const Attrs& attrs) {
  const Tensor self = inputs[0];
  TensorImpl& impl = *self.impl();
  const std::string name = op.name() + "_";
  if (impl.view) refresh(self);
  CR_CHECK_STATE(GradMode::enabled() || !self.requires_grad() || self.is_leaf(), name,
                 ": under no_grad() a tensor with gradient history cannot change its shape in "
                 "place; use the out-of-place form");
  before_write(name.c_str(), self, GradMode::enabled() && self.requires_grad());
  const Tensor before = self.alias();
  before.impl()->node = impl.node;
  before.impl()->output_nr = impl.output_nr;
  before.impl()->view = impl.view;
  inputs[0] = before;
  const Tensor after = run(op, std::move(inputs), attrs);
  impl.data = after.impl()->data;
  impl.contiguous = after.contiguous();
  impl.numel = after.numel();
  impl.shape = after.shape();
  impl.strides = after.strides();
  if (Leaf* leaf = existing_leaf(self)) {
    leaf->outputs()[0] = self.meta();
    if (leaf->grad && leaf->grad.shape() != self.shape()) leaf->grad = Tensor();
  } else {
    impl.node = after.node();
    impl.output_nr = after.impl()->output_nr;
    if (impl.view) impl.view = after.impl()->view;
  }
  self.storage()->bump_version();
  return self;
}

namespace {

const bool installed = [] {
  tape = {record, before_write, after_write, link_view, refresh};
  return true;
}();

}  // namespace
}  // namespace cr
