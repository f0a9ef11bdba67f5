// Kernel text: one row of maximum pooling, and its gradient.

// The part of a window that lies within the image, along one axis.
struct WindowRange {
  Index begin, end;
};
inline WindowRange window_range(Index out, Index extent, const PoolPlan& plan) {
  Index const first = out * plan.stride - plan.padding, last = first + plan.kernel;
  return {first < 0 ? 0 : first, last > extent ? extent : last};
}

template <class T>
void max_pool_row(const T* x, T* y, const PoolPlan& plan, Index out_row) {
  using V = vec_for<T>;
  WindowRange const rows = window_range(out_row, plan.height, plan);
  for (Index o = 0; o < plan.out_width; ++o, y += plan.channels) {
    WindowRange const columns = window_range(o, plan.width, plan);
    for (Index c = 0; c < plan.channels; c += V::width) {
      int const lanes = static_cast<int>(plan.channels - c < V::width ? plan.channels - c : V::width);
      V most = load<V>(x + (rows.begin * plan.width + columns.begin) * plan.channels + c, lanes);
      for (Index i = rows.begin; i < rows.end; ++i) {
        for (Index k = columns.begin; k < columns.end; ++k) {
          V const v = load<V>(x + (i * plan.width + k) * plan.channels + c, lanes);
          most = select(less(most, v), v, select(is_nan(v), v, most));
        }
      }
      store(y + c, most, lanes);
    }
  }
}

// With `Add`, adds to dx, elements of type A; without, overwrites the pixels of the windows.
template <bool Add, class T, class A>
void max_pool_row_backward(const T* dy, const T* x, const T* y, A* dx, const PoolPlan& plan, Index out_row) {
  using V = vec_for<T>;
  WindowRange const rows = window_range(out_row, plan.height, plan);
  for (Index o = 0; o < plan.out_width; ++o, y += plan.channels, dy += plan.channels) {
    WindowRange const columns = window_range(o, plan.width, plan);
    for (Index c = 0; c < plan.channels; c += V::width) {
      int const lanes = static_cast<int>(plan.channels - c < V::width ? plan.channels - c : V::width);
      V const most = load<V>(y + c, lanes), zero = all<V>(0);
      V left = load<V>(dy + c, lanes);  // zero in the lanes that have found their pixel
      for (Index i = rows.begin; i < rows.end; ++i) {
        for (Index k = columns.begin; k < columns.end; ++k) {
          Index const at = (i * plan.width + k) * plan.channels + c;
          auto const smaller = less(load<V>(x + at, lanes), most);
          V const g = select(smaller, zero, left);
          left = select(smaller, left, zero);
          if constexpr (Add)
            store(dx + at, load<V>(dx + at, lanes) + g, lanes);
          else
            store(dx + at, g, lanes);
        }
      }
    }
  }
}
