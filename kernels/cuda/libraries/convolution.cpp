// Convolutions by cuDNN: the handles, the plans and what cuDNN leaves to us.
#include <map>
#include <mutex>
#include <optional>

#include <stipple/backend/cuda/arithmetic.hpp>
#include <stipple/backend/cuda/products.hpp>
#include <stipple/backend/cuda/runtime.hpp>

#include "../products.hpp"
#include "../workspace.hpp"
#include "check.hpp"
#include "convolution_graph.hpp"
#include "cudnn.hpp"
#include "fastest.hpp"

namespace stipple::cuda::products {

namespace {

constexpr std::size_t most_candidates = 8;

void check(cudnnStatus_t status, const char* action) {
  if (status != CUDNN_STATUS_SUCCESS) fail("conv2d: cuDNN: ", action, ": ", cudnnGetErrorString(status));
}

cudnnHandle_t create_handle() {
  // Of another version the library would misread what it is given.
  std::size_t const version = cudnnGetVersion();
  require(version / 10000 == CUDNN_MAJOR && version >= CUDNN_MAJOR * 10000 + CUDNN_MINOR * 100, "conv2d: given cuDNN ",
          version / 10000, ".", version / 100 % 100, ", wanted ", CUDNN_MAJOR, ".", CUDNN_MINOR,
          " or a later one of the same major version");
  cudnnHandle_t handle = nullptr;
  check(cudnnCreate(&handle), "begin");
  return handle;
}

struct Plan {
  ConvolutionGraph graph;
  std::size_t chosen = 0;
};

// Never destroyed, as the runtime is not.
struct Library {
  std::mutex mutex;  // of what follows, and of the handles while they are used
  std::map<int, cudnnHandle_t> handles;
  std::map<std::pair<int, Convolution>, Plan> plans;

  cudnnHandle_t handle(int device) {
    auto& handle = handles[device];
    if (handle == nullptr) handle = create_handle();
    check(cudnnSetStream(handle, static_cast<cudaStream_t>(current_stream())), "select the stream");
    return handle;
  }
};
Library& library() {
  static auto* const one = new Library;
  return *one;
}

Plan make_plan(cudnnHandle_t handle, const Convolution& c) {
  Plan plan{ConvolutionGraph(c)};
  auto const refusal = plan.graph.make_plans(handle, autotune() ? most_candidates : 1);
  require(refusal.empty(), "conv2d: cuDNN has no plan for x (", c.d.n, ", ", c.d.h, ", ", c.d.w, ", ", c.d.c,
          ") and weight (", c.d.kh, ", ", c.d.kw, ", ", c.d.c / c.d.groups, ", ", c.d.o, "): ", refusal);
  return plan;
}

void run(const Convolution& c, const ConvolutionOperands& operands) {
  Library& lib = library();
  std::lock_guard const lock(lib.mutex);
  std::pair const key(selected_device(), c);
  auto const handle = lib.handle(key.first);
  auto found = lib.plans.find(key);
  bool const is_new = found == lib.plans.end();
  if (is_new) found = lib.plans.emplace(key, make_plan(handle, c)).first;
  Plan& plan = found->second;
  auto const run = [&](std::size_t i) {
    Workspace<std::byte> workspace(static_cast<Index>(plan.graph.workspace_bytes(i)));
    plan.graph.run(handle, i, operands, workspace.data());
  };
  if (is_new) plan.chosen = fastest(plan.graph.plans(), run);
  run(plan.chosen);
}

// An operand, or a copy of it where it does not begin at a multiple of 16 bytes, as cuDNN wants.
template <class T>
class Aligned {
 public:
  Aligned(const T* operand, Index n) : data_(operand) {
    if (reinterpret_cast<std::uintptr_t>(operand) % 16 == 0) return;
    copy_.emplace(n);
    Memory<Cuda>::copy(copy_->data(), operand, static_cast<std::size_t>(n) * sizeof(T));
    data_ = copy_->data();
  }
  const T* data() const { return data_; }

 private:
  const T* data_;
  std::optional<Workspace<T>> copy_;
};

// A bias in the type of the result. Where there is none but has to be, zeros.
template <class T>
class Bias {
 public:
  Bias(const float* bias, Index n, bool needed) {
    if (bias == nullptr && !needed) return;
    if constexpr (std::is_same_v<T, float>) {
      if (bias != nullptr) {
        data_ = aligned_.emplace(bias, n).data();
        return;
      }
    }
    data_ = own_.emplace(n).data();
    if (bias == nullptr)
      Memory<Cuda>::fill(own_->data(), static_cast<T>(0.0f), static_cast<std::size_t>(n));
    else if constexpr (!std::is_same_v<T, float>)
      cast<T, float>(Pointer<const float>(bias), Pointer<T>(own_->data()), n);
  }
  const T* data() const { return data_; }

 private:
  const T* data_ = nullptr;
  std::optional<Workspace<T>> own_;
  std::optional<Aligned<float>> aligned_;
};

template <class T>
Convolution convolution(Direction direction, const ConvDims& d) {
  return {direction, d, std::is_same_v<T, bf16>, std::is_same_v<T, float> && allow_tf32()};
}
Index x_size(const ConvDims& d) { return d.n * d.h * d.w * d.c; }
Index y_size(const ConvDims& d) { return d.n * d.oh * d.ow * d.o; }

}  // namespace

template <class T>
void convolve(const T* x, const T* weight, const float* bias, const T* residual, T* y, const ConvDims& d) {
  Aligned<T> const image(x, x_size(d)), own_residual(residual, y_size(d));
  auto c = convolution<T>(Direction::forward, d);
  c.residual = residual != nullptr, c.bias = bias != nullptr || c.residual;
  Bias<T> const own_bias(bias, d.o, c.bias);
  run(c, {image.data(), weight, y, own_bias.data(), own_residual.data()});
  after_launch("conv2d");
}

template <class T>
void convolve_backward_input(const T* dy, const T* weight, T* dx, const ConvDims& d) {
  Aligned<T> const image(dy, y_size(d));
  run(convolution<T>(Direction::input_gradient, d), {image.data(), weight, dx});
  after_launch("conv2d_backward_input");
}

template <class T>
void convolve_backward_weight(const T* x, const T* dy, T* dw, const ConvDims& d) {
  Aligned<T> const image(x, x_size(d)), gradient(dy, y_size(d));
  run(convolution<T>(Direction::weight_gradient, d), {image.data(), gradient.data(), dw});
  after_launch("conv2d_backward_weight");
}

#define STIPPLE_INSTANCES(T)                                                                  \
  template void convolve<T>(const T*, const T*, const float*, const T*, T*, const ConvDims&); \
  template void convolve_backward_input<T>(const T*, const T*, T*, const ConvDims&);          \
  template void convolve_backward_weight<T>(const T*, const T*, T*, const ConvDims&);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda::products
