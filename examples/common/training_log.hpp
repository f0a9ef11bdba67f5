// What log.jsonl tells of a run: its losses and how long it took, over all resumes.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <stipple/io/json_log.hpp>
#include <stipple/io/plot.hpp>

namespace example {

namespace st = stipple;

struct TrainingLog {
  std::vector<double> steps, losses;          ///< from the first step
  std::map<std::int64_t, double> validation;  ///< by step, where it was measured
  double seconds = 0;  ///< of training and validation, without the samples that were drawn meanwhile

  /// Throws Error if the file cannot be read or is no log.
  explicit TrainingLog(const st::FilePath& path) {
    auto const text = st::read_file(path);
    auto const what = "'" + path.string() + "'";
    double before = 0, total = 0;
    for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      auto const entry = st::parse_json(std::string_view(text).substr(begin, end - begin), what);
      steps.push_back(st::get_number(entry, "step", what));
      losses.push_back(st::get_number(entry, "loss", what));
      if (entry.contains("validation"))
        validation[st::get_integer(entry, "step", what)] = st::get_number(entry, "validation", what);
      double const now = st::get_number(entry, "seconds", what);
      if (now < before) total += before;  // a resume starts the clock again
      before = now;
    }
    seconds = total + before;
  }

  /// Steps that `seconds` are of.
  std::int64_t step_count() const { return static_cast<std::int64_t>(steps.size()); }

  /// Validation after each of the first `epochs` epochs; NaN for those that the log does not tell of.
  std::vector<double> validation_by_epoch(std::size_t epochs, std::int64_t steps_per_epoch) const {
    std::vector<double> values;
    for (std::size_t i = 1; i <= epochs; ++i) {
      auto const found = validation.find(static_cast<std::int64_t>(i) * steps_per_epoch);
      values.push_back(found == validation.end() ? std::numeric_limits<double>::quiet_NaN() : found->second);
    }
    return values;
  }

  /// Mean of the last `count` losses; NaN without any.
  double mean_of_last(std::size_t count) const {
    std::size_t const n = std::min(count, losses.size());
    double sum = 0;
    for (std::size_t i = losses.size() - n; i < losses.size(); ++i) sum += losses[i];
    return sum / static_cast<double>(n);
  }

  /// The curve of all losses and, where there are enough, their running mean over `window` steps. Without any loss
  /// there is nothing to draw.
  void plot(const st::FilePath& path, std::size_t window) const {
    if (losses.empty()) return;
    std::vector<st::Curve> curves{{.label = "loss", .x = steps, .y = losses, .color = 0xaec7e8}};
    if (losses.size() >= 2 * window) {
      st::Curve mean{.label = "mean of " + std::to_string(window) + " steps", .x = {}, .y = {}, .color = 0x1f77b4};
      double sum = 0;
      for (std::size_t i = 0; i < losses.size(); ++i) {
        sum += losses[i] - (i >= window ? losses[i - window] : 0);
        if (i + 1 < window) continue;
        mean.x.push_back(steps[i]);
        mean.y.push_back(sum / static_cast<double>(window));
      }
      curves.push_back(std::move(mean));
    }
    st::plot_curves(path, "Loss curve", "step", "loss", curves);
  }
};

}  // namespace example
