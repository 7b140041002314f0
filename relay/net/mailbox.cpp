#include "relay/net/mailbox.hpp"

#include <utility>

namespace relay::net {

void Mailbox::post(Action action) {
  const std::scoped_lock lock(mutex_);
  waiting_.push_back(std::move(action));
  // Under the lock, so that what any of the posters posts to the loop directly from now on comes behind.
  if (waiting_.size() == 1) asio::post(loop_, [this] { run(); });
}

void Mailbox::run() {
  std::vector<Action> bunch;
  {
    const std::scoped_lock lock(mutex_);
    bunch.swap(waiting_);
  }
  for (const auto& action : bunch) action();
  after_();
}

}  // namespace relay::net
