#pragma once
/// One content filter, asked about one message over a connection of its own.

#include <memory>
#include <mutex>
#include <string>

#include "relay/milter/circuit.hpp"
#include "relay/milter/conversation.hpp"
#include "relay/net/resolver.hpp"
#include "relay/net/stream.hpp"
#include "relay/net/task_group.hpp"
#include "relay/session/ports.hpp"

namespace relay::session {

/// What becomes of a message that a filter could not be asked about.
enum class OnFailure : std::uint8_t {
  defer,   ///< 451 4.7.1
  accept,  ///< it goes on unfiltered
  reject,  ///< 550 5.7.1
};

/// A milter::Circuit that all shards share. Thread: any, never blocks for long.
class SharedCircuit {
 public:
  [[nodiscard]] bool may_ask(SteadyTime now) {
    const std::scoped_lock lock(mutex_);
    return circuit_.may_ask(now);
  }
  void note(SteadyTime now, bool has_failed) {
    const std::scoped_lock lock(mutex_);
    if (has_failed) circuit_.failed(now);
    else circuit_.succeeded();
  }

 private:
  std::mutex mutex_;
  milter::Circuit circuit_;
};

/// A filter as the settings name it.
struct Milter {
  std::string name;
  Endpoint address;
  milliseconds connect_timeout = std::chrono::seconds{5};
  milter::Timeouts timeouts;
  OnFailure on_failure = OnFailure::defer;
  std::shared_ptr<SharedCircuit> circuit = std::make_shared<SharedCircuit>();

  /// Whether the other one is asked the same way: then they may share a circuit.
  [[nodiscard]] bool is_like(const Milter& other) const {
    return name == other.name && address == other.address && connect_timeout == other.connect_timeout &&
           timeouts == other.timeouts;
  }
};
/// In the order in which they are asked.
using Milters = std::vector<Milter>;

/// A message's body, from its beginning. All it points at outlives it.
class BodyReader {
 public:
  BodyReader(IncomingMessage& stored, const std::string& last) : stored_(stored), last_(last) {}
  /// Empty: that was all. Errors: the spool's.
  [[nodiscard]] net::Awaitable<Result<std::string>> next();
  /// next() has failed: the fault is ours.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  IncomingMessage& stored_;
  const std::string& last_;
  std::uint32_t next_ = 0;
  bool is_last_read_ = false;
  std::optional<Error> failure_;
};

/// Errors, all transient: those of net::Resolver and net::Stream, timed_out, protocol_error, and the body's.
/// Lasts no longer than `connect_timeout` and Timeouts::message together.
/// @param tasks  closes the connection at the end of the process; as all of them outlives the call
[[nodiscard]] net::Awaitable<Result<milter::Outcome>> ask_milter(
  const Milter& milter, milter::Message message, BodyReader& body, net::Resolver& resolver,
  net::TaskGroup& tasks
);

}  // namespace relay::session
