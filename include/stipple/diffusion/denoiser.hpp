// Denoisers: what samplers call. Anything callable as (x (N, ...), t (N)) -> prediction of x's shape is one; networks
// of any element type become one here.
#pragma once

#include <concepts>
#include <cstdint>
#include <utility>

#include <stipple/autograd/var.hpp>

namespace stipple {

/// Callable as (x (N, ...), t (N)) -> prediction, on tensors of S: float, or double for checks.
template <class F, class S>
concept Denoiser = requires(const F& f, const Tensor<S>& x, const Tensor<S>& t) {
  { f(x, t) } -> std::convertible_to<Tensor<S>>;
};

/// Callable as (x, t (N), conditions...) -> prediction, on Vars of T; t is in the accumulation type.
template <class F, class T, class... Conditions>
concept NetworkOf = requires(const F& f, const Var<T>& x, const Tensor<accumulate_t<T>>& t, const Conditions&... c) {
  { f(x, t, c...) } -> std::convertible_to<Var<T>>;
};

namespace detail {

struct NoElement {};

// The element type that a network computes in: its member `element`, or the one it can be called with.
template <class Net, class... Conditions>
constexpr auto network_element() {
  using Plain = std::remove_cvref_t<Net>;
  if constexpr (requires { typename Plain::element; }) {
    return typename Plain::element{};
  } else if constexpr (NetworkOf<Plain, float, Conditions...>) {
    return float{};
  } else if constexpr (NetworkOf<Plain, bf16, Conditions...>) {
    return bf16{};
  } else if constexpr (NetworkOf<Plain, double, Conditions...>) {
    return double{};
  } else {
    return NoElement{};
  }
}

}  // namespace detail

/// The element type of a network that is called with x, t and `Conditions`; the program does not compile if the
/// network cannot be called so.
template <class Net, class... Conditions>
struct NetworkElement {
  using type = decltype(detail::network_element<Net, Conditions...>());
  static_assert(!std::same_as<type, detail::NoElement>,
                "wanted a network callable as (Var<T> x, Tensor<accumulate_t<T>> t, conditions...) -> Var<T>");
};
template <class Net, class... Conditions>
using network_element_t = typename NetworkElement<Net, Conditions...>::type;

/// A network as a denoiser: runs it without recording a tape, with x and the prediction converted from and to the
/// sampler's element type. Labels and other conditions are passed through.
template <class Net>
struct NetworkDenoiser {
  Net net;  ///< a reference when made from a named network

  template <Real S, class... Conditions>
  Tensor<S> operator()(const Tensor<S>& x, const Tensor<S>& t, const Conditions&... conditions) const {
    using T = network_element_t<Net, Conditions...>;
    NoGrad const no_grad;
    Var<T> const prediction = net(Var<T>(ops::cast<T>(x)), ops::cast<accumulate_t<T>>(t), conditions...);
    return ops::cast<S>(prediction.value());
  }
};

/// `net` as a denoiser. A named network must outlive it; a temporary is moved into it.
template <class Net>
NetworkDenoiser<Net> denoiser(Net&& net) {
  return {std::forward<Net>(net)};
}

/// A conditional denoiser with its conditions bound, callable as (x, t).
template <class F>
struct LabelledDenoiser {
  F conditional;
  Tensor<std::int32_t> labels;

  template <Real S>
  Tensor<S> operator()(const Tensor<S>& x, const Tensor<S>& t) const {
    require(labels.rank() == 1 && labels.dim(0) == x.dim(0), "with_labels: given labels of shape ", labels.shape(),
            " for ", x.dim(0), " samples, wanted one each");
    return conditional(x, t, labels);
  }
};

namespace detail {

// `f` itself if it maps tensors to a tensor when called with `Conditions`, else `f` as a network.
template <class S, class... Conditions, class F>
decltype(auto) as_denoiser(const F& f) {
  if constexpr (requires(const Tensor<S>& x, const Conditions&... c) {
                  { f(x, x, c...) } -> std::same_as<Tensor<S>>;
                })
    return f;
  else
    return NetworkDenoiser<const F&>{f};
}

}  // namespace detail

/// Binds one class label a sample to a network, or to anything callable as (x, t, labels) -> prediction.
template <class F>
auto with_labels(F&& conditional, Tensor<std::int32_t> labels) {
  using Plain = std::remove_cvref_t<F>;
  if constexpr (requires(const Plain& f, const Tensor<float>& x, const Tensor<std::int32_t>& y) {
                  { f(x, x, y) } -> std::same_as<Tensor<float>>;
                })
    return LabelledDenoiser<F>{std::forward<F>(conditional), std::move(labels)};
  else
    return LabelledDenoiser<NetworkDenoiser<F>>{{std::forward<F>(conditional)}, std::move(labels)};
}

}  // namespace stipple
