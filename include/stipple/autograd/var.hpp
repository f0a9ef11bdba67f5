// Var<T, Device>: a tensor that remembers how it was made, and the tape that turns that into gradients.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/ops/arithmetic.hpp>

namespace stipple {

namespace autograd {

STIPPLE_INLINE bool& recording_flag();

/// One recorded operation or leaf. Not a template: the tape orders nodes without knowing their element types.
class Node {
 public:
  Node() : order_(next_order()) {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  virtual ~Node() = default;

  /// Hands this node's gradient on to its inputs and forgets what was kept for that.
  virtual void propagate() {}
  /// Appends the nodes this one hands gradients to.
  virtual void inputs(std::vector<Node*>&) const {}
  /// Moves out the links that `inputs` lists; for `release_chain`.
  virtual void give_up_inputs(std::vector<std::shared_ptr<Node>>&) {}

  std::uint64_t order() const { return order_; }
  bool visited = false;  ///< belongs to the traversal of `run_backward`

 private:
  static std::uint64_t next_order();

  std::uint64_t order_;
};

/// Receives the gradient of a value of type T. A leaf sums it in `total`, in the accumulation type; an intermediate
/// value keeps it in T until `propagate`.
template <Real T, Device D>
class Sink : public Node {
 public:
  using Total = Tensor<accumulate_t<T>, D>;

  /// Adds `g`; an undefined tensor adds nothing.
  template <Real U>
  void accumulate(Tensor<U, D> g);

  Tensor<T, D> gradient;                ///< of an intermediate value
  std::function<Tensor<T, D>()> again;  ///< computes the value once more, until `propagate`; empty if it is kept
  Total total;  ///< of a leaf; the first gradient after `fresh` was set overwrites it, or becomes it
  bool is_leaf = false;
  bool fresh = true;

 private:
  template <Real U>
  void accumulate_total(Tensor<U, D> g);
};

}  // namespace autograd

/// While one lives, operations of this thread are not recorded: for sampling and evaluation.
class NoGrad {
 public:
  NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;
  ~NoGrad();

 private:
  bool before_;
};

/// A value in a computation. Copies are handles to the same value.
template <Real T, Device D = Cpu>
class Var {
 public:
  using Total = Tensor<accumulate_t<T>, D>;

  Var();
  Var(const Var&);
  Var(Var&&) noexcept;
  Var& operator=(const Var&);
  Var& operator=(Var&&) noexcept;
  ~Var();
  /// A constant, or with `requires_grad` a leaf whose gradient `backward` computes.
  Var(Tensor<T, D> value, bool requires_grad = false);
  Var(Tensor<T, D> value, std::shared_ptr<autograd::Sink<T, D>> sink);

  bool defined() const { return value_.defined(); }
  const Tensor<T, D>& value() const { return value_; }
  Tensor<T, D>& value() { return value_; }
  const Shape& shape() const { return value_.shape(); }
  Index dim(int axis) const { return value_.dim(axis); }
  T item() const { return value_.item(); }

  /// True if a gradient would flow into this value now.
  bool requires_grad() const;
  /// Gradient of a leaf after `backward`, in the accumulation type. Throws if there is none.
  const Total& grad() const;
  /// The next gradient overwrites instead of adding.
  void zero_grad();
  const std::shared_ptr<autograd::Sink<T, D>>& sink() const { return sink_; }

  /// Adds d(this)/d(leaf) to every leaf; for a result with one element. The tape is used up.
  void backward() const;
  /// The same from the gradient `seed` of this value, which has its shape.
  void backward(const Tensor<T, D>& seed) const;

 private:
  Tensor<T, D> value_;
  std::shared_ptr<autograd::Sink<T, D>> sink_;
};

namespace autograd {

/// A recorded operation. Not a template of its rule: what all rules have in common.
template <Real T, Device D>
class Operation : public Sink<T, D> {
 public:
  explicit Operation(std::vector<std::shared_ptr<Node>> inputs);
  ~Operation() override;

  void propagate() override;
  void inputs(std::vector<Node*>& out) const override;
  void give_up_inputs(std::vector<std::shared_ptr<Node>>& out) override;

 protected:
  /// Hands the gradients of the inputs on to them, from that of the result. Called once.
  virtual void apply_rule(Tensor<T, D> dy) = 0;
  /// Adds a gradient to input `i`, a value of type U.
  template <Real U, Real V>
  void give(std::size_t i, Tensor<V, D> gradient) {
    if (inputs_[i]) static_cast<Sink<U, D>&>(*inputs_[i]).accumulate(std::move(gradient));
  }

