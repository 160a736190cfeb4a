#include "train/checkpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

namespace convoy {
namespace {

namespace fs = std::filesystem;

fs::path path_of(const fs::path& directory, int64_t step) {
  return directory / fmt::format("checkpoint-{:08}.h5", step);
}

std::optional<int64_t> step_of(const fs::path& path) {
  const std::string name = path.filename().string(), prefix = "checkpoint-", suffix = ".h5";
  if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() <= prefix.size() + suffix.size())
    return {};
  int64_t step = 0;
  const char* end = name.data() + name.size() - suffix.size();
  const auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, step);
  if (error != std::errc() || stop != end) return {};
  return step;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int64_t broadcast_integer(Communicator& comm, int64_t value) {
  comm.broadcast(std::as_writable_bytes(std::span(&value, 1)), 0);
  return value;
}

}  // namespace

std::vector<fs::path> list_checkpoints(const fs::path& directory) {
  std::vector<fs::path> found;
  if (!fs::is_directory(directory)) return found;
  for (const auto& entry : fs::directory_iterator(directory))
    if (step_of(entry.path())) found.push_back(entry.path());
  std::sort(found.begin(), found.end(),
            [](const fs::path& a, const fs::path& b) { return step_of(a) > step_of(b); });
  return found;
}

std::string newest_fingerprint(const fs::path& directory) {
  for (const fs::path& path : list_checkpoints(directory)) {
    try {
      return read_snapshot(path).fingerprint;
    } catch (const BrokenCheckpoint&) {
      continue;  // restore() says so
    }
  }
  return "";
}

Checkpoints::Checkpoints(CheckpointPolicy policy, const Graph& graph, Communicator& comm, Log log)
    : policy_(std::move(policy)), graph_(graph), comm_(comm), log_(std::move(log)) {
  require(policy_.keep >= 1, Exit::usage, "checkpoints to keep = {}: at least 1", policy_.keep);
  if (comm_.rank() == 0 && !policy_.directory.empty()) fs::create_directories(policy_.directory);
}

// What a killed run was writing; nobody else writes here (train/run_lock.h).
void Checkpoints::remove_torn() const {
  std::error_code error;
  for (fs::directory_iterator entry(policy_.directory, error), end; !error && entry != end;
       entry.increment(error)) {
    fs::path name = entry->path();
    if (name.extension() != ".tmp" || !step_of(name.replace_extension())) continue;
    std::error_code refused;
    if (fs::remove(entry->path(), refused)) log_.detail("removed {}, torn", entry->path().string());
  }
}

int64_t Checkpoints::newest_whole(Arena& arena, const Snapshot& wanted) {
  for (const fs::path& path : list_checkpoints(policy_.directory)) {
    try {
      require_same_experiment(path, read_snapshot(path), wanted);
      restored_ = read_checkpoint(path, graph_, arena);
      log_.info("resumed from {}: {} steps are done", path.string(), restored_.step);
      return restored_.step;
    } catch (const BrokenCheckpoint& error) {
      fs::path aside = path;
      aside += ".broken";
      fs::rename(path, aside);
      log_.warn("{}; it is now {}, the checkpoint before it is tried", error.what(), aside.string());
    }
  }
  log_.warn("there is no whole checkpoint in {}: starting at step 0", policy_.directory.string());
  return 0;
}

int64_t Checkpoints::restore(Arena& arena, const Snapshot& wanted, const StartFn& start) {
  int64_t step = 0;
  if (comm_.rank() == 0 && policy_.resume && !policy_.directory.empty()) {
    remove_torn();
    step = newest_whole(arena, wanted);
    if (step == 0) arena.initialize(wanted.seed);  // whatever a broken file has left there
  }
  if (comm_.rank() == 0 && step == 0 && start) start(arena);
  step = broadcast_integer(comm_, step);
  comm_.broadcast(std::as_writable_bytes(arena.weights()), 0);
  for (int state = 0; state < arena.states(); ++state)
    comm_.broadcast(std::as_writable_bytes(arena.state(state)), 0);
  arena.weights_changed();
  const bool saves_behind = policy_.every_steps > 0 || policy_.every_epochs > 0;
  if (comm_.rank() == 0 && !policy_.directory.empty() && saves_behind) prepare_copy(arena);
  return step;
}

void Checkpoints::attempt(int64_t step, const std::function<void()>& write) {
  failure_.clear();
  code_ = Exit::ok;
  const auto failed = [&](const std::exception& error, Exit code) {
    failure_ = error.what();
    code_ = code;
    log_.warn("no checkpoint at step {}: {}; the run goes on, earlier checkpoints are whole", step, failure_);
  };
  try {
    write();
  } catch (const Error& error) {
    failed(error, error.code());
  } catch (const std::exception& error) {
    failed(error, Exit::failed);
  }
}

void Checkpoints::prune() const {
  try {
    const auto all = list_checkpoints(policy_.directory);
    for (size_t i = static_cast<size_t>(policy_.keep); i < all.size(); ++i) {
      std::error_code error;
      fs::remove(all[i], error);
      if (error) log_.warn("cannot remove the older checkpoint {}: {}", all[i].string(), error.message());
    }
  } catch (const std::exception& error) {
    log_.warn("cannot look for older checkpoints: {}", error.what());
  }
}

Checkpoints::~Checkpoints() { wait(); }

void Checkpoints::wait() {
  const auto start = std::chrono::steady_clock::now();
  writer_.wait();
  seconds_ += seconds_since(start);
}

bool Checkpoints::save(const Arena& arena, const Snapshot& now) {
  if (policy_.directory.empty()) return true;
  wait();
  const auto start = std::chrono::steady_clock::now();
  if (comm_.rank() == 0) {
    attempt(now.step, [&] { write_checkpoint(path_of(policy_.directory, now.step), graph_, arena, now); });
  }
  code_ = static_cast<Exit>(broadcast_integer(comm_, static_cast<int64_t>(code_)));
  const bool saved = code_ == Exit::ok;
  if (saved && comm_.rank() == 0) prune();
  seconds_ += seconds_since(start);
  return saved;
}

void Checkpoints::prepare_copy(const Arena& arena) {
  if (!copy_.empty()) return;
  for (const auto& flat : flats_of(arena)) {
    copy_.push_back(host_buffer(flat.size_bytes()));
    copied_.emplace_back(reinterpret_cast<const float*>(copy_.back().get()), flat.size());
  }
}

void Checkpoints::save_behind(const Arena& arena, const Snapshot& now) {
  if (policy_.directory.empty() || comm_.rank() != 0) return;
  wait();
  const auto start = std::chrono::steady_clock::now();
  prepare_copy(arena);
  const Flats values = flats_of(arena);
  for (size_t i = 0; i < values.size(); ++i)
    std::memcpy(copy_[i].get(), values[i].data(), values[i].size_bytes());
  done_behind_ = false;
  writer_.start([this, layout = arena.layout(), now] {
    const auto begin = std::chrono::steady_clock::now();
    attempt(now.step,
            [&] { write_checkpoint(path_of(policy_.directory, now.step), graph_, layout, copied_, now); });
    if (failure_.empty()) prune();
    writing_ = seconds_since(begin);
    done_behind_ = failure_.empty();
  });
  behind_ = {.step = now.step, .seconds = seconds_since(start)};
  seconds_ += behind_.seconds;
}

std::optional<Checkpoints::Saved> Checkpoints::saved_behind() {
  if (!done_behind_.exchange(false)) return {};
  Saved saved = behind_;
  saved.writing = writing_;
  return saved;
}

}  // namespace convoy
