#include <stipple/backend/cuda/embedding.hpp>

#include "embedding.cuh"
#include "launch.cuh"

namespace stipple::cuda {

template <class T>
void embedding(Pointer<const T> table, Pointer<const std::int32_t> ids, Pointer<T> y, Index count, Index entries,
               Index width) {
  constexpr int lanes = lanes_of<T>;
  Index const n = count * width;
  if (n == 0) return;
  bool const whole = width % lanes == 0 && aligned(table.address(), y.address());
  launch("embedding", whole ? embedding_kernel<T, true> : embedding_kernel<T, false>,
         whole ? strided_packs<lanes>(n) : strided(n), table.address(), ids.address(), y.address(), count, entries,
         width);
}

template <class T>
void embedding_backward(Pointer<const T> dy, Pointer<const std::int32_t> ids, Pointer<float> gradient, Index count,
                        Index entries, Index width) {
  if (entries * width == 0) return;
  launch("embedding_backward", embedding_backward_kernel<T>, strided(entries * width), dy.address(), ids.address(),
         gradient.address(), count, entries, width);
}

template <class T>
void one_hot(Pointer<const std::int32_t> ids, Pointer<T> y, Index count, Index classes, Index no_class) {
  if (count * classes == 0) return;
  launch("one_hot", one_hot_kernel<T>, strided(count * classes), ids.address(), y.address(), count, classes, no_class);
}

#define STIPPLE_INSTANCES(T)                                                                                       \
  template void embedding<T>(Pointer<const T>, Pointer<const std::int32_t>, Pointer<T>, Index, Index, Index);      \
  template void embedding_backward<T>(Pointer<const T>, Pointer<const std::int32_t>, Pointer<float>, Index, Index, \
                                      Index);                                                                      \
  template void one_hot<T>(Pointer<const std::int32_t>, Pointer<T>, Index, Index, Index);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
