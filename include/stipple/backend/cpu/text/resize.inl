// Kernel text: one row of a separable resampling.

// y[o, c] = sum of rows.weight[i] columns.weight[k] x[rows.index[i], columns.index[k], c] over the taps i of output row
// `out_row` and k of output column o.
template <class T>
void resample_row(const T* x, T* y, Index width, Index channels, Index out_width, TapsView<compute_t<T>> rows,
                  TapsView<compute_t<T>> columns, Index out_row) {
  using V = vec_for<T>;
  Index const row_begin = rows.start[out_row], row_end = rows.start[out_row + 1];
  bool const single_row = row_end == row_begin + 1 && rows.weight[row_begin] == 1;
  for (Index o = 0; o < out_width; ++o, y += channels) {
    Index const begin = columns.start[o], end = columns.start[o + 1];
    if (single_row && end == begin + 1 && columns.weight[begin] == 1) {  // nearest: a copy
      std::memcpy(static_cast<void*>(y), x + (rows.index[row_begin] * width + columns.index[begin]) * channels,
                  static_cast<std::size_t>(channels) * sizeof(T));
      continue;
    }
    for (Index c = 0; c < channels; c += V::width) {
      int const lanes = static_cast<int>(channels - c < V::width ? channels - c : V::width);
      V total = all<V>(0);
      for (Index i = row_begin; i < row_end; ++i) {
        const T* const row = x + rows.index[i] * width * channels + c;
        for (Index k = begin; k < end; ++k)
          total =
              fma(load<V>(row + columns.index[k] * channels, lanes), all<V>(rows.weight[i] * columns.weight[k]), total);
      }
      store(y + c, total, lanes);
    }
  }
}
