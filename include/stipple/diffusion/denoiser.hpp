// Denoisers: what samplers call. Anything callable as (x (N, ...), t (N)) -> prediction of x's shape is one; networks
// of any element type become one here.
#pragma once

#include <concepts>
#include <cstdint>
#include <utility>

#include <stipple/autograd/var.hpp>

namespace stipple {

/// Callable as (x, t (N), conditions...) -> prediction, on Vars of T on device D; t is in the accumulation type.
template <class F, class T, class D, class... Conditions>
concept NetworkOf = requires(const F& f, const Var<T, D>& x, const Tensor<accumulate_t<T>, D>& t,
                             const Conditions&... c) {
  { f(x, t, c...) } -> std::convertible_to<Var<T, D>>;
};

namespace detail {

struct NoElement {};

// What a class says of its element type and device: by members `element` and `device`, or as a template Net<T, D>.
template <class Net>
struct TemplateTypes {
  using element = NoElement;
};
template <template <Real, Device> class Net, Real T, Device D>
struct TemplateTypes<Net<T, D>> {
  using element = T;
  using device = D;
};
template <class Net>
constexpr auto declared_element() {
  if constexpr (requires { typename Net::element; })
    return typename Net::element{};
  else
    return typename TemplateTypes<Net>::element{};
}
// False for a network that says to be on another device.
template <class Net, class D>
constexpr bool may_be_on() {
  if constexpr (requires { typename Net::device; })
    return std::same_as<typename Net::device, D>;
  else if constexpr (requires { typename TemplateTypes<Net>::device; })
    return std::same_as<typename TemplateTypes<Net>::device, D>;
  else
    return true;
}
// Classes that say so are networks, and are not asked whether they could be called like a denoiser.
template <class F>
inline constexpr bool is_declared_network =
    !std::same_as<decltype(declared_element<std::remove_cvref_t<F>>()), NoElement>;

// The element type that a network computes in: the declared one, or the one it can be called with.
template <class Net, class D, class... Conditions>
constexpr auto network_element() {
  using Plain = std::remove_cvref_t<Net>;
  if constexpr (is_declared_network<Plain>) {
    return declared_element<Plain>();
  } else if constexpr (NetworkOf<Plain, float, D, Conditions...>) {
    return float{};
  } else if constexpr (NetworkOf<Plain, bf16, D, Conditions...>) {
    return bf16{};
  } else if constexpr (NetworkOf<Plain, double, D, Conditions...>) {
    return double{};
  } else {
    return NoElement{};
  }
}

// True if F maps tensors of S on D, called with `Conditions` besides, to a tensor.
template <class F, class S, class D, class... Conditions>
constexpr bool maps_tensors() {
  if constexpr (is_declared_network<F>)
    return false;
  else
    return requires(const std::remove_cvref_t<F>& f, const Tensor<S, D>& x, const Conditions&... c) {
      { f(x, x, c...) } -> std::same_as<Tensor<S, D>>;
    };
}

}  // namespace detail

/// The element type of a network that is called with x, t and `Conditions` on device D; the program does not compile if
/// the network cannot be called so.
template <class Net, class D, class... Conditions>
struct NetworkElement {
  using type = decltype(detail::network_element<Net, D, Conditions...>());
  static_assert(detail::may_be_on<std::remove_cvref_t<Net>, D>(),
                "given data on another device than the network's, wanted both on one: to<Cuda>(x), or to<Cpu>(x)");
  static_assert(!std::same_as<type, detail::NoElement>,
                "wanted a network callable as (Var<T, D> x, Tensor<accumulate_t<T>, D> t, conditions...) -> Var<T, D>");
};
template <class Net, class D, class... Conditions>
using network_element_t = typename NetworkElement<Net, D, Conditions...>::type;

/// A network as a denoiser: runs it without recording a tape, with x and the prediction converted from and to the
/// sampler's element type. Labels and other conditions are passed through.
template <class Net>
struct NetworkDenoiser {
  Net net;  ///< a reference when made from a named network

  template <Real S, Device D, class... Conditions>
  Tensor<S, D> operator()(const Tensor<S, D>& x, const Tensor<S, D>& t, const Conditions&... conditions) const {
    using T = network_element_t<Net, D, Conditions...>;
    NoGrad const no_grad;
    Var<T, D> const prediction = net(Var<T, D>(ops::cast<T>(x)), ops::cast<accumulate_t<T>>(t), conditions...);
    return ops::cast<S>(prediction.value());
  }
};

/// `net` as a denoiser. A named network must outlive it; a temporary is moved into it.
template <class Net>
NetworkDenoiser<Net> denoiser(Net&& net) {
  return {std::forward<Net>(net)};
}

/// A conditional denoiser with its conditions bound, callable as (x, t).
template <class F, Device D = Cpu>
struct LabelledDenoiser {
  F conditional;
  Tensor<std::int32_t, D> labels;

  template <Real S>
  Tensor<S, D> operator()(const Tensor<S, D>& x, const Tensor<S, D>& t) const {
    require(labels.rank() == 1 && labels.dim(0) == x.dim(0), "with_labels: given labels of shape ", labels.shape(),
            " for ", x.dim(0), " samples, wanted one each");
    return conditional(x, t, labels);
  }
};

namespace detail {

// `f` itself if it is a denoiser, else `f` as a network.
template <class S, class D, class F>
decltype(auto) as_denoiser(const F& f) {
  if constexpr (maps_tensors<F, S, D>())
    return f;
  else
    return NetworkDenoiser<const F&>{f};
}

}  // namespace detail

/// Binds one class label a sample to a network, or to anything callable as (x, t, labels) -> prediction. A named
/// network must outlive the result.
template <class F, Device D>
auto with_labels(F&& conditional, Tensor<std::int32_t, D> labels) {
  if constexpr (detail::maps_tensors<F, float, D, Tensor<std::int32_t, D>>() ||
                detail::maps_tensors<F, double, D, Tensor<std::int32_t, D>>())
    return LabelledDenoiser<F, D>{std::forward<F>(conditional), std::move(labels)};
  else
    return LabelledDenoiser<NetworkDenoiser<F>, D>{{std::forward<F>(conditional)}, std::move(labels)};
}

}  // namespace stipple
