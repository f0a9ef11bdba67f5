// Kernel text: activations over a flat array, and their gradients.

// y[i] = f(x[i])
template <class T, class F>
inline void activate_flat(F f, const T* x, T* y, Index n) {
  using V = vec_for<T>;
  Index i = 0;
  for (; i + V::width <= n; i += V::width) store(y + i, f(load<V>(x + i)));
  if (i < n) {
    int const rest = static_cast<int>(n - i);
    store(y + i, f(load<V>(x + i, rest)), rest);
  }
}

// dx[i] = dy[i] f'(x[i])
template <class T, class F>
inline void activate_flat_backward(F f, const T* dy, const T* x, T* dx, Index n) {
  using V = vec_for<T>;
  Index i = 0;
  for (; i + V::width <= n; i += V::width) store(dx + i, load<V>(dy + i) * f.derivative(load<V>(x + i)));
  if (i < n) {
    int const rest = static_cast<int>(n - i);
    store(dx + i, load<V>(dy + i, rest) * f.derivative(load<V>(x + i, rest)), rest);
  }
}

template <class T>
void activate_range(Activation kind, const T* x, T* y, Index n) {
  switch (kind) {
    case Activation::none:
      return activate_flat(Identity{}, x, y, n);
    case Activation::relu:
      return activate_flat(Relu{}, x, y, n);
    case Activation::silu:
      return activate_flat(Silu{}, x, y, n);
    case Activation::gelu:
      return activate_flat(Gelu{}, x, y, n);
    case Activation::gelu_tanh:
      return activate_flat(GeluTanh{}, x, y, n);
    case Activation::mish:
      return activate_flat(Mish{}, x, y, n);
    case Activation::sigmoid:
      return activate_flat(Sigmoid{}, x, y, n);
    case Activation::tanh:
      return activate_flat(Tanh{}, x, y, n);
  }
}

template <class T>
void activate_range_backward(Activation kind, const T* dy, const T* x, T* dx, Index n) {
  switch (kind) {
    case Activation::none:
      return activate_flat_backward(Identity{}, dy, x, dx, n);
    case Activation::relu:
      return activate_flat_backward(Relu{}, dy, x, dx, n);
    case Activation::silu:
      return activate_flat_backward(Silu{}, dy, x, dx, n);
    case Activation::gelu:
      return activate_flat_backward(Gelu{}, dy, x, dx, n);
    case Activation::gelu_tanh:
      return activate_flat_backward(GeluTanh{}, dy, x, dx, n);
    case Activation::mish:
      return activate_flat_backward(Mish{}, dy, x, dx, n);
    case Activation::sigmoid:
      return activate_flat_backward(Sigmoid{}, dy, x, dx, n);
    case Activation::tanh:
      return activate_flat_backward(Tanh{}, dy, x, dx, n);
  }
}
