// Gradients of joining and cutting along the last axis.
#pragma once

#include <initializer_list>
#include <vector>

#include <stipple/autograd/kept.hpp>
#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/concat.hpp>

namespace stipple {

/// (..., C1), (..., C2), ... to (..., C1 + C2 + ...). On the CPU, backward joins the parts again instead of keeping the
/// result: those of a U-Net's skips are kept anyway.
template <Real T, Device D>
Var<T, D> concat(const std::vector<Var<T, D>>& parts);
template <Real T, Device D>
Var<T, D> concat(std::initializer_list<Var<T, D>> parts);
template <Real T, Device D, std::same_as<Var<T, D>>... More>
Var<T, D> concat(const Var<T, D>& first, const Var<T, D>& second, const More&... more) {
  return concat(std::vector<Var<T, D>>{first, second, more...});
}

/// Columns [begin, begin + count) of the last axis.
template <Real T, Device D>
Var<T, D> slice_last(const Var<T, D>& x, Index begin, Index count);

/// (..., C) to (..., sizes[0]), (..., sizes[1]), ...; the sizes add up to C.
template <Real T, Device D>
std::vector<Var<T, D>> split(const Var<T, D>& x, const std::vector<Index>& sizes);

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> concat(const std::vector<Var<T, D>>& parts) {
  std::vector<Tensor<T, D>> values;
  std::vector<Index> sizes;
  std::vector<bool> needed;
  std::vector<autograd::Kept<T, D>> kept;
  for (auto const& part : parts) {
    values.push_back(part.value());
    kept.emplace_back(part);
    sizes.push_back(part.shape().rank() == 0 ? 0 : part.dim(-1));
    needed.push_back(part.requires_grad());
  }
  auto y = record(ops::concat(values), parts, [sizes, needed](const Tensor<T, D>& dy) {
    std::vector<Tensor<T, D>> gradients;
    Index at = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      gradients.push_back(needed[i] ? ops::slice_last(dy, at, sizes[i]) : Tensor<T, D>());
      at += sizes[i];
    }
    return gradients;
  });
  return autograd::made_again_by(std::move(y), [kept] {
    std::vector<Tensor<T, D>> again;
    for (auto const& part : kept) again.push_back(part.value());
    return ops::concat(again);
  });
}

template <Real T, Device D>
Var<T, D> concat(std::initializer_list<Var<T, D>> parts) {
  return concat(std::vector<Var<T, D>>(parts));
}

template <Real T, Device D>
Var<T, D> slice_last(const Var<T, D>& x, Index begin, Index count) {
  return record(ops::slice_last(x.value(), begin, count), std::tie(x),
                [shape = x.shape(), begin, count](const Tensor<T, D>& dy) {
                  auto const zeros = [&](Index columns) { return Tensor<T, D>::zeros(shape.with(-1, columns)); };
                  return std::tuple(ops::concat<T, D>({zeros(begin), dy, zeros(shape[-1] - begin - count)}));
                });
}

template <Real T, Device D>
std::vector<Var<T, D>> split(const Var<T, D>& x, const std::vector<Index>& sizes) {
  Index total = 0;
  for (Index size : sizes) total += size;
  require(x.shape().rank() >= 1 && x.dim(-1) == total, "split: given shape ", x.shape(), " and sizes that add up to ",
          total, ", wanted the last extent");
  std::vector<Var<T, D>> parts;
  Index at = 0;
  for (Index size : sizes) {
    parts.push_back(slice_last(x, at, size));
    at += size;
  }
  return parts;
}

#define STIPPLE_INSTANCES(T, D)                                        \
  template Var<T, D> concat<T, D>(const std::vector<Var<T, D>>&);      \
  template Var<T, D> concat<T, D>(std::initializer_list<Var<T, D>>);   \
  template Var<T, D> slice_last<T, D>(const Var<T, D>&, Index, Index); \
  template std::vector<Var<T, D>> split<T, D>(const Var<T, D>&, const std::vector<Index>&);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
