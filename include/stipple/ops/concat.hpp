// Joining tensors along their last axis, and cutting them apart there: channels of images, features of points.
#pragma once

#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple::ops {

/// (..., C1), (..., C2), ... to (..., C1 + C2 + ...).
template <Real T, Device D>
Tensor<T, D> concat(const std::vector<Tensor<T, D>>& parts);

/// Columns [begin, begin + count) of the last axis.
template <Real T, Device D>
Tensor<T, D> slice_last(const Tensor<T, D>& x, Index begin, Index count);

/// (..., C) to (..., sizes[0]), (..., sizes[1]), ...; the sizes add up to C.
template <Real T, Device D>
std::vector<Tensor<T, D>> split(const Tensor<T, D>& x, const std::vector<Index>& sizes);

}  // namespace stipple::ops

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/concat.hpp>

namespace stipple::ops {

template <Real T, Device D>
Tensor<T, D> concat(const std::vector<Tensor<T, D>>& parts) {
  require(!parts.empty(), "concat: given nothing, wanted at least one tensor");
  Shape const& first = parts.front().shape();
  Index columns = 0;
  for (auto const& part : parts) {
    require(part.rank() >= 1 && part.rank() == first.rank() && part.shape().with(-1, 0) == first.with(-1, 0),
            "concat: given shapes ", first, " and ", part.shape(), ", wanted the same extents but for the last");
    columns += part.dim(-1);
  }
  Tensor<T, D> y(first.with(-1, columns));
  Index const rows = first.count(0, first.rank() - 1);
  if constexpr (std::same_as<D, Cpu>) {
    std::vector<cpu::ConcatPart<T>> operands;
    for (auto const& part : parts) operands.push_back({part.data(), part.dim(-1)});
    cpu::concat<T>(operands, y.data(), rows);
  } else {
    Index at = 0;
    for (auto const& part : parts) {
      put_columns(part.data(), y.data(), rows, columns, at, part.dim(-1));
      at += part.dim(-1);
    }
  }
  return y;
}

template <Real T, Device D>
Tensor<T, D> slice_last(const Tensor<T, D>& x, Index begin, Index count) {
  require(x.rank() >= 1 && begin >= 0 && count >= 0 && begin <= x.dim(-1) && count <= x.dim(-1) - begin,
          "slice_last: given ", count, " columns from ", begin, " on of a tensor of shape ", x.shape());
  Tensor<T, D> y(x.shape().with(-1, count));
  using cpu::cut_columns;
  cut_columns(x.data(), y.data(), x.shape().count(0, x.rank() - 1), x.dim(-1), begin, count);
  return y;
}

template <Real T, Device D>
std::vector<Tensor<T, D>> split(const Tensor<T, D>& x, const std::vector<Index>& sizes) {
  Index total = 0;
  for (Index size : sizes) {
    require(size >= 0, "split: given a size of ", size, ", wanted zero or more");
    total += size;
  }
  require(x.rank() >= 1 && x.dim(-1) == total, "split: given shape ", x.shape(), " and sizes that add up to ", total,
          ", wanted the last extent");
  std::vector<Tensor<T, D>> parts;
  Index at = 0;
  for (Index size : sizes) {
    parts.push_back(slice_last(x, at, size));
    at += size;
  }
  return parts;
}

#define STIPPLE_INSTANCES(T, D)                                              \
  template Tensor<T, D> concat<T, D>(const std::vector<Tensor<T, D>>&);      \
  template Tensor<T, D> slice_last<T, D>(const Tensor<T, D>&, Index, Index); \
  template std::vector<Tensor<T, D>> split<T, D>(const Tensor<T, D>&, const std::vector<Index>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
