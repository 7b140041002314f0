#include "relay/queue/backlog.hpp"

#include <algorithm>
#include <utility>

namespace relay::queue {

bool Backlog::admit(const Item& item, WallTime now) {
  announced_.erase(item.key.id);
  const bool is_behind_bound = loaded_through_ && item.key <= *loaded_through_;
  const bool load_may_pass_it = loading_until_ && item.key.due <= *loading_until_;
  if (is_behind_bound || load_may_pass_it) return hold(item);
  const bool is_next = !loading_until_ && !has_more_ && (!next_on_disk_ || item.key.due < *next_on_disk_);
  if (is_next && window_.size() < kWindow && item.key.due <= now) {
    loaded_through_ = item.key;
    return hold(item);
  }
  next_on_disk_ = std::min(next_on_disk_.value_or(item.key.due), item.key.due);
  return false;
}

/// Always true: the message is in the window.
bool Backlog::hold(const Item& item) {
  window_.emplace(item.key, item);
  in_window_.insert(item.key.id);
  return true;
}

void Backlog::hold_hurried(const Item& item) {
  hurried_.emplace(item.key, item);
  in_window_.insert(item.key.id);
}

void Backlog::hurry(WallTime now) {
  hurrying_since_ = now;
  hurried_through_.reset();
  hurries_again_ = is_loading_hurried_;
}

std::optional<Backlog::Load> Backlog::want_load(WallTime now) {
  if (loading_until_) return std::nullopt;
  const bool is_time = next_on_disk_ && is_due(*next_on_disk_, now);
  if (window_.size() <= kLowWater && (has_more_ || is_time)) {
    loading_until_ = is_time ? std::max(now, *next_on_disk_) : now;
    loading_limit_ = kWindow - window_.size();
    next_on_disk_.reset();
    return Load{loaded_through_, *loading_until_, loading_limit_};
  }
  if (!hurrying_since_ || hurried_.size() > kLowWater) return std::nullopt;
  is_loading_hurried_ = true;
  loading_until_ = WallTime::min();  // no due time: what is admitted meanwhile is not part of it
  loading_limit_ = kWindow - hurried_.size();
  return Load{hurried_through_, WallTime::max(), loading_limit_};
}

void Backlog::loaded(const std::vector<Item>& items, std::optional<WallTime> next_due) {
  if (is_loading_hurried_) return hurried(items, next_due);
  for (const auto& item : items) {
    if (!is_known(item.key.id)) hold(item);
  }
  if (!items.empty())
    loaded_through_ = std::max(loaded_through_.value_or(items.back().key), items.back().key);
  has_more_ = items.size() >= loading_limit_ || (next_due && *next_due <= *loading_until_);
  // What was admitted meanwhile and left to the disk is in next_on_disk_ already.
  if (next_due) next_on_disk_ = std::min(next_on_disk_.value_or(*next_due), *next_due);
  loading_until_.reset();
  finished_while_loading_.clear();
}

/// Leaves the bound between memory and disk, and all that was scheduled behind the change, as they are.
void Backlog::hurried(const std::vector<Item>& items, std::optional<WallTime> next_due) {
  for (const auto& item : items) {
    if (item.scheduled < *hurrying_since_ && !is_known(item.key.id)) hold_hurried(item);
  }
  const bool is_outdated = std::exchange(hurries_again_, false);  // it began before the last change
  if (!is_outdated && !items.empty()) hurried_through_ = items.back().key;
  if (!is_outdated && (!next_due || items.empty())) hurrying_since_.reset();
  is_loading_hurried_ = false;
  loading_until_.reset();
  finished_while_loading_.clear();
}

bool Backlog::is_known(const QueueId& id) const {
  return in_window_.contains(id) || in_flight_.contains(id) || announced_.contains(id) ||
         finished_while_loading_.contains(id);
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

std::vector<Item> Backlog::take_older_than(WallTime oldest) {
  std::vector<Item> taken;
  for (const bool is_hurried : {false, true}) {
    const auto begin = static_cast<std::ptrdiff_t>(taken.size());
    for (const auto& [key, item] : is_hurried ? hurried_ : window_) {
      if (item.arrival < oldest) taken.push_back(item);
    }
    std::for_each(taken.begin() + begin, taken.end(), [&](const Item& item) { (void)fly(item, is_hurried); });
  }
  return taken;
}

void Backlog::put_back(const QueueId& id) {
  const auto found = in_flight_.find(id);
  if (found == in_flight_.end()) return;
  if (found->second.is_hurried) hold_hurried(found->second.item);
  else hold(found->second.item);
  in_flight_.erase(found);
}

void Backlog::finish(const QueueId& id) {
  in_flight_.erase(id);
  if (loading_until_) finished_while_loading_.insert(id);
}

std::optional<WallTime> Backlog::next_due(WallTime now) const {
  std::optional<WallTime> next;
  const auto consider = [&](WallTime due) {
    const auto at = is_due(due, now) ? now : due;
    next = std::min(next.value_or(at), at);
  };
  if (!window_.empty()) consider(window_.begin()->first.due);
  if (!hurried_.empty()) consider(now);
  if (!loading_until_ && hurrying_since_ && hurried_.size() <= kLowWater) consider(now);
  if (!loading_until_ && window_.size() <= kLowWater) {
    if (has_more_) consider(now);
    if (next_on_disk_) consider(*next_on_disk_);
  }
  return next;
}

}  // namespace relay::queue
