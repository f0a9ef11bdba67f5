// Gradient of table look-up.
#pragma once

#include <stipple/autograd/var.hpp>
#include <stipple/ops/embedding.hpp>

namespace stipple {

/// Rows of the table (V, E) for ids of any shape (...): (..., E).
template <Real T, Device D>
Var<T, D> embedding(const Var<T, D>& table, const Tensor<std::int32_t, D>& ids) {
  return record(ops::embedding(table.value(), ids), std::tie(table),
                [ids, entries = table.dim(0)](const Tensor<T, D>& dy) {
                  return std::tuple(ops::embedding_backward(dy, ids, entries));
                });
}

/// (...) to (..., classes): 1 at the id, 0 elsewhere. A constant.
template <Real T, Device D>
Var<T, D> one_hot(const Tensor<std::int32_t, D>& ids, Index classes) {
  return Var<T, D>(ops::one_hot<T>(ids, classes));
}

}  // namespace stipple
