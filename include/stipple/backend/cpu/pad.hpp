// CPU kernel that pads and crops images.
#pragma once

#include <algorithm>
#include <cstring>

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/pad_plan.hpp>
#include <stipple/core/context.hpp>
#include <stipple/core/dtype.hpp>

namespace stipple::cpu {

template <class T>
void pad(const T* x, T* y, const PadPlan& plan, T value);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

namespace stipple::cpu {

template <class T>
void pad(const T* x, T* y, const PadPlan& p, T value) {
  Index const row = p.out_width * p.channels;
  // Columns [from, to) of the output come from the input.
  Index const from = std::clamp<Index>(p.left, 0, p.out_width);
  Index const to = std::clamp<Index>(p.left + p.width, from, p.out_width);
  parallel_for(
      p.n * p.out_height, std::max<Index>(1, 32 * 1024 / std::max<Index>(1, row)), [=](Index begin, Index end) {
        for (Index o = begin; o < end; ++o) {
          T* const out = y + o * row;
          Index const source = o % p.out_height - p.top;
          if (source < 0 || source >= p.height || to == from) {
            std::fill_n(out, row, value);
            continue;
          }
          const T* const in = x + ((o / p.out_height * p.height + source) * p.width + from - p.left) * p.channels;
          std::fill_n(out, from * p.channels, value);
          std::memcpy(static_cast<void*>(out + from * p.channels), in,
                      static_cast<std::size_t>((to - from) * p.channels) * sizeof(T));
          std::fill_n(out + to * p.channels, (p.out_width - to) * p.channels, value);
        }
      });
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T) \
  STIPPLE_EXTERN template void stipple::cpu::pad<T>(const T*, T*, const stipple::PadPlan&, T);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
