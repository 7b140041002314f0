#include "relay/engine/shares.hpp"

namespace relay::engine {

void Shares::enter(const QueueId& id, std::function<void()> work) {
  {
    const std::scoped_lock lock(mutex_);
    const auto [at, is_first] = waiting_.try_emplace(id);
    if (!is_first) return at->second.push_back(std::move(work));
  }
  work();
}

void Shares::leave(const QueueId& id) {
  std::function<void()> next;
  {
    const std::scoped_lock lock(mutex_);
    const auto at = waiting_.find(id);
    if (at == waiting_.end()) return;
    if (at->second.empty()) {
      waiting_.erase(at);
      return;
    }
    next = std::move(at->second.front());
    at->second.pop_front();
  }
  next();
}

}  // namespace relay::engine
