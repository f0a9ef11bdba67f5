// Noise of training and sampling.
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/rng.hpp>

namespace stipple {

/// The same numbers as rng.normal(shape, purpose, first_sample), on any device, and several times faster.
template <Device D = Cpu>
Tensor<float, D> draw_normal(Rng& rng, const Shape& shape, Purpose purpose, std::uint64_t first_sample = 0);

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion)

#include <stipple/backend/cpu/normals.hpp>

namespace stipple {

template <Device D>
Tensor<float, D> draw_normal(Rng& rng, const Shape& shape, Purpose purpose, std::uint64_t first_sample) {
  Tensor<float, D> out(shape);
  DrawKey const key(rng.seed(), purpose, rng.next_draw());
  using cpu::fill_normals;
  fill_normals(key, first_sample, out.data(), detail::row_count(shape), detail::row_size(shape));
  return out;
}

STIPPLE_INSTANTIATE(template Tensor<float, STIPPLE_DEVICE> draw_normal<STIPPLE_DEVICE>(Rng&, const Shape&, Purpose,
                                                                                       std::uint64_t);)

}  // namespace stipple

#endif
