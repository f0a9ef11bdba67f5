// Matrix products and convolutions of the simulation: the CPU's, in the order of the stream, on memory of the device.
#include "../products.hpp"

#include <algorithm>
#include <vector>

#include <stipple/backend/cpu/conv2d.hpp>
#include <stipple/backend/cuda/runtime.hpp>

#include "memory.hpp"
#include "streams.hpp"

namespace stipple::cuda::products {

namespace {

struct Range {
  const void* begin;
  std::size_t bytes;
};
template <class T>
Range range(const T* begin, Index n) {
  return {begin, begin == nullptr ? 0 : static_cast<std::size_t>(n) * sizeof(T)};
}

void enqueue(const char* operation, std::vector<Range> operands, std::function<void()> work) {
  simulation::enqueue(current_stream(), [operation, operands = std::move(operands), work = std::move(work)] {
    for (Range const& operand : operands)
      if (operand.begin != nullptr) simulation::check_range(operation, operand.begin, operand.bytes);
    work();
  });
  after_launch(operation);
}

// (rows, columns) to (columns, rows).
template <class T>
std::vector<T> transposed(const T* from, Index rows, Index columns) {
  std::vector<T> to;
  to.reserve(static_cast<std::size_t>(rows * columns));
  for (Index j = 0; j < columns; ++j)
    for (Index i = 0; i < rows; ++i) to.push_back(from[i * columns + j]);
  return to;
}

Index weight_size(const ConvDims& d) { return d.kh * d.kw * (d.c / d.groups) * d.o; }
// From (o, kh, kw, c / groups) to (kh, kw, c / groups, o).
template <class T>
std::vector<T> weight_of_cpu(const T* weight, const ConvDims& d) {
  return transposed(weight, d.o, weight_size(d) / d.o);
}
Index x_size(const ConvDims& d) { return d.n * d.h * d.w * d.c; }
Index y_size(const ConvDims& d) { return d.n * d.oh * d.ow * d.o; }

}  // namespace

template <class T>
void multiply(const MatmulProblem<T, Cuda>& p, Index count) {
  MatmulProblem<T> const twin{p.m,
                              p.n,
                              p.k,
                              p.a.address(),
                              p.a_row_stride,
                              p.a_k_stride,
                              p.b.address(),
                              p.b_k_stride,
                              p.b_n_stride,
                              p.bias.address(),
                              p.residual.address(),
                              p.out.address(),
                              p.full.address()};
  Index const results = count * p.m * p.n;
  enqueue("matmul",
          {range(twin.a, count * p.m * p.k), range(twin.b, count * p.k * p.n), range(twin.bias, p.n),
           range(twin.residual, results), range(twin.out, results), range(twin.full, results)},
          [=] { count == 1 ? cpu::matmul(twin) : cpu::matmul_batch(twin, count); });
}

template <class T>
void convolve(const T* x, const T* weight, const float* bias, const T* residual, T* y, const ConvDims& d) {
  enqueue("conv2d",
          {range(x, x_size(d)), range(weight, weight_size(d)), range(bias, d.o), range(residual, y_size(d)),
           range(y, y_size(d))},
          [=] { cpu::conv2d<T>(x, weight_of_cpu(weight, d).data(), bias, nullptr, residual, y, d); });
}

template <class T>
void convolve_backward_input(const T* dy, const T* weight, T* dx, const ConvDims& d) {
  enqueue("conv2d_backward_input", {range(dy, y_size(d)), range(weight, weight_size(d)), range(dx, x_size(d))},
          [=] { cpu::conv2d_backward_input<T>(dy, weight_of_cpu(weight, d).data(), nullptr, dx, d); });
}

template <class T>
void convolve_backward_weight(const T* x, const T* dy, T* dw, const ConvDims& d) {
  enqueue("conv2d_backward_weight", {range(x, x_size(d)), range(dy, y_size(d)), range(dw, weight_size(d))}, [=] {
    std::vector<float> ours(static_cast<std::size_t>(weight_size(d)));
    cpu::conv2d_backward_weight<T>(x, dy, ours.data(), d);
    auto const turned = transposed<float>(ours.data(), weight_size(d) / d.o, d.o);
    std::transform(turned.begin(), turned.end(), dw, [](float value) { return T(value); });
  });
}

#define STIPPLE_INSTANCES(T)                                                                  \
  template void multiply<T>(const MatmulProblem<T, Cuda>&, Index);                            \
  template void convolve<T>(const T*, const T*, const float*, const T*, T*, const ConvDims&); \
  template void convolve_backward_input<T>(const T*, const T*, T*, const ConvDims&);          \
  template void convolve_backward_weight<T>(const T*, const T*, T*, const ConvDims&);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda::products
