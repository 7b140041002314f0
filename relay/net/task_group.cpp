#include "relay/net/task_group.hpp"

#include <exception>

namespace relay::net {

void TaskGroup::spawn(Awaitable<void> task) {
  ++state_->count;
  asio::co_spawn(executor_, std::move(task), [state = state_](const std::exception_ptr& thrown) {
    --state->count;
    if (!thrown) return;
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& exception) {
      state->on_exception(exception.what());
    } catch (...) {
      state->on_exception("unknown exception");
    }
  });
}

void TaskGroup::interrupt_all() {
  for (const auto& stream : state_->streams) stream.interrupt();
}

void TaskGroup::close_all() {
  state_->is_closed = true;
  for (const auto& stream : state_->streams) stream.close();
}

}  // namespace relay::net
