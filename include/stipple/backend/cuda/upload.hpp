// Copies to the GPU that nothing waits for. Defined by the library stipple::cuda.
#pragma once

#include <cstddef>
#include <memory>

#include <stipple/backend/cuda/runtime.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple::cuda {

/// Copies tensors to the device through pinned memory, on a stream of its own: the copy of one batch runs beside what
/// the current stream holds of the batches before. Two buffers take turns, so the host waits only when it is two copies
/// ahead.
class Upload {
 public:
  Upload();
  Upload(Upload&&) noexcept;
  Upload& operator=(Upload&&) noexcept;
  ~Upload();

  /// The same elements on the device; work that is put into the current stream from now on finds them there. The host
  /// may change `x` at once. An undefined tensor stays one.
  template <Element T>
  Tensor<T, Cuda> operator()(const Tensor<T>& x) {
    if (!x.defined()) return {};
    auto y = allocate<T>(x.shape());
    if (x.size() > 0) copy(y.data().address(), x.data(), x.span().size_bytes());
    return y;
  }

 private:
  struct State;

  template <Element T>
  Tensor<T, Cuda> allocate(const Shape& shape) {
    CurrentStream const current(stream());
    return Tensor<T, Cuda>(shape);
  }
  const Stream& stream() const;
  void copy(void* to, const void* from, std::size_t bytes);

  std::unique_ptr<State> state_;
};

}  // namespace stipple::cuda
