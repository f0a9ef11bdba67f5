// Table look-up on a GPU.
#pragma once

#include <cstdint>

#include <stipple/core/device.hpp>
#include <stipple/core/shape.hpp>

namespace stipple::cuda {

/// Row i of y is row ids[i] of the table (entries, width); an id that is none of its rows makes NaN. For float and
/// bf16.
template <class T>
void embedding(Pointer<const T> table, Pointer<const std::int32_t> ids, Pointer<T> y, Index count, Index entries,
               Index width);
/// Row v of `gradient` is the sum of the rows i of dy with ids[i] = v, in their order.
template <class T>
void embedding_backward(Pointer<const T> dy, Pointer<const std::int32_t> ids, Pointer<float> gradient, Index count,
                        Index entries, Index width);
/// y (count, classes) is 1 at the id, 0 elsewhere, and 0 everywhere for the id `no_class`; another id that is no class
/// makes NaN.
template <class T>
void one_hot(Pointer<const std::int32_t> ids, Pointer<T> y, Index count, Index classes, Index no_class);

}  // namespace stipple::cuda
