#include "relay/queue/backlog.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace relay::queue {

void Backlog::withdraw(const QueueId& id) {
  announced_.erase(id);
  if (loading_until_) changed_while_loading_.insert(id);
}

bool Backlog::admit(const Item& item, WallTime now, std::size_t limit) {
  announced_.erase(item.key.id);
  // By our own clock, so none that was set back: a report may have to wait its turn for long.
  allow_waits_of(item.key.due - now);
  if (!item.sender_was_warned) unmet_due_ = std::min(unmet_due_.value_or(item.key.due), item.key.due);
  const bool is_behind_bound = loaded_through_ && item.key <= *loaded_through_;
  const bool load_may_pass_it = loading_until_ && item.key.due <= *loading_until_;
  if (is_behind_bound || load_may_pass_it) return hold(item);
  const bool is_next = !loading_until_ && !has_more_ && (!next_on_disk_ || item.key.due < *next_on_disk_);
  if (is_next && window_.size() < limit && item.key.due <= now) {
    loaded_through_ = item.key;
    return hold(item);
  }
  next_on_disk_ = std::min(next_on_disk_.value_or(item.key.due), item.key.due);
  if (loading_until_) changed_while_loading_.insert(item.key.id);
  return false;
}

/// Always true: the message is in the window.
bool Backlog::hold(const Item& item) {
  note_arrival(item);
  window_.emplace(item.key, item);
  in_window_.insert_or_assign(item.key.id, item.key);
  return true;
}

void Backlog::hold_hurried(const Item& item) {
  note_arrival(item);
  hurried_.emplace(item.key, item);
  in_window_.insert_or_assign(item.key.id, item.key);
}

void Backlog::note_arrival(const Item& item) {
  if (waiting() == 0) {
    oldest_arrival_.reset();
    oldest_unwarned_.reset();
  }
  oldest_arrival_ = std::min(oldest_arrival_.value_or(item.arrival), item.arrival);
  if (!item.sender_was_warned)
    oldest_unwarned_ = std::min(oldest_unwarned_.value_or(item.arrival), item.arrival);
}

void Backlog::hurry(WallTime now) {
  hurrying_since_ = now;
  hurried_through_.reset();
  hurries_again_ = loading_until_ && loading_for_ == Purpose::hurried;
}

Whereabouts Backlog::hurry_one(const QueueId& id) {
  if (in_flight_.contains(id)) return Whereabouts::flight;
  if (const auto item = drop(id)) {
    hold_hurried(*item);
    return Whereabouts::memory;
  }
  announced_.insert(id);
  return Whereabouts::disk;
}

bool Backlog::forget(const QueueId& id) {
  if (in_flight_.contains(id) || announced_.contains(id)) return true;
  (void)drop(id);
  announced_.insert(id);
  return false;
}

/// Out of the windows; nothing when it is not there.
std::optional<Item> Backlog::drop(const QueueId& id) {
  const auto found = in_window_.find(id);
  if (found == in_window_.end()) return std::nullopt;
  auto node = window_.extract(found->second);
  if (node.empty()) node = hurried_.extract(found->second);
  in_window_.erase(found);
  return node.mapped();
}

std::optional<Backlog::Load> Backlog::want_load(WallTime now, std::size_t limit, std::size_t room) {
  if (loading_until_) return std::nullopt;
  if (waiting() == 0) room = std::max<std::size_t>(room, 1);
  if (room == 0) return std::nullopt;
  const bool is_time = next_on_disk_ && is_due(*next_on_disk_, now);
  if (is_low(window_.size(), limit) && (has_more_ || is_time)) {
    loading_for_ = Purpose::window;
    loading_until_ = is_time ? std::max(now, *next_on_disk_) : now;
    loading_limit_ = std::min(limit - window_.size(), room);
    next_on_disk_.reset();
    return Load{loaded_through_, *loading_until_, loading_limit_};
  }
  if (!hurrying_since_ || !is_low(hurried_.size(), limit)) return std::nullopt;
  loading_for_ = Purpose::hurried;
  loading_until_ = WallTime::min();  // no due time: what is admitted meanwhile is not part of it
  loading_limit_ = std::min(limit - hurried_.size(), room);
  return Load{hurried_through_, WallTime::max(), loading_limit_};
}

