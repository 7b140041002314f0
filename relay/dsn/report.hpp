#pragma once
/// NAME      dsn -- delivery status notifications: whether, when, and what they say
/// USES      smtp, mail, base
/// INVARIANT pure; whatever remote systems and senders wrote, a report is a well-formed message of CRLF lines
///           of at most 998 octets, and nothing in it can end a field, a part or a line before its time
/// FAILURES  none: what can't be shown is shown as '?', what is too much is cut

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/clock.hpp"
#include "relay/dsn/decide.hpp"
#include "relay/mail/envelope.hpp"

namespace relay::dsn {

/// What is told of one recipient.
struct RecipientReport {
  mail::Address recipient{};
  std::string original_recipient{};  ///< ORCPT as received; empty when not given
  Action action = Action::failed;
  mail::Reply reply{};  ///< the last one; the peer's, or ours when remote_mta is empty
  smtp::Stage stage = smtp::Stage::rcpt;
  std::string remote_mta{};  ///< the host that gave `reply`
  std::optional<WallTime> last_attempt = std::nullopt;
  std::optional<WallTime> will_retry_until = std::nullopt;  ///< of delayed ones
};

/// The message that is reported on.
struct Original {
  std::string_view content{};  ///< its beginning at least, as it was sent on; read during the call only
  std::uint64_t size = 0;      ///< octets of the whole
  std::string queue_id{};
  std::string envelope_id{};  ///< ENVID as received
  mail::Ret ret = mail::Ret::unset;
  WallTime arrival{};
};

struct Report {
  std::string id{};             ///< unique among reports: their queue id; names Message-ID and boundary
  std::string reporting_mta{};  ///< our host name
  mail::Address from{};         ///< null: MAILER-DAEMON at reporting_mta
  mail::Address to{};           ///< the reverse path of the original; the report itself has none
  WallTime now{};
  Original original{};
  std::vector<RecipientReport> recipients{};
  /// Octets of the original that are returned at most.
  std::size_t max_returned = 50'000;
};

/// The report as a message (RFC 3464, multipart/report by RFC 6522): an explanation for people, the status for
/// programs, and what is returned of the original.
///
/// Returned is the whole message when a recipient failed, RET is not HDRS, and the whole is in
/// `original.content` and no larger than `max_returned`; in all other cases its header, cut at a line end to
/// `max_returned` octets; nothing when there is no content.
///
/// Eight-bit content of the original makes parts of the report 8bit; it is best sent on without BODY, as it
/// came. Addresses beyond ASCII are written as RFC 6533 has it: with escapes, in ASCII, to a sender who has an
/// ASCII address; as they are, in message/global-delivery-status, to others. Headers in UTF-8 come back in
/// message/global and message/global-headers.
/// Complexity: O(octets). Thread: any.
[[nodiscard]] std::string make_report(const Report& report);

/// Whether the report can go only to a hop that offers SMTPUTF8: for mail::Envelope::smtputf8.
[[nodiscard]] bool needs_smtputf8(const Report& report);

/// Takes any octets.
/// @return  CRLF lines of at most 998 octets without NUL, the last one ended; what was longer goes on behind
///          `continuation`. Bare CR and LF end lines.
[[nodiscard]] std::string clean_lines(std::string_view text, std::string_view continuation);

}  // namespace relay::dsn
