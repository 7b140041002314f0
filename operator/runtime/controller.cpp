#include "operator/runtime/controller.hpp"

#include <algorithm>
#include <exception>

namespace op::runtime {
namespace {

namespace log = relay::log;

/// Each request of a reconcile has its deadline; this is more than all of them together.
constexpr seconds kLongestReconcile{300};

kube::Failure thrown(const std::string& what) {
  return {kube::Kind::server, {relay::Errc::protocol_error, relay::Fate::transient, "exception: " + what}};
}

}  // namespace

Controller::Controller(
  Reconciler& reconciler, unsigned workers, Metrics& metrics, log::Sink& log, const relay::Clock& clock
)
    : reconciler_(reconciler), workers_(workers), metrics_(metrics), log_(log), clock_(clock) {}

void Controller::start() {
  for (unsigned i = 0; i < workers_; ++i) threads_.emplace_back([this](std::stop_token stop) { run(stop); });
}

void Controller::add(const Key& key) {
  const std::lock_guard lock(mutex_);
  enqueue(key, term_ ? Priority::prompt : Priority::background);
  announce();
}

void Controller::add_all(const std::vector<Key>& keys) {
  const std::lock_guard lock(mutex_);
  for (const auto& key : keys) enqueue(key, Priority::background);
  announce();
}

void Controller::enqueue(const Key& key, Priority priority) {
  queue_.add(key, clock_.steady(), priority);
  metrics_.queued();
}

void Controller::lead(std::stop_token term) {
  const std::lock_guard lock(mutex_);
  term_ = std::move(term);
  announce();
}

void Controller::pause() {
  const std::lock_guard lock(mutex_);
  term_.reset();
}

void Controller::stop() {
  pause();
  // All at once: one after another, each could take as long as its requests may hang.
  for (auto& thread : threads_) thread.request_stop();
  threads_.clear();
}

void Controller::run(const std::stop_token& stop) {
  while (auto taken = next(stop)) {
    metrics_.dequeued(taken->waited);
    work(taken->key, stop);
  }
}

std::optional<WorkQueue::Taken> Controller::next(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const auto now = clock_.steady();
    auto taken = term_ ? queue_.take(now) : std::nullopt;
    if (taken) {
      working_[taken->key] = now;
      return taken;
    }
    const auto wake_at = term_ ? queue_.wake_at() : std::nullopt;
    const auto has_news = [&, seen = news_] { return news_ != seen; };
    if (wake_at) changed_.wait_for(lock, stop, *wake_at - now, has_news);
    else changed_.wait(lock, stop, has_news);
  }
  return std::nullopt;
}

void Controller::work(const Key& key, const std::stop_token& stop) {
  metrics_.worker_started();
  const auto began = clock_.steady();
  const auto answer = attempt(key, stop);
  conclude(key, answer, began);
  metrics_.worker_ended();
}

kube::Answer<Outcome> Controller::attempt(const Key& key, const std::stop_token& stop) {
  std::stop_token term;
  {
    const std::lock_guard lock(mutex_);
    // We stopped leading since the key was taken: it waits for whoever leads next.
    if (!term_)
      return tl::unexpected(
        kube::Failure{kube::Kind::cancelled, {relay::Errc::cancelled, relay::Fate::transient, ""}}
      );
    term = *term_;
  }
  std::stop_source either;
  const auto forward = [&either] { either.request_stop(); };
  const std::stop_callback by_end_of_term(term, forward);
  const std::stop_callback by_end_of_process(stop, forward);
  try {
    return reconciler_.reconcile(key, either.get_token());
  } catch (const std::exception& exception) {
    metrics_.reconcile_panicked();
    return tl::unexpected(thrown(exception.what()));
  } catch (...) {
    metrics_.reconcile_panicked();
    return tl::unexpected(thrown("of an unknown type"));
  }
}

void Controller::conclude(const Key& key, const kube::Answer<Outcome>& answer, SteadyTime began) {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.steady();
  working_.erase(key);
  const auto result = judge(key, answer, now);
  queue_.done(key, now);
  metrics_.reconciled(result, now - began);
  metrics_.worked(now - began);
  announce();
}

void Controller::announce() {
  ++news_;
  changed_.notify_all();
}

ReconcileResult Controller::judge(const Key& key, const kube::Answer<Outcome>& answer, SteadyTime now) {
  if (answer) {
    queue_.forget(key);
    if (!answer->requeue_after) return ReconcileResult::success;
    queue_.add_after(key, *answer->requeue_after, now);
    return ReconcileResult::requeue_after;
  }
  const auto& failure = answer.error();
  if (failure.error.fate != relay::Fate::transient) {
    queue_.forget(key);
    metrics_.reconcile_failed_for_good();
    report(key, failure);
    return ReconcileResult::error;
  }
  metrics_.retried();
  if (failure.retry_after) queue_.add_after(key, *failure.retry_after, now);
  else queue_.retry(key, now);
  // Somebody was faster, or it is not ours to do any more: nothing is wrong.
  const bool is_usual = failure.kind == kube::Kind::conflict || failure.kind == kube::Kind::cancelled;
  if (is_usual) return ReconcileResult::requeue;
  report(key, failure);
  return ReconcileResult::error;
}

void Controller::report(const Key& key, const kube::Failure& failure) {
  log_.write(log::warning("reconcile_failed")
               .with("resource", key.to_text())
               .with("kind", name(failure.kind))
               .with("fate", relay::name(failure.error.fate))
               .with("error", failure.message()));
}

QueueState Controller::state() const {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.steady();
  QueueState state{queue_.depth(), {}, {}};
  for (const auto& [key, since] : working_) {
    const auto runs = std::chrono::duration_cast<seconds>(now - since);
    state.unfinished += runs;
    state.longest_running = std::max(state.longest_running, runs);
  }
  return state;
}

bool Controller::is_stuck() const { return state().longest_running > kLongestReconcile; }

}  // namespace op::runtime
