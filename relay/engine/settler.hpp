#pragma once
/// Records what became of attempts: settlement, reports to the sender, log, counters.

#include <random>

#include "relay/delivery/ports.hpp"
#include "relay/engine/dispatcher.hpp"
#include "relay/engine/reports.hpp"
#include "relay/engine/shares.hpp"

namespace relay::engine {

/// An attempt that has ended.
struct Ended {
  Attempt attempt;
  smtp::MessageOutcome outcome;
  delivery::Peer peer;
  std::size_t shard = queue::kNoShard;  ///< the one that counts it in flight
  /// Where the time went since the message was taken up: on our side, connecting, sending.
  std::chrono::nanoseconds waited{};
  std::chrono::nanoseconds sending{};
};

/// The one of a shard. Thread: its shard's. References outlive it.
class Settler {
 public:
  struct Services {
    net::IoThread& thread;
    metrics::Shard& counters;
    Dispatcher& dispatcher;
    Admission& admission;
    Shares& shares;
    Reports& reports;
  };
  Settler(const Context& context, Services services);

  void settle(Ended ended);
  /// Outcomes that are not recorded yet.
  [[nodiscard]] std::size_t unrecorded() const { return unrecorded_; }

 private:
  struct Record {  // an outcome on its way to the spool
    Ended ended;
    Reported reported;
    Settlement settlement;
    bool holds_pause = false;
    bool is_gone = false;  // set aside meanwhile: nothing of it is left to settle
  };
  using Shared = std::shared_ptr<Record>;
  void prepare(const Shared& record);
  [[nodiscard]] Result<void> read_others(Record& record) const;
  void write(const Shared& record);
  void submit(const Shared& record);
  void not_recorded(const Shared& record, const Error& error);
  void recorded(const Record& record);
  void leave(const Record& record);
  template <class Action>
  void later(Action action);

  Context context_;
  Services services_;
  std::size_t unrecorded_ = 0;
  std::mt19937 random_;
};

}  // namespace relay::engine
