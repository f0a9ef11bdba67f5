// CPU kernels of the optimisers: updates of a whole parameter arena in one pass, and the norm of a gradient.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/cpu/simd.hpp>
#include <stipple/backend/optimizer_update.hpp>

namespace stipple::cpu {

template <class C>
void adam_update(const AdamUpdate<C>* update, const OptimizerArrays<C>& arrays, Index n);
template <class C>
void sgd_update(const SgdUpdate<C>* update, const OptimizerArrays<C>& arrays, Index n);
/// Infinite or NaN if an element is (or, for double, if a square overflows); never otherwise.
template <class C>
double sum_of_squares(const C* x, Index n);
/// out[0] = the Euclidean norm of x, out[1] = its clip_factor.
template <class C>
void clip_norm(const C* x, Index n, double max_norm, double* out);
/// The same of the gradients of `arrays`; whether they lie in pieces or not changes no bit.
template <class C>
void clip_norm(const OptimizerArrays<C>& arrays, Index n, double max_norm, double* out);
template <class C>
void scale_in_place(C* x, C factor, Index n);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/optimizer.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>

namespace stipple::cpu {

inline constexpr Index optimizer_grain = 16 * 1024;

// Numbers [begin, end) of an arena in pieces: where they lie, or, if they are not of one piece, copied to `room`.
template <class C>
const C* gathered(const std::vector<ArenaPiece<C>>& pieces, Index begin, Index end, std::vector<C>& room) {
  auto piece = std::upper_bound(pieces.begin(), pieces.end(), begin,
                                [](Index place, const ArenaPiece<C>& p) { return place < p.offset; });
  if (piece != pieces.begin()) --piece;  // the last one that starts at `begin` or before
  if (piece != pieces.end() && piece->offset <= begin && end <= piece->offset + piece->size)
    return piece->data + (begin - piece->offset);
  room.assign(static_cast<std::size_t>(end - begin), C(0));
  for (; piece != pieces.end() && piece->offset < end; ++piece) {
    Index const first = std::max(begin, piece->offset), last = std::min(end, piece->offset + piece->size);
    if (first < last) std::copy_n(piece->data + (first - piece->offset), last - first, room.data() + (first - begin));
  }
  return room.data();
}

// Calls f(begin, end, gradients) for chunks [begin, end) of the arenas, with the gradients of the chunk.
template <class C, class F>
void for_each_chunk(const OptimizerArrays<C>& arrays, Index n, const F& f) {
  parallel_for(n, optimizer_grain, [&](Index begin, Index end) {
    std::vector<C> room;
    f(begin, end,
      arrays.gradient_pieces != nullptr ? gathered(*arrays.gradient_pieces, begin, end, room)
                                        : arrays.gradients + begin);
  });
}

template <class C>
void adam_update(const AdamUpdate<C>* update, const OptimizerArrays<C>& arrays, Index n) {
  for_each_chunk(arrays, n, [&](Index begin, Index end, const C* gradients) {
    STIPPLE_CPU_DISPATCH(C, adam_range<C>(*update, arrays, gradients, begin, end));
  });
}

template <class C>
void sgd_update(const SgdUpdate<C>* update, const OptimizerArrays<C>& arrays, Index n) {
  for_each_chunk(arrays, n, [&](Index begin, Index end, const C* gradients) {
    STIPPLE_CPU_DISPATCH(C, sgd_range<C>(*update, arrays, gradients, begin, end));
  });
}

template <class C>
double sum_of_gradient_squares(const OptimizerArrays<C>& arrays, Index n) {
  std::vector<double> parts(static_cast<std::size_t>((n + optimizer_grain - 1) / optimizer_grain));
  for_each_chunk(arrays, n, [&](Index begin, Index end, const C* x) {
    C part = 0;
    STIPPLE_CPU_DISPATCH(C, sum_of_squares_range<C>(x, end - begin, &part));
    auto total = static_cast<double>(part);
    // In float the squares of very large or small numbers leave the range; those chunks are summed in double.
    if (!(total > 1e-20 && total < 1e37)) {
      total = 0;
      for (Index i = 0; i < end - begin; ++i) total += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    }
    parts[static_cast<std::size_t>(begin / optimizer_grain)] = total;
  });
  double total = 0;
  for (double const part : parts) total += part;
  return total;
}

template <class C>
OptimizerArrays<C> as_gradients(const C* x) {
  OptimizerArrays<C> arrays;
  arrays.gradients = x;
  return arrays;
}

template <class C>
double sum_of_squares(const C* x, Index n) {
  return sum_of_gradient_squares(as_gradients(x), n);
}

template <class C>
void clip_norm(const OptimizerArrays<C>& arrays, Index n, double max_norm, double* out) {
  out[0] = std::sqrt(sum_of_gradient_squares(arrays, n));
  out[1] = clip_factor(out[0], max_norm);
}

template <class C>
void clip_norm(const C* x, Index n, double max_norm, double* out) {
  clip_norm(as_gradients(x), n, max_norm, out);
}

template <class C>
void scale_in_place(C* x, C factor, Index n) {
  parallel_for(n, optimizer_grain, [=](Index begin, Index end) {
    STIPPLE_CPU_DISPATCH(C, scale_range<C>(x + begin, factor, end - begin));
  });
}

}  // namespace stipple::cpu

#endif

#if STIPPLE_INSTANTIATE_KERNELS
#define STIPPLE_INSTANCES(C)                                                                                          \
  STIPPLE_EXTERN template void stipple::cpu::adam_update<C>(const stipple::AdamUpdate<C>*,                            \
                                                            const stipple::OptimizerArrays<C>&, stipple::Index);      \
  STIPPLE_EXTERN template void stipple::cpu::sgd_update<C>(const stipple::SgdUpdate<C>*,                              \
                                                           const stipple::OptimizerArrays<C>&, stipple::Index);       \
  STIPPLE_EXTERN template double stipple::cpu::sum_of_squares<C>(const C*, stipple::Index);                           \
  STIPPLE_EXTERN template void stipple::cpu::clip_norm<C>(const C*, stipple::Index, double, double*);                 \
  STIPPLE_EXTERN template void stipple::cpu::clip_norm<C>(const stipple::OptimizerArrays<C>&, stipple::Index, double, \
                                                          double*);                                                   \
  STIPPLE_EXTERN template void stipple::cpu::scale_in_place<C>(C*, C, stipple::Index);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(double)
#undef STIPPLE_INSTANCES
#endif
