// Matrix products in register tiles: what matmul and convolution share. See text/tile.inl.
#pragma once

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/cpu/simd.hpp>

namespace stipple::cpu {

/// Columns of one panel of a packed right operand.
inline constexpr Index panel_width = 16;

/// Two bf16 that follow each other along a sum: the unit of bf16 dot products.
struct Pair {
  bf16 first, second;
};

/// The terms of a tile: segments of `units` terms each, at these offsets into the operands (in units).
struct TileSum {
  const Index* a_offset;
  const Index* b_offset;
  Index segments, units;
  Index a_stride, b_stride, panel_stride;
};

/// Memory from the context's allocator for the life of a scope. `slack` extra elements may be read (not used) past the
/// end, which lets vector loads overrun; the memory starts as zero if `cleared`.
template <class E>
class Scratch {
 public:
  explicit Scratch(Index n, bool cleared = false)
      : bytes_(static_cast<std::size_t>(n + 64) * sizeof(E)),
        data_(static_cast<E*>(Context::instance().allocator.allocate(bytes_))) {
    if (cleared) std::memset(static_cast<void*>(data_), 0, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { Context::instance().allocator.deallocate(data_, bytes_); }
  E* data() const { return data_; }

 private:
  std::size_t bytes_;
  E* data_;
};

/// True if products of T are done by bf16 dot instructions on this machine.
template <class T>
bool uses_pairs() {
  return std::is_same_v<T, bf16> && Context::instance().isa >= Isa::avx512_bf16;
}

// Calls NAMESPACE::f<T, E, ...>(...) with the unit type E that the instruction set multiplies for T.
#if STIPPLE_X86
#define STIPPLE_CPU_DISPATCH_PRODUCT(T, f, ...)          \
  do {                                                   \
    if constexpr (std::is_same_v<T, bf16>) {             \
      if (uses_pairs<T>()) {                             \
        avx512_bf16::f<T, Pair>(__VA_ARGS__);            \
        break;                                           \
      }                                                  \
    }                                                    \
    using UnitOfT = compute_t<T>;                        \
    STIPPLE_CPU_DISPATCH(T, f<T, UnitOfT>(__VA_ARGS__)); \
  } while (false)
#else
#define STIPPLE_CPU_DISPATCH_PRODUCT(T, f, ...) portable::f<T, compute_t<T>>(__VA_ARGS__)
#endif

#define STIPPLE_UNROLL _Pragma("GCC unroll 16")

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS
#define STIPPLE_KERNEL_TEXT_BF16
#define STIPPLE_KERNEL_TEXT <stipple/backend/cpu/text/tile.inl>
#include <stipple/backend/cpu/for_each_isa.hpp>
#endif
