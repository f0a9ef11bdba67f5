// Noise of training and sampling.
#pragma once

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/rng.hpp>

namespace stipple {

/// The same numbers as rng.normal(shape, purpose, first_sample), several times faster.
STIPPLE_INLINE Tensor<float> draw_normal(Rng& rng, const Shape& shape, Purpose purpose, std::uint64_t first_sample = 0);

}  // namespace stipple

#if STIPPLE_DEFINES(diffusion)

#include <stipple/backend/cpu/normals.hpp>

namespace stipple {

STIPPLE_INLINE Tensor<float> draw_normal(Rng& rng, const Shape& shape, Purpose purpose, std::uint64_t first_sample) {
  Tensor<float> out(shape);
  DrawKey const key(rng.seed(), purpose, rng.next_draw());
  cpu::fill_normals(key, first_sample, out.data(), detail::row_count(shape), detail::row_size(shape));
  return out;
}

}  // namespace stipple

#endif
