// The pictures of points2d, as the course draws them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <stipple/diffusion/noise.hpp>
#include <stipple/diffusion/process.hpp>
#include <stipple/io/plot.hpp>

namespace points2d {

namespace st = stipple;

inline constexpr st::Index most_shown = 500;  // points of a set in a picture without transparency

inline st::Tensor<float> first_points(const st::Tensor<float>& points) {
  return points.slice(0, std::min(most_shown, points.dim(0)));
}

/// The data and the standard normals that sampling starts from.
inline void plot_target_and_prior(const st::FilePath& path, const st::Tensor<float>& data, st::Rng rng) {
  auto const target = first_points(data);
  st::plot_scatter(path, "Target and prior distributions",
                   {{.label = "target distribution", .points = target},
                    {.label = "prior distribution", .points = rng.normal(target.shape())}});
}

/// q(x_t | x_0) at t = 0, 50, ..., 450, one panel each.
inline void plot_forward_process(const st::FilePath& path, const st::Tensor<float>& data, const st::Schedule& schedule,
                                 st::Rng rng) {
  auto const x0 = first_points(data);
  std::vector<st::ScatterPanel> panels;
  for (std::int32_t t = 0; t < 500; t += 50) {
    st::Tensor<std::int32_t> const steps({x0.dim(0)}, t);
    auto const noise = st::draw_normal(rng, x0.shape(), st::Purpose::noise);
    panels.push_back({"t=" + std::to_string(t), {{.label = "", .points = st::q_sample(schedule, x0, steps, noise)}}});
  }
  st::plot_panels(path, panels, {.width = 300, .height = 300, .columns = 5});
}

/// Samples over the data.
inline void plot_samples(const st::FilePath& path, const std::string& title, const st::Tensor<float>& data,
                         const st::Tensor<float>& samples, double opacity) {
  st::plot_scatter(path, title,
                   {{.label = "target distribution", .points = data, .opacity = opacity},
                    {.label = "samples", .points = samples, .opacity = opacity}});
}

}  // namespace points2d
