// CPU kernels of group normalisation with an optional activation behind it.
//
// An image is normalised while it lies in the second-level cache: one pass for the statistics, one that applies them.
// Backwards, one pass computes g = dy f'(z) from x and the kept statistics and sums it, one makes dx from g and x.
#pragma once

#include <stipple/backend/cpu/compiled.hpp>
#include <stipple/backend/cpu/norm_tiles.hpp>

namespace stipple::cpu {

/// y = f((x - mean) rstd weight + bias) over (samples, pixels, channels), with mean and variance of each sample's
/// groups and rstd = 1 / sqrt(variance + eps). Fills mean, rstd and, unless null, variance, all (samples, groups).
/// weight and bias may be null; so may y, for the statistics alone.
template <class T>
void group_norm(const T* x, const compute_t<T>* weight, const compute_t<T>* bias, T* y, compute_t<T>* mean,
                compute_t<T>* rstd, compute_t<T>* variance, NormPlan plan, double eps, Activation activation);
/// Gradients of x, weight and bias; the last two may be null.
template <class T>
void group_norm_backward(const T* dy, const T* x, const compute_t<T>* weight, const compute_t<T>* bias,
                         const compute_t<T>* mean, const compute_t<T>* rstd, T* dx, compute_t<T>* dweight,
                         compute_t<T>* dbias, NormPlan plan, Activation activation);

}  // namespace stipple::cpu

#if STIPPLE_DEFINE_KERNELS

