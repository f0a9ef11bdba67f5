// Run-time shape of a tensor: up to six extents, row-major.
#pragma once

#include <array>
#include <initializer_list>

#include <stipple/core/compiled.hpp>
#include <stipple/core/error.hpp>

namespace stipple {

using Index = std::int64_t;

/// Extents of a tensor, outermost first; at most 2^48 elements. A scalar has rank 0 and one element.
class Shape {
 public:
  static constexpr int max_rank = 6;

  Shape() = default;
  Shape(std::initializer_list<Index> extents);

  int rank() const { return rank_; }
  /// Number of elements: the product of all extents.
  Index size() const;
  /// Extent `axis`; negative axes count from the end.
  Index operator[](int axis) const;
  const Index* begin() const { return extents_.data(); }
  const Index* end() const { return extents_.data() + rank_; }

  void append(Index extent);
  /// The same shape with extent `axis` replaced.
  Shape with(int axis, Index extent) const;
  /// Product of the extents from `first` (inclusive) to `last` (exclusive).
  Index count(int first, int last) const;

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a.extents_[i] != b.extents_[i]) return false;
    return true;
  }

 private:
  static constexpr double max_size = 0x1p48;  // so that sizes in bytes never overflow

  // Zero extents count as one: products of some of the extents must be safe too.
  void check() const;

  std::array<Index, max_rank> extents_{};
  int rank_ = 0;
};

/// "(2, 28, 28, 1)"
STIPPLE_INLINE std::string to_text(const Shape& shape);

}  // namespace stipple

#if STIPPLE_DEFINES(core) && STIPPLE_DEFINES_FUNCTIONS

namespace stipple {

STIPPLE_INLINE Shape::Shape(std::initializer_list<Index> extents) {
  require(extents.size() <= max_rank, "Shape: given ", extents.size(), " extents, wanted at most ", int{max_rank});
  for (Index extent : extents) append(extent);
}

STIPPLE_INLINE Index Shape::size() const {
  Index n = 1;
  for (int i = 0; i < rank_; ++i) n *= extents_[i];
  return n;
}

STIPPLE_INLINE Index Shape::operator[](int axis) const {
  int const i = axis < 0 ? axis + rank_ : axis;
  require(i >= 0 && i < rank_, "Shape: given axis ", axis, ", wanted one of a tensor of rank ", rank_);
  return extents_[i];
}

STIPPLE_INLINE void Shape::append(Index extent) {
  require(rank_ < max_rank, "Shape: wanted at most ", int{max_rank}, " extents");
  extents_[rank_++] = extent;
  check();
}

STIPPLE_INLINE Shape Shape::with(int axis, Index extent) const {
  Shape s = *this;
  (void)(*this)[axis];
  s.extents_[axis < 0 ? axis + rank_ : axis] = extent;
  s.check();
  return s;
}

STIPPLE_INLINE Index Shape::count(int first, int last) const {
  Index n = 1;
  for (int i = first; i < last; ++i) n *= (*this)[i];
  return n;
}

STIPPLE_INLINE void Shape::check() const {
  double product = 1;
  for (Index extent : *this) {
    require(extent >= 0, "Shape: given extent ", extent, ", wanted zero or more");
    product *= extent > 0 ? static_cast<double>(extent) : 1.0;
  }
  require(product <= max_size, "Shape: given ", product, " elements, wanted at most 2^48");
}

STIPPLE_INLINE std::string to_text(const Shape& shape) {
  std::string text = "(";
  for (int i = 0; i < shape.rank(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + ")";
}

}  // namespace stipple

#endif
