#pragma once
/// One settlement at a time of a message whose recipients wait in several queues.

#include <deque>
#include <functional>
#include <mutex>
#include <unordered_map>

#include "relay/queue/item.hpp"

namespace relay::engine {

/// Whoever settles a share reads what the others have recorded, to know whether the message is done; so the next
/// begins when the one before is recorded. Thread: any.
class Shares {
 public:
  /// Runs `work` now, or once all that entered before have left. It ends with leave(), on whatever thread.
  void enter(const QueueId& id, std::function<void()> work);
  /// The next begins within this call.
  void leave(const QueueId& id);

 private:
  std::mutex mutex_;
  std::unordered_map<QueueId, std::deque<std::function<void()>>, queue::QueueIdHash> waiting_;
};

}  // namespace relay::engine
