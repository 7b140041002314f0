#include "relay/spool/committer.hpp"

#include <utility>

namespace relay::spool {

using Clock = std::chrono::steady_clock;
using metrics::Counter;

Committer::Committer(Store& store, Durable durable, metrics::Shard& counters)
    : store_(store), durable_(durable), counters_(counters), thread_([this] { run(); }) {}

Committer::~Committer() { stop(); }

void Committer::stop() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Committer::submit(Commit commit) {
  {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(std::move(commit));
  }
  wake_.notify_one();
}

void Committer::nudge() {
  submit({{}, Sync::no, [](const Result<void>&) {}});
}

Clock::duration Committer::busy_for() const {
  const auto since = busy_since_.load(std::memory_order_relaxed);
  return since == 0 ? Clock::duration{0} : Clock::now().time_since_epoch() - Clock::duration{since};
}

std::optional<Error> Committer::failure() const {
  const std::scoped_lock lock(mutex_);
  return failure_;
}

void Committer::run() {
  std::vector<Commit> commits;
  while (true) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !waiting_.empty() || is_stopping_; });
      if (waiting_.empty()) break;
      std::swap(commits, waiting_);
    }
    serve(commits);
    commits.clear();
  }
  // Deferrals that no later sync carried.
  if (has_unsynced_ && durable_ == Durable::yes) (void)store_.write({}, Sync::yes);
}

void Committer::serve(std::vector<Commit>& commits) {
  const auto begin = Clock::now();
  busy_since_.store(begin.time_since_epoch().count(), std::memory_order_relaxed);
  const auto result = write(commits);
  busy_since_.store(0, std::memory_order_relaxed);
  if (!result) note_failure(result.error());
  const auto took = Clock::now() - begin;
  for (auto& commit : commits) {
    if (!commit.operations.empty()) {
      counters_.add(Counter::spool_commits);
      counters_.observe(metrics::Duration::spool_commit, took);
    }
    commit.done(result);
  }
}

Result<void> Committer::write(const std::vector<Commit>& commits) {
  const auto earlier = failure();
  if (earlier && earlier->fate == Fate::terminal) return tl::unexpected(*earlier);
  if (earlier) {
    if (auto resumed = store_.resume_writing(); !resumed) return resumed;
    const std::scoped_lock lock(mutex_);
    failure_.reset();
  }
  Operations all;
  bool wants_sync = false;
  for (const auto& commit : commits) {
    all.insert(all.end(), commit.operations.begin(), commit.operations.end());
    wants_sync = wants_sync || (commit.sync == Sync::yes && !commit.operations.empty());
  }
  if (all.empty()) return {};
  const bool syncs = wants_sync && durable_ == Durable::yes;
  auto written = store_.write(all, syncs ? Sync::yes : Sync::no);
  if (written && syncs) counters_.add(Counter::spool_syncs);
  if (written) has_unsynced_ = !syncs;  // one that failed leaves what was written before it as it was
  return written;
}

void Committer::note_failure(const Error& error) {
  counters_.add(error.code == Errc::storage_full ? Counter::spool_errors_full : Counter::spool_errors_failed);
  const std::scoped_lock lock(mutex_);
  if (!failure_ || failure_->fate != Fate::terminal) failure_ = error;
  has_failed_for_good_ = failure_->fate == Fate::terminal;
}

}  // namespace relay::spool
