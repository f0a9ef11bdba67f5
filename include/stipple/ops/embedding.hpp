// Table look-up by number, and one-hot vectors.
#pragma once

#include <limits>
#include <optional>

#include <stipple/core/compiled.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple::ops {

/// Throws an Error in the name of operation `name` unless all ids lie in [0, count) or are `no_class`. Ids on a GPU are
/// not looked at, because that would wait for it: there a wrong id makes NaN.
template <Device D>
void check_ids(const char* name, const Tensor<std::int32_t, D>& ids, Index count,
               std::optional<std::int32_t> no_class = {});

/// Rows of the table (V, E) for ids of any shape (...): (..., E).
template <Real T, Device D>
Tensor<T, D> embedding(const Tensor<T, D>& table, const Tensor<std::int32_t, D>& ids);

/// Gradient of a table with `entries` rows, in the accumulation type.
template <Real T, Device D>
Tensor<accumulate_t<T>, D> embedding_backward(const Tensor<T, D>& dy, const Tensor<std::int32_t, D>& ids,
                                              Index entries);

/// (...) to (..., classes): 1 at the id, 0 elsewhere; zeros for the id `no_class`, where one stands for none of them.
template <Real T, Device D>
Tensor<T, D> one_hot(const Tensor<std::int32_t, D>& ids, Index classes, std::optional<std::int32_t> no_class = {});

}  // namespace stipple::ops

#if STIPPLE_DEFINES(ops)

#include <stipple/backend/cpu/embedding.hpp>

namespace stipple::ops {

template <Device D>
void check_ids(const char* name, const Tensor<std::int32_t, D>& ids, Index count,
               std::optional<std::int32_t> no_class) {
  require(ids.defined(), name, ": given no ids");
  if constexpr (std::same_as<D, Cpu>) {
    for (Index i = 0; i < ids.size(); ++i) {
      std::int32_t const id = ids.data()[i];
      if ((id >= 0 && id < count) || id == no_class) continue;
      fail(name, ": given id ", id, " at position ", i, ", wanted 0 to ", count - 1,
           no_class ? ", or " + to_text(*no_class) + " for none" : std::string());
    }
  }
}

template <Real T, Device D>
Tensor<T, D> embedding(const Tensor<T, D>& table, const Tensor<std::int32_t, D>& ids) {
  require(table.rank() == 2, "embedding: given a table of shape ", table.shape(), ", wanted (V, E)");
  check_ids("embedding", ids, table.dim(0));
  Shape shape = ids.shape();
  shape.append(table.dim(1));
  Tensor<T, D> y(shape);
  if constexpr (std::same_as<D, Cpu>)
    cpu::embedding(table.data(), ids.data(), y.data(), ids.size(), table.dim(1));
  else
    embedding<T>(table.data(), ids.data(), y.data(), ids.size(), table.dim(0), table.dim(1));
  return y;
}

template <Real T, Device D>
Tensor<accumulate_t<T>, D> embedding_backward(const Tensor<T, D>& dy, const Tensor<std::int32_t, D>& ids,
                                              Index entries) {
  check_ids("embedding_backward", ids, entries);
  Shape wanted = ids.shape();
  require(dy.rank() >= 1, "embedding_backward: given a gradient of shape ", dy.shape(), ", wanted (..., E)");
  wanted.append(dy.dim(-1));
  require(dy.shape() == wanted, "embedding_backward: given a gradient of shape ", dy.shape(), ", wanted ", wanted);
  Tensor<accumulate_t<T>, D> gradient({entries, dy.dim(-1)});
  using cpu::embedding_backward;
  embedding_backward<T>(dy.data(), ids.data(), gradient.data(), ids.size(), entries, dy.dim(-1));
  return gradient;
}

template <Real T, Device D>
Tensor<T, D> one_hot(const Tensor<std::int32_t, D>& ids, Index classes, std::optional<std::int32_t> no_class) {
  require(classes >= 1, "one_hot: given ", classes, " classes, wanted at least 1");
  check_ids("one_hot", ids, classes, no_class);
  Shape shape = ids.shape();
  shape.append(classes);
  if constexpr (std::same_as<D, Cpu>) {
    auto y = Tensor<T, D>::zeros(shape);
    for (Index i = 0; i < ids.size(); ++i)
      if (ids.data()[i] != no_class) y.data()[i * classes + ids.data()[i]] = T(1);
    return y;
  } else {
    Tensor<T, D> y(shape);
    one_hot(ids.data(), y.data(), ids.size(), classes, no_class ? Index{*no_class} : std::numeric_limits<Index>::min());
    return y;
  }
}

STIPPLE_INSTANTIATE(template void check_ids<STIPPLE_DEVICE>(const char*, const Tensor<std::int32_t, STIPPLE_DEVICE>&,
                                                            Index, std::optional<std::int32_t>);)

#define STIPPLE_INSTANCES(T, D)                                                                                     \
  template Tensor<T, D> embedding<T, D>(const Tensor<T, D>&, const Tensor<std::int32_t, D>&);                       \
  template Tensor<accumulate_t<T>, D> embedding_backward<T, D>(const Tensor<T, D>&, const Tensor<std::int32_t, D>&, \
                                                               Index);                                              \
  template Tensor<T, D> one_hot<T, D>(const Tensor<std::int32_t, D>&, Index, std::optional<std::int32_t>);
STIPPLE_FOR_EACH_REAL(STIPPLE_INSTANCES)
#undef STIPPLE_INSTANCES

}  // namespace stipple::ops

#endif