 private:
  std::vector<std::shared_ptr<Node>> inputs_;
  bool used_up_ = false;
};

/// An operation with its rule, which maps the gradient of the result to those of the inputs, whose types are U...: a
/// tuple, or a vector for a run-time number of inputs of type T.
template <Real T, Device D, class Rule, Real... U>
class Recorded final : public Operation<T, D> {
 public:
  Recorded(Rule rule, std::vector<std::shared_ptr<Node>> inputs)
      : Operation<T, D>(std::move(inputs)), rule_(std::move(rule)) {}

 private:
  void apply_rule(Tensor<T, D> dy) override {
    auto gradients = (*rule_)(std::as_const(dy));
    dy = {};
    rule_.reset();
    this->again = nullptr;
    give_all(gradients);
  }
  template <class... Gradients>
  void give_all(std::tuple<Gradients...>& gradients) {
    static_assert(sizeof...(Gradients) == sizeof...(U), "a rule returns one gradient an input");
    std::size_t i = 0;
    std::apply([&](auto&... gradient) { (this->template give<U>(i++, std::move(gradient)), ...); }, gradients);
  }
  void give_all(std::vector<Tensor<T, D>>& gradients) {
    for (std::size_t i = 0; i < gradients.size(); ++i) this->template give<T>(i, std::move(gradients[i]));
  }

