#include "relay/spool/committer.hpp"

#include <utility>

#include "relay/base/thread.hpp"

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
  name_thread("committer");
  run_behind_others();
  while (true) {
    auto commits = next();
    if (!commits.empty()) serve(commits);
    else if (is_sync_due()) sync();
    else break;
  }
  // Deferrals that no later sync carried.
  if (has_unsynced_ && durable_ == Durable::yes) (void)store_.write({}, Sync::yes);
}

std::vector<Commit> Committer::next() {
  std::unique_lock lock(mutex_);
  const auto has_work = [this] { return !waiting_.empty() || is_stopping_; };
  if (sync_due_) wake_.wait_until(lock, *sync_due_, has_work);
  else wake_.wait(lock, has_work);
  return std::exchange(waiting_, {});
}

bool Committer::is_sync_due() const { return sync_due_ && Clock::now() >= *sync_due_; }

void Committer::sync() {
  sync_due_.reset();
  if (failure()) return;  // it was told, and nothing is recorded as if it were there
  busy_since_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
  const auto synced = store_.write({}, Sync::yes);
  busy_since_.store(0, std::memory_order_relaxed);
  if (!synced) return note_failure(synced.error());
  has_unsynced_ = false;
  counters_.add(Counter::spool_syncs);
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
    if (has_unsynced_ && durable_ == Durable::yes) sync_due_ = Clock::now();  // it was given up meanwhile
  }
  Batch all;
  bool wants_sync = is_sync_due();
  bool wants_one_soon = false;
  for (const auto& commit : commits) {
    if (commit.operations.empty()) continue;
    for (const auto& operation : commit.operations) all.push_back(&operation);
    wants_sync = wants_sync || commit.sync == Sync::yes;
    wants_one_soon = wants_one_soon || commit.sync == Sync::soon;
  }
  if (all.empty()) return {};
  const bool syncs = wants_sync && durable_ == Durable::yes;
  auto written = store_.write_batch(std::move(all), syncs ? Sync::yes : Sync::no);
  if (written && syncs) counters_.add(Counter::spool_syncs);
  if (!written) return written;  // what was written before it is as it was
  has_unsynced_ = !syncs;
  if (syncs) sync_due_.reset();
  else if (wants_one_soon && durable_ == Durable::yes && !sync_due_) sync_due_ = Clock::now() + kSoon;
  return written;
}

void Committer::note_failure(const Error& error) {
  counters_.add(error.code == Errc::storage_full ? Counter::spool_errors_full : Counter::spool_errors_failed);
  const std::scoped_lock lock(mutex_);
  if (!failure_ || failure_->fate != Fate::terminal) failure_ = error;
  has_failed_for_good_ = failure_->fate == Fate::terminal;
}

}  // namespace relay::spool
