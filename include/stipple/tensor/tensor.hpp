// Tensor<T, Device>: contiguous, reference-counted, shape at run time.
#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/core/device.hpp>
#include <stipple/core/dtype.hpp>
#include <stipple/core/shape.hpp>
#include <stipple/tensor/memory.hpp>

namespace stipple {

/// Bytes on a device, freed with the last tensor that uses them.
template <Device D>
class Storage {
 public:
  explicit Storage(std::size_t bytes);
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  ~Storage();
  void* data() const { return data_; }
  /// Number of the device that was selected when this was made.
  int device() const { return device_; }

 private:
  int device_;
  void* data_;
  std::size_t bytes_;
};

/// A dense row-major array of T on device D. Copies share the storage, as in other tensor libraries; `clone` copies it.
/// Images are (N, H, W, C), sequences (N, L, C), point sets (N, C).
template <Element T, Device D = Cpu>
class Tensor {
 public:
  using element = T;
  using pointer = typename D::template pointer<T>;
  using const_pointer = typename D::template pointer<const T>;

  /// No storage: `defined()` is false.
  Tensor();
  Tensor(const Tensor&);
  Tensor(Tensor&&) noexcept;
  Tensor& operator=(const Tensor&);
  Tensor& operator=(Tensor&&) noexcept;
  ~Tensor();
  /// Uninitialised elements.
  explicit Tensor(Shape shape);
  Tensor(Shape shape, T value);
  /// Throws unless `values` has exactly `shape.size()` elements.
  Tensor(Shape shape, std::span<const T> values);
  Tensor(Shape shape, std::initializer_list<T> values);

  static Tensor zeros(Shape shape);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  Index dim(int axis) const { return shape_[axis]; }
  Index size() const { return size_; }
  /// True if no other tensor shares the storage.
  bool unique() const { return storage_.use_count() == 1; }

  /// Throws Error for a tensor of another device than the selected one.
  pointer data() {
    check_device();
    return data_;
  }
  const_pointer data() const {
    check_device();
    return data_;
  }
  std::span<T> span() requires std::same_as<D, Cpu> { return {data_, static_cast<std::size_t>(size_)}; }
  std::span<const T> span() const requires std::same_as<D, Cpu> { return {data_, static_cast<std::size_t>(size_)}; }

  /// The value of a tensor with one element. Waits for the device.
  T item() const;

  /// The same elements under another shape of the same size, sharing storage.
  Tensor reshape(Shape shape) const;

  /// Entries [begin, end) of the first axis, sharing storage.
  Tensor slice(Index begin, Index end) const;

  /// A view of `shape` starting `offset` elements into this tensor's data; used for parameter arenas.
  Tensor view(Index offset, Shape shape) const;

  /// The same elements in storage of their own; undefined if this is.
  Tensor clone() const;
  /// Copies the elements of a tensor of this shape.
  void copy_from(const Tensor& other);
  void fill(T value);

 private:
  void check_device() const {
    if constexpr (!std::same_as<D, Cpu>)
      if (storage_ != nullptr && storage_->device() != Memory<D>::selected_device()) fail_on_device();
  }
  [[noreturn]] void fail_on_device() const;

  std::shared_ptr<Storage<D>> storage_;
  pointer data_ = nullptr;
  Shape shape_;
  Index size_ = 0;
};

/// The same elements on another device; the tensor itself if it is there. Waits for the device when it copies from it.
template <Device To, Element T, Device From>
Tensor<T, To> to(const Tensor<T, From>& x);

}  // namespace stipple

#if STIPPLE_DEFINES(core)

