#include "autograd/node.h"

#include <algorithm>
#include <atomic>

namespace cr {

uint64_t Node::next_sequence() {
  static std::atomic<uint64_t> counter{1};
  return counter.fetch_add(1, std::memory_order_relaxed);
}

// ---------------------------------------------------------------- hooks and retained gradients

uint64_t Node::add_hook(int output, GradHook hook) {
  static std::atomic<uint64_t> counter{1};
  if (!extras_) extras_ = std::make_unique<Extras>();
  const uint64_t id = counter.fetch_add(1);
  extras_->hooks.push_back({id, output, std::move(hook)});
  return id;
}

void Node::remove_hook(uint64_t id) {
  if (!extras_) return;
  auto& hooks = extras_->hooks;
  hooks.erase(std::remove_if(hooks.begin(), hooks.end(),
                             [id](const HookEntry& entry) { return entry.id == id; }),
              hooks.end());
}

void Node::run_hooks(int output, Tensor& grad) {
  if (!extras_) return;
  const std::vector<HookEntry> hooks = extras_->hooks;  // a hook may remove itself
  for (const HookEntry& entry : hooks) {
    if (entry.output != output) continue;
    if (Tensor replaced = entry.hook(grad)) {
      CR_CHECK_STATE(replaced.shape() == grad.shape(), name(), ": a gradient hook returned shape ",
                     replaced.shape(), "; expected ", grad.shape());
      grad = replaced;
    }
  }
}

void Node::retain_grad(int output) {
  if (retains(output)) return;
  if (!extras_) extras_ = std::make_unique<Extras>();
  extras_->retained.emplace_back(output, Tensor());
}

bool Node::retains(int output) const {
  if (!extras_) return false;
  for (const auto& entry : extras_->retained) {
    if (entry.first == output) return true;
  }
  return false;
}

void Node::store_retained(int output, const Tensor& grad) {
  if (!extras_) return;
  for (auto& entry : extras_->retained) {
    if (entry.first == output) entry.second = entry.second ? entry.second + grad : grad;
  }
}

Tensor Node::retained(int output) const {
  if (extras_) {
    for (const auto& entry : extras_->retained) {
      if (entry.first == output) return entry.second;
    }
  }
  return Tensor();
}

void Node::set_origin(std::string origin) {
  if (!extras_) extras_ = std::make_unique<Extras>();
  extras_->origin = std::move(origin);
}

const std::string& Node::origin() const {
  static const std::string unknown;
  return extras_ ? extras_->origin : unknown;
}

// ---------------------------------------------------------------- leaves

void Leaf::accumulate(const Tensor& value, bool create_graph) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!grad) {
    // Taking the tensor itself is safe when nobody else holds it or its memory.
    const bool ours = !create_graph && value.ref()->use_count() == 1 &&
                      value.storage()->use_count() == 1 && value.contiguous() &&
                      value.storage()->owned();
    grad = ours ? value : OP(clone)(value);
  } else if (create_graph || grad.requires_grad()) {
    grad = grad + value;
  } else {
    run_inplace(OP(add), {grad, value}, OP(add).signature.defaults);
  }
}

Leaf* existing_leaf(const Tensor& tensor) {
  const Ref<GraphNode>& node = tensor.node();
  return node && node->is_leaf() ? static_cast<Leaf*>(node.get()) : nullptr;
}

Leaf& leaf_of(const Tensor& tensor) {
  if (Leaf* leaf = existing_leaf(tensor)) return *leaf;
  Leaf* leaf = new Leaf(tensor.meta());
  leaf->wanted = false;
  tensor.impl()->node = Ref<GraphNode>(leaf);
  tensor.impl()->output_nr = 0;
  return *leaf;
}

void set_requires_grad(const Tensor& tensor, bool on) {
  if (tensor.requires_grad() == on) return;
  CR_CHECK_STATE(tensor.is_leaf(),
                 "requires_grad: only a leaf can stop wanting a gradient; use .detach() for a copy "
                 "without history");
  CR_CHECK_STATE(!on || is_floating(tensor.dtype()),
                 "requires_grad: only floating-point tensors have gradients (got dtype ",
                 tensor.dtype(), ")");
  leaf_of(tensor).wanted = on;
}

Tensor get_grad(const Tensor& tensor) {
  if (const Leaf* leaf = existing_leaf(tensor)) return leaf->grad;
  if (!tensor.node()) return Tensor();
  return static_cast<Node*>(tensor.node().get())->retained(tensor.impl()->output_nr);
}

void set_grad(const Tensor& tensor, const Tensor& grad) {
  if (!grad) {
    if (Leaf* leaf = existing_leaf(tensor)) leaf->grad = Tensor();
    return;
  }
  CR_CHECK_STATE(tensor.is_leaf(), "grad: only a leaf's gradient can be assigned");
  CR_CHECK_STATE(grad.shape() == tensor.shape(), "grad: the gradient has shape ", grad.shape(),
                 "; expected the tensor's shape ", tensor.shape());
  CR_CHECK_TYPE(grad.dtype() == tensor.dtype(), "grad: the gradient has dtype ", grad.dtype(),
                "; expected the tensor's dtype ", tensor.dtype());
  CR_CHECK_STATE(!grad.is(tensor), "grad: a tensor cannot be its own gradient");
  leaf_of(tensor).grad = grad;
}

