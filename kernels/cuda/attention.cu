#include <stipple/backend/cuda/attention.hpp>

#include "attention_backward.cuh"
#include "attention_float_backward.cuh"
#include "launch.cuh"
#include "workspace.hpp"

namespace stipple::cuda {

namespace {

template <class T>
HeadRows<T> head_rows(AttentionRows<T, Cuda> rows) {
  return {rows.data.address(), rows.stride};
}

/// Blocks of 64 rows of every head, times `parts`.
LaunchShape attention_shape(const AttentionShape& s, Index positions, int threads, Index parts = 1,
                            std::size_t shared_bytes = 0) {
  Index const blocks = s.samples * s.heads * ((positions + attention_rows - 1) / attention_rows) * parts;
  return {dim3(grid_extent("attention", blocks)), dim3(static_cast<unsigned>(threads)), shared_bytes};
}
Index float_parts(const AttentionShape& s) { return (s.dim + attention_rows - 1) / attention_rows; }

/// True if heads of T are multiplied by the tensor cores.
template <class T>
bool uses_tensor_cores(const AttentionShape& s) {
  return std::is_same_v<T, bf16> && s.dim % 8 == 0 && s.dim <= 128;
}

/// True if rows that begin at multiples of `dim` numbers can be read 16 bytes at a time.
template <class T, class... Rows>
bool aligned_rows(const AttentionShape& s, const Rows&... rows) {
  constexpr Index lanes = lanes_of<T>;
  return s.dim % lanes == 0 && (... && (rows.stride % lanes == 0)) && aligned(rows.data...);
}

/// Calls f with the size of the smallest kernels that hold a head.
template <class F>
void with_head_size(Index dim, const F& f) {
  if (dim <= 32) return f(std::integral_constant<int, 32>{});
  if (dim <= 64) return f(std::integral_constant<int, 64>{});
  if (dim <= 96) return f(std::integral_constant<int, 96>{});
  f(std::integral_constant<int, 128>{});
}

}  // namespace

template <class T>
void attention(AttentionRows<const T, Cuda> q, AttentionRows<const T, Cuda> k, AttentionRows<const T, Cuda> v,
               AttentionRows<T, Cuda> y, Pointer<float> statistics, const AttentionShape& s) {
  if (s.samples == 0) return;
  auto const queries = head_rows(q), keys = head_rows(k), values = head_rows(v);
  auto const out = head_rows(y);
  bool const whole = aligned_rows<T>(s, queries, keys, values, out);
  if constexpr (std::is_same_v<T, bf16>) {
    if (whole && uses_tensor_cores<T>(s)) {
      with_head_size(s.dim, [&](auto dim) {
        launch("attention", attention_kernel<dim>, attention_shape(s, s.queries, attention_threads), queries, keys,
               values, out, statistics.address(), s);
      });
      return;
    }
  }
  launch("attention", float_attention_kernel<T>, attention_shape(s, s.queries, AttentionTiles::threads, float_parts(s)),
         queries, keys, values, out, statistics.address(), s, whole);
}

template <class T>
void attention_backward(AttentionRows<const T, Cuda> q, AttentionRows<const T, Cuda> k, AttentionRows<const T, Cuda> v,
                        AttentionRows<const T, Cuda> y, Pointer<const T> dy, Pointer<const float> statistics,
                        Pointer<T> dq, Pointer<T> dk, Pointer<T> dv, const AttentionShape& s) {
  constexpr const char* name = "attention_backward";
  if (s.samples == 0) return;
  HeadRows<const T> const queries = head_rows(q), keys = head_rows(k), values = head_rows(v);
  HeadRows<const T> const results = head_rows(y), gradients{dy.address(), y.stride};
  HeadRows<T> const of_query{dq.address(), q.stride}, of_key{dk.address(), k.stride}, of_value{dv.address(), v.stride};
  bool const whole = aligned_rows<T>(s, queries, keys, values, results, gradients, of_query, of_key, of_value);
  Workspace<float> dot(s.samples * s.heads * s.queries);
  launch(name, attention_dot_kernel<T>, warp_shape(s.samples * s.heads * s.queries), dy.address(), y.data.address(),
         y.stride, dot.data(), s, whole);
  if constexpr (std::is_same_v<T, bf16>) {
    if (whole && uses_tensor_cores<T>(s)) {
      AttentionBackward const operands{queries, keys, values, gradients, statistics.address(), dot.data()};
      with_head_size(s.dim, [&](auto dim) {
        constexpr std::size_t shared = keys_backward_quads<dim> * sizeof(Quad) + keys_backward_numbers * sizeof(float);
        launch(name, attention_keys_backward_kernel<dim>, attention_shape(s, s.keys, attention_threads, 1, shared),
               operands, of_key, of_value, s);
        launch(name, attention_queries_backward_kernel<dim>, attention_shape(s, s.queries, attention_threads), operands,
               of_query, s);
      });
      return;
    }
  }
  FloatAttentionBackward<T> const operands{queries, keys, values, gradients, statistics.address(), dot.data(), whole};
  launch(name, float_attention_keys_backward_kernel<T>,
         attention_shape(s, s.keys, AttentionTiles::threads, float_parts(s)), operands, of_key, of_value, s);
  launch(name, float_attention_queries_backward_kernel<T>,
         attention_shape(s, s.queries, AttentionTiles::threads, float_parts(s)), operands, of_query, s);
}

#define STIPPLE_INSTANCES(T)                                                                                           \
  template void attention<T>(AttentionRows<const T, Cuda>, AttentionRows<const T, Cuda>, AttentionRows<const T, Cuda>, \
                             AttentionRows<T, Cuda>, Pointer<float>, const AttentionShape&);                           \
  template void attention_backward<T>(AttentionRows<const T, Cuda>, AttentionRows<const T, Cuda>,                      \
                                      AttentionRows<const T, Cuda>, AttentionRows<const T, Cuda>, Pointer<const T>,    \
                                      Pointer<const float>, Pointer<T>, Pointer<T>, Pointer<T>,                        \
                                      const AttentionShape&);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
