// Joining rows of several arrays, and cutting columns out of rows, on a GPU.
#pragma once

#include <stipple/core/device.hpp>
#include <stipple/core/shape.hpp>

namespace stipple::cuda {

/// Columns [first, first + count) of y (rows, columns) = x (rows, count). For float and bf16.
template <class T>
void put_columns(Pointer<const T> x, Pointer<T> y, Index rows, Index columns, Index first, Index count);
/// y (rows, count) = columns [first, first + count) of x (rows, columns).
template <class T>
void cut_columns(Pointer<const T> x, Pointer<T> y, Index rows, Index columns, Index first, Index count);

}  // namespace stipple::cuda
