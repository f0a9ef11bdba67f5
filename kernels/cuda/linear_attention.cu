#include <stipple/backend/cuda/linear_attention.hpp>

#include "linear_attention_backward.cuh"
#include "slabs.cuh"
#include "sums.cuh"

namespace stipple::cuda {

namespace {

Index pieces_of(Index n, Index size) { return (n + size - 1) / size; }

/// Blocks for `parts` of the positions of every head, times `tiles` tiles of channels.
template <int side>
LaunchShape linear_shape(const LinearAttentionShape& s, Index parts, Index tiles) {
  return {dim3(grid_extent("linear_attention", s.samples * s.heads * parts * tiles)), dim3(FloatTiles<side>::threads)};
}

/// Calls f with the side of the tiles that a head is cut into.
template <class F>
void with_side(Index dim, const F& f) {
  if (dim <= 32) return f(std::integral_constant<int, 32>{});
  f(std::integral_constant<int, 64>{});
}

/// context, or its gradient.
template <class T, int side, bool gradient>
void sum_context(const char* name, const T* qkv, const T* dy, const float* statistics, float* context,
                 const LinearAttentionShape& s, bool whole) {
  Index const pieces = pieces_of(s.positions, linear_attention_piece), tiles = pieces_of(s.dim, side);
  Workspace<float> partial(s.samples * s.heads * pieces * s.dim * s.dim);
  launch(name, context_kernel<T, side, gradient>, linear_shape<side>(s, pieces, tiles * tiles), qkv, dy, statistics,
         partial.data(), s, whole);
  sum_middle<float, float>(name, partial.data(), nullptr, context, {s.samples * s.heads, pieces, s.dim * s.dim});
}

}  // namespace

template <class T>
void linear_attention(Pointer<const T> qkv, Pointer<T> y, Pointer<float> context, Pointer<float> statistics,
                      const LinearAttentionShape& s) {
  constexpr const char* name = "linear_attention";
  if (s.samples == 0) return;
  Index const channels = s.heads * s.dim;
  bool const whole = s.dim % lanes_of<T> == 0 && aligned(qkv.address(), y.address());
  Slabs const slabs = slabs_of<T>(s.samples, s.positions, channels);
  Workspace<float> partial(s.samples * slabs.count * 2 * channels);
  launch(name, slab_exponentials_kernel<T>, column_shape<T>(slabs), qkv.address() + channels, partial.data(), slabs,
         whole);
  launch(name, merge_exponentials_kernel, strided(s.samples * channels), partial.data(), statistics.address(),
         slabs.count, s);
  with_side(s.dim, [&](auto size) {
    constexpr int side = size;
    sum_context<T, side, false>(name, qkv.address(), nullptr, statistics.address(), context.address(), s, whole);
    launch(name, linear_attention_kernel<T, side>,
           linear_shape<side>(s, pieces_of(s.positions, side), pieces_of(s.dim, side)), qkv.address(),
           statistics.address(), context.address(), y.address(), s, whole);
  });
}

template <class T>
void linear_attention_backward(Pointer<const T> dy, Pointer<const T> qkv, Pointer<const float> context,
                               Pointer<const float> statistics, Pointer<T> dqkv, const LinearAttentionShape& s) {
  constexpr const char* name = "linear_attention_backward";
  if (s.samples == 0) return;
  bool const whole = s.dim % lanes_of<T> == 0 && aligned(dy.address(), qkv.address(), dqkv.address());
  Index const units = s.samples * s.heads;
  Workspace<float> dcontext(units * s.dim * s.dim), dot(units * s.dim);
  with_side(s.dim, [&](auto size) {
    constexpr int side = size;
    Index const blocks = pieces_of(s.positions, side);
    sum_context<T, side, true>(name, qkv.address(), dy.address(), statistics.address(), dcontext.data(), s, whole);
    launch(name, context_dot_kernel, warp_shape(units * s.dim), context.address(), dcontext.data(), dot.data(),
           units * s.dim, s.dim);
    launch(name, linear_queries_backward_kernel<T, side>, linear_shape<side>(s, blocks, 1), qkv.address(), dy.address(),
           statistics.address(), context.address(), dqkv.address(), s, whole);
    launch(name, linear_keys_backward_kernel<T, side>, linear_shape<side>(s, blocks, pieces_of(s.dim, side)),
           qkv.address(), statistics.address(), dcontext.data(), dot.data(), dqkv.address(), s, whole);
  });
}

#define STIPPLE_INSTANCES(T)                                                                           \
  template void linear_attention<T>(Pointer<const T>, Pointer<T>, Pointer<float>, Pointer<float>,      \
                                    const LinearAttentionShape&);                                      \
  template void linear_attention_backward<T>(Pointer<const T>, Pointer<const T>, Pointer<const float>, \
                                             Pointer<const float>, Pointer<T>, const LinearAttentionShape&);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
