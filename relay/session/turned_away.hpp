#pragma once
/// Connections that are refused before they become sessions.

#include <functional>
#include <string>

#include "relay/mail/reply.hpp"
#include "relay/net/task_group.hpp"

namespace relay::session {

/// Greets with a refusal and closes. None of them is a session: they count to no limit of sessions and nobody waits for
/// them when the relay stops. What they hold, a socket each for 2 s (net::Stream::close_gently), is bounded here: a client
/// that comes again and again is turned away again and again, and that must cost the others nothing.
///
/// Thread: its shard's. As net::TaskGroup, it may go before its connections do.
class TurnedAway {
 public:
  /// Connections of a shard that linger so that the client can read the refusal. Beyond it they are closed at once: a client
  /// that has sent something by then may see a reset in place of the refusal.
  static constexpr std::size_t kMaxLingering = 100;

  /// @param on_exception  as net::TaskGroup has it
  TurnedAway(
    net::asio::io_context::executor_type executor, std::function<void(const std::string&)> on_exception
  )
      : lingering_(executor, on_exception), leaving_(executor, on_exception) {}

  /// @param refusal  421 or 554; its text is sent behind the hostname
  void add(net::Stream stream, const std::string& hostname, mail::Reply refusal);
  [[nodiscard]] std::size_t lingering() const { return lingering_.count(); }

 private:
  net::TaskGroup lingering_;
  net::TaskGroup leaving_;  // told, and closed as soon as that is written
};

}  // namespace relay::session
