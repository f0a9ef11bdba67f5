// Images at other sizes against Pillow 10: tests/reference/images/make.py.
#include <stipple/data/resample.hpp>
#include <stipple/io/safetensors.hpp>

#include "check.hpp"

using namespace stipple;

TEST_CASE("resampled images have Pillow's pixels") {
  SafetensorsFile const file(STIPPLE_TEST_REFERENCE_DIR "/images/resample.safetensors");
  int count = 0;
  for (auto const& name : file.names()) {
    auto const dot = name.find('.');
    if (dot == std::string::npos) continue;
    INFO(name);
    ++count;
    auto const expected = file.read<std::uint8_t>(name);
    auto const image = file.read<std::uint8_t>(name.substr(0, dot));
    auto const given =
        resampled(image, expected.dim(0), expected.dim(1), resampling_by_name(std::string_view(name).substr(dot + 1)));
    CHECK(max_abs_difference(given, expected) == 0);
  }
  CHECK(count == 27);
}

TEST_CASE("an image at its own size stays as it is, and a constant one stays constant") {
  Tensor<std::uint8_t> const image({2, 2, 1}, {1, 2, 3, 250});
  CHECK(max_abs_difference(resampled(image, 2, 2, Resampling::lanczos), image) == 0);
  Tensor<std::uint8_t> const flat({5, 7, 3}, std::uint8_t{200});
  for (auto const filter : {Resampling::bilinear, Resampling::bicubic, Resampling::lanczos})
    CHECK(max_abs_difference(resampled(flat, 11, 3, filter), Tensor<std::uint8_t>({11, 3, 3}, std::uint8_t{200})) == 0);
}

TEST_CASE("images and sizes that make no sense are refused") {
  Tensor<std::uint8_t> const image({2, 2, 1}, std::uint8_t{0});
  require_error([&] { resampled(image, 0, 2); }, "given 0 x 2, wanted 1 to 65536");
  require_error([&] { resampled(image, 2, 1 << 17); }, "given 2 x 131072");
  require_error([&] { resampled(Tensor<std::uint8_t>({2, 2}, std::uint8_t{0}), 2, 2); }, "given shape (2, 2)");
  require_error([&] { resampled(Tensor<std::uint8_t>({0, 2, 1}), 2, 2); }, "given shape (0, 2, 1)");
  require_error([&] { resampled(Tensor<std::uint8_t>(), 2, 2); }, "wanted pixels (H, W, C)");
  require_error([] { resampling_by_name("nearest"); }, "given 'nearest', wanted bilinear, bicubic or lanczos");
}
