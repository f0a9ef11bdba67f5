// A thread that makes the next item while the present one is used.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace stipple {

/// Hands out make(0), make(1), ... and any other order that is asked for. While the caller works with item i, a thread
/// makes item i + 1. What is handed out does not depend on that; an exception of `make` comes out of `take` for its
/// item. The thread ends with the object, after the item it is making.
template <class Item>
class Prefetcher {
 public:
  explicit Prefetcher(std::function<Item(std::int64_t)> make) : make_(std::move(make)) {}
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;
  ~Prefetcher();

  Item take(std::int64_t index);

 private:
  static constexpr std::int64_t none = -1;

  // Has item `index` made next, after the one that is being made.
  void order(std::int64_t index, std::unique_lock<std::mutex>& lock);

  void work();

  std::function<Item(std::int64_t)> make_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t wanted_ = none;
  bool done_ = false, stopping_ = false;
  std::optional<Item> item_;
  std::exception_ptr error_;
  std::thread thread_;
};

template <class Item>
Prefetcher<Item>::~Prefetcher() {
  {
    std::lock_guard const lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

template <class Item>
Item Prefetcher<Item>::take(std::int64_t index) {
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  if (wanted_ != index) order(index, lock);
  changed_.wait(lock, [&] { return done_; });
  auto const error = std::exchange(error_, nullptr);
  auto item = std::exchange(item_, std::nullopt);
  if (error) {
    wanted_ = none;
    std::rethrow_exception(error);
  }
  order(index + 1, lock);
  return std::move(*item);
}

template <class Item>
void Prefetcher<Item>::order(std::int64_t index, std::unique_lock<std::mutex>& lock) {
  changed_.wait(lock, [&] { return done_ || wanted_ == none; });
  item_.reset();
  error_ = nullptr;
  wanted_ = index;
  done_ = false;
  changed_.notify_all();
}

template <class Item>
void Prefetcher<Item>::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || (wanted_ != none && !done_); });
    if (stopping_) return;
    auto const index = wanted_;
    lock.unlock();
    std::optional<Item> item;
    std::exception_ptr error;
    try {
      item.emplace(make_(index));
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    item_ = std::move(item);
    error_ = error;
    done_ = true;
    changed_.notify_all();
  }
}

}  // namespace stipple
