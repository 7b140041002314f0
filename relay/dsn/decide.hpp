#pragma once
/// Who hears of what: which recipients of an attempt are reported to the sender, and as what.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "relay/smtp/client_session.hpp"

namespace relay::dsn {

/// RFC 3464 section 2.3.3. `relayed`: handed to a system that makes no reports of success.
enum class Action : std::uint8_t { failed, delayed, delivered, relayed };
/// The word of the Action field.
[[nodiscard]] std::string_view name(Action action);

/// Whether a next hop is the end of the way.
enum class Handover : std::uint8_t {
  to_next_hop,   ///< SMTP: whoever took it goes on delivering
  into_mailbox,  ///< LMTP and the like: delivered is delivered
};

/// An attempt at a message, and how it ended. The references are read during the call only.
struct Attempt {
  const mail::Address& reverse_path;
  const mail::DsnRequest& request;  ///< recipients as in `outcome`, or none
  const smtp::MessageOutcome& outcome;
  Handover handover = Handover::to_next_hop;
  /// The message has waited so long that its sender should know, and has not been told.
  bool is_delay_due = false;
};

struct Notice {
  std::size_t recipient = 0;  ///< an index into the attempt's recipients
  Action action = Action::failed;
  friend bool operator==(const Notice&, const Notice&) = default;
};

/// What the sender is to be told of this attempt, in the order of its recipients (RFC 3461 section 5.2):
///
/// - nothing at all when the reverse path is null: no report is ever answered by a report;
/// - failed: unless NOTIFY was given without FAILURE;
/// - deferred, once is_delay_due: unless NOTIFY was given without DELAY;
/// - delivered: with NOTIFY=SUCCESS only, as `delivered` from a mailbox, as `relayed` by a hop that was not
///   told of the request; one that was makes the report itself;
/// - untried: as deferred.
/// Pure. Thread: any.
[[nodiscard]] std::vector<Notice> decide(const Attempt& attempt);

}  // namespace relay::dsn
