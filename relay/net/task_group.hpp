#pragma once
/// The coroutines of one shard that serve connections, so that they can be told to finish and waited for.

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "relay/net/stream.hpp"

namespace relay::net {

/// Thread: its shard's. May go before its coroutines do: what a loop that was stopped never resumed is
/// destroyed with the loop.
class TaskGroup {
  struct State {
    std::function<void(const std::string&)> on_exception;
    std::size_t count = 0;
    bool is_closed = false;
    std::list<Stream::Handle> streams;
  };

 public:
  /// @param on_exception  told what a coroutine threw; called on the shard
  TaskGroup(asio::io_context::executor_type executor, std::function<void(const std::string&)> on_exception)
      : executor_(std::move(executor)),
        state_(std::make_shared<State>(State{std::move(on_exception), 0, false, {}})) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Runs a coroutine on the shard. An exception ends that coroutine only.
  void spawn(Awaitable<void> task);
  [[nodiscard]] std::size_t count() const { return state_->count; }

  /// A stream that a coroutine of this group serves, for as long as this lives.
  class Membership {
   public:
    Membership(TaskGroup& group, Stream::Handle handle)
        : state_(group.state_), at_(state_->streams.insert(state_->streams.end(), handle)) {
      if (state_->is_closed) handle.close();
    }
    ~Membership() { state_->streams.erase(at_); }
    Membership(const Membership&) = delete;
    Membership& operator=(const Membership&) = delete;

   private:
    std::shared_ptr<State> state_;
    std::list<Stream::Handle>::iterator at_;
  };

  /// Each waiting read returns cancelled once: its owner finishes what is begun and begins nothing new.
  void interrupt_all();
  /// Ends all connections, and for good: one that was being opened ends as soon as it is served.
  void close_all();

 private:
  asio::io_context::executor_type executor_;
  std::shared_ptr<State> state_;
};

}  // namespace relay::net
