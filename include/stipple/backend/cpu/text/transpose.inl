// Kernel text: transposition of bf16, which makes the left operand of a weight gradient in AMX tiles.

#if STIPPLE_ISA_AVX512_BF16
/// Eight numbers at `from` or, unless `Whole`, those that `columns` names, if the row is there.
template <bool Whole>
inline __m128i part_of_row(const bf16* from, bool there, __mmask8 columns) {
  if constexpr (Whole) return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm_maskz_loadu_epi16(there ? columns : __mmask8(0), from);
}

/// Up to 32 rows of up to 8 columns; `Whole` if there are as many.
template <bool Whole>
inline void transpose_block(const bf16* from, Index from_row, int rows, int columns, bf16* to, Index to_row) {
  auto const present = static_cast<__mmask8>((1u << columns) - 1);
  // Quarter k of vector i is row 8 k + i, so that three interleavings of neighbours within quarters suffice.
  __m512i row[8], two[8], four[8];
  STIPPLE_UNROLL for (int i = 0; i < 8; ++i) {
    const bf16* const p = from + i * from_row;
    row[i] = _mm512_castsi128_si512(part_of_row<Whole>(p, i < rows, present));
    row[i] = _mm512_inserti32x4(row[i], part_of_row<Whole>(p + 8 * from_row, 8 + i < rows, present), 1);
    row[i] = _mm512_inserti32x4(row[i], part_of_row<Whole>(p + 16 * from_row, 16 + i < rows, present), 2);
    row[i] = _mm512_inserti32x4(row[i], part_of_row<Whole>(p + 24 * from_row, 24 + i < rows, present), 3);
  }
  STIPPLE_UNROLL for (int i = 0; i < 4; ++i) {  // rows 2 i and 2 i + 1; columns 0 to 3, 4 to 7
    two[i] = _mm512_unpacklo_epi16(row[2 * i], row[2 * i + 1]);
    two[4 + i] = _mm512_unpackhi_epi16(row[2 * i], row[2 * i + 1]);
  }
  STIPPLE_UNROLL for (int i = 0; i < 4; ++i) {  // columns 2 i and 2 i + 1; rows 0 to 3, 4 to 7
    int const pair = i / 2 * 4;
    four[2 * i] = i % 2 == 0 ? _mm512_maskz_unpacklo_epi32(full, two[pair], two[pair + 1])
                             : _mm512_maskz_unpackhi_epi32(full, two[pair], two[pair + 1]);
    four[2 * i + 1] = i % 2 == 0 ? _mm512_maskz_unpacklo_epi32(full, two[pair + 2], two[pair + 3])
                                 : _mm512_maskz_unpackhi_epi32(full, two[pair + 2], two[pair + 3]);
  }
  auto const written = static_cast<__mmask32>((std::uint64_t{1} << rows) - 1);
  STIPPLE_UNROLL for (int j = 0; j < 8; ++j) {
    __m512i const column = j % 2 == 0 ? _mm512_maskz_unpacklo_epi64(0xff, four[j], four[j + 1])
                                      : _mm512_maskz_unpackhi_epi64(0xff, four[j - 1], four[j]);
    if constexpr (Whole)
      _mm512_storeu_si512(to + j * to_row, column);
    else if (j < columns)
      _mm512_mask_storeu_epi16(to + j * to_row, written, column);
  }
}
#endif

/// Column j of the matrix `from` (rows, columns) becomes row j of `to`. Rows start `from_row` and `to_row` apart.
template <class T>
inline void transpose(const T* from, Index from_row, Index rows, Index columns, T* to, Index to_row) {
#if STIPPLE_ISA_AVX512_BF16
  for (Index i = 0; i < rows; i += 32) {
    int const most_rows = static_cast<int>(rows - i < 32 ? rows - i : 32);
    for (Index j = 0; j < columns; j += 8) {
      int const most_columns = static_cast<int>(columns - j < 8 ? columns - j : 8);
      if (most_rows == 32 && most_columns == 8)
        transpose_block<true>(from + i * from_row + j, from_row, 32, 8, to + j * to_row + i, to_row);
      else
        transpose_block<false>(from + i * from_row + j, from_row, most_rows, most_columns, to + j * to_row + i, to_row);
    }
  }
#else
  for (Index i = 0; i < rows; ++i)
    for (Index j = 0; j < columns; ++j) to[j * to_row + i] = from[i * from_row + j];
#endif
}
