// Denoisers whose calls on a GPU are replayed as CUDA graphs.
#pragma once

#include <memory>
#include <string>

#include <stipple/autograd/recorded_call.hpp>
#include <stipple/diffusion/denoiser.hpp>

namespace stipple {

/// A network or denoiser on a GPU, of which a sampler's third step and all later ones are replays (see RecordedCall).
/// It shares its recording with its copies and goes wherever a denoiser does, so guidance and every sampler have it.
template <class F>
class RecordedDenoiser {
 public:
  using Samples = Tensor<float, Cuda>;
  using Labels = Tensor<std::int32_t, Cuda>;

  /// A named `f` must outlive this; a temporary is moved into it.
  explicit RecordedDenoiser(F&& f) : state_(std::make_shared<State>(std::forward<F>(f))) {}

  Samples operator()(const Samples& x, const Samples& t) const {
    return state_
        ->plain([this](const Samples& x_in,
                       const Samples& t_in) { return detail::as_denoiser<float, Cuda>(state_->f)(x_in, t_in); },
                x, t)
        .clone();
  }
  Samples operator()(const Samples& x, const Samples& t, const Labels& labels) const {
    return state_
        ->labelled(
            [this](const Samples& x_in, const Samples& t_in, const Labels& labels_in) {
              if constexpr (detail::maps_tensors<F, float, Cuda, Labels>())
                return state_->f(x_in, t_in, labels_in);
              else
                return denoiser(state_->f)(x_in, t_in, labels_in);
            },
            x, t, labels)
        .clone();
  }

  /// True if steps are replayed.
  bool recorded() const { return state_->plain.recorded() || state_->labelled.recorded(); }
  /// Why steps cannot be recorded; empty as long as nothing speaks against it.
  const std::string& why_not() const {
    return state_->plain.why_not().empty() ? state_->labelled.why_not() : state_->plain.why_not();
  }

 private:
  struct State {
    explicit State(F&& given) : f(std::forward<F>(given)) {}
    F f;
    RecordedCall<Samples, Samples, Samples> plain;
    RecordedCall<Samples, Samples, Samples, Labels> labelled;
  };
  std::shared_ptr<State> state_;
};

/// `f`, a network or denoiser on device D, as a denoiser that is replayed where it can be.
template <Device D, class F>
auto recorded(F&& f) {
  if constexpr (std::same_as<D, Cuda>)
    return RecordedDenoiser<F>(std::forward<F>(f));
  else
    return denoiser(std::forward<F>(f));
}

}  // namespace stipple
