// Plots as PNG files: curves, scatter plots of points in the plane, and panels of them. Drawn by gnuplot.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>
#include <stipple/io/gnuplot.hpp>
#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// 0xRRGGBB; unset takes the next of the default colours.
using PlotColor = std::optional<std::uint32_t>;

/// One line of a plot. Values that are not finite leave a gap.
struct Curve {
  std::string label;  ///< in the legend, if not empty
  std::vector<double> x, y;
  PlotColor color{};
  bool dashed = false;
};

struct CurveOptions {
  int width = 800, height = 500;  ///< pixels
  bool log_x = false, log_y = false;
  bool grid = true;
};

/// Points in the plane, (N, 2).
struct PointSet {
  std::string label;  ///< in the legend, if not empty
  Tensor<float> points;
  PlotColor color{};
  double opacity = 0.6;  ///< 0 to 1
  double size = 0.6;     ///< of a point, 1 is gnuplot's default
};

/// One scatter plot among several.
struct ScatterPanel {
  std::string title;
  std::vector<PointSet> sets;
};

struct ScatterOptions {
  int width = 600, height = 600;  ///< pixels of one panel
  bool equal_axes = true;         ///< one unit is as long on both axes
  bool grid = false;
  bool ticks = true;
  double range = 0;  ///< both axes show [-range, range]; 0 shows all points, alike in all panels
  int columns = 0;   ///< of panels; 0 for all in one row
};

namespace detail {

inline constexpr std::array<std::uint32_t, 8> plot_colors{0x1f77b4, 0xff7f0e, 0x2ca02c, 0xd62728,
                                                          0x9467bd, 0x8c564b, 0xe377c2, 0x7f7f7f};

struct PlotRange {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void include(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
  double middle() const { return low + (high - low) / 2; }
  double half() const { return (high - low) / 2; }
};

}  // namespace detail

/// Replaces the file at `path` by a plot of `curves`; see `write_atomically`. Throws Error if there is nothing finite
/// to draw, or no gnuplot.
STIPPLE_IO_INLINE void plot_curves(const FilePath& path, const std::string& title, const std::string& x_label,
                                   const std::string& y_label, const std::vector<Curve>& curves,
                                   const CurveOptions& options = {});

/// Replaces the file at `path` by a grid of scatter plots; see `write_atomically`. Points that are not finite are left
/// out. Throws Error if no point is finite, or there is no gnuplot.
STIPPLE_IO_INLINE void plot_panels(const FilePath& path, const std::vector<ScatterPanel>& panels,
                                   const ScatterOptions& options = {});

/// Replaces the file at `path` by one scatter plot; see `plot_panels`.
STIPPLE_IO_INLINE void plot_scatter(const FilePath& path, const std::string& title, const std::vector<PointSet>& sets,
                                    const ScatterOptions& options = {});

}  // namespace stipple

#if STIPPLE_DEFINES_IO(io) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple::detail {

// '#AARRGGBB', where AA = 0 is opaque.
inline std::string gnuplot_color(PlotColor color, std::size_t position, double opacity) {
  std::uint32_t const rgb = color.value_or(plot_colors[position % plot_colors.size()]) & 0xffffffu;
  auto const transparency = static_cast<std::uint32_t>(std::lround((1 - opacity) * 255));
  std::array<char, 16> text;
  std::snprintf(text.data(), text.size(), "'#%02X%06X'", static_cast<unsigned>(transparency),
                static_cast<unsigned>(rgb));
  return text.data();
}

inline std::string gnuplot_title(const std::string& label) {
  return label.empty() ? " notitle" : " title " + gnuplot_string(label);
}

inline std::string range_command(const char* axis, double low, double high) {
  return std::string("set ") + axis + "range [" + gnuplot_number(low) + ":" + gnuplot_number(high) + "]\n";
}

// The ranges that show the points of all panels with a margin, of equal length if one unit must be as long on both.
inline std::string scatter_ranges(const std::vector<ScatterPanel>& panels, const ScatterOptions& options) {
  if (options.range > 0)
    return range_command("x", -options.range, options.range) + range_command("y", -options.range, options.range);
  PlotRange x, y;
  for (auto const& panel : panels) {
    for (auto const& set : panel.sets) {
      for (Index i = 0; i < set.points.dim(0); ++i) {
        x.include(set.points.data()[2 * i]);
        y.include(set.points.data()[2 * i + 1]);
      }
    }
  }
  require(!x.empty() && !y.empty(), "plot_scatter: given no finite point");
  constexpr double margin = 1.05, least = 1e-6;
  double const widest = std::max(x.half(), y.half());
  double const half_x = std::max(options.equal_axes ? widest : x.half(), least) * margin;
  double const half_y = std::max(options.equal_axes ? widest : y.half(), least) * margin;
  return range_command("x", x.middle() - half_x, x.middle() + half_x) +
         range_command("y", y.middle() - half_y, y.middle() + half_y);
}

