// The definitions of `tensor` for the GPU, and the copies between the devices.
#define STIPPLE_DEVICE Cuda
#define STIPPLE_UNIT STIPPLE_UNIT_core
#include <cstdint>

#include <stipple/cuda.hpp>

namespace stipple {

#define STIPPLE_COPIES(T)                                           \
  template Tensor<T, Cpu> to<Cpu, T, Cuda>(const Tensor<T, Cuda>&); \
  template Tensor<T, Cuda> to<Cuda, T, Cuda>(const Tensor<T, Cuda>&);
STIPPLE_COPIES(float)
STIPPLE_COPIES(bf16)
STIPPLE_COPIES(double)
STIPPLE_COPIES(std::int32_t)
STIPPLE_COPIES(std::int64_t)
STIPPLE_COPIES(std::uint8_t)

}  // namespace stipple
