#pragma once
/// Reports to senders: messages of our own, made in the batch that settles what they tell of.

#include <mutex>

#include "relay/dsn/flood_gate.hpp"
#include "relay/engine/context.hpp"
#include "relay/engine/settlement.hpp"

namespace relay::engine {

/// What the sender of an attempt is told.
struct Reported {
  std::vector<Accepted> messages;  ///< announced before the batch is written, accepted behind it
  spool::Operations operations;    ///< that make them
  std::vector<bool> is_closed;     ///< as Terms::is_closed
  bool sender_is_warned = false;
  std::vector<std::string> actions;  ///< `failed`, `delayed`, ... of each report, for the log
};

/// Thread: any worker. Lifetime: owned by the engine.
class Reports {
 public:
  explicit Reports(const Context& context);

  /// Whether report() may have something to say: it reads the content, so it belongs on a worker.
  [[nodiscard]] bool is_wanted(const Attempt& attempt, const smtp::MessageOutcome& outcome) const;
  /// A report whose original can't be read comes without it.
  /// Errors: storage_failed (transient): the original could not be read just now.
  [[nodiscard]] Result<Reported> report(
    const Attempt& attempt, const smtp::MessageOutcome& outcome, const std::string& remote_mta
  );

 private:
  [[nodiscard]] bool is_delay_due(const Attempt& attempt) const;
  [[nodiscard]] Result<std::string> original(const Attempt& attempt, std::size_t limit) const;
  [[nodiscard]] WallTime slot(const std::string& victim);

  Context context_;
  std::mutex mutex_;
  queue::Rate rate_;                      // of gate_, under mutex_
  std::unique_ptr<dsn::FloodGate> gate_;  // under mutex_
};

}  // namespace relay::engine
