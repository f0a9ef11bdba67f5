// Elementwise arithmetic with broadcasting, and conversion between element types, on a GPU.
#pragma once

#include <stipple/backend/broadcast.hpp>
#include <stipple/core/device.hpp>

namespace stipple::cuda {

/// `out` may be `a`. For T and U: float and float, bf16 and bf16, bf16 and float.
template <class T, class U>
void arithmetic(Arithmetic kind, Pointer<const T> a, Pointer<const U> b, Pointer<T> out, Broadcast s);
/// Gradient of the broadcast operand: out[o, i] = sum over m of g[o, m, i] (* factor[o, m, i] unless null). The order
/// of a sum depends on s.middle and s.inner alone. For the same types.
template <class T, class U>
void sum_broadcast(Pointer<const T> g, Pointer<const T> factor, Pointer<U> out, Broadcast s);
/// out[i] = scale a[i] + shift. For float and bf16, as the following.
template <class T>
void affine(Pointer<const T> a, float scale, float shift, Pointer<T> out, Index n);
template <class T, class U>
void cast(Pointer<const U> a, Pointer<T> out, Index n);

}  // namespace stipple::cuda
