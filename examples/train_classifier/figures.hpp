// The pictures of train_classifier.
#pragma once

#include <array>
#include <cmath>
#include <string>
#include <vector>

#include <stipple/io/gnuplot.hpp>
#include <stipple/io/plot.hpp>

namespace train_classifier {

namespace st = stipple;

inline constexpr st::Index classes = 10;

/// How many images of each true class (row) were taken for each class (column).
using Confusion = std::array<std::array<st::Index, classes>, classes>;

/// Names of the classes of a data set.
inline std::array<std::string, classes> class_names(bool clothes) {
  if (clothes) return {"T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"};
  return {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
}

/// The test accuracy in percent after each epoch.
inline void plot_accuracy(const st::FilePath& path, const std::vector<double>& accuracies) {
  st::Curve curve{.label = "", .x = {}, .y = {}};
  for (std::size_t i = 0; i < accuracies.size(); ++i) {
    curve.x.push_back(static_cast<double>(i + 1));
    curve.y.push_back(100 * accuracies[i]);
  }
  st::plot_curves(path, "Accuracy on the test images", "epoch", "percent", {curve});
}

/// The confusion matrix: numbers of images, darker for a larger share of the true class. The square root of the share
/// decides the shade, so that rare mistakes show.
inline void plot_confusion(const st::FilePath& path, const Confusion& confusion,
                           const std::array<std::string, classes>& names) {
  std::string cells = "$cells << EOD\n", tics;
  for (std::size_t row = 0; row < names.size(); ++row) {
    st::Index total = 0;
    for (auto const count : confusion[row]) total += count;
    for (std::size_t column = 0; column < names.size(); ++column) {
      auto const count = confusion[row][column];
      double const share = total == 0 ? 0 : static_cast<double>(count) / static_cast<double>(total);
      cells += std::to_string(column) + " " + std::to_string(row) + " " + st::gnuplot_number(std::sqrt(share)) + " " +
               std::to_string(count) + "\n";
    }
    tics += (row > 0 ? ", " : "") + st::gnuplot_string(names[row]) + " " + std::to_string(row);
  }
  auto const shape =
      "set size ratio 1\nset autoscale fix\nset yrange [*:*] reverse\nset cbrange [0:1]\nunset colorbox\n";
  std::string const slope = names[0].size() > 1 ? "rotate by -40 " : "";
  auto const script = cells + "EOD\n" + shape + "set palette defined (0 '#ffffff', 1 '#1f77b4')\nunset key\n" +
                      "set title 'Confusion matrix of the test images'\nset xlabel 'class of the network'\n" +
                      "set ylabel 'true class'\nset xtics " + slope + "(" + tics + ")\nset ytics (" + tics + ")\n" +
                      "plot $cells using 1:2:3 with image, $cells using 1:2:4 with labels\n";
  st::write_atomically(path, st::run_gnuplot(script, 640, 640));
}

}  // namespace train_classifier
