#include "relay/net/task_group.hpp"

#include <exception>

namespace relay::net {

void TaskGroup::spawn(Awaitable<void> task) {
  ++count_;
  asio::co_spawn(executor_, std::move(task), [this](const std::exception_ptr& thrown) {
    --count_;
    if (!thrown) return;
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& exception) {
      on_exception_(exception.what());
    } catch (...) {
      on_exception_("unknown exception");
    }
  });
}

void TaskGroup::interrupt_all() {
  for (const auto& stream : streams_) stream.interrupt();
}

void TaskGroup::close_all() {
  for (const auto& stream : streams_) stream.close();
}

}  // namespace relay::net
