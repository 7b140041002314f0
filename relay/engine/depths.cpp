#include "relay/engine/depths.hpp"

#include <algorithm>

namespace relay::engine {

void Depths::start_with(const std::map<std::string, std::uint64_t>& by_queue) {
  const std::scoped_lock lock(mutex_);
  for (const auto& [key, count] : by_queue) {
    if (const auto name = queue::QueueName::parse(key)) messages_[name->destination.name] += count;
  }
}

void Depths::add(const std::vector<Place>& places) {
  const std::scoped_lock lock(mutex_);
  for (const auto& place : places) ++messages_[place.queue.destination.name];
}

void Depths::remove(const queue::QueueName& queue) {
  const std::scoped_lock lock(mutex_);
  const auto found = messages_.find(queue.destination.name);
  if (found == messages_.end()) return;
  if (found->second <= 1) messages_.erase(found);
  else --found->second;
}

void Depths::note_ages(const std::vector<queue::DestinationState>& states, WallTime now) {
  const std::scoped_lock lock(mutex_);
  ages_.clear();
  for (const auto& state : states) {
    if (!state.oldest_arrival) continue;
    ages_[state.destination.name] = std::chrono::duration<double>(now - *state.oldest_arrival).count();
  }
}

std::vector<metrics::Depth> Depths::top() const {
  std::vector<metrics::Depth> depths;
  metrics::Depth other{"other", 0, 0};
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [name, count] : messages_) {
      const auto age = ages_.find(name);
      depths.push_back({name, count, age == ages_.end() ? 0 : age->second});
    }
  }
  std::sort(depths.begin(), depths.end(), [](const auto& a, const auto& b) {
    return a.messages > b.messages;
  });
  for (std::size_t i = metrics::kMaxDestinations; i < depths.size(); ++i) {
    other.messages += depths[i].messages;
    other.oldest_seconds = std::max(other.oldest_seconds, depths[i].oldest_seconds);
  }
  if (depths.size() > metrics::kMaxDestinations) {
    depths.resize(metrics::kMaxDestinations);
    depths.push_back(std::move(other));
  }
  return depths;
}

}  // namespace relay::engine