namespace stipple::cpu {

template <class T>
void group_norm(const T* x, const compute_t<T>* weight, const compute_t<T>* bias, T* y, compute_t<T>* mean,
                compute_t<T>* rstd, compute_t<T>* variance, NormPlan plan, double eps, Activation activation) {
  using C = compute_t<T>;
  Index const image = plan.image_size(), groups = plan.groups, tile = plan.tile_size(),
              slab_size = plan.slab * plan.channels;
  auto const keep = [=](Index n, Moments* moments) {
    merge_slabs(plan, moments, 0, groups);
    auto const count = static_cast<double>(plan.pixels * plan.group_channels());
    for (Index g = 0; g < groups; ++g) {
      Index const at = n * groups + g;
      mean[at] = static_cast<C>(moments[g].mean);
      rstd[at] = static_cast<C>(1 / std::sqrt(moments[g].squares / count + eps));
      if (variance != nullptr) variance[at] = static_cast<C>(moments[g].squares / count);
    }
  };
  auto const apply = [=](Index n, Index first, Index size, C* scratch) {
    if (y == nullptr) return;
    auto const patterns = norm_patterns(plan, mean + n * groups, rstd + n * groups, weight, bias, scratch);
    Index const at = n * image + first;
    STIPPLE_CPU_DISPATCH(T, normalise_tiles<T>(activation, x + at, patterns, y + at, size, tile));
  };
  if (!plan.by_slabs()) {
    parallel_for(plan.samples, plan.grain(), [&](Index begin, Index end) {
      std::vector<C> scratch(plan.room(3));
      std::vector<Moments> moments(static_cast<std::size_t>(plan.slabs * groups));
      for (Index n = begin; n < end; ++n) {
        for (Index s = 0; s < plan.slabs; ++s)
          slab_moments(plan, x + n * image + s * slab_size, plan.slab_pixels(s), scratch.data(),
                       moments.data() + s * groups);
        keep(n, moments.data());
        apply(n, 0, image, scratch.data());
      }
    });
    return;
  }
  std::vector<Moments> moments(static_cast<std::size_t>(plan.samples * plan.slabs * groups));
  parallel_for(plan.samples * plan.slabs, 1, [&](Index i, Index) {
    std::vector<C> scratch(plan.room(3));
    Index const n = i / plan.slabs, s = i % plan.slabs;
    slab_moments(plan, x + n * image + s * slab_size, plan.slab_pixels(s), scratch.data(), moments.data() + i * groups);
  });
  for (Index n = 0; n < plan.samples; ++n) keep(n, moments.data() + n * plan.slabs * groups);
  parallel_for(plan.samples * plan.slabs, 1, [&](Index i, Index) {
    std::vector<C> scratch(plan.room(3));
    Index const n = i / plan.slabs, s = i % plan.slabs;
    apply(n, s * slab_size, plan.slab_pixels(s) * plan.channels, scratch.data());
  });
}

template <class T>
void group_norm_backward(const T* dy, const T* x, const compute_t<T>* weight, const compute_t<T>* bias,
                         const compute_t<T>* mean, const compute_t<T>* rstd, T* dx, compute_t<T>* dweight,
                         compute_t<T>* dbias, NormPlan plan, Activation activation) {
  using C = compute_t<T>;
  Index const image = plan.image_size(), groups = plan.groups, channels = plan.channels, tile = plan.tile_size(),
              slab_size = plan.slab * channels;
  // Of each image: the sums of g and of g (x - mean) rstd, which are its parts of dbias and dweight. Without images one
  // is left empty, so that both parts have an address.
  std::vector<C> parts(static_cast<std::size_t>(std::max<Index>(1, plan.samples) * 2 * channels));

  auto const slab_sums = [=](Index n, Index s, NormPatterns<C> patterns, C* scratch, double* sums) {
    Index const at = n * image + s * slab_size;
    slab_gradient_sums(plan, activation, dy + at, x + at, patterns, dx + at, plan.slab_pixels(s), scratch, sums);
  };
  auto const keep = [=, &parts](Index n, const double* sums) {
    C* const part = parts.data() + n * 2 * channels;
    Index const wide = channels / groups;
    for (Index g = 0; g < groups; ++g) {
      auto const r = static_cast<double>(rstd[n * groups + g]);
      for (Index c = g * wide; c < (g + 1) * wide; ++c) {
        part[c] = static_cast<C>(sums[c]);
        part[channels + c] = static_cast<C>(sums[channels + c] * r);
      }
    }
  };
  // dx = rstd (weight g - mean(weight g) - xhat mean(weight g xhat)), means over the group, xhat = (x - mean) rstd.
  auto const apply = [=, &parts](Index n, Index first, Index size, NormPatterns<C> patterns, C* shift, C* slope) {
    const C* const part = parts.data() + n * 2 * channels;
    Index const wide = channels / groups;
    auto const count = static_cast<double>(plan.pixels * wide);
    for (Index g = 0; g < groups; ++g) {
      double total = 0, along = 0;
      for (Index c = g * wide; c < (g + 1) * wide; ++c) {
        double const w = weight == nullptr ? 1 : static_cast<double>(weight[c]);
        total += w * static_cast<double>(part[c]);
        along += w * static_cast<double>(part[channels + c]);
      }
      auto const r = static_cast<double>(rstd[n * groups + g]);
      std::fill_n(shift + g * wide, wide, static_cast<C>(-r * total / count));
      std::fill_n(slope + g * wide, wide, static_cast<C>(-r * r * along / count));
    }
    repeat_pixel(plan, shift);
    repeat_pixel(plan, slope);
    Index const at = n * image + first;
    const T* const kept = activation == Activation::none ? dy : dx;
    STIPPLE_CPU_DISPATCH(
        T, input_gradient<T>(kept + at, x + at, {patterns.mean, patterns.scale, shift}, slope, dx + at, size, tile));
  };
  auto const patterns_of = [=](Index n, C* room) {
    return norm_patterns(plan, mean + n * groups, rstd + n * groups, weight, bias, room);
  };

  if (!plan.by_slabs()) {
    parallel_for(plan.samples, plan.grain(), [&](Index begin, Index end) {
      std::vector<C> scratch(plan.room(5));
      std::vector<double> sums(static_cast<std::size_t>(2 * channels));
      C* const room = scratch.data() + 3 * tile;
      for (Index n = begin; n < end; ++n) {
        auto const patterns = patterns_of(n, scratch.data());
        std::fill(sums.begin(), sums.end(), 0.0);
        for (Index s = 0; s < plan.slabs; ++s) slab_sums(n, s, patterns, room, sums.data());
        keep(n, sums.data());
        apply(n, 0, image, patterns, room, room + tile);
      }
    });
  } else {
    std::vector<double> sums(static_cast<std::size_t>(plan.samples * plan.slabs * 2 * channels));
    parallel_for(plan.samples * plan.slabs, 1, [&](Index i, Index) {
      std::vector<C> scratch(plan.room(5));
      auto const patterns = patterns_of(i / plan.slabs, scratch.data());
      slab_sums(i / plan.slabs, i % plan.slabs, patterns, scratch.data() + 3 * tile, sums.data() + i * 2 * channels);
    });
    for (Index n = 0; n < plan.samples; ++n) {
      double* const total = sums.data() + n * plan.slabs * 2 * channels;
      for (Index s = 1; s < plan.slabs; ++s)
        for (Index c = 0; c < 2 * channels; ++c) total[c] += total[s * 2 * channels + c];
      keep(n, total);
    }
    parallel_for(plan.samples * plan.slabs, 1, [&](Index i, Index) {
      std::vector<C> scratch(plan.room(5));
      Index const n = i / plan.slabs, s = i % plan.slabs;
      C* const room = scratch.data() + 3 * tile;
      apply(n, s * slab_size, plan.slab_pixels(s) * channels, patterns_of(n, scratch.data()), room, room + tile);
    });
  }
  if (dbias != nullptr) sum_rows(parts.data(), plan.samples, channels, 2 * channels, dbias);
  if (dweight != nullptr) sum_rows(parts.data() + channels, plan.samples, channels, 2 * channels, dweight);
}

}  // namespace stipple::cpu

#endif

#define STIPPLE_INSTANCES(T)                                                                                           \
  STIPPLE_EXTERN template void stipple::cpu::group_norm<T>(                                                            \
      const T*, const stipple::cpu::compute_t<T>*, const stipple::cpu::compute_t<T>*, T*, stipple::cpu::compute_t<T>*, \
      stipple::cpu::compute_t<T>*, stipple::cpu::compute_t<T>*, stipple::cpu::NormPlan, double, stipple::Activation);  \
  STIPPLE_EXTERN template void stipple::cpu::group_norm_backward<T>(                                                   \
      const T*, const T*, const stipple::cpu::compute_t<T>*, const stipple::cpu::compute_t<T>*,                        \
      const stipple::cpu::compute_t<T>*, const stipple::cpu::compute_t<T>*, T*, stipple::cpu::compute_t<T>*,           \
      stipple::cpu::compute_t<T>*, stipple::cpu::NormPlan, stipple::Activation);
#if STIPPLE_INSTANTIATE_KERNELS
STIPPLE_INSTANCES(float)
STIPPLE_INSTANCES(stipple::bf16)
STIPPLE_INSTANCES(double)
#endif
#undef STIPPLE_INSTANCES