void Backlog::loaded(const std::vector<Item>& items, std::optional<WallTime> next_due) {
  if (!loading_until_) return;
  if (loading_for_ == Purpose::hurried) return hurried(items, next_due);
  if (loading_for_ == Purpose::late) return late(items, next_due);
  for (const auto& item : items) {
    if (!is_known(item.key.id)) hold(item);
  }
  if (!items.empty())
    loaded_through_ = std::max(loaded_through_.value_or(items.back().key), items.back().key);
  has_more_ = items.size() >= loading_limit_ || (next_due && *next_due <= *loading_until_);
  // What was admitted meanwhile and left to the disk is in next_on_disk_ already.
  if (next_due) next_on_disk_ = std::min(next_on_disk_.value_or(*next_due), *next_due);
  end_load();
}

/// Leaves the bound between memory and disk, and all that was scheduled behind the change, as they are.
void Backlog::hurried(const std::vector<Item>& items, std::optional<WallTime> next_due) {
  for (const auto& item : items) {
    if (item.scheduled < *hurrying_since_ && !is_known(item.key.id)) hold_hurried(item);
  }
  const bool is_outdated = std::exchange(hurries_again_, false);  // it began before the last change
  if (!is_outdated && !items.empty()) hurried_through_ = items.back().key;
  if (!is_outdated && (!next_due || items.empty())) hurrying_since_.reset();
  end_load();
}

void Backlog::end_load() {
  loading_until_.reset();
  changed_while_loading_.clear();
}

void Backlog::shed(std::size_t keep) {
  if (loading_until_ || window_.size() <= keep || keep == 0) return;
  const auto first = std::next(window_.begin(), static_cast<std::ptrdiff_t>(keep));
  for (auto at = first; at != window_.end(); ++at) in_window_.erase(at->first.id);
  window_.erase(first, window_.end());
  // What was put back may lie behind the bound: it does not move it up.
  if (loaded_through_) loaded_through_ = std::min(*loaded_through_, window_.rbegin()->first);
  has_more_ = true;
}

bool Backlog::is_known(const QueueId& id) const {
  return in_window_.contains(id) || in_flight_.contains(id) || announced_.contains(id) ||
         changed_while_loading_.contains(id);
}

std::optional<Item> Backlog::take(WallTime now) {
  const bool is_in_window = !window_.empty() && is_due(window_.begin()->first.due, now);
  if (!is_in_window && hurried_.empty()) return std::nullopt;
  return fly((is_in_window ? window_ : hurried_).begin()->second, !is_in_window);
}

Item Backlog::fly(Item item, bool is_hurried) {
  (is_hurried ? hurried_ : window_).erase(item.key);
  in_window_.erase(item.key.id);
  in_flight_.emplace(item.key.id, Flight{item, is_hurried});
  return item;
}

template <class Test>
std::vector<Item> Backlog::in_windows(Test is_wanted) const {
  std::vector<Item> found;
  for (const auto* window : {&window_, &hurried_}) {
    for (const auto& [key, item] : *window) {
      if (is_wanted(item)) found.push_back(item);
    }
  }
  return found;
}

std::vector<Item> Backlog::take_older_than(WallTime oldest) {
  std::optional<WallTime> oldest_left;
  auto taken = in_windows([&](const Item& item) {
    if (item.arrival < oldest) return true;
    oldest_left = std::min(oldest_left.value_or(item.arrival), item.arrival);
    return false;
  });
  for (const auto& item : taken) (void)fly(item, hurried_.contains(item.key));
  oldest_arrival_ = oldest_left;
  return taken;
}

