// The one way in which kernels are started.
#pragma once

#include <tuple>
#include <utility>

#include <stipple/backend/cuda/runtime.hpp>
#include <stipple/core/error.hpp>

#include "device.cuh"

#if !defined(__CUDACC__)
#include "simulation/streams.hpp"
#endif

namespace stipple::cuda {

struct LaunchShape {
  dim3 grid, block;
  std::size_t shared_bytes = 0;
};

/// An extent of a grid. Throws Error, in the name of `operation`, for more than a grid can have.
inline unsigned grid_extent(const char* operation, Index blocks) {
  require(blocks <= 0x7fffffff, operation, ": given work for ", blocks,
          " blocks of threads, wanted at most 2147483647");
  return static_cast<unsigned>(blocks);
}

/// The largest number of blocks that a kernel which strides over its work is given: 16 a multiprocessor.
inline Index block_limit() { return Index{16} * multiprocessors(); }

/// Blocks of `threads` threads for `items` items of one thread each, at most `block_limit()`.
inline LaunchShape strided(Index items, int threads = 256) {
  Index const wanted = (items + threads - 1) / threads;
  Index const blocks = wanted < 1 ? 1 : wanted > block_limit() ? block_limit() : wanted;
  return {dim3(static_cast<unsigned>(blocks)), dim3(static_cast<unsigned>(threads))};
}

/// The same for n elements, of which a thread takes `lanes` at a time.
template <int lanes>
LaunchShape strided_packs(Index n) {
  return strided((n + lanes - 1) / lanes);
}

/// Rows of n elements are done by a warp each where they are short, by a block of 256 threads each otherwise.
inline bool by_warps(Index n) { return n <= 2048; }
inline LaunchShape row_shape(Index rows, Index n) {
  Index const blocks = by_warps(n) ? (rows + 7) / 8 : rows;
  return {dim3(grid_extent("rows", blocks)), dim3(256)};
}
/// A warp for each of `items` items.
inline LaunchShape warp_shape(Index items) { return row_shape(items, 1); }

#if defined(__CUDACC__)
/// Throws Error with the name of the operation for what the device says of its launch.
void check_launch(const char* operation, cudaError_t status);
#endif

/// Puts a kernel into the current stream. Arguments are converted to the parameters of the kernel and copied.
template <class... Parameters, class... Arguments>
void launch(const char* operation, void (*kernel)(Parameters...), LaunchShape shape, Arguments&&... arguments) {
#if defined(__CUDACC__)
  if (shape.shared_bytes > 48 * 1024)
    check_launch(operation, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                                 static_cast<int>(shape.shared_bytes)));
  cudaLaunchConfig_t configuration{};
  configuration.gridDim = shape.grid;
  configuration.blockDim = shape.block;
  configuration.dynamicSmemBytes = shape.shared_bytes;
  configuration.stream = static_cast<cudaStream_t>(current_stream());
  check_launch(operation, cudaLaunchKernelEx(&configuration, kernel, static_cast<Parameters>(arguments)...));
#else
  std::tuple<Parameters...> const kept(static_cast<Parameters>(arguments)...);
  simulation::enqueue(current_stream(), simulation::Launch{operation, shape.grid, shape.block, shape.shared_bytes,
                                                           [=] { std::apply(kernel, kept); }});
#endif
  after_launch(operation);
}

/// True if all of the pointers, and elements at multiples of 16 bytes from them, can be accessed 16 bytes at a time.
template <class... T>
bool aligned(const T*... pointers) {
  return ((reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0) && ...);
}

}  // namespace stipple::cuda