// The data block $name and the command that plots one panel of it.
inline std::string scatter_panel(const ScatterPanel& panel) {
  std::string blocks, plots;
  for (std::size_t i = 0; i < panel.sets.size(); ++i) {
    auto const& set = panel.sets[i];
    auto const name = "$set" + std::to_string(i);
    blocks += name + " << EOD\n";
    for (Index j = 0; j < set.points.dim(0); ++j)
      blocks += gnuplot_number(set.points.data()[2 * j]) + " " + gnuplot_number(set.points.data()[2 * j + 1]) + "\n";
    blocks += "EOD\n";
    plots += (i > 0 ? ", " : "plot ") + name + " using 1:2 with points pt 7 ps " + gnuplot_number(set.size) +
             " lc rgb " + gnuplot_color(set.color, i, set.opacity) + gnuplot_title(set.label);
  }
  return blocks + "set title " + gnuplot_string(panel.title) + "\n" + plots + "\n";
}

}  // namespace stipple::detail

namespace stipple {

STIPPLE_IO_INLINE void plot_curves(const FilePath& path, const std::string& title, const std::string& x_label,
                                   const std::string& y_label, const std::vector<Curve>& curves,
                                   const CurveOptions& options) {
  bool finite = false;
  std::string script = "set title " + gnuplot_string(title) + "\nset xlabel " + gnuplot_string(x_label) +
                       "\nset ylabel " + gnuplot_string(y_label) + "\n";
  if (options.grid) script += "set grid\n";
  if (options.log_x) script += "set logscale x\n";
  if (options.log_y) script += "set logscale y\n";
  std::string plots;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    auto const& curve = curves[i];
    require(curve.x.size() == curve.y.size(), "plot_curves: given ", curve.x.size(), " values of x and ",
            curve.y.size(), " of y for curve '", curve.label, "'");
    auto const name = "$curve" + std::to_string(i);
    script += name + " << EOD\n";
    for (std::size_t j = 0; j < curve.x.size(); ++j) {
      bool const drawn = std::isfinite(curve.x[j]) && std::isfinite(curve.y[j]) && (curve.x[j] > 0 || !options.log_x) &&
                         (curve.y[j] > 0 || !options.log_y);
      finite = finite || drawn;
      script += gnuplot_number(curve.x[j]) + " " + gnuplot_number(drawn ? curve.y[j] : NAN) + "\n";
    }
    script += "EOD\n";
    plots += (i > 0 ? ", " : "plot ") + name + " using 1:2 with lines lw 1.5 lc rgb " +
             detail::gnuplot_color(curve.color, i, 1) + (curve.dashed ? " dt 2" : "") +
             detail::gnuplot_title(curve.label);
  }
  require(finite, "plot_curves: given no finite value to draw");
  write_atomically(path, run_gnuplot(script + plots + "\n", options.width, options.height));
}

STIPPLE_IO_INLINE void plot_panels(const FilePath& path, const std::vector<ScatterPanel>& panels,
                                   const ScatterOptions& options) {
  require(!panels.empty(), "plot_panels: given no panels");
  require(options.columns >= 0 && options.range >= 0 && std::isfinite(options.range), "plot_panels: given ",
          options.columns, " columns and range ", options.range, ", wanted neither negative");
  for (auto const& panel : panels) {
    require(!panel.sets.empty(), "plot_panels: given panel '", panel.title, "' without points");
    for (auto const& set : panel.sets) {
      require(set.points.defined() && set.points.rank() == 2 && set.points.dim(1) == 2,
              "plot_panels: given points of shape ", set.points.shape(), ", wanted (N, 2)");
      require(set.opacity >= 0 && set.opacity <= 1 && set.size > 0 && std::isfinite(set.size),
              "plot_panels: given opacity ", set.opacity, " and size ", set.size);
    }
  }
  auto const count = static_cast<int>(panels.size());
  int const columns = options.columns == 0 ? count : std::min(count, options.columns);
  int const rows = (count + columns - 1) / columns;
  std::string script = "unset grid\n";
  if (options.grid) script = "set grid\n";
  if (!options.ticks) script += "unset tics\n";
  if (options.equal_axes) script += "set size ratio -1\n";
  script += detail::scatter_ranges(panels, options);
  bool const several = count > 1;  // one plot needs no layout
  if (several) script += "set multiplot layout " + std::to_string(rows) + "," + std::to_string(columns) + "\n";
  for (auto const& panel : panels) script += detail::scatter_panel(panel);
  if (several) script += "unset multiplot\n";
  write_atomically(path, run_gnuplot(script, columns * options.width, rows * options.height));
}

STIPPLE_IO_INLINE void plot_scatter(const FilePath& path, const std::string& title, const std::vector<PointSet>& sets,
                                    const ScatterOptions& options) {
  plot_panels(path, {ScatterPanel{title, sets}}, options);
}

}  // namespace stipple

#endif
