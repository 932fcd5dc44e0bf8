#include "autograd/engine.h"

#include <algorithm>

#include "autograd/anomaly.h"

namespace cr {
namespace {

// Open-addressing map from node to its slot in this run: a run keeps its state to itself, so
// several threads may walk one graph.
class NodeIndex {
 public:
  NodeIndex() : keys_(64, nullptr), slots_(64) {}

  // The slot of the node, or -1.
  int find(const Node* node) const {
    for (size_t i = hash(node);; ++i) {
      const size_t at = i & (keys_.size() - 1);
      if (keys_[at] == node) return slots_[at];
      if (!keys_[at]) return -1;
    }
  }
  void set(const Node* node, int slot) {
    if (2 * ++count_ > keys_.size()) grow();
    insert(node, slot);
  }
  // Changes the slot of a node that is there.
  void update(const Node* node, int slot) { insert(node, slot); }

 private:
  static size_t hash(const Node* node) {
    return (reinterpret_cast<uintptr_t>(node) >> 6) * 0x9E3779B97F4A7C15ull >> 20;
  }
  void insert(const Node* node, int slot) {
    for (size_t i = hash(node);; ++i) {
      const size_t at = i & (keys_.size() - 1);
      if (!keys_[at] || keys_[at] == node) {
        keys_[at] = node;
        slots_[at] = slot;
        return;
      }
    }
  }
  void grow() {
    std::vector<const Node*> keys(keys_.size() * 2, nullptr);
    std::vector<int> slots(slots_.size() * 2);
    keys.swap(keys_);
    slots.swap(slots_);
    for (size_t i = 0; i < keys.size(); ++i) {
      if (keys[i]) insert(keys[i], slots[i]);
    }
  }

  std::vector<const Node*> keys_;
  std::vector<int> slots_;
  size_t count_ = 0;
};

// A node during a run.
struct Visit {
  Ref<GraphNode> ref;
  bool needed = true;  // leads to one of the wanted inputs
  TensorList grads;    // of its outputs, summed so far

  Node* node() const { return static_cast<Node*>(ref.get()); }
};

struct Wanted {
  int visit;  // -1: not reached
  int output;
  bool seen = false;
  Tensor grad;
};

class Run {
 public:
  explicit Run(const BackwardOptions& options) : options_(options) { visits_.reserve(kNodes); }

  void collect(const std::vector<Tensor>& roots);
  void want(const std::vector<Tensor>& inputs);
  void seed(const std::vector<Tensor>& roots, const std::vector<Tensor>& grads);
  void execute();
  std::vector<Wanted>& wanted() { return wanted_; }

 private:
  static constexpr size_t kNodes = 32;  // of a small network: room made once

  void visit(const Ref<GraphNode>& node, std::vector<Node*>& stack);
  void add_grad(Tensor& sum, Tensor&& grad);
  void finish_outputs(int at);
  void apply(int at);

