// The program that each consumer project builds and runs: exit status 0 if the library gives the right values.
#include <stipple/tensor/tensor.hpp>

#if defined(EXPECT_STIPPLE_COMPILED) && !defined(STIPPLE_COMPILED)
#error "stipple::compiled must tell its users that the instantiations exist"
#endif

int main() {
  stipple::Tensor<float> const x({2, 3}, {0, 1, 2, 3, 4, 5});
  stipple::Tensor<float> const row = x.slice(1, 2);
  bool const right = row.shape() == stipple::Shape{1, 3} && row.data()[2] == 5.0f;
  return right ? 0 : 1;
}
