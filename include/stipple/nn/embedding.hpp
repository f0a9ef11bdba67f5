// Embedding: a trained vector for each of a number of labels.
#pragma once

#include <stipple/autograd/embedding.hpp>
#include <stipple/core/compiled.hpp>
#include <stipple/nn/parameter.hpp>
#include <stipple/tensor/rng.hpp>

namespace stipple {

/// Ids of any shape (...) to (..., width). The table starts as standard normals, as PyTorch's.
template <Real T, Device D = Cpu>
struct Embedding {
  Parameter<T, D> weight;  // (entries, width)

  Embedding() = default;
  Embedding(Index entries, Index width, Rng& rng);
  Var<T, D> operator()(const Tensor<std::int32_t, D>& ids) const;
  static void each(auto& self, auto&& f) { f("weight", self.weight); }
};

}  // namespace stipple

#if STIPPLE_DEFINES(nn)

namespace stipple {

template <Real T, Device D>
Embedding<T, D>::Embedding(Index entries, Index width, Rng& rng) {
  require(entries >= 1 && width >= 1, "Embedding: given ", entries, " entries of ", width,
          " elements, wanted at least 1 of each");
  // One row: the numbers belong to the parameter as a whole.
  auto const values = rng.normal({1, Shape{entries, width}.size()}, Purpose::initialise);
  weight = Parameter<T, D>(to<D>(ops::cast<T>(values.reshape({entries, width}))));
}

template <Real T, Device D>
Var<T, D> Embedding<T, D>::operator()(const Tensor<std::int32_t, D>& ids) const {
  return embedding(weight.var, ids);
}

#define STIPPLE_INSTANCES(T, D) template struct Embedding<T, D>;
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
