// Var<T, Device>: a tensor that remembers how it was made, and the tape that turns that into gradients.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <stipple/ops/arithmetic.hpp>

namespace stipple {

namespace autograd {

inline bool& recording_flag() {
  thread_local bool flag = true;
  return flag;
}

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
  static std::uint64_t next_order() {
    static std::atomic<std::uint64_t> counter{0};
    return counter.fetch_add(1, std::memory_order_relaxed);
  }
  std::uint64_t order_;
};

/// Frees the nodes that nothing else holds, one after the other: left to their destructors, a chain of operations
/// longer than the stack is deep would overflow it.
inline void release_chain(std::vector<std::shared_ptr<Node>>& nodes) {
  while (!nodes.empty()) {
    auto const node = std::move(nodes.back());
    nodes.pop_back();
    if (node.use_count() == 1) node->give_up_inputs(nodes);
  }
}

/// Receives the gradient of a value of type T. A leaf sums it in `total`, in the accumulation type; an intermediate
/// value keeps it in T until `propagate`.
template <Real T, Device D>
class Sink : public Node {
 public:
  using Total = Tensor<accumulate_t<T>, D>;

  /// Adds `g`; an undefined tensor adds nothing.
  template <Real U>
  void accumulate(Tensor<U, D> g) {
    if (!g.defined()) return;
    if (is_leaf) {
      accumulate_total(g);
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

  Tensor<T, D> gradient;  ///< of an intermediate value
  Total total;            ///< of a leaf; the first gradient after `fresh` was set overwrites it
  bool is_leaf = false;
  bool fresh = true;

 private:
  template <Real U>
  void accumulate_total(const Tensor<U, D>& g) {
    auto const in_full = ops::cast<accumulate_t<T>>(g);
    if (!total.defined()) total = Total(g.shape());
    require(total.shape() == g.shape(), "gradient: given shape ", g.shape(), ", wanted ", total.shape());
    if (fresh)
      total.copy_from(in_full);
    else
      ops::add_in_place(total, in_full);
    fresh = false;
  }
};

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

}  // namespace autograd

/// While one lives, operations of this thread are not recorded: for sampling and evaluation.
class NoGrad {
 public:
  NoGrad() : before_(std::exchange(autograd::recording_flag(), false)) {}
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;
  ~NoGrad() { autograd::recording_flag() = before_; }

 private:
  bool before_;
};

/// A value in a computation. Copies are handles to the same value.
template <Real T, Device D = Cpu>
class Var {
 public:
  using Total = Tensor<accumulate_t<T>, D>;

  Var() = default;
  /// A constant, or with `requires_grad` a leaf whose gradient `backward` computes.
  Var(Tensor<T, D> value, bool requires_grad = false) : value_(std::move(value)) {
    if (!requires_grad) return;
    sink_ = std::make_shared<autograd::Sink<T, D>>();
    sink_->is_leaf = true;
  }
  Var(Tensor<T, D> value, std::shared_ptr<autograd::Sink<T, D>> sink)
      : value_(std::move(value)), sink_(std::move(sink)) {}

  bool defined() const { return value_.defined(); }
  const Tensor<T, D>& value() const { return value_; }
  Tensor<T, D>& value() { return value_; }
  const Shape& shape() const { return value_.shape(); }
  Index dim(int axis) const { return value_.dim(axis); }
  T item() const { return value_.item(); }

  /// True if a gradient would flow into this value now.
  bool requires_grad() const { return sink_ != nullptr && autograd::recording_flag(); }
  /// Gradient of a leaf after `backward`, in the accumulation type. Throws if there is none.
  const Total& grad() const {
    require(sink_ != nullptr && sink_->is_leaf, "grad: only leaves made with requires_grad keep their gradient");
    require(sink_->total.defined(), "grad: no gradient yet; call backward on a result first");
    return sink_->total;
  }
  /// The next gradient overwrites instead of adding.
  void zero_grad() {
    if (sink_ != nullptr) sink_->fresh = true;
  }
  const std::shared_ptr<autograd::Sink<T, D>>& sink() const { return sink_; }

  /// Adds d(this)/d(leaf) to every leaf; for a result with one element. The tape is used up.
  void backward() const { backward(Tensor<T, D>(value_.shape(), T(1))); }
  /// The same from the gradient `seed` of this value, which has its shape.
  void backward(const Tensor<T, D>& seed) const {
    require(sink_ != nullptr, "backward: this value does not depend on anything that requires a gradient");
    require(seed.shape() == value_.shape(), "backward: given a seed of shape ", seed.shape(), ", wanted ",
            value_.shape());
    sink_->accumulate(seed);
    autograd::run_backward(*sink_);
  }

