// Numbers that a GPU computes while the host does something else.
#pragma once

#include <functional>
#include <utility>

#include <stipple/tensor/tensor.hpp>

namespace stipple {

/// A number that is read when somebody asks for it. It acts as a double. On the CPU it is there at once; a GPU's is
/// waited for at the first question: for the work that gives it, and not for what was put into the stream after it.
class LateNumber {
 public:
  LateNumber(double value = 0) : value_(value) {}
  /// What `read` returns, which is called once. If it throws, so does every question.
  explicit LateNumber(std::function<double()> read) : read_(std::move(read)) {}

  double value() const {
    if (read_) {
      value_ = read_();
      read_ = nullptr;
    }
    return value_;
  }
  operator double() const { return value(); }

 private:
  mutable std::function<double()> read_;
  mutable double value_ = 0;
};

/// The value that a tensor with one element has at this place of the stream. Unlike `item` it does not wait.
template <Element T, Device D>
LateNumber late_item(const Tensor<T, D>& x) {
  require(x.size() == 1, "late_item: given a tensor of shape ", x.shape(), ", wanted one element");
  if constexpr (std::same_as<D, Cpu>) {
    return LateNumber(static_cast<double>(x.item()));
  } else {
    return LateNumber([read = Memory<D>::copy_to_host_later(address_of(x.data()), sizeof(T))] {
      T value;
      read(&value);
      return static_cast<double>(value);
    });
  }
}

}  // namespace stipple
