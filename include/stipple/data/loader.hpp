// Loader: batches of a data set in an order that depends on seed and epoch alone.
#pragma once

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/data/dataset.hpp>
#include <stipple/data/prefetch.hpp>

namespace stipple {

struct LoaderConfig {
  Index batch = 128;
  bool shuffle = true;     ///< a new order every epoch
  bool flip = false;       ///< mirror images left to right with probability 1/2
  bool drop_last = false;  ///< leave out the samples that do not fill a batch
  std::uint64_t seed = 0;
  bool prefetch = true;  ///< make the next batch of images on a thread of its own
};

/// The numbers 0 ... n - 1 in an order that is a function of seed and epoch: sorted by Philox words.
STIPPLE_INLINE std::vector<Index> epoch_order(Index n, std::uint64_t seed, std::int64_t epoch);

/// An endless row of batches, epoch after epoch. How many have been taken is the whole state, so a run goes on exactly
/// with `seek`. Batch k is the same with and without prefetching.
///
///     Loader loader{digits, {.batch = 128, .flip = true, .seed = 1}};
///     for (Index i = 0; i < 5 * loader.batches_per_epoch(); ++i) { auto const batch = loader.next(); ... }
template <class Dataset>
class Loader {
 public:
  using Batch = typename Dataset::Batch;

  /// Shares the data set's storage. Throws Error if it is empty or broken, if the batch size is not positive, or if
  /// `flip` is asked of anything but images.
  explicit Loader(Dataset dataset, const LoaderConfig& config = {});

  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) = delete;
  ~Loader();

  Index batches_per_epoch() const { return batches_; }
  Index size() const { return source_->dataset.size(); }
  /// Batches taken since the start of the first epoch.
  std::int64_t taken() const { return taken_; }
  /// Epoch of the next batch, and its number in that epoch.
  std::int64_t epoch() const { return taken_ / batches_; }
  Index position() const { return taken_ % batches_; }

  /// Goes on as if `taken` batches had been taken. Throws Error for a negative number.
  void seek(std::int64_t taken);
  Batch next();

 private:
  // Used by one thread at a time. Stays in place when the loader moves.
  struct Source {
    Dataset dataset;
    LoaderConfig config;
    std::vector<Index> order;
    std::int64_t order_epoch;

    Batch batch(std::int64_t epoch, Index position);
    void renew_order(std::int64_t epoch);
  };

  std::unique_ptr<Source> source_;
  std::unique_ptr<Prefetcher<Batch>> prefetcher_;  // ends before the source that it uses
  Index batches_ = 0;
  std::int64_t taken_ = 0;
};

// Programs have data sets of their own: these definitions are visible, and the library holds two instances.
template <class Dataset>
Loader<Dataset>::Loader(Dataset dataset, const LoaderConfig& config)
    : source_(std::make_unique<Source>(Source{std::move(dataset), config, {}, -1})) {
  auto const& data = source_->dataset;
  data.check();
  require(config.batch > 0, "Loader: given batch ", config.batch, ", wanted a positive number");
  require(!config.flip || Dataset::can_flip, "Loader: only images can be flipped");
  bool const has_rest = data.size() % config.batch != 0;
  batches_ = data.size() / config.batch + (has_rest && !config.drop_last ? 1 : 0);
  require(batches_ > 0, "Loader: given ", data.size(), " samples, wanted at least one batch of ", config.batch);
  auto make = [source = source_.get(), batches = batches_](std::int64_t index) {
    return source->batch(index / batches, index % batches);
  };
  if (Dataset::prefetches && config.prefetch) prefetcher_ = std::make_unique<Prefetcher<Batch>>(std::move(make));
}

template <class Dataset>
Loader<Dataset>::Loader(Loader&&) noexcept = default;
template <class Dataset>
Loader<Dataset>::~Loader() = default;

template <class Dataset>
void Loader<Dataset>::seek(std::int64_t taken) {
  require(taken >= 0, "Loader: given ", taken, " batches, wanted zero or more");
  taken_ = taken;
}

template <class Dataset>
typename Loader<Dataset>::Batch Loader<Dataset>::next() {
  std::int64_t const index = taken_;
  auto batch = prefetcher_ ? prefetcher_->take(index) : source_->batch(index / batches_, index % batches_);
  ++taken_;
  return batch;
}

template <class Dataset>
typename Loader<Dataset>::Batch Loader<Dataset>::Source::batch(std::int64_t epoch, Index position) {
  if (order_epoch != epoch) renew_order(epoch);
  Index const begin = position * config.batch, count = std::min(config.batch, dataset.size() - begin);
  std::span<const Index> const samples(order.data() + begin, static_cast<std::size_t>(count));
  DrawKey const flips(config.seed, Purpose::flip, static_cast<std::uint64_t>(epoch));
  return dataset.batch(samples, config.flip ? &flips : nullptr);
}

template <class Dataset>
void Loader<Dataset>::Source::renew_order(std::int64_t epoch) {
  if (config.shuffle) {
    order = epoch_order(dataset.size(), config.seed, epoch);
  } else if (order.empty()) {
    order.resize(static_cast<std::size_t>(dataset.size()));
    std::iota(order.begin(), order.end(), Index{0});
  }
  order_epoch = epoch;
}

}  // namespace stipple

#if STIPPLE_DEFINES(data)

namespace stipple {

STIPPLE_INLINE std::vector<Index> epoch_order(Index n, std::uint64_t seed, std::int64_t epoch) {
  DrawKey const key(seed, Purpose::shuffle, static_cast<std::uint64_t>(epoch));
  std::vector<std::pair<std::uint64_t, Index>> keyed(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) {
    auto const words = key.words(static_cast<std::uint64_t>(i), 0);
    keyed[static_cast<std::size_t>(i)] = {std::uint64_t{words[0]} << 32 | words[1], i};
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<Index> order(keyed.size());
  std::transform(keyed.begin(), keyed.end(), order.begin(), [](auto const& entry) { return entry.second; });
  return order;
}

STIPPLE_INSTANTIATE(template class Prefetcher<ImageBatch>; template class Prefetcher<PointBatch>;
                    template class Loader<ImageDataset>; template class Loader<PointDataset>;)

}  // namespace stipple

#else

namespace stipple {
extern template class Prefetcher<ImageBatch>;
extern template class Prefetcher<PointBatch>;
extern template class Loader<ImageDataset>;
extern template class Loader<PointDataset>;
}  // namespace stipple

#endif
