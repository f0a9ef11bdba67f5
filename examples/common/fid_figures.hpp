// How figures of samples are shown: a table and curves.
#pragma once

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <stipple/io/json.hpp>
#include <stipple/io/plot.hpp>

namespace example {

namespace st = stipple;

/// What stands for a sampler in the figure of training images.
inline constexpr const char* training_images = "training images";

/// One line of the table: sampler, steps, guidance, images, FID, KID, precision, recall, accuracy.
inline void print_line(const std::array<std::string, 9>& cells) {
  constexpr std::array<int, 9> widths{16, 6, 9, 7, 9, 9, 10, 7, 9};
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    std::string const space(static_cast<std::size_t>(std::max(0, widths[i] - static_cast<int>(cells[i].size()))), ' ');
    line += i == 0 ? cells[i] + space : ' ' + space + cells[i];
  }
  std::puts(line.c_str());
  std::fflush(stdout);
}

inline void print_figure_head() {
  print_line({"sampler", "steps", "guidance", "images", "FID", "KID", "precision", "recall", "accuracy"});
}

/// A figure of metrics.json; what it lacks is a dash.
inline void print_figure(const st::Json& figure) {
  auto const text = [&](const char* name, const char* format) -> std::string {
    if (!figure.contains(name)) return "-";
    std::array<char, 32> digits;
    std::snprintf(digits.data(), digits.size(), format, st::get_number(figure, name, "figure"));
    return digits.data();
  };
  auto const& sampler = st::get_string(figure, "sampler", "figure");
  print_line({sampler, sampler == training_images ? "-" : text("steps", "%.0f"), text("guidance", "%g"),
              text("generated_images", "%.0f"), text("fid", "%.3f"), text("kid_mean", "%.4f"),
              text("precision", "%.3f"), text("recall", "%.3f"), text("accuracy", "%.4f")});
}

/// FID over the sampling steps, or over the scale of guidance: a curve for all figures that differ in nothing else, and
/// a line for training images. Draws nothing if no curve has two points.
inline void plot_figures(const st::FilePath& path, const std::vector<st::Json>& figures, bool over_steps) {
  std::map<std::string, std::map<double, double>> points;  // FID by what the axis shows, for each curve
  std::vector<double> floor;
  for (auto const& figure : figures) {
    std::string label = st::get_string(figure, "sampler", "figure");
    double const fid = st::get_number(figure, "fid", "figure"), steps = st::get_number(figure, "steps", "figure");
    if (label == training_images) {
      floor = {fid, fid};
    } else if (!figure.contains("guidance")) {
      if (over_steps) points[label][steps] = fid;
    } else {
      double const scale = st::get_number(figure, "guidance", "figure");
      label += over_steps ? ", guidance " + st::gnuplot_number(scale) : ", " + st::gnuplot_number(steps) + " steps";
      points[label][over_steps ? steps : scale] = fid;
    }
  }
  std::erase_if(points, [](auto const& entry) { return entry.second.size() < 2; });
  if (points.empty()) return;
  std::vector<st::Curve> curves;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (auto const& [label, values] : points) {
    auto& curve = curves.emplace_back(st::Curve{.label = label, .x = {}, .y = {}});
    for (auto const& [x, fid] : values) {
      curve.x.push_back(x);
      curve.y.push_back(fid);
    }
    low = std::min(low, curve.x.front());
    high = std::max(high, curve.x.back());
  }
  if (!floor.empty())
    curves.push_back({.label = training_images, .x = {low, high}, .y = floor, .color = 0x7f7f7f, .dashed = true});
  st::plot_curves(path, "FID by the classifier's features", over_steps ? "sampling steps" : "scale of guidance", "FID",
                  curves, {.log_x = over_steps, .log_y = true});
}

}  // namespace example
