// The program that each consumer project builds and runs: exit status 0 if the library gives the right values.
#include <stipple/ops/activation.hpp>

#if defined(EXPECT_STIPPLE_COMPILED) && !defined(STIPPLE_COMPILED)
#error "stipple::compiled must tell its users that the instantiations exist"
#endif

#if defined(EXPECT_STIPPLE_IO)
#if !__has_include(<stb_image_write.h>) || !__has_include(<Eigen/Core>) || !__has_include(<nlohmann/json.hpp>)
#error "stipple::io must bring the include folders of what it depends on"
#endif
#include <zlib.h>

#include <stipple/io/idx.hpp>
#endif

int main() {
  stipple::Tensor<float> const x({2, 3}, {0, 1, -2, 3, -4, 5});
  stipple::Tensor<float> const y = stipple::ops::activate(x, stipple::Activation::relu);
  bool right = y.shape() == stipple::Shape{2, 3} && y.data()[4] == 0.0f && y.data()[5] == 5.0f;
#if defined(EXPECT_STIPPLE_IO)
  right = right && crc32(0, nullptr, 0) == 0;
  try {
    stipple::read_idx("no such file");
    right = false;
  } catch (const stipple::Error&) {
  }
#endif
  return right ? 0 : 1;
}
