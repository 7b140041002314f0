#pragma once
/// Ordered rules on mail that comes in: who is refused, what waits for a person, and where mail goes instead.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/clock.hpp"
#include "relay/base/network.hpp"
#include "relay/base/units.hpp"
#include "relay/mail/address.hpp"
#include "relay/mail/envelope.hpp"
#include "relay/mail/reply.hpp"
#include "relay/policy/header_fields.hpp"

namespace relay::policy {

/// What becomes of a recipient's mail. The first seven decide; behind the others the rules go on (decision 0092).
enum class Action : std::uint8_t {
  accept,   ///< as if there were no rules; it opens nothing: who may relay is asked before (relay_access.hpp)
  reject,   ///< refused for good
  defer,    ///< refused for now
  discard,  ///< accepted and thrown away, without a word to its sender
  hold,     ///< accepted and kept on hold until a person releases it
  redirect,  ///< goes to another address instead
  route,     ///< goes by a smarthost that is named
  limit,     ///< refused for now once there are too many, which decides; else the rules go on
  // What follows never decides, and is of the whole message when it is for one of its recipients.
  add_header,
  remove_header,
  rewrite_sender,  ///< another reverse path; the null one stays
  set_priority,
  copy,  ///< to another address as well, which is told of nothing
};
/// Whether rules behind one with this action speak, whatever it says: it never decides.
[[nodiscard]] bool always_goes_on(Action action);
/// Whether a decision with this action is a refusal.
[[nodiscard]] bool refuses(Action action);

/// What a limit counts for: each client (an IPv6 one with its /64), user, sender or domain of senders by itself.
enum class LimitKey : std::uint8_t { client, user, sender, sender_domain };
enum class LimitUnit : std::uint8_t { messages, recipients };
struct Limit {
  std::uint64_t count = 1;                     ///< at least 1; so many at once, too
  milliseconds per = std::chrono::seconds{1};  ///< more than 0; until all of them are back
  LimitKey key = LimitKey::client;
  LimitUnit unit = LimitUnit::messages;
  friend bool operator==(const Limit&, const Limit&) = default;
};

/// What a rule asks for. Each condition that is set must hold; a rule without one matches all mail. Patterns are those of
/// glob.hpp; a list matches when one of its entries does.
struct Match {
  Networks clients;                ///< empty: not asked; likewise below
  std::vector<std::string> users;  ///< names that clients logged in with; `*`: any, but logged in
  std::vector<std::string> helo;
  std::vector<std::string> senders;      ///< of the envelope
  std::vector<std::string> recipients;   ///< of the envelope
  std::optional<bool> tls;               ///< whether the connection is encrypted
  std::optional<Octets> larger_than;     ///< content of more octets
  std::string header;                    ///< a field's name; empty: not asked
  std::string header_value = "*";        ///< a pattern for its value
  std::optional<bool> authenticated{};   ///< whether the client has logged in
  std::vector<std::string> listeners{};  ///< names of those that the client connected to
  friend bool operator==(const Match&, const Match&) = default;
};

struct Rule {
  std::string name;
  Match match;
  Action action = Action::accept;
  mail::Reply reply{};          ///< of reject, defer and limit
  mail::Address redirect_to{};  ///< of redirect
  std::string smarthost{};      ///< of route
  Limit limit{};                ///< of limit
  std::string field_name{};     ///< of add_header and remove_header
  std::string field_value{};    ///< of add_header
  mail::Address new_sender{};   ///< of rewrite_sender
  bool rewrites_from = false;   ///< of rewrite_sender: the header's From becomes the same address
  mail::Priority priority = mail::Priority::unset;  ///< of set_priority
  mail::Address copy_to{};                          ///< of copy
  friend bool operator==(const Rule&, const Rule&) = default;
};
using Rules = std::vector<Rule>;

/// What is known so far of one recipient's mail; what is absent is not known yet. Once known, nothing changes. All that it
/// points at outlives it.
struct Facts {
  IpAddress client;
  std::optional<std::string_view> user{};  ///< empty: nobody has logged in
  std::optional<std::string_view> helo{};
  std::optional<bool> tls{};
  const mail::Address* sender = nullptr;
  const mail::Address* recipient = nullptr;
  std::optional<std::uint64_t> size{};              ///< octets of content
  const HeaderFields* header = nullptr;             ///< whole
  std::string_view listener = mail::kMainListener;  ///< where the client came in
};

/// Whether a rule matches.
enum class Answer : std::uint8_t { no, unknown, yes };

struct Finding {
  Answer answer = Answer::yes;
  /// The condition that says no, or the first that is not known yet, as settings name it; empty for yes.
  std::string_view condition{};
  friend bool operator==(const Finding&, const Finding&) = default;
};
[[nodiscard]] Finding look_at(const Match& match, const Facts& facts);
/// A limit is not known either before there is something to count: a message, that is its sender, or a recipient.
[[nodiscard]] Finding look_at_rule(const Rule& rule, const Facts& facts);

/// Counts what limits allow. To take for the same message, or recipient of it, once more takes nothing, and gives the same
/// answer: whoever implements it keeps that for as long as the message is open.
class Meter {
 public:
  virtual ~Meter() = default;
  /// @param rule   a limit that matches
  /// @param facts  with what it counts
  /// @return whether it is within the limit
  [[nodiscard]] virtual bool take(const Rule& rule, const Facts& facts) = 0;
};

/// Of whom a limit counts; nothing where it counts for users and nobody has logged in: such mail is not limited.
/// @param facts  with sender and user
[[nodiscard]] std::optional<std::string> counted_for(const Limit& limit, const Facts& facts);

struct Decision {
  const Rule* rule = nullptr;  ///< the first that decides; null: none does, or not known yet
  bool is_final = true;        ///< what is still to come changes nothing
};
/// The first rule that matches decides. A rule that may match yet ends the search: those behind it don't speak before it is
/// known, but a rule that is out already never stands in their way. So the decision is final at the earliest stage that
/// has the facts, and with all facts always. Rules that never decide are passed over, known or not; a limit decides when it is
/// exceeded.
/// @param looked  when given: what was found of each rule that was looked at, in their order
/// @param meter   null: no limit is exceeded
[[nodiscard]] Decision decide(
  const Rules& rules, const Facts& facts, std::vector<Finding>* looked = nullptr, Meter* meter = nullptr
);

/// The reply of a final decision to refuse, a limit that was exceeded included; nothing for all others.
[[nodiscard]] std::optional<mail::Reply> refusal_of(const Decision& decision);

/// `accept`, `reject` and so on, as settings have them.
[[nodiscard]] std::string_view to_text(Action action);

/// Names of header fields that rules ask for.
[[nodiscard]] std::vector<std::string> headers_of(const Rules& rules);

}  // namespace relay::policy
