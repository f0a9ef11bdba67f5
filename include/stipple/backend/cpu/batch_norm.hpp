// CPU kernels of batch normalisation with an optional activation behind it.
//
// Normalising with the statistics of the batch is group normalisation of one sample that has the pixels of all images,
// with every channel its own group; see cpu::group_norm. Here are the kernels for given statistics.
#pragma once

#include <stipple/backend/cpu/group_norm.hpp>

namespace stipple::cpu {

/// y = f((x - mean) rstd weight + bias) with mean and rstd given, (channels). weight and bias may be null.
template <class T>
void batch_norm_given(const T* x, const compute_t<T>* mean, const compute_t<T>* rstd, const compute_t<T>* weight,
                      const compute_t<T>* bias, T* y, NormPlan plan, Activation activation);
/// Its gradients of x, weight and bias; the last two may be null.
template <class T>
void batch_norm_given_backward(const T* dy, const T* x, const compute_t<T>* mean, const compute_t<T>* rstd,
                               const compute_t<T>* weight, const compute_t<T>* bias, T* dx, compute_t<T>* dweight,
                               compute_t<T>* dbias, NormPlan plan, Activation activation);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

namespace stipple::cpu {

template <class T>
void batch_norm_given(const T* x, const compute_t<T>* mean, const compute_t<T>* rstd, const compute_t<T>* weight,
                      const compute_t<T>* bias, T* y, NormPlan plan, Activation activation) {
  std::vector<compute_t<T>> room(plan.room(3));
  auto const patterns = norm_patterns(plan, mean, rstd, weight, bias, room.data());
  parallel_for(plan.slabs, 1, [=](Index s, Index) {
    Index const at = s * plan.slab * plan.channels, size = plan.slab_pixels(s) * plan.channels;
    STIPPLE_CPU_DISPATCH(T, normalise_tiles<T>(activation, x + at, patterns, y + at, size, plan.tile_size()));
  });
}

template <class T>
void batch_norm_given_backward(const T* dy, const T* x, const compute_t<T>* mean, const compute_t<T>* rstd,
                               const compute_t<T>* weight, const compute_t<T>* bias, T* dx, compute_t<T>* dweight,
                               compute_t<T>* dbias, NormPlan plan, Activation activation) {
  using C = compute_t<T>;
  Index const channels = plan.channels, tile = plan.tile_size();
  std::vector<C> room(plan.room(3)), zeros(plan.room(1));
  auto const patterns = norm_patterns(plan, mean, rstd, weight, bias, room.data());
  std::vector<double> sums(static_cast<std::size_t>(plan.slabs * 2 * channels));
  parallel_for(plan.slabs, 1, [&](Index s, Index) {
    std::vector<C> scratch(plan.room(2));
    Index const at = s * plan.slab * channels, pixels = plan.slab_pixels(s);
    slab_gradient_sums(plan, activation, dy + at, x + at, patterns, dx + at, pixels, scratch.data(),
                       sums.data() + s * 2 * channels);
    const T* const g = activation == Activation::none ? dy : dx;
    STIPPLE_CPU_DISPATCH(T, input_gradient<T>(g + at, x + at, {patterns.mean, patterns.scale, zeros.data()},
                                              zeros.data(), dx + at, pixels * channels, tile));
  });
  for (Index s = 1; s < plan.slabs; ++s)
    for (Index c = 0; c < 2 * channels; ++c)
      sums[static_cast<std::size_t>(c)] += sums[static_cast<std::size_t>(s * 2 * channels + c)];
  for (Index c = 0; c < channels; ++c) {
    auto const i = static_cast<std::size_t>(c);
    if (dbias != nullptr) dbias[c] = static_cast<C>(sums[i]);
    if (dweight != nullptr)
      dweight[c] = static_cast<C>(sums[static_cast<std::size_t>(channels) + i] * static_cast<double>(rstd[c]));
  }
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                                 \
  STIPPLE_EXTERN template void stipple::cpu::batch_norm_given<T>(                                            \
      const T*, const stipple::cpu::compute_t<T>*, const stipple::cpu::compute_t<T>*,                        \
      const stipple::cpu::compute_t<T>*, const stipple::cpu::compute_t<T>*, T*, stipple::cpu::NormPlan,      \
      stipple::Activation);                                                                                  \
  STIPPLE_EXTERN template void stipple::cpu::batch_norm_given_backward<T>(                                   \
      const T*, const T*, const stipple::cpu::compute_t<T>*, const stipple::cpu::compute_t<T>*,              \
      const stipple::cpu::compute_t<T>*, const stipple::cpu::compute_t<T>*, T*, stipple::cpu::compute_t<T>*, \
      stipple::cpu::compute_t<T>*, stipple::cpu::NormPlan, stipple::Activation);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
