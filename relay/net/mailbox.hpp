#pragma once
/// Work for a loop from other threads, taken in bunches.

#include <functional>
#include <mutex>
#include <vector>

#include "relay/net/asio.hpp"

namespace relay::net {

/// What is posted while the loop is busy waits together, and costs one wake-up and one `after`, however much it is.
/// Actions run in the order in which they were posted. Lifetime: outlives what runs on its loop.
class Mailbox {
 public:
  using Action = std::function<void()>;

  /// @param after  runs on the loop behind each bunch
  Mailbox(asio::io_context& loop, Action after) : loop_(loop), after_(std::move(after)) {}
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Thread: any.
  void post(Action action);

 private:
  void run();

  asio::io_context& loop_;
  Action after_;
  std::mutex mutex_;
  std::vector<Action> waiting_;  // under mutex_
};

}  // namespace relay::net
