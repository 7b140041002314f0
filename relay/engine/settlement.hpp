#pragma once
/// NAME      engine -- what happens to a message between its 250 and its last recipient: queue, spool and
///           delivery as one
/// USES      session, delivery, queue, spool, dsn, dkim, metrics, base
/// INVARIANT custody: a message leaves the spool only when every recipient is settled, and its record says
///           how; a recipient recorded as delivered is never sent again; what cannot be recorded stops
///           deliveries; a report and what it reports on are one batch
/// FAILURES  storage_full: refuse mail, hold deliveries, go on once there is space; storage_failed: refuse
///           and hold until restart; corrupt: quarantine that message, go on with the others

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "relay/engine/places.hpp"
#include "relay/queue/retry_schedule.hpp"
#include "relay/smtp/client_session.hpp"

namespace relay::engine {

/// One attempt at one message, as it was taken up.
struct Attempt {
  Place place;
  spool::StoredEnvelope stored;
  std::map<std::uint32_t, spool::Settled> settled_before;  ///< recipients of earlier attempts
  std::vector<std::uint32_t> pending;  ///< recipients of this attempt, by index into the envelope
  std::string last;                    ///< what the attempt before was told, as a line; empty: there was none
  std::string provider;                ///< of the destination, empty when there is none
  std::string signature;               ///< header fields that go on top; empty: none
  bool has_signature = false;          ///< it was made, or nothing is to be signed
  bool signature_is_stored = false;

  [[nodiscard]] const QueueId& id() const { return place.item.key.id; }
  /// Others of its recipients may be in delivery elsewhere at the same time.
  [[nodiscard]] bool is_divided() const { return !place.share.empty(); }
};

/// The recipients of a place that have no result yet.
[[nodiscard]] std::vector<std::uint32_t> pending_recipients(
  const spool::StoredEnvelope& stored, const std::vector<std::uint32_t>& share,
  const std::map<std::uint32_t, spool::Settled>& settled
);

/// What an attempt leads to.
struct Settlement {
  spool::Operations operations;  ///< one atomic batch
  spool::Sync sync = spool::Sync::no;
  std::optional<queue::Item> again;  ///< the message waits under this key now
  bool is_as_before = false;         ///< under that key, and waits for what it waited for
  bool is_complete = false;          ///< every recipient is settled
  bool is_dead_letter = false;       ///< complete, and kept: recipients failed and nobody was told
  bool has_failed = false;           ///< some recipient failed, in this attempt or before
};

/// What else goes into an outcome's settlement.
struct Terms {
  queue::RetrySchedule schedule;
  WallTime now{};
  double fraction = 0;  ///< chance for the retry's jitter, in [0, 1)
  std::string hop;      ///< who answered
  /// For each pending recipient: when it failed, its sender is told in the same batch, or wants to hear nothing.
  std::vector<bool> is_closed;
  bool sender_is_warned = false;  ///< in the same batch
  spool::Operations reports;      ///< the batch of the reports themselves
};

/// Turns an attempt's outcome into the change of the spool (docs/spool.md, "Changes").
///
/// Delivered and failed recipients get results; deferred ones come again after the retry delay; when the rest
/// was not even tried, at once. A message all of whose recipients are settled is removed, unless one failed and
/// nobody was told: then it is kept as a dead letter.
///
/// When nobody at all was tried, the message waits on as it did, and counts as one whose sender was warned.
/// @param outcome   recipients as in `attempt.pending`
/// Pure. Thread: any.
[[nodiscard]] Settlement settle(
  const Attempt& attempt, const smtp::MessageOutcome& outcome, const Terms& terms
);

/// The outcome of a message whose sender should know that it still waits: nobody was tried.
/// @param obstacle  what is the matter with its next hop; empty: nothing, then the last attempt says why it waits
[[nodiscard]] smtp::MessageOutcome late(const Attempt& attempt, const std::string& obstacle);

/// The outcome of a message that grew too old: every pending recipient failed with 554 5.4.7.
[[nodiscard]] smtp::MessageOutcome expired(const Attempt& attempt, milliseconds max_age);

}  // namespace relay::engine
