#pragma once
/// The coroutines of one shard that serve connections, so that they can be told to finish and waited for.

#include <cstddef>
#include <functional>
#include <list>
#include <string>

#include "relay/net/stream.hpp"

namespace relay::net {

/// Thread: its shard's. Outlives the coroutines it spawned (wait until count() is 0).
class TaskGroup {
 public:
  /// @param on_exception  told what a coroutine threw; called on the shard
  TaskGroup(asio::io_context::executor_type executor, std::function<void(const std::string&)> on_exception)
      : executor_(std::move(executor)), on_exception_(std::move(on_exception)) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Runs a coroutine on the shard. An exception ends that coroutine only.
  void spawn(Awaitable<void> task);
  [[nodiscard]] std::size_t count() const { return count_; }

  /// A stream that a coroutine of this group serves, for as long as this lives.
  class Membership {
   public:
    Membership(TaskGroup& group, Stream::Handle handle)
        : group_(group), at_(group.streams_.insert(group.streams_.end(), handle)) {}
    ~Membership() { group_.streams_.erase(at_); }
    Membership(const Membership&) = delete;
    Membership& operator=(const Membership&) = delete;

   private:
    TaskGroup& group_;
    std::list<Stream::Handle>::iterator at_;
  };

  /// Each waiting read returns cancelled once: its owner finishes what is begun and begins nothing new.
  void interrupt_all();
  /// Ends all connections.
  void close_all();

 private:
  asio::io_context::executor_type executor_;
  std::function<void(const std::string&)> on_exception_;
  std::size_t count_ = 0;
  std::list<Stream::Handle> streams_;
};

}  // namespace relay::net
