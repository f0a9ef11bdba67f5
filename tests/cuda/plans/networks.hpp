// The convolutions of the courses' networks that cuDNN runs, in the sizes of the example programs. Those of 1x1 are
// matrix products, and depthwise ones have kernels of their own.
#pragma once

#include <vector>

#include <stipple/backend/conv_dims.hpp>

namespace networks {

using stipple::ConvDims;
using stipple::Index;

struct Layer {
  ConvDims d;
  bool bias = true, residual = false;
  bool transposed = false;  ///< the layer is the input gradient of the convolution `d`
};
using Layers = std::vector<Layer>;

/// A convolution of square images.
inline ConvDims conv(Index n, Index side, Index in, Index out, Index kernel = 3, Index stride = 1, Index padding = 1) {
  Index const result = (side + 2 * padding - kernel) / stride + 1;
  return {n, side, side, in, kernel, kernel, out, result, result, stride, padding, 1, 1};
}
/// A transposed convolution to images of this side.
inline Layer transposed(Index n, Index side, Index in, Index out, Index kernel, Index stride, Index padding) {
  return {conv(n, side, out, in, kernel, stride, padding), true, false, true};
}

/// AI504: dim 28, multipliers 1, 2, 4, on images of 28 x 28.
inline Layers annotated(bool convnext) {
  constexpr Index n = 128, low = 28;
  Layers layers{{conv(n, 28, 1, 18, 7, 1, 3)}};
  auto const block = [&](Index side, Index in, Index out) {
    Index const middle = convnext ? 2 * out : out;
    layers.push_back({conv(n, side, in, middle)});
    layers.push_back({conv(n, side, middle, out), true, convnext});
  };
  auto const level = [&](Index side, Index in, Index out) {
    block(side, in, out);
    block(side, out, out);
  };
  level(28, 18, low);
  layers.push_back({conv(n, 28, low, low, 4, 2)});
  level(14, low, 2 * low);
  layers.push_back({conv(n, 14, 2 * low, 2 * low, 4, 2)});
  level(7, 2 * low, 4 * low);
  block(7, 4 * low, 4 * low);
  level(7, 8 * low, 2 * low);
  layers.push_back(transposed(n, 14, 2 * low, 2 * low, 4, 2, 1));
  level(14, 4 * low, low);
  layers.push_back(transposed(n, 28, low, low, 4, 2, 1));
  block(28, low, low);
  return layers;
}

/// KAIST: width 128, multipliers 1, 2, 2, 2, four residual blocks a level, on images of 64 x 64 in colour.
inline Layers kaist() {
  constexpr Index n = 12, blocks = 4;
  constexpr Index widths[] = {128, 256, 256, 256};
  Layers layers{{conv(n, 64, 3, widths[0])}};
  std::vector<Index> skips{widths[0]};
  Index now = widths[0], side = 64;
  auto const block = [&](Index in, Index out) {
    layers.push_back({conv(n, side, in, out)});
    layers.push_back({conv(n, side, out, out), true, true});
    now = out;
  };
  for (Index level = 0; level < 4; ++level) {
    for (Index i = 0; i < blocks; ++i) {
      block(now, widths[level]);
      skips.push_back(now);
    }
    if (level == 3) break;
    layers.push_back({conv(n, side, now, now, 3, 2)});
    side /= 2;
    skips.push_back(now);
  }
  block(now, now);
  for (Index level = 3; level >= 0; --level) {
    for (Index i = 0; i <= blocks; ++i) {
      block(now + skips.back(), widths[level]);
      skips.pop_back();
    }
    if (level == 0) break;
    side *= 2;
    layers.push_back({conv(n, side, now, now)});
  }
  layers.push_back({conv(n, side, now, 3)});
  return layers;
}

/// Berkeley: width 128, on images of 28 x 28.
inline Layers berkeley() {
  constexpr Index n = 256, width = 128;
  Layers layers;
  auto const block = [&](Index side, Index in, Index out) {
    layers.push_back({conv(n, side, in, out)});
    layers.push_back({conv(n, side, out, out)});
  };
  block(28, 1, width);
  layers.push_back({conv(n, 28, width, width, 3, 2)});
  block(14, width, width);
  layers.push_back({conv(n, 14, width, 2 * width, 3, 2)});
  block(7, 2 * width, 2 * width);
  layers.push_back(transposed(n, 7, 2 * width, 2 * width, 7, 7, 0));
  layers.push_back(transposed(n, 14, 4 * width, width, 4, 2, 1));
  layers.push_back(transposed(n, 28, 2 * width, width, 4, 2, 1));
  block(28, 2 * width, width);
  layers.push_back({conv(n, 28, width, 1)});
  return layers;
}

/// Radboud: width 16, on images of 32 x 32.
inline Layers radboud() {
  constexpr Index n = 128, width = 16;
  Layers layers;
  auto const twice = [&](Index side, Index in, Index middle, Index out) {
    layers.push_back({conv(n, side, in, middle), false});
    layers.push_back({conv(n, side, middle, out), false});
  };
  auto const down = [&](Index side, Index in, Index out) {
    twice(side, in, in, in);
    twice(side, in, out, out);
  };
  auto const up = [&](Index side, Index in, Index out) {
    twice(side, in, in, in);
    twice(side, in, in / 2, out);
  };
  twice(32, 1, width, width);
  down(16, width, 2 * width);
  down(8, 2 * width, 4 * width);
  down(4, 4 * width, 4 * width);
  up(8, 8 * width, 2 * width);
  up(16, 4 * width, width);
  up(32, 2 * width, width);
  return layers;
}

}  // namespace networks
