#include "channel_norm.cuh"

#include "channel_norm.hpp"
#include "launch.cuh"
#include "slabs.cuh"

namespace stipple::cuda {

template <class T>
void normalise(const char* operation, const T* x, const float* weight, const float* bias, const float* mean,
               const float* rstd, T* y, NormShape shape, const Slabs& s, Activation activation) {
  bool const whole = shape.channels % lanes_of<T> == 0 && aligned(x, y);
  with_activation(activation, [&]<class F>(F) {
    launch(operation, normalise_kernel<T, F>, column_shape<T>(s), x, weight, bias, mean, rstd, y, shape, s, whole);
  });
}

template <class T>
void slab_gradients(const char* operation, const T* dy, const T* x, const float* weight, const float* bias,
                    const float* mean, const float* rstd, float* sums, NormShape shape, const Slabs& s,
                    Activation activation) {
  bool const whole = shape.channels % lanes_of<T> == 0 && aligned(dy, x);
  with_activation(activation, [&]<class F>(F) {
    launch(operation, slab_gradients_kernel<T, F>, column_shape<T>(s), dy, x, weight, bias, mean, rstd, sums, shape, s,
           whole);
  });
}

template <class T>
void input_gradient(const char* operation, const T* dy, const T* x, const float* weight, const float* bias,
                    const float* mean, const float* rstd, const float* means, T* dx, NormShape shape, const Slabs& s,
                    Activation activation) {
  bool const whole = shape.channels % lanes_of<T> == 0 && aligned(dy, x, dx);
  with_activation(activation, [&]<class F>(F) {
    launch(operation, input_gradient_kernel<T, F>, column_shape<T>(s), dy, x, weight, bias, mean, rstd, means, dx,
           shape, s, whole);
  });
}

#define STIPPLE_INSTANCES(T)                                                                                    \
  template void normalise<T>(const char*, const T*, const float*, const float*, const float*, const float*, T*, \
                             NormShape, const Slabs&, Activation);                                              \
  template void slab_gradients<T>(const char*, const T*, const T*, const float*, const float*, const float*,    \
                                  const float*, float*, NormShape, const Slabs&, Activation);                   \
  template void input_gradient<T>(const char*, const T*, const T*, const float*, const float*, const float*,    \
                                  const float*, const float*, T*, NormShape, const Slabs&, Activation);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
