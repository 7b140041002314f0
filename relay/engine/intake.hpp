#pragma once
/// From a session's content to a durable message in the queue.

#include "relay/engine/content.hpp"
#include "relay/engine/dispatcher.hpp"
#include "relay/engine/leftovers.hpp"
#include "relay/session/ports.hpp"

namespace relay::engine {

/// The sink of one shard's sessions.
class Intake : public session::MessageSink {
 public:
  /// All references outlive the sessions. @param counters  of this shard
  Intake(
    const Context& context, Dispatcher& dispatcher, Admission& admission, Leftovers& leftovers,
    ContentMemory& memory, metrics::Shard& counters
  )
      : context_(context),
        dispatcher_(dispatcher),
        admission_(admission),
        leftovers_(leftovers),
        memory_(memory),
        counters_(counters) {}

  [[nodiscard]] std::unique_ptr<session::IncomingMessage> begin() override;

 private:
  class Message;
  Context context_;
  Dispatcher& dispatcher_;
  Admission& admission_;
  Leftovers& leftovers_;
  ContentMemory& memory_;
  metrics::Shard& counters_;
};

}  // namespace relay::engine
