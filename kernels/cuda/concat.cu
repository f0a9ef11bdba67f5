#include <stipple/backend/cuda/concat.hpp>

#include "concat.cuh"
#include "launch.cuh"

namespace stipple::cuda {

namespace {

template <class T>
void copy_columns(const char* operation, const T* from, T* to, Index rows, Index count, Index from_columns,
                  Index from_first, Index to_columns, Index to_first) {
  constexpr int lanes = lanes_of<T>;
  if (rows * count == 0) return;
  bool whole = aligned(from, static_cast<const T*>(to));
  for (Index extent : {count, from_columns, from_first, to_columns, to_first}) whole = whole && extent % lanes == 0;
  launch(operation, whole ? copy_columns_kernel<T, true> : copy_columns_kernel<T, false>,
         whole ? strided_packs<lanes>(rows * count) : strided(rows * count), from, to, rows, count, from_columns,
         from_first, to_columns, to_first);
}

}  // namespace

template <class T>
void put_columns(Pointer<const T> x, Pointer<T> y, Index rows, Index columns, Index first, Index count) {
  copy_columns("concat", x.address(), y.address(), rows, count, count, 0, columns, first);
}

template <class T>
void cut_columns(Pointer<const T> x, Pointer<T> y, Index rows, Index columns, Index first, Index count) {
  copy_columns("slice_last", x.address(), y.address(), rows, count, columns, first, count, 0);
}

#define STIPPLE_INSTANCES(T)                                                              \
  template void put_columns<T>(Pointer<const T>, Pointer<T>, Index, Index, Index, Index); \
  template void cut_columns<T>(Pointer<const T>, Pointer<T>, Index, Index, Index, Index);
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(bf16)
#undef STIPPLE_INSTANCES

}  // namespace stipple::cuda
