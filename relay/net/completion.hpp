#pragma once
/// Awaiting what another thread answers through a callback.

#include <functional>
#include <memory>

#include "relay/net/asio.hpp"

namespace relay::net {

/// Calls `start` with a function that must be called exactly once, from any thread; the awaiting coroutine
/// resumes with its argument on its own executor.
///
/// @param start  copyable; called before the coroutine is suspended for good, so it must not answer by
///               blocking
template <class T>
[[nodiscard]] Awaitable<T> answered_by(std::function<void(std::function<void(T)>)> start) {
  return asio::async_initiate<const asio::use_awaitable_t<Executor>, void(T)>(
    [](auto handler, std::function<void(std::function<void(T)>)> begin) {
      // The handler can only be moved and std::function can only be copied.
      auto shared = std::make_shared<decltype(handler)>(std::move(handler));
      begin([shared](T answer) {
        auto executor = asio::get_associated_executor(*shared);
        asio::post(executor, [shared, answer = std::move(answer)]() mutable {
          (*shared)(std::move(answer));
        });
      });
    },
    kAwait, std::move(start)
  );
}

}  // namespace relay::net
