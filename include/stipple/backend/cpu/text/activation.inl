// Kernel text: activations over a flat array, and their gradients. The functions named *_run hold the activation, once:
// they do whole vectors only and are reached through a pointer, because every copy of an activation costs compile time.
// The last few elements pass through them in a padded buffer.

// y[i] = f(x[i])
template <class T, class F>
void activate_run(const T* x, T* y, Index n) {
  using V = vec_for<T>;
  for (Index i = 0; i < n; i += V::width) store(y + i, F{}(load<V>(x + i)));
}
template <class T>
auto activate_run_of(Activation kind) {
  switch (kind) {
    case Activation::relu:
      return activate_run<T, Relu>;
    case Activation::relu6:
      return activate_run<T, Relu6>;
    case Activation::silu:
      return activate_run<T, Silu>;
    case Activation::gelu:
      return activate_run<T, Gelu>;
    case Activation::gelu_tanh:
      return activate_run<T, GeluTanh>;
    case Activation::mish:
      return activate_run<T, Mish>;
    case Activation::sigmoid:
      return activate_run<T, Sigmoid>;
    case Activation::tanh:
      return activate_run<T, Tanh>;
    case Activation::none:
      break;
  }
  return activate_run<T, Identity>;
}
template <class T>
void activate_range(Activation kind, const T* x, T* y, Index n) {
  constexpr int width = vec_for<T>::width;
  auto const run = activate_run_of<T>(kind);
  Index const whole = n / width * width;
  run(x, y, whole);
  if (whole == n) return;
  T in[width] = {}, out[width];
  for (Index i = whole; i < n; ++i) in[i - whole] = x[i];
  run(in, out, width);
  for (Index i = whole; i < n; ++i) y[i] = out[i - whole];
}

// dx[i] = dy[i] f'(x[i])
template <class T, class F>
void activate_run_backward(const T* dy, const T* x, T* dx, Index n) {
  using V = vec_for<T>;
  for (Index i = 0; i < n; i += V::width) store(dx + i, load<V>(dy + i) * F{}.derivative(load<V>(x + i)));
}
template <class T>
auto activate_run_backward_of(Activation kind) {
  switch (kind) {
    case Activation::relu:
      return activate_run_backward<T, Relu>;
    case Activation::relu6:
      return activate_run_backward<T, Relu6>;
    case Activation::silu:
      return activate_run_backward<T, Silu>;
    case Activation::gelu:
      return activate_run_backward<T, Gelu>;
    case Activation::gelu_tanh:
      return activate_run_backward<T, GeluTanh>;
    case Activation::mish:
      return activate_run_backward<T, Mish>;
    case Activation::sigmoid:
      return activate_run_backward<T, Sigmoid>;
    case Activation::tanh:
      return activate_run_backward<T, Tanh>;
    case Activation::none:
      break;
  }
  return activate_run_backward<T, Identity>;
}
template <class T>
void activate_range_backward(Activation kind, const T* dy, const T* x, T* dx, Index n) {
  constexpr int width = vec_for<T>::width;
  auto const run = activate_run_backward_of<T>(kind);
  Index const whole = n / width * width;
  run(dy, x, dx, whole);
  if (whole == n) return;
  T dy_in[width] = {}, x_in[width] = {}, out[width];
  for (Index i = whole; i < n; ++i) {
    dy_in[i - whole] = dy[i];
    x_in[i - whole] = x[i];
  }
  run(dy_in, x_in, out, width);
  for (Index i = whole; i < n; ++i) dx[i] = out[i - whole];
}
