// Kernel text: elementwise sums and products with one operand broadcast, and the sums that are their gradients.

struct AddOf {
  template <class V>
  V operator()(V a, V b) const {
    return a + b;
  }
};
struct SubtractOf {
  template <class V>
  V operator()(V a, V b) const {
    return a - b;
  }
};
struct MultiplyOf {
  template <class V>
  V operator()(V a, V b) const {
    return a * b;
  }
};

// out[i] = f(a[i], b[i]), n elements.
template <class T, class U, class F>
inline void combine(F f, const T* a, const U* b, T* out, Index n) {
  using V = vec_for<T>;
  Index i = 0;
  for (; i + V::width <= n; i += V::width) store(out + i, f(load<V>(a + i), load<V>(b + i)));
  if (i < n) {
    int const rest = static_cast<int>(n - i);
    store(out + i, f(load<V>(a + i, rest), load<V>(b + i, rest)), rest);
  }
}
template <class T, class F>
inline void combine_scalar(F f, const T* a, compute_t<T> b, T* out, Index n) {
  using V = vec_for<T>;
  V const v = all<V>(b);
  Index i = 0;
  for (; i + V::width <= n; i += V::width) store(out + i, f(load<V>(a + i), v));
  if (i < n) store(out + i, f(load<V>(a + i, static_cast<int>(n - i)), v), static_cast<int>(n - i));
}

// Rows [begin, end) of the outer x middle rows of `inner` elements; b repeats along the middle.
template <class T, class U, class F>
inline void combine_rows(F f, const T* a, const U* b, T* out, Index middle, Index inner, Index begin, Index end) {
  for (Index row = begin; row < end; ++row) {
    const U* const other = b + row / middle * inner;
    if (inner == 1)
      combine_scalar(f, a + row, static_cast<compute_t<T>>(*other), out + row, 1);
    else
      combine(f, a + row * inner, other, out + row * inner, inner);
  }
}
template <class T, class U>
void arithmetic_rows(Arithmetic kind, const T* a, const U* b, T* out, Index middle, Index inner, Index begin,
                     Index end) {
  switch (kind) {
    case Arithmetic::add:
      return combine_rows(AddOf{}, a, b, out, middle, inner, begin, end);
    case Arithmetic::subtract:
      return combine_rows(SubtractOf{}, a, b, out, middle, inner, begin, end);
    case Arithmetic::multiply:
      return combine_rows(MultiplyOf{}, a, b, out, middle, inner, begin, end);
  }
}
template <class T, class U>
void arithmetic_range(Arithmetic kind, const T* a, const U* b, T* out, Index n) {
  switch (kind) {
    case Arithmetic::add:
      return combine(AddOf{}, a, b, out, n);
    case Arithmetic::subtract:
      return combine(SubtractOf{}, a, b, out, n);
    case Arithmetic::multiply:
      return combine(MultiplyOf{}, a, b, out, n);
  }
}
// `count` samples of `inner` elements, each combined with its own number.
template <class T, class U>
void arithmetic_per_sample(Arithmetic kind, const T* a, const U* b, T* out, Index n) {
  auto const x = static_cast<compute_t<T>>(*b);
  switch (kind) {
    case Arithmetic::add:
      return combine_scalar(AddOf{}, a, x, out, n);
    case Arithmetic::subtract:
      return combine_scalar(SubtractOf{}, a, x, out, n);
    case Arithmetic::multiply:
      return combine_scalar(MultiplyOf{}, a, x, out, n);
  }
}

// Numbers that are added to one sum before it is added to another: rounding errors grow with the terms of a sum.
inline constexpr Index sum_block = 32;

// total[i] = sum over `rows` rows of g[m, i] (times factor[m, i] unless null), for `Count` vectors of columns from i
// on.
template <int Count, class T>
inline void sum_columns(const T* g, const T* factor, compute_t<T>* total, Index rows, Index inner, int lanes) {
  using V = vec_for<T>;
  V sums[Count];
  for (int k = 0; k < Count; ++k) sums[k] = all<V>(0);
  for (Index m = 0; m < rows;) {
    V block[Count];
    for (int k = 0; k < Count; ++k) block[k] = all<V>(0);
    for (Index const end = m + sum_block < rows ? m + sum_block : rows; m < end; ++m) {
      for (int k = 0; k < Count; ++k) {
        Index const at = m * inner + k * V::width;
        V v = Count > 1 ? load<V>(g + at) : load<V>(g + at, lanes);
        if (factor != nullptr) v = v * (Count > 1 ? load<V>(factor + at) : load<V>(factor + at, lanes));
        block[k] = block[k] + v;
      }
    }
    for (int k = 0; k < Count; ++k) sums[k] = sums[k] + block[k];
  }
  for (int k = 0; k < Count; ++k) store(total + k * V::width, sums[k], Count > 1 ? V::width : lanes);
}
template <class T>
void sum_rows(const T* g, const T* factor, compute_t<T>* total, Index rows, Index inner) {
  constexpr Index width = vec_for<T>::width;
  Index i = 0;
  for (; i + 4 * width <= inner; i += 4 * width)
    sum_columns<4, T>(g + i, factor == nullptr ? nullptr : factor + i, total + i, rows, inner, width);
  for (; i < inner; i += width) {
    int const lanes = static_cast<int>(inner - i < width ? inner - i : width);
    sum_columns<1, T>(g + i, factor == nullptr ? nullptr : factor + i, total + i, rows, inner, lanes);
  }
}
// The same with one column: a number from n elements.
template <class T>
void sum_column(const T* g, const T* factor, compute_t<T>* total, Index n) {
  using V = vec_for<T>;
  V sums = all<V>(0);
  for (Index i = 0; i < n;) {
    V block = all<V>(0);
    for (Index const end = i + sum_block * V::width < n ? i + sum_block * V::width : n; i < end; i += V::width) {
      int const lanes = static_cast<int>(n - i < V::width ? n - i : V::width);
      V v = load<V>(g + i, lanes);
      if (factor != nullptr) v = v * load<V>(factor + i, lanes);
      block = block + v;
    }
    sums = sums + block;
  }
  *total = sum(sums);
}

// out[i] = scale * a[i] + shift
template <class T>
void affine_range(const T* a, compute_t<T> scale, compute_t<T> shift, T* out, Index n) {
  using V = vec_for<T>;
  V const s = all<V>(scale), t = all<V>(shift);
  Index i = 0;
  for (; i + V::width <= n; i += V::width) store(out + i, fma(load<V>(a + i), s, t));
  if (i < n) store(out + i, fma(load<V>(a + i, static_cast<int>(n - i)), s, t), static_cast<int>(n - i));
}

// Conversion between float and bf16 (and of double, portable only).
template <class T, class U>
void cast_range(const U* a, T* out, Index n) {
  using V = vec_for<std::conditional_t<std::is_same_v<T, double>, T, U>>;
  Index i = 0;
  for (; i + V::width <= n; i += V::width) store(out + i, load<V>(a + i));
  if (i < n) store(out + i, load<V>(a + i, static_cast<int>(n - i)), static_cast<int>(n - i));
}