  const BackwardOptions& options_;
  std::vector<Visit> visits_;  // later calls first
  NodeIndex index_;
  std::vector<Wanted> wanted_;
  bool pruned_ = false;
};

void Run::visit(const Ref<GraphNode>& ref, std::vector<Node*>& stack) {
  Node* node = static_cast<Node*>(ref.get());
  if (index_.find(node) >= 0) return;
  index_.set(node, 0);
  visits_.emplace_back();
  visits_.back().ref = ref;
  stack.push_back(node);
}

void Run::collect(const std::vector<Tensor>& roots) {
  std::vector<Node*> stack;
  stack.reserve(kNodes);
  for (const Tensor& root : roots) visit(root.node(), stack);
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    for (const InputSlot& slot : node->inputs()) {
      if (slot.node && slot.node->requires_grad()) visit(slot.node, stack);
    }
  }
  std::sort(visits_.begin(), visits_.end(), [](const Visit& a, const Visit& b) {
    return a.node()->sequence() > b.node()->sequence();
  });
  for (size_t i = 0; i < visits_.size(); ++i) {
    index_.update(visits_[i].node(), static_cast<int>(i));
    visits_[i].grads.resize(visits_[i].node()->outputs().size());
  }
}

void Run::want(const std::vector<Tensor>& inputs) {
  if (inputs.empty()) return;
  pruned_ = true;
  for (Visit& visit : visits_) visit.needed = false;
  for (const Tensor& input : inputs) {
    const int at = index_.find(static_cast<Node*>(input.node().get()));
    wanted_.push_back({at, input.impl()->output_nr, false, Tensor()});
    if (at >= 0) visits_[at].needed = true;
  }
  for (size_t i = visits_.size(); i-- > 0;) {  // from the leaves towards the roots
    for (const InputSlot& slot : visits_[i].node()->inputs()) {
      if (slot.node && slot.node->requires_grad() && visits_[index_.find(slot.target())].needed) {
        visits_[i].needed = true;
      }
    }
  }
}

void Run::seed(const std::vector<Tensor>& roots, const std::vector<Tensor>& grads) {
  for (size_t i = 0; i < roots.size(); ++i) {
    Tensor grad = grads[i];
    if (!grad) {
      CR_CHECK_STATE(
          roots[i].numel() == 1,
          "backward: a gradient can be made up for a one-element tensor only (got shape ",
          roots[i].shape(), "); pass one, or reduce with .sum() or .mean()");
      grad = OP(full)(roots[i].shape(), 1.0, roots[i].dtype());
    }
    CR_CHECK_STATE(grad.shape() == roots[i].shape(), "backward: gradient ", i, " has shape ",
                   grad.shape(), "; expected the tensor's shape ", roots[i].shape());
    grad = conform_grad(grad, roots[i].meta(), "backward");
    Visit& visit = visits_[index_.find(static_cast<Node*>(roots[i].node().get()))];
    add_grad(visit.grads[roots[i].impl()->output_nr], std::move(grad));
  }
}

void Run::add_grad(Tensor& sum, Tensor&& grad) {
  if (!sum) {
    sum = std::move(grad);
    return;
  }
  const bool ours = !options_.create_graph && sum.ref()->use_count() == 1 &&
                    sum.storage()->use_count() == 1 && sum.contiguous() && sum.storage()->owned() &&
                    !sum.storage()->read_only();
  if (ours) {
    run_inplace(OP(add), {sum, grad}, OP(add).signature.defaults);
  } else {
    sum = sum + grad;
  }
}

// All gradients of the node's outputs have arrived: hooks, retained and wanted gradients.
void Run::finish_outputs(int at) {
  Visit& visit = visits_[at];
  for (int k = 0; k < visit.grads.size(); ++k) {
    if (!visit.grads[k]) continue;
    visit.node()->run_hooks(k, visit.grads[k]);
    if (visit.node()->retains(k)) visit.node()->store_retained(k, visit.grads[k]);
  }
  for (Wanted& wanted : wanted_) {
    if (wanted.visit == at) wanted.grad = visit.grads[wanted.output];
  }
}

void Run::apply(int at) {
  Visit& visit = visits_[at];
  Node* node = visit.node();
  std::vector<bool> mask;
  if (pruned_) {
    mask.resize(node->inputs().size());
    bool any = false;
    for (int i = 0; i < node->inputs().size(); ++i) {
      const InputSlot& slot = node->inputs()[i];
      mask[i] =
          slot.node && slot.node->requires_grad() && visits_[index_.find(slot.target())].needed;
      any = any || mask[i];
    }
    if (!any) return;
  }
  TensorList results;
  results.resize(node->inputs().size());
  Vjp vjp(*node, visit.grads, results, pruned_ ? &mask : nullptr);
  if (anomaly.on) {
    apply_watched(*node, vjp, results);
  } else {
    node->apply(vjp);
  }
  visit.grads.clear();
  for (int i = 0; i < results.size(); ++i) {
    const InputSlot& slot = node->inputs()[i];
    if (!results[i] || !slot.node || !slot.node->requires_grad()) continue;
    Tensor grad = std::move(results[i]);
    if (grad.shape() != slot.meta.shape || grad.dtype() != slot.meta.dtype) {
      grad = conform_grad(grad, slot.meta, node->name());
    }
    Visit& target = visits_[index_.find(slot.target())];
    add_grad(target.grads[slot.output], std::move(grad));
  }
  if (!options_.retain_graph) node->release_saved();
}

void Run::execute() {
  for (size_t at = 0; at < visits_.size(); ++at) {
    Visit& visit = visits_[at];
    if (!visit.needed) continue;
    bool reached = false;
    for (const Tensor& grad : visit.grads) reached = reached || grad;
    if (!reached) continue;
    finish_outputs(static_cast<int>(at));
    if (!visit.node()->is_leaf()) {
      apply(static_cast<int>(at));
      continue;
    }
    if (!options_.accumulate) continue;
    Leaf* leaf = static_cast<Leaf*>(visit.node());
    Tensor grad = std::move(visit.grads[0]);
    for (Wanted& wanted : wanted_) wanted.grad = Tensor();  // so that the leaf may take it
    leaf->accumulate(grad, options_.create_graph);
    const auto hooks = leaf->post_hooks;
    for (const auto& hook : hooks) hook.second();
  }
}

}  // namespace

std::vector<Tensor> backward(const std::vector<Tensor>& roots, const std::vector<Tensor>& grads,
                             const std::vector<Tensor>& inputs, const BackwardOptions& options) {
  for (const Tensor& root : roots) {
    if (root.impl()->view) tape.refresh(root);
    CR_CHECK_STATE(
        root.requires_grad(),
        "backward: the tensor does not require a gradient and has no history (got shape ",
        root.shape(), ", dtype ", root.dtype(),
        "); set requires_grad=True on what it is computed from");
  }
  for (const Tensor& input : inputs) {
    if (input.impl()->view) tape.refresh(input);
    CR_CHECK_STATE(input.requires_grad(),
                   "backward: one of the inputs does not require a gradient (got shape ",
                   input.shape(), ")");
  }
  NoGrad mode(options.create_graph);
  Run run(options);
  run.collect(roots);
  run.want(inputs);
  run.seed(roots, grads);
  run.execute();
  std::vector<Tensor> results;
  for (Wanted& wanted : run.wanted()) results.push_back(wanted.grad);
  return results;
}

bool reaches_other_leaf(const std::vector<Tensor>& roots, const std::vector<Tensor>& own) {
  NodeIndex seen;
  std::vector<Node*> stack;
  const auto visit = [&](const Ref<GraphNode>& ref) {
    Node* node = static_cast<Node*>(ref.get());
    if (!node || !node->requires_grad() || seen.find(node) >= 0) return;
    seen.set(node, 0);
    stack.push_back(node);
  };
  for (const Tensor& tensor : own) visit(tensor.node());
  stack.clear();
  for (const Tensor& root : roots) {
    if (root.impl()->view) tape.refresh(root);
    visit(root.node());
  }
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    if (node->is_leaf()) return true;
    for (const InputSlot& slot : node->inputs()) visit(slot.node);
  }
  return false;
}

}  // namespace cr
