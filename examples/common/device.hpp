// Where an example computes: --device, and --precision where it depends on that.
#pragma once

#include <type_traits>

#include <stipple/cuda.hpp>

#include "common/gpu.hpp"
#include "common/options.hpp"

namespace example {

/// Batches of the loader on the network's device.
template <st::Device D>
class Input {
 public:
  template <st::Element T>
  st::Tensor<T, D> operator()(const st::Tensor<T>& x) {
    if constexpr (std::same_as<D, st::Cpu>)
      return x;
    else
      return upload_(x);
  }

 private:
  struct Nothing {};
  std::conditional_t<std::same_as<D, st::Cpu>, Nothing, st::cuda::Upload> upload_;
};

/// Throws Error unless the device has the precision.
inline void check_precision(const std::string& device, const std::string& precision) {
  st::require(precision != "tf32" || gpu_number(device),
              "--precision tf32 is arithmetic of a GPU: given --device cpu, wanted fp32 "
              "or bf16, or --device cuda");
}

/// Calls what was compiled for the device and the precision of the options.
template <class Options>
int run_on_device(const Options& options, int (*fp32)(const Options&), int (*bf16)(const Options&),
                  int (*on_gpu)(const Options&)) {
  if (gpu_number(options.device)) return on_gpu(options);
  check_precision(options.device, options.precision);
  return options.precision == "bf16" ? bf16(options) : fp32(options);
}

/// Calls run(T()) with the element type of a network on the GPU that --device names. Throws Error if there is no such
/// GPU or no backend for it.
template <class Options, class Run>
int run_on_gpu(const Options& options, const Run& run) {
#if defined(STIPPLE_EXAMPLES_CUDA)
  select_gpu(gpu_number(options.device).value());
  st::cuda::set_allow_tf32(options.precision == "tf32");
  return options.precision == "bf16" ? run(st::bf16()) : run(float());
#else
  static_cast<void>(run);
  st::fail("--device ", options.device, ": this build has no CUDA backend; configure with -DSTIPPLE_CUDA=ON");
#endif
}

}  // namespace example