Tensor detach(const Tensor& tensor) { return tensor.alias(); }

// ---------------------------------------------------------------- calls

OpNode::OpNode(const OpDef& op, const TensorList& inputs, const Attrs& attrs)
    : op_(op), attrs_(attrs) {
  inputs_.resize(inputs.size());
  for (int i = 0; i < inputs.size(); ++i) {
    if (!inputs[i]) continue;
    InputSlot& slot = inputs_[i];
    slot.meta.shape = inputs[i].shape();
    slot.meta.dtype = inputs[i].dtype();
    if (inputs[i].requires_grad()) {
      slot.node = inputs[i].node();
      slot.output = inputs[i].impl()->output_nr;
    }
  }
}

void OpNode::save(const TensorList& inputs, const Tensor* outputs) {
  uint32_t wanting = 0;
  const int listed = std::min(inputs.size(), kMaxSaved);
  for (int i = 0; i < listed; ++i) {
    if (inputs_[i].node) wanting |= 1u << i;
  }
  for (int i = 0; i < listed; ++i) {
    if (inputs[i] && (op_.saves_input_for[i] & wanting)) {
      saved_.push_back({static_cast<int16_t>(i), inputs[i].version(), inputs[i]});
    }
  }
  for (int k = 0; k < outputs_.size(); ++k) {
    if (op_.saves_outputs >> k & 1) {
      // Without its node: a node that held its own output would never be freed.
      saved_.push_back({static_cast<int16_t>(-1 - k), outputs[k].version(), outputs[k].alias()});
    }
  }
}

std::string OpNode::name() const {  // "as_strided" -> "AsStridedBackward"
  std::string text;
  bool upper = true;
  for (const char c : op_.name()) {
    if (c != '_') text += upper ? static_cast<char>(std::toupper(c)) : c;
    upper = c == '_';
  }
  return text + "Backward";
}

void OpNode::release_saved() {
  saved_.clear();
  freed_ = true;
}

const OpNode::Saved& OpNode::find_saved(int index) const {
  CR_CHECK_STATE(!freed_, op_.name(),
                 ": the graph was freed by an earlier backward; call backward(retain_graph=True) "
                 "the first time to go through it again");
  for (const Saved& saved : saved_) {
    if (saved.index != index) continue;
    const uint32_t now = saved.tensor.version();
    CR_CHECK_STATE(now == saved.version, op_.name(),
                   ": a tensor needed for its gradient was changed in place (shape ",
                   saved.tensor.shape(), " is at version ", now, "; expected version ",
                   saved.version, "); use an out-of-place operation or .clone() before the change");
    return saved;
  }
  fail(ErrorKind::kRuntime, op_.name(), ": internal: the formula reads what the row does not save");
}

Tensor OpNode::saved_input(int i) const {
  if (inputs_[i].meta.dtype == DType::kUndefined) return Tensor();  // an optional input left out
  return find_saved(i).tensor;
}

Tensor OpNode::saved_output(int k) {
  const Tensor& tensor = find_saved(-1 - k).tensor;
  if (!GradMode::enabled()) return tensor;
  Tensor attached = tensor.alias();
  attached.impl()->node = Ref<GraphNode>(this);
  attached.impl()->output_nr = static_cast<uint16_t>(k);
  return attached;
}

void OpNode::apply(Vjp& vjp) {
  CR_CHECK_STATE(!freed_, op_.name(),
                 ": the graph was freed by an earlier backward; call backward(retain_graph=True) "
                 "the first time to go through it again");
  op_.vjp(vjp);
}

Tensor Vjp::grad(int k) const {
  if (grads_[k]) return grads_[k];
  const Meta& meta = node_.outputs()[k];
  return OP(zeros)(meta.shape, meta.dtype);
}

Tensor Vjp::zeros_like_input(int i) const { return OP(zeros)(in_shape(i), in_dtype(i)); }

// ---------------------------------------------------------------- shapes of gradients

Tensor sum_to(const Tensor& tensor, const Dims& shape) {
  if (tensor.shape() == shape) return tensor;
  const int shift = tensor.rank() - shape.size();
  Dims axes;
  for (int i = 0; i < tensor.rank(); ++i) {
    if (i < shift || (shape[i - shift] == 1 && tensor.shape()[i] != 1)) axes.push_back(i);
  }
  Tensor result = axes.empty() ? tensor : OP(sum)(tensor, axes, true);
  return shift > 0 ? OP(reshape)(result, shape) : result;
}

Tensor conform_grad(const Tensor& grad, const Meta& meta, const std::string& op) {
  Tensor result = grad;
  if (result.shape() != meta.shape) {
    if (broadcastable_to(meta.shape, result.shape())) {
      result = sum_to(result, meta.shape);
    } else {
      CR_CHECK_STATE(broadcastable_to(result.shape(), meta.shape), op, ": its gradient has shape ",
                     result.shape(), "; expected the input's shape ", meta.shape);
      result = OP(expand)(result, meta.shape);
    }
  }
  return result.dtype() == meta.dtype ? result : OP(to)(result, meta.dtype);
}

}  // namespace cr