 private:
  Tensor<T, D> value_;
  std::shared_ptr<autograd::Sink<T, D>> sink_;
};

namespace autograd {

/// A recorded operation: its rule maps the gradient of the output to a tuple of gradients, one an input.
template <Real T, Device D, class Rule, class... Inputs>
class Recorded final : public Sink<T, D> {
 public:
  Recorded(Rule rule, std::shared_ptr<Inputs>... inputs) : rule_(std::move(rule)), inputs_(std::move(inputs)...) {}
  ~Recorded() override {
    std::vector<std::shared_ptr<Node>> nodes;
    give_up_inputs(nodes);
    release_chain(nodes);
  }

  void propagate() override {
    if (!this->gradient.defined()) return;
    require(rule_.has_value(), "backward: the tape of this value was used up by an earlier backward");
    auto gradients = (*rule_)(std::as_const(this->gradient));
    this->gradient = {};
    rule_.reset();
    give(gradients, std::index_sequence_for<Inputs...>{});
  }
  void inputs(std::vector<Node*>& out) const override {
    std::apply([&](auto const&... input) { ((input ? out.push_back(input.get()) : void()), ...); }, inputs_);
  }
  void give_up_inputs(std::vector<std::shared_ptr<Node>>& out) override {
    std::apply([&](auto&... input) { ((input ? out.push_back(std::move(input)) : void()), ...); }, inputs_);
  }

 private:
  template <class Gradients, std::size_t... I>
  void give(Gradients& gradients, std::index_sequence<I...>) {
    static_assert(std::tuple_size_v<Gradients> == sizeof...(Inputs), "a rule returns one gradient an input");
    ((std::get<I>(inputs_) ? std::get<I>(inputs_)->accumulate(std::move(std::get<I>(gradients))) : void()), ...);
  }
  std::optional<Rule> rule_;
  std::tuple<std::shared_ptr<Inputs>...> inputs_;
};

/// The same for a run-time number of inputs of one type; the rule returns a vector of tensors.
template <Real T, Device D, class Rule>
class RecordedMany final : public Sink<T, D> {
 public:
  RecordedMany(Rule rule, const std::vector<Var<T, D>>& inputs) : rule_(std::move(rule)) {
    for (auto const& input : inputs) inputs_.push_back(input.sink());
  }
  ~RecordedMany() override {
    std::vector<std::shared_ptr<Node>> nodes;
    give_up_inputs(nodes);
    release_chain(nodes);
  }
  void propagate() override {
    if (!this->gradient.defined()) return;
    require(rule_.has_value(), "backward: the tape of this value was used up by an earlier backward");
    std::vector<Tensor<T, D>> gradients = (*rule_)(std::as_const(this->gradient));
    this->gradient = {};
    rule_.reset();
    for (std::size_t i = 0; i < inputs_.size(); ++i)
      if (inputs_[i]) inputs_[i]->accumulate(std::move(gradients[i]));
  }
  void inputs(std::vector<Node*>& out) const override {
    for (auto const& input : inputs_)
      if (input) out.push_back(input.get());
  }
  void give_up_inputs(std::vector<std::shared_ptr<Node>>& out) override {
    for (auto& input : inputs_)
      if (input) out.push_back(std::move(input));
  }

 private:
  std::optional<Rule> rule_;
  std::vector<std::shared_ptr<Sink<T, D>>> inputs_;
};

}  // namespace autograd

/// Makes the result of an operation on `inputs` (a std::tie of Vars, of any element types; undefined ones stand for
/// absent operands). `rule(dy)` returns a std::tuple with one gradient an input, in the same order; an undefined tensor
/// means none. Nothing is kept when no input requires a gradient.
template <Real T, Device D, class... In, class Rule>
Var<T, D> record(Tensor<T, D> value, const std::tuple<const In&...>& inputs, Rule rule) {
  bool const needed = std::apply([](auto const&... input) { return (input.requires_grad() || ...); }, inputs);
  if (!needed) return Var<T, D>(std::move(value));
  auto sink = std::apply(
      [&](auto const&... input) {
        using R = autograd::Recorded<T, D, Rule, typename std::remove_cvref_t<decltype(input.sink())>::element_type...>;
        return std::shared_ptr<autograd::Sink<T, D>>(std::make_shared<R>(std::move(rule), input.sink()...));
      },
      inputs);
  return Var<T, D>(std::move(value), std::move(sink));
}

template <Real T, Device D, class Rule>
Var<T, D> record(Tensor<T, D> value, const std::vector<Var<T, D>>& inputs, Rule rule) {
  bool needed = false;
  for (auto const& input : inputs) needed = needed || input.requires_grad();
  if (!needed) return Var<T, D>(std::move(value));
  return Var<T, D>(std::move(value), std::make_shared<autograd::RecordedMany<T, D, Rule>>(std::move(rule), inputs));
}

}  // namespace stipple
