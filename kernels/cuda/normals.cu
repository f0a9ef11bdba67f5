#include <stipple/backend/cuda/normals.hpp>

#include "launch.cuh"
#include "normals.cuh"
#include "recorded_key.hpp"

namespace stipple::cuda {

void fill_normals(const DrawKey& key, std::uint64_t first_sample, Pointer<float> out, Index rows, Index row) {
  if (rows * row == 0) return;
  Index const blocks = (row + 3) / 4;
  launch("fill_normals", normals_kernel, strided(rows * blocks), recorded(key), first_sample, out.address(), rows, row,
         blocks, row % 4 == 0 && aligned(out.address()));
}

void fill_uniforms(const DrawKey& key, std::uint64_t first_sample, float low, float high, Pointer<float> out,
                   Index rows, Index row) {
  if (rows * row == 0) return;
  Index const blocks = (row + 3) / 4;
  launch("fill_uniforms", uniforms_kernel, strided(rows * blocks), recorded(key), first_sample, low, high,
         std::nextafter(high, low), out.address(), rows, row, blocks, row % 4 == 0 && aligned(out.address()));
}

}  // namespace stipple::cuda