  std::optional<Rule> rule_;
};

}  // namespace autograd

/// Makes the result of an operation on `inputs` (a std::tie of Vars, of any element types; undefined ones stand for
/// absent operands). `rule(dy)` returns a std::tuple with one gradient an input, in the same order; an undefined tensor
/// means none. Nothing is kept when no input requires a gradient.
template <Real T, Device D, Real... U, class Rule>
Var<T, D> record(Tensor<T, D> value, const std::tuple<const Var<U, D>&...>& inputs, Rule rule) {
  bool const needed = std::apply([](auto const&... input) { return (input.requires_grad() || ...); }, inputs);
  if (!needed) return Var<T, D>(std::move(value));
  auto sinks = std::apply(
      [](auto const&... input) { return std::vector<std::shared_ptr<autograd::Node>>{input.sink()...}; }, inputs);
  return Var<T, D>(std::move(value),
                   std::make_shared<autograd::Recorded<T, D, Rule, U...>>(std::move(rule), std::move(sinks)));
}

/// The same for a run-time number of inputs of one type; the rule returns a vector of tensors.
template <Real T, Device D, class Rule>
Var<T, D> record(Tensor<T, D> value, const std::vector<Var<T, D>>& inputs, Rule rule) {
  bool needed = false;
  std::vector<std::shared_ptr<autograd::Node>> sinks;
  for (auto const& input : inputs) {
    needed = needed || input.requires_grad();
    sinks.push_back(input.sink());
  }
  if (!needed) return Var<T, D>(std::move(value));
  return Var<T, D>(std::move(value),
                   std::make_shared<autograd::Recorded<T, D, Rule>>(std::move(rule), std::move(sinks)));
}

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

#include <algorithm>
#include <atomic>

namespace stipple::autograd {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE bool& recording_flag() {
  thread_local bool flag = true;
  return flag;
}

STIPPLE_INLINE std::uint64_t Node::next_order() {
  static std::atomic<std::uint64_t> counter{0};
  return counter.fetch_add(1, std::memory_order_relaxed);
}
#endif

/// Frees the nodes that nothing else holds, one after the other: left to their destructors, a chain of operations
/// longer than the stack is deep would overflow it.
inline void release_chain(std::vector<std::shared_ptr<Node>>& nodes) {
  while (!nodes.empty()) {
    auto const node = std::move(nodes.back());
    nodes.pop_back();
    if (node.use_count() == 1) node->give_up_inputs(nodes);
  }
}

/// Visits every node that `root` reaches, latest first, which is a reverse topological order.
inline void run_backward(Node& root) {
  std::vector<Node*> nodes{&root}, next;
  root.visited = true;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    next.clear();
    nodes[i]->inputs(next);
    for (Node* const node : next) {
      if (node->visited) continue;
      node->visited = true;
      nodes.push_back(node);
    }
  }
  std::sort(nodes.begin(), nodes.end(), [](Node* a, Node* b) { return a->order() > b->order(); });
  for (Node* const node : nodes) node->visited = false;
  for (Node* const node : nodes) node->propagate();
}

template <Real T, Device D>
template <Real U>
void Sink<T, D>::accumulate(Tensor<U, D> g) {
  if (!g.defined()) return;
  if (is_leaf) {
    accumulate_total(std::move(g));
  } else if constexpr (!std::same_as<T, U>) {
    accumulate(ops::cast<T>(g));
  } else if (!gradient.defined()) {
    gradient = std::move(g);
  } else if (gradient.unique()) {
    ops::add_in_place(gradient, g);
  } else {
    gradient = ops::add(gradient, g);
  }
}

template <Real T, Device D>
template <Real U>
void Sink<T, D>::accumulate_total(Tensor<U, D> g) {
  auto in_full = ops::cast<accumulate_t<T>>(g);
  g = {};  // which `in_full` may be
  require(!total.defined() || total.shape() == in_full.shape(), "gradient: given shape ", in_full.shape(), ", wanted ",
          total.shape());
  if (!total.defined())
    total = in_full.unique() ? std::move(in_full) : in_full.clone();
  else if (fresh)
    total.copy_from(in_full);
  else
    ops::add_in_place(total, in_full);
  fresh = false;
}

template <Real T, Device D>
Operation<T, D>::Operation(std::vector<std::shared_ptr<Node>> inputs) : inputs_(std::move(inputs)) {}

template <Real T, Device D>
Operation<T, D>::~Operation() {
  std::vector<std::shared_ptr<Node>> nodes;
  Operation::give_up_inputs(nodes);
  release_chain(nodes);
}

template <Real T, Device D>
void Operation<T, D>::propagate() {
  if (!this->gradient.defined()) return;
  require(!used_up_, "backward: the tape of this value was used up by an earlier backward");
  used_up_ = true;
  apply_rule(std::exchange(this->gradient, {}));
}

template <Real T, Device D>
void Operation<T, D>::inputs(std::vector<Node*>& out) const {
  for (auto const& input : inputs_)
    if (input) out.push_back(input.get());
}

template <Real T, Device D>
void Operation<T, D>::give_up_inputs(std::vector<std::shared_ptr<Node>>& out) {
  for (auto& input : inputs_)
    if (input) out.push_back(std::move(input));
}

#define STIPPLE_INSTANCES(T, D)   \
  template class Sink<T, D>;      \
  template class Operation<T, D>; \
  template void Sink<T, D>::accumulate(Tensor<T, D>);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES
STIPPLE_INSTANTIATE(template void Sink<bf16, STIPPLE_DEVICE>::accumulate(Tensor<float, STIPPLE_DEVICE>);)

}  // namespace stipple::autograd

namespace stipple {

#if STIPPLE_DEFINES_FUNCTIONS
STIPPLE_INLINE NoGrad::NoGrad() : before_(std::exchange(autograd::recording_flag(), false)) {}
STIPPLE_INLINE NoGrad::~NoGrad() { autograd::recording_flag() = before_; }
#endif

template <Real T, Device D>
Var<T, D>::Var() = default;
template <Real T, Device D>
Var<T, D>::Var(const Var&) = default;
template <Real T, Device D>
Var<T, D>::Var(Var&&) noexcept = default;
template <Real T, Device D>
Var<T, D>& Var<T, D>::operator=(const Var&) = default;
template <Real T, Device D>
Var<T, D>& Var<T, D>::operator=(Var&&) noexcept = default;
template <Real T, Device D>
Var<T, D>::~Var() = default;

template <Real T, Device D>
Var<T, D>::Var(Tensor<T, D> value, bool requires_grad) : value_(std::move(value)) {
  if (!requires_grad) return;
  sink_ = std::make_shared<autograd::Sink<T, D>>();
  sink_->is_leaf = true;
}

template <Real T, Device D>
Var<T, D>::Var(Tensor<T, D> value, std::shared_ptr<autograd::Sink<T, D>> sink)
    : value_(std::move(value)), sink_(std::move(sink)) {}

template <Real T, Device D>
bool Var<T, D>::requires_grad() const {
  return sink_ != nullptr && autograd::recording_flag();
}

template <Real T, Device D>
const typename Var<T, D>::Total& Var<T, D>::grad() const {
  require(sink_ != nullptr && sink_->is_leaf, "grad: only leaves made with requires_grad keep their gradient");
  require(sink_->total.defined(), "grad: no gradient yet; call backward on a result first");
  return sink_->total;
}

template <Real T, Device D>
void Var<T, D>::zero_grad() {
  if (sink_ != nullptr) sink_->fresh = true;
}

template <Real T, Device D>
void Var<T, D>::backward() const {
  require(value_.size() == 1, "backward: given a value of shape ", value_.shape(),
          ", wanted one element, or a seed of that shape");
  backward(Tensor<T, D>(value_.shape(), T(1)));
}

template <Real T, Device D>
void Var<T, D>::backward(const Tensor<T, D>& seed) const {
  require(sink_ != nullptr, "backward: this value does not depend on anything that requires a gradient");
  require(seed.shape() == value_.shape(), "backward: given a seed of shape ", seed.shape(), ", wanted ",
          value_.shape());
  sink_->accumulate(seed);
  autograd::run_backward(*sink_);
}

#define STIPPLE_INSTANCES(T, D) template class Var<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
