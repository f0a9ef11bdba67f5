// Keyed random numbers on a GPU: the bits that the CPU gives.
#pragma once

#include <stipple/core/device.hpp>
#include <stipple/core/draw_key.hpp>
#include <stipple/core/shape.hpp>

namespace stipple::cuda {

/// Fills `rows` rows of `row` elements; row i with the normals of sample first_sample + i under `key`.
void fill_normals(const DrawKey& key, std::uint64_t first_sample, Pointer<float> out, Index rows, Index row);
/// The same with the uniforms in [low, high) of Rng::uniform.
void fill_uniforms(const DrawKey& key, std::uint64_t first_sample, float low, float high, Pointer<float> out,
                   Index rows, Index row);

}  // namespace stipple::cuda
