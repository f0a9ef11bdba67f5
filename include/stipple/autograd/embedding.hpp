// Gradient of table look-up.
#pragma once

#include <stipple/autograd/var.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/ops/embedding.hpp>

namespace stipple {

/// Rows of the table (V, E) for ids of any shape (...): (..., E).
template <Real T, Device D>
Var<T, D> embedding(const Var<T, D>& table, const Tensor<std::int32_t, D>& ids);

/// (...) to (..., classes): 1 at the id, 0 elsewhere. A constant.
template <Real T, Device D>
Var<T, D> one_hot(const Tensor<std::int32_t, D>& ids, Index classes);

}  // namespace stipple

#if STIPPLE_DEFINES(autograd)

namespace stipple {

template <Real T, Device D>
Var<T, D> embedding(const Var<T, D>& table, const Tensor<std::int32_t, D>& ids) {
  auto const rows = ops::embedding(table.value(), ids);  // checks the table, before its extent is asked for
  return record(rows, std::tie(table), [ids, entries = table.dim(0)](const Tensor<T, D>& dy) {
    return std::tuple(ops::embedding_backward(dy, ids, entries));
  });
}

template <Real T, Device D>
Var<T, D> one_hot(const Tensor<std::int32_t, D>& ids, Index classes) {
  return Var<T, D>(ops::one_hot<T>(ids, classes));
}

#define STIPPLE_INSTANCES(T, D)                                                         \
  template Var<T, D> embedding<T, D>(const Var<T, D>&, const Tensor<std::int32_t, D>&); \
  template Var<T, D> one_hot<T, D>(const Tensor<std::int32_t, D>&, Index);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