namespace stipple {

template <Device D>
Storage<D>::Storage(std::size_t bytes)
    : device_(Memory<D>::selected_device()), data_(Memory<D>::allocate(bytes)), bytes_(bytes) {}

template <Device D>
Storage<D>::~Storage() {
  Memory<D>::deallocate(data_, bytes_, device_);
}

template <Element T, Device D>
Tensor<T, D>::Tensor() = default;
template <Element T, Device D>
Tensor<T, D>::Tensor(const Tensor&) = default;
template <Element T, Device D>
Tensor<T, D>::Tensor(Tensor&&) noexcept = default;
template <Element T, Device D>
Tensor<T, D>& Tensor<T, D>::operator=(const Tensor&) = default;
template <Element T, Device D>
Tensor<T, D>& Tensor<T, D>::operator=(Tensor&&) noexcept = default;
template <Element T, Device D>
Tensor<T, D>::~Tensor() = default;

template <Element T, Device D>
Tensor<T, D>::Tensor(Shape shape)
    : storage_(std::make_shared<Storage<D>>(static_cast<std::size_t>(shape.size()) * sizeof(T))),
      data_(static_cast<T*>(storage_->data())),
      shape_(shape),
      size_(shape.size()) {}

template <Element T, Device D>
Tensor<T, D>::Tensor(Shape shape, T value) : Tensor(shape) {
  fill(value);
}

template <Element T, Device D>
Tensor<T, D>::Tensor(Shape shape, std::span<const T> values) : Tensor(shape) {
  require(static_cast<Index>(values.size()) == size_, "Tensor: given ", values.size(), " values for shape ", shape);
  if (size_ > 0) Memory<D>::copy_from_host(address_of(data_), values.data(), values.size_bytes());
}

template <Element T, Device D>
Tensor<T, D>::Tensor(Shape shape, std::initializer_list<T> values)
    : Tensor(shape, std::span<const T>(values.begin(), values.size())) {}

template <Element T, Device D>
Tensor<T, D> Tensor<T, D>::zeros(Shape shape) {
  return Tensor(shape, T(0));
}

template <Element T, Device D>
void Tensor<T, D>::fail_on_device() const {
  fail("tensor: given one of shape ", shape_, " on device ", storage_->device(), " while device ",
       Memory<D>::selected_device(), " is selected, wanted all tensors of an operation on the selected device");
}

template <Element T, Device D>
T Tensor<T, D>::item() const {
  require(size_ == 1, "item: given a tensor of shape ", shape_, ", wanted one element");
  T value;
  Memory<D>::copy_to_host(&value, address_of(data()), sizeof value);
  return value;
}

template <Element T, Device D>
Tensor<T, D> Tensor<T, D>::reshape(Shape shape) const {
  require(shape.size() == size_, "reshape: given shape ", shape, " for a tensor of shape ", shape_);
  Tensor t = *this;
  t.shape_ = shape;
  return t;
}

template <Element T, Device D>
Tensor<T, D> Tensor<T, D>::slice(Index begin, Index end) const {
  require(rank() >= 1 && 0 <= begin && begin <= end && end <= dim(0), "slice: given [", begin, ", ", end,
          ") of a tensor of shape ", shape_);
  Tensor t = *this;
  Index const row = shape_.count(1, rank());
  t.data_ += begin * row;
  t.shape_ = shape_.with(0, end - begin);
  t.size_ = (end - begin) * row;
  return t;
}

template <Element T, Device D>
Tensor<T, D> Tensor<T, D>::view(Index offset, Shape shape) const {
  require(offset >= 0 && shape.size() <= size_ && offset <= size_ - shape.size(), "view: given offset ", offset,
          " and shape ", shape, " in a tensor of ", size_, " elements");
  Tensor t = *this;
  t.data_ += offset;
  t.shape_ = shape;
  t.size_ = shape.size();
  return t;
}

template <Element T, Device D>
Tensor<T, D> Tensor<T, D>::clone() const {
  if (!defined()) return {};
  Tensor t(shape_);
  t.copy_from(*this);
  return t;
}

template <Element T, Device D>
void Tensor<T, D>::copy_from(const Tensor& other) {
  require(defined() && other.defined(), "copy: given an empty tensor");  // whose shape is a scalar's
  require(shape_ == other.shape_, "copy: given shape ", other.shape_, ", wanted ", shape_);
  if (size_ > 0)
    Memory<D>::copy(address_of(data()), address_of(other.data()), static_cast<std::size_t>(size_) * sizeof(T));
}

template <Element T, Device D>
void Tensor<T, D>::fill(T value) {
  if (size_ > 0) Memory<D>::fill(address_of(data()), value, static_cast<std::size_t>(size_));
}

template <Device To, Element T, Device From>
Tensor<T, To> to(const Tensor<T, From>& x) {
  if constexpr (std::same_as<To, From>) {
    return x;
  } else {
    if (!x.defined()) return {};
    Tensor<T, To> y(x.shape());
    auto const bytes = static_cast<std::size_t>(x.size()) * sizeof(T);
    if constexpr (std::same_as<To, Cpu>)
      Memory<From>::copy_to_host(y.data(), address_of(x.data()), bytes);
    else
      Memory<To>::copy_from_host(address_of(y.data()), x.data(), bytes);
    return y;
  }
}

#define STIPPLE_INSTANCES(T)                \
  template class Tensor<T, STIPPLE_DEVICE>; \
  template Tensor<T, STIPPLE_DEVICE> to<STIPPLE_DEVICE, T, Cpu>(const Tensor<T, Cpu>&);
STIPPLE_INSTANTIATE(template class Storage<STIPPLE_DEVICE>;
                    STIPPLE_INSTANCES(float) STIPPLE_INSTANCES(bf16) STIPPLE_INSTANCES(double)
                        STIPPLE_INSTANCES(std::int32_t) STIPPLE_INSTANCES(std::int64_t) STIPPLE_INSTANCES(std::uint8_t))
#undef STIPPLE_INSTANCES

}  // namespace stipple

#endif
