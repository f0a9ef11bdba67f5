#include "fill.hpp"

#include <cstring>

#include <stipple/core/error.hpp>

#include "fill.cuh"
#include "launch.cuh"

namespace stipple::cuda {

namespace {

template <class Word>
void fill_words(void* to, const void* value, std::size_t n) {
  Word word;
  std::memcpy(&word, value, sizeof word);
  std::uint64_t pattern = 0;
  for (std::size_t k = 0; k < 8 / sizeof word; ++k) pattern |= std::uint64_t{word} << (8 * sizeof word * k);
  auto const count = static_cast<Index>(n);
  Index const per_quad = 16 / static_cast<Index>(sizeof word);
  launch("fill", fill_kernel<Word>, strided((count + per_quad - 1) / per_quad), static_cast<Word*>(to), pattern, count,
         aligned(static_cast<const Word*>(to)));
}

}  // namespace

void fill(void* to, const void* value, std::size_t value_bytes, std::size_t n) {
  switch (value_bytes) {
    case 1:
      return fill_words<std::uint8_t>(to, value, n);
    case 2:
      return fill_words<std::uint16_t>(to, value, n);
    case 4:
      return fill_words<std::uint32_t>(to, value, n);
    case 8:
      return fill_words<std::uint64_t>(to, value, n);
    default:
      fail("fill: given a value of ", value_bytes, " bytes, wanted 1, 2, 4 or 8");
  }
}

}  // namespace stipple::cuda
