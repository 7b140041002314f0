#include "operator/runtime/event_series.hpp"

#include <algorithm>

#include "operator/kube/resource.hpp"
#include "operator/kube/shortened.hpp"
#include "operator/runtime/lease_record.hpp"

namespace op::runtime {
namespace {

constexpr seconds kSeriesEnds{360};
constexpr seconds kBetweenCounts{30};
constexpr seconds kBetweenTries{10};
constexpr int kTries = 12;
constexpr unsigned kBurst = 25;
constexpr double kRefill = 1.0 / 300;
/// An allowance that was not used for so long is whole again.
constexpr seconds kAllowanceEnds{300 * kBurst};
constexpr std::size_t kLongestNote = 1024;

kube::Json series_of(std::int64_t count, WallTime last) {
  return {{"count", count}, {"lastObservedTime", to_micro_time(last)}};
}

}  // namespace

void EventSeries::add(Occurrence occurrence, const Moment& now) {
  finish(now.steady);
  occurrence.note = kube::shortened(std::move(occurrence.note), kLongestNote);
  const auto found = by_content_.find(occurrence);
  if (found != by_content_.end()) {
    auto& entry = *found->second;
    ++entry.count;
    entry.last = now.wall;
    entry.last_seen = now.steady;
    return;
  }
  if (entries_.size() >= kMaxOpen || !may_begin(occurrence.regarding.uid, now.steady)) return;
  // Unique for one object: no two begin in one process with one number.
  const auto suffix = std::to_string(now.wall.time_since_epoch().count()) + "-" + std::to_string(++names_);
  const auto name = occurrence.regarding.key.name + "." + suffix;
  entries_.push_back({occurrence, name, now.wall, now.wall, now.steady, now.steady});
  by_content_.emplace(std::move(occurrence), std::prev(entries_.end()));
}

bool EventSeries::may_begin(const std::string& uid, SteadyTime now) {
  std::erase_if(allowances_, [&](const auto& each) { return now - each.second.used > kAllowanceEnds; });
  auto& allowance = allowances_.try_emplace(uid, Allowance{TokenBucket(kRefill, kBurst), now}).first->second;
  if (allowance.bucket.take_above(0, now) > milliseconds{0}) return false;
  allowance.used = now;
  return true;
}

std::optional<EventSeries::Write> EventSeries::next(const Moment& now) {
  finish(now.steady);
  const auto due = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
    return entry.count > entry.written && entry.due <= now.steady;
  });
  if (due == entries_.end()) return std::nullopt;
  sending_ = due;
  sending_count_ = due->count;
  const kube::Key key{due->what.regarding.key.name_space, due->name};
  if (due->written == 0) return Write{Write::Kind::create, key, whole(*due)};
  return Write{Write::Kind::patch, key, {{"series", series_of(due->count, due->last)}}};
}

void EventSeries::settle(const kube::Answer<void>& answer, const Moment& now) {
  const auto entry = *sending_;
  sending_.reset();
  // It exists: our own, whose answer was lost.
  const bool is_there = !answer && answer.error().kind == kube::Kind::conflict && entry->written == 0;
  if (answer || is_there) {
    entry->written = is_there ? 1 : sending_count_;
    entry->failures = 0;
    entry->due = now.steady + kBetweenCounts;
    return;
  }
  const auto& failure = answer.error();
  // An API server forgets Events; this one goes on as another.
  if (failure.kind == kube::Kind::not_found && entry->written > 0) {
    entry->written = 0;
    return;
  }
  const bool is_lost = failure.error.fate != relay::Fate::transient ||
                       failure.kind == kube::Kind::forbidden || failure.kind == kube::Kind::cancelled;
  if (is_lost || ++entry->failures >= kTries) return forget(entry);
  entry->due =
    now.steady + std::max<milliseconds>(kBetweenTries, failure.retry_after.value_or(kBetweenTries));
}

std::optional<SteadyTime> EventSeries::wake_at() const {
  std::optional<SteadyTime> first;
  for (const auto& entry : entries_) {
    if (entry.count > entry.written && (!first || entry.due < *first)) first = entry.due;
  }
  return first;
}

kube::Json EventSeries::whole(const Entry& entry) const {
  const auto& what = entry.what;
  kube::Json event{
    {"apiVersion", kube::kEvents.api_version()},
    {"kind", kube::kEvents.kind},
    {"metadata", {{"namespace", what.regarding.key.name_space}, {"name", entry.name}}},
    {"eventTime", to_micro_time(entry.first)},
    {"reportingController", controller_},
    {"reportingInstance", instance_},
    {"action", what.action},
    {"reason", what.reason},
    {"type", what.type == Occurrence::Type::warning ? "Warning" : "Normal"},
    {"note", what.note},
    {"regarding",
     {{"apiVersion", what.regarding.api_version},
      {"kind", what.regarding.kind},
      {"namespace", what.regarding.key.name_space},
      {"name", what.regarding.key.name},
      {"uid", what.regarding.uid}}},
  };
  // A series of one is refused.
  if (entry.count > 1) event["series"] = series_of(entry.count, entry.last);
  return event;
}

void EventSeries::forget(Entries::iterator entry) {
  by_content_.erase(entry->what);
  entries_.erase(entry);
}

void EventSeries::finish(SteadyTime now) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto current = entry++;
    const bool is_written = current->count == current->written;
    if (is_written && now - current->last_seen >= kSeriesEnds) forget(current);
  }
}

}  // namespace op::runtime
