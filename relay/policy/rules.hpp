#pragma once
/// Ordered rules on mail that comes in: who is refused, what waits for a person, and where mail goes instead.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/network.hpp"
#include "relay/base/units.hpp"
#include "relay/mail/address.hpp"
#include "relay/mail/envelope.hpp"
#include "relay/mail/reply.hpp"
#include "relay/policy/header_fields.hpp"

namespace relay::policy {

/// What becomes of a recipient's mail.
enum class Action : std::uint8_t {
  accept,   ///< as if there were no rules; it opens nothing: who may relay is asked before (relay_access.hpp)
  reject,   ///< refused for good
  defer,    ///< refused for now
  discard,  ///< accepted and thrown away, without a word to its sender
  hold,     ///< accepted and kept on hold until a person releases it
  redirect,  ///< goes to another address instead
  route,     ///< goes by a smarthost that is named
};

/// What a rule asks for. Each condition that is set must hold; a rule without one matches all mail. Patterns are those of
/// glob.hpp; a list matches when one of its entries does.
struct Match {
  Networks clients;                ///< empty: not asked; likewise below
  std::vector<std::string> users;  ///< names that clients logged in with; `*`: any, but logged in
  std::vector<std::string> helo;
  std::vector<std::string> senders;     ///< of the envelope
  std::vector<std::string> recipients;  ///< of the envelope
  std::optional<bool> tls;              ///< whether the connection is encrypted
  std::optional<Octets> larger_than;    ///< content of more octets
  std::string header;                   ///< a field's name; empty: not asked
  std::string header_value = "*";       ///< a pattern for its value
  friend bool operator==(const Match&, const Match&) = default;
};

struct Rule {
  std::string name;
  Match match;
  Action action = Action::accept;
  mail::Reply reply{};          ///< of reject and defer
  mail::Address redirect_to{};  ///< of redirect
  std::string smarthost{};      ///< of route
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

struct Decision {
  const Rule* rule = nullptr;  ///< the first that matches; null: none does, or not known yet
  bool is_final = true;        ///< what is still to come changes nothing
};
/// The first rule that matches decides. A rule that may match yet ends the search: those behind it don't speak before it is
/// known, but a rule that is out already never stands in their way. So the decision is final at the earliest stage that
/// has the facts, and with all facts always.
/// @param looked  when given: what was found of each rule that was looked at, in their order
[[nodiscard]] Decision decide(const Rules& rules, const Facts& facts, std::vector<Finding>* looked = nullptr);

/// The reply of a final decision to refuse; nothing for all others.
[[nodiscard]] std::optional<mail::Reply> refusal_of(const Decision& decision);

/// `accept`, `reject` and so on.
[[nodiscard]] std::string_view to_text(Action action);

/// Names of header fields that rules ask for.
[[nodiscard]] std::vector<std::string> headers_of(const Rules& rules);

}  // namespace relay::policy
