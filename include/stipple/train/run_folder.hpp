// The folder of a run: its checkpoints, its log, and what another run left there before.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <stipple/core/compiled.hpp>
#include <stipple/io/file.hpp>
#include <stipple/io/folder_lock.hpp>
#include <stipple/io/json_log.hpp>

namespace stipple {

/// An earlier run whose files were moved out of the way of another.
struct EarlierRun {
  FilePath folder;                   ///< where they are now
  std::optional<std::int64_t> step;  ///< of the checkpoint among them, if it can be read
};

namespace detail {

/// Knows the names of a run's files, and writes the log. From `resume` or `open` on, the folder is locked. With an
/// empty path there is no folder and nothing is written.
class RunFolder {
 public:
  /// `results` are the names of a run's files besides checkpoints and log, where * is any number.
  RunFolder(FilePath path, std::vector<std::string> results);

  bool is_none() const { return path_.empty(); }
  FilePath checkpoint() const { return path_ / "checkpoint.safetensors"; }
  FilePath kept_checkpoint(std::int64_t step) const;

  /// The run goes on from this checkpoint, which `load` reads. If it lies in the folder, so do the files of the run.
  /// If something throws, nothing has changed. Throws Error if another run has the folder.
  void resume(const FilePath& checkpoint, const std::function<void()>& load);
  /// Makes the folder and opens the log behind `step`, unless it is open. Files that are not of this run are moved to
  /// the new subfolder earlier-1, or the next number that is free; returns which run that was. Throws Error if another
  /// run has the folder, or something of this cannot be done.
  std::optional<EarlierRun> open(std::int64_t step);
  /// Closes the log.
  void close();

  /// Adds a line to the log, if there is a folder.
  void append(const Json& entry);
  /// Puts the log on the disk: before a checkpoint, so that it is not behind one.
  void sync();

 private:
  bool is_of_a_run(const std::string& name) const;
  std::optional<EarlierRun> move_earlier_run() const;

  FilePath path_;
  std::optional<FolderLock> lock_;
  std::vector<std::string> results_;
  bool is_own_ = false;  // the files of a run that are there are this one's
  std::optional<JsonLog> log_;
};

}  // namespace detail

}  // namespace stipple

#if STIPPLE_DEFINES_IO(train) && STIPPLE_DEFINES_FUNCTIONS

#include <algorithm>
#include <utility>

#include <stipple/io/checkpoint.hpp>

namespace stipple::detail {

STIPPLE_IO_INLINE RunFolder::RunFolder(FilePath path, std::vector<std::string> results)
    : path_(std::move(path)), results_(std::move(results)) {}

STIPPLE_IO_INLINE FilePath RunFolder::kept_checkpoint(std::int64_t step) const {
  return path_ / ("checkpoint-" + std::to_string(step) + ".safetensors");
}

STIPPLE_IO_INLINE void RunFolder::resume(const FilePath& checkpoint, const std::function<void()>& load) {
  std::error_code error;
  bool const is_own = std::filesystem::equivalent(std::filesystem::absolute(checkpoint).parent_path(), path_, error);
  std::optional<FolderLock> lock;
  if (is_own && !lock_) lock.emplace(path_);  // a run that is at work there would leave this checkpoint behind
  load();
  close();
  is_own_ = is_own;
  if (lock) lock_.emplace(std::move(*lock));
}

STIPPLE_IO_INLINE std::optional<EarlierRun> RunFolder::open(std::int64_t step) {
  if (is_none() || log_) return {};
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  require(!error, "train: cannot create the folder ", quoted(path_), ": ", error.message());
  if (!lock_) lock_.emplace(path_);
  std::optional<EarlierRun> earlier;
  if (!is_own_) earlier = move_earlier_run();
  is_own_ = true;
  auto const log = path_ / "log.jsonl";
  log_ = step > 0 ? JsonLog::resume(log, step) : JsonLog::create(log);
  return earlier;
}

STIPPLE_IO_INLINE void RunFolder::close() { log_.reset(); }

STIPPLE_IO_INLINE void RunFolder::append(const Json& entry) {
  if (log_) log_->append(entry);
}

STIPPLE_IO_INLINE void RunFolder::sync() {
  if (log_) log_->sync();
}

// Whether `name` is `pattern`, in which * is any number.
inline bool is_name_like(std::string_view name, std::string_view pattern) {
  while (!pattern.empty()) {
    std::size_t count = 1;
    if (pattern.front() == '*')
      count = std::min(name.find_first_not_of("0123456789"), name.size());
    else if (!name.starts_with(pattern.front()))
      return false;
    if (count == 0) return false;
    name.remove_prefix(count);
    pattern.remove_prefix(1);
  }
  return name.empty();
}

STIPPLE_IO_INLINE bool RunFolder::is_of_a_run(const std::string& name) const {
  for (const char* const pattern : {"checkpoint.safetensors", "checkpoint-*.safetensors", "log.jsonl"})
    if (is_name_like(name, pattern)) return true;
  return std::any_of(results_.begin(), results_.end(),
                     [&](const std::string& pattern) { return is_name_like(name, pattern); });
}

STIPPLE_IO_INLINE std::optional<EarlierRun> RunFolder::move_earlier_run() const {
  std::error_code error;
  std::vector<FilePath> files;
  for (std::filesystem::directory_iterator entry(path_, error), end; !error && entry != end; entry.increment(error))
    if (is_of_a_run(entry->path().filename().string()) && !is_directory(entry->symlink_status(error)))
      files.push_back(entry->path());
  require(!error, "train: cannot read the folder ", quoted(path_), ": ", error.message());
  if (files.empty()) return {};
  EarlierRun earlier;
  try {
    earlier.step = read_training_state(checkpoint()).step;
  } catch (const Error&) {  // there is none, or it is damaged: it makes room all the same
  }
  int number = 0;
  do {
    earlier.folder = path_ / ("earlier-" + std::to_string(++number));
  } while (!std::filesystem::create_directory(earlier.folder, error) &&
           exists(std::filesystem::symlink_status(earlier.folder)));
  require(!error, "train: cannot create the folder ", quoted(earlier.folder), ": ", error.message());
  for (auto const& file : files) {
    std::filesystem::rename(file, earlier.folder / file.filename(), error);
    require(!error, "train: cannot move ", quoted(file), " of an earlier run to ", quoted(earlier.folder), ": ",
            error.message());
  }
  return earlier;
}

}  // namespace stipple::detail

#endif
