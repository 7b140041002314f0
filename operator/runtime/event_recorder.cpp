#include "operator/runtime/event_recorder.hpp"

namespace op::runtime {

namespace log = relay::log;

void EventRecorder::record(Occurrence occurrence) {
  const std::lock_guard lock(mutex_);
  series_.add(std::move(occurrence), now());
  ++news_;
  changed_.notify_all();
}

void EventRecorder::run(const std::stop_token& stop) {
  while (const auto write = next(stop)) {
    const auto answer = send(*write, stop);
    if (!answer) report(answer.error());
    else last_failure_.clear();
    const std::lock_guard lock(mutex_);
    series_.settle(answer, now());
  }
}

std::optional<EventSeries::Write> EventRecorder::next(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const auto moment = now();
    if (auto write = series_.next(moment)) return write;
    const auto wake_at = series_.wake_at();
    const auto has_news = [&, seen = news_] { return news_ != seen; };
    if (wake_at) changed_.wait_for(lock, stop, *wake_at - moment.steady, has_news);
    else changed_.wait(lock, stop, has_news);
  }
  return std::nullopt;
}

kube::Answer<void> EventRecorder::send(const EventSeries::Write& write, const std::stop_token& stop) {
  const auto answer = write.kind == EventSeries::Write::Kind::create
                        ? client_.create(kube::kEvents, write.body, stop)
                        : client_.merge_patch(kube::kEvents, write.key, write.body, stop);
  if (!answer) return tl::unexpected(answer.error());
  return {};
}

void EventRecorder::report(const kube::Failure& failure) {
  // Gone, there already, or not ours to write: nothing is wrong.
  const auto kind = failure.kind;
  if (kind == kube::Kind::cancelled || kind == kube::Kind::conflict || kind == kube::Kind::not_found) return;
  if (failure.error.context == last_failure_) return;
  last_failure_ = failure.error.context;
  log_.write(log::warning("event_not_written").with("kind", name(kind)).with("error", failure.message()));
}

}  // namespace op::runtime