void Backlog::put_back(const QueueId& id) {
  const auto found = in_flight_.find(id);
  if (found == in_flight_.end()) return;
  if (found->second.is_hurried) hold_hurried(found->second.item);
  else hold(found->second.item);
  if (found->second.is_late) --late_in_flight_;
  in_flight_.erase(found);
}

void Backlog::finish(const QueueId& id) {
  if (const auto flight = in_flight_.extract(id); flight && flight.mapped().is_late) --late_in_flight_;
  if (loading_until_) changed_while_loading_.insert(id);
}

// ---- what is late ----

std::optional<WallTime> Backlog::oldest_unwarned() const {
  if (is_empty() || late_in_flight_ > 0) return std::nullopt;
  const auto in_memory = waiting() > 0 ? oldest_unwarned_ : std::nullopt;
  if (!in_memory || !unmet_due_) return in_memory ? in_memory : unmet_due_;
  return std::min(*in_memory, *unmet_due_);
}

void Backlog::look_for_late(WallTime until) {
  std::optional<WallTime> oldest_left;
  const auto found = in_windows([&](const Item& item) {
    if (item.sender_was_warned) return false;
    if (item.arrival <= until) return true;
    oldest_left = std::min(oldest_left.value_or(item.arrival), item.arrival);
    return false;
  });
  for (const auto& item : found) fly_late(item);
  oldest_unwarned_ = oldest_left;
  if (unmet_due_ && *unmet_due_ <= until) late_until_ = until;
}

void Backlog::fly_late(const Item& item) {
  late_.push_back(fly(item, hurried_.contains(item.key)));
  in_flight_.at(item.key.id).is_late = true;
  ++late_in_flight_;
}

bool Backlog::wants_late() const {
  return late_until_ && !loading_until_ && late_in_flight_ == 0 && !is_empty();
}

std::optional<Backlog::Load> Backlog::want_late() {
  if (!wants_late()) return std::nullopt;
  loading_for_ = Purpose::late;
  loading_until_ = WallTime::min();
  loading_limit_ = 0;
  unmet_due_.reset();
  return Load{late_through_, *late_until_, kLateAtOnce};
}

/// Leaves the bound between memory and disk as it is.
void Backlog::late(const std::vector<Item>& items, std::optional<WallTime> next_due) {
  for (const auto& item : items) {
    const auto held = in_window_.find(item.key.id);
    const bool is_here = held != in_window_.end() ? held->second == item.key : !is_known(item.key.id);
    if (is_here && !item.sender_was_warned && item.arrival <= *late_until_) fly_late(item);
  }
  if (!items.empty()) late_through_ = items.back().key;
  if (next_due) unmet_due_ = std::min(unmet_due_.value_or(*next_due), *next_due);
  if (!next_due || *next_due > *late_until_ || items.empty()) late_until_.reset();
  end_load();
}

bool Backlog::moved(const Item& item, WallTime now, std::size_t limit) {
  const auto found = in_flight_.find(item.key.id);
  const bool is_hurried = found != in_flight_.end() && found->second.is_hurried;
  finish(item.key.id);
  if (!is_hurried) return admit(item, now, limit);
  hold_hurried(item);
  return true;
}

std::optional<WallTime> Backlog::next_due(WallTime now, std::size_t limit) const {
  std::optional<WallTime> next;
  const auto consider = [&](WallTime due) {
    const auto at = is_due(due, now) ? now : due;
    next = std::min(next.value_or(at), at);
  };
  if (!window_.empty()) consider(window_.begin()->first.due);
  if (!hurried_.empty()) consider(now);
  if (!loading_until_ && hurrying_since_ && is_low(hurried_.size(), limit)) consider(now);
  if (!loading_until_ && is_low(window_.size(), limit)) {
    if (has_more_) consider(now);
    if (next_on_disk_) consider(*next_on_disk_);
  }
  return next;
}

bool Backlog::is_empty() const {
  const bool is_on_disk = has_more_ || next_on_disk_ || loading_until_ || hurrying_since_;
  return !is_on_disk && waiting() == 0 && in_flight_.empty() && announced_.empty();
}

}  // namespace relay::queue
