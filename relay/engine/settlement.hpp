#pragma once
/// NAME      engine -- what happens to a message between its 250 and its last recipient: queue, spool and
///           delivery as one
/// USES      session, delivery, queue, spool, metrics, base
/// INVARIANT custody: a message leaves the spool only when every recipient is settled, and its record says
///           how; a recipient recorded as delivered is never sent again; what cannot be recorded stops
///           deliveries
/// FAILURES  storage_full: refuse mail, hold deliveries, go on once there is space; storage_failed: refuse
///           and hold until restart; corrupt: quarantine that message, go on with the others

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "relay/queue/retry_schedule.hpp"
#include "relay/route/next_hop.hpp"
#include "relay/smtp/client_session.hpp"
#include "relay/spool/store.hpp"

namespace relay::engine {

/// One attempt at one message, as it was taken up.
struct Attempt {
  queue::Item item;
  route::Destination destination;
  spool::StoredEnvelope stored;
  std::map<std::uint32_t, spool::Settled> settled_before;  ///< recipients of earlier attempts
  std::vector<std::uint32_t> pending;  ///< recipients of this attempt, by index into the envelope
};

/// The recipients that have no result yet.
[[nodiscard]] std::vector<std::uint32_t> pending_recipients(
  const spool::StoredEnvelope& stored, const std::map<std::uint32_t, spool::Settled>& settled
);

/// What an attempt leads to.
struct Settlement {
  spool::Operations operations;  ///< one atomic batch; empty when nothing was judged
  spool::Sync sync = spool::Sync::no;
  std::optional<queue::Item> again;  ///< the message waits under this key now
  bool is_complete = false;          ///< every recipient is settled
  /// Over all attempts. With is_complete and more than none, the message is kept as failed.
  std::uint32_t failed_recipients = 0;
};

/// Turns an attempt's outcome into the change of the spool (docs/spool.md, "Changes").
///
/// Delivered and failed recipients get results; deferred ones come again after the retry delay; when the rest
/// was not even tried, at once.
/// @param outcome   recipients as in `attempt.pending`
/// @param fraction  chance for the retry's jitter, in [0, 1)
/// Pure. Thread: any.
[[nodiscard]] Settlement settle(
  const Attempt& attempt, const smtp::MessageOutcome& outcome, const queue::RetrySchedule& schedule,
  WallTime now, double fraction, const std::string& hop
);

/// The outcome of a message that grew too old: every pending recipient failed with 554 5.4.7.
[[nodiscard]] smtp::MessageOutcome expired(const Attempt& attempt, milliseconds max_age);

}  // namespace relay::engine
