#pragma once
/// An event loop on a thread of its own, and coroutines run on it from a test.

#include <future>
#include <gtest/gtest.h>

#include "relay/net/io_thread.hpp"

namespace relay::test {

inline constexpr std::chrono::seconds kDeadline{20};

/// Polls until `condition` holds; fails the test when it does not within the deadline.
template <class Condition>
bool eventually(Condition condition, const char* what = "the condition") {
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) {
      ADD_FAILURE() << what << " did not come true within " << kDeadline.count() << " s";
      return false;
    }
    std::this_thread::yield();
  }
  return true;
}

class Loop {
 public:
  Loop() { thread.start(); }

  template <class T>
  std::future<T> start(net::Awaitable<T> task) {
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    net::asio::co_spawn(
      thread.context(), fulfil(std::move(task), promise),
      [promise](const std::exception_ptr& thrown) {
        if (thrown) promise->set_exception(thrown);
      }
    );
    return future;
  }
  template <class T>
  T run(net::Awaitable<T> task) {
    auto future = start(std::move(task));
    if (future.wait_for(kDeadline) != std::future_status::ready)
      throw std::runtime_error("the coroutine did not end");
    return future.get();
  }

  net::IoThread thread{"test"};

 private:
  template <class T>
  static net::Awaitable<void> fulfil(net::Awaitable<T> task, std::shared_ptr<std::promise<T>> promise) {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(task);
      promise->set_value();
    } else {
      auto value = co_await std::move(task);
      promise->set_value(std::move(value));
    }
  }
};

}  // namespace relay::test
