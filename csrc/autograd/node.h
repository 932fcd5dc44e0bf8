// The tape: one node per differentiable call, holding what its gradient formula will need.
//
// A tensor's place in the graph is (node, output_nr). A leaf is a node too: it receives the
// gradient. Edges run from a call to the calls (or leaves) that made its inputs.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/op.h"

namespace cr {

class Node;

// One input of a call: where its gradient goes, and the form it must have.
struct InputSlot {
  Ref<GraphNode> node;  // null: no gradient wanted
  int output = 0;       // which output of `node` the input was
  Meta meta;

  Node* target() const { return reinterpret_cast<Node*>(node.get()); }
};

using GradHook = std::function<Tensor(const Tensor&)>;  // an undefined result keeps the gradient
struct HookEntry {
  uint64_t id;
  int output;
  GradHook hook;
};

class Node : public GraphNode {
 public:
  Node() : sequence_(next_sequence()) {}

  // Gradients of the outputs to gradients of the inputs, through `vjp.grad` and `vjp.set`.
  virtual void apply(Vjp& vjp) = 0;
  virtual std::string name() const = 0;
  virtual void release_saved() {}  // after a backward that does not retain the graph

  uint64_t sequence() const { return sequence_; }
  InlineVector<InputSlot, 2>& inputs() { return inputs_; }
  InlineVector<Meta, 1>& outputs() { return outputs_; }

  uint64_t add_hook(int output, GradHook hook);
  void remove_hook(uint64_t id);
  void run_hooks(int output, Tensor& grad);
  void retain_grad(int output);
  void store_retained(int output, const Tensor& grad);
  Tensor retained(int output) const;
  bool retains(int output) const;
  // The Python line that made the call; known while anomaly detection is on.
  void set_origin(std::string origin);
  const std::string& origin() const;

 protected:
  explicit Node(uint64_t sequence) : sequence_(sequence) {}
  static uint64_t next_sequence();

  // Later calls have larger numbers, so descending order is a topological order.
  uint64_t sequence_;
  InlineVector<InputSlot, 2> inputs_;
  InlineVector<Meta, 1> outputs_;

 private:
  struct Extras {  // rare, so kept apart
    std::vector<HookEntry> hooks;
    std::vector<std::pair<int, Tensor>> retained;
    std::string origin;
  };
  std::unique_ptr<Extras> extras_;
};

// A tensor the user made and wants the gradient of.
class Leaf final : public Node {
 public:
  explicit Leaf(const Meta& meta) : Node(0) { outputs_.push_back(meta); }
  bool is_leaf() const override { return true; }
  bool requires_grad() const override { return wanted; }
  void apply(Vjp&) override {}
  std::string name() const override { return "AccumulateGrad"; }
  void accumulate(const Tensor& grad, bool create_graph);

  bool wanted = true;
  Tensor grad;
  std::vector<std::pair<uint64_t, std::function<void()>>> post_hooks;

 private:
  std::mutex mutex_;  // backward may run in several threads
};

// A call of an op row.
class OpNode final : public Node {
 public:
  OpNode(const OpDef& op, const TensorList& inputs, const Attrs& attrs);
  void save(const TensorList& inputs, const Tensor* outputs);

  void apply(Vjp& vjp) override;
  std::string name() const override;
  void release_saved() override;

  const OpDef& op() const { return op_; }
  const Attrs& attrs() const { return attrs_; }
  Tensor saved_input(int i) const;
  Tensor saved_output(int k);

 private:
  struct Saved {
    int16_t index;  // input i as i, output k as -1 - k
    uint32_t version;
    Tensor tensor;
  };
  const Saved& find_saved(int index) const;

  const OpDef& op_;
  bool freed_ = false;
  InlineVector<Saved, 2> saved_;
  Attrs attrs_;
};

// What a gradient formula sees.
class Vjp {
 public:
  Vjp(Node& node, TensorList& grads, TensorList& results, const std::vector<bool>* wanted)
      : node_(node), grads_(grads), results_(results), wanted_(wanted) {}

  bool needs(int i) const {  // is the gradient of input i wanted?
    return node_.inputs()[i].node && (!wanted_ || (*wanted_)[i]);
  }
  bool has_grad(int k) const { return static_cast<bool>(grads_[k]); }
  Tensor grad(int k = 0) const;  // of output k; zeros when it was not used
  void set(int i, const Tensor& grad) {
    if (needs(i)) results_[i] = grad;
  }
  // The formula is evaluated only when the gradient is wanted.
  template <class F, class = decltype(std::declval<F>()())>
  void set(int i, F&& formula) {
    if (needs(i)) results_[i] = formula();
  }
  Tensor zeros_like_input(int i) const;

  Tensor in(int i) const { return op_node().saved_input(i); }
  Tensor out(int k = 0) const { return op_node().saved_output(k); }
  const Attrs& attrs() const { return op_node().attrs(); }
  const OpDef& op() const { return op_node().op(); }
  int inputs() const { return node_.inputs().size(); }
  const Dims& in_shape(int i) const { return node_.inputs()[i].meta.shape; }
  DType in_dtype(int i) const { return node_.inputs()[i].meta.dtype; }
  const Dims& out_shape(int k = 0) const { return node_.outputs()[k].shape; }

 private:
  OpNode& op_node() const { return static_cast<OpNode&>(node_); }

  Node& node_;
  TensorList& grads_;
  TensorList& results_;
  const std::vector<bool>* wanted_;  // null: all
};

// The leaf of a tensor that has one, made when missing (requires_grad stays as it was: off).
Leaf& leaf_of(const Tensor& tensor);
Leaf* existing_leaf(const Tensor& tensor);  // null when there is none
void set_requires_grad(const Tensor& tensor, bool on);
Tensor get_grad(const Tensor& tensor);  // leaf's or retained; undefined when none
void set_grad(const Tensor& tensor, const Tensor& grad);
Tensor detach(const Tensor& tensor);
// The in-place form of a row that makes a view: x.t_(), x.squeeze_().
Tensor run_inplace_view(const OpDef& op, TensorList inputs, const Attrs& attrs);

// Sums (or expands) a gradient to the shape and dtype of the input it belongs to.
Tensor conform_grad(const Tensor& grad, const Meta& meta, const std::string& op);
Tensor sum_to(const Tensor& tensor, const Dims& shape);

}  // namespace cr
