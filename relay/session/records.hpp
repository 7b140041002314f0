#pragma once
/// What a session writes down of its client: log records, and the counters that go with them.

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/log.hpp"
#include "relay/base/network.hpp"
#include "relay/base/queue_id.hpp"
#include "relay/mail/address.hpp"
#include "relay/mail/reply.hpp"
#include "relay/session/policing.hpp"
#include "relay/session/serve.hpp"

namespace relay::session {

/// Who is served, and what is known of the transaction. The references outlive the session.
struct Context {
  const RulesSource& source;
  Services services;
  IpAddress client;
  std::string_view listener;  ///< of the session's rules, which outlive it
  std::string sender{};       ///< of the transaction
  std::string user{};         ///< who had logged in at MAIL, and was a user still; empty: nobody
  std::string auth_type{};    ///< of the last login
  bool was_hidden = false;    ///< a recipient was refused for that, and nobody logged in since
};

/// Notes where a client came in: nothing where it came to the listener that every relay has.
[[nodiscard]] log::Record at_listener(log::Record record, std::string_view listener);

/// A sender or a header was refused.
void note_rejection(const Context& context, const mail::Reply& refusal);
/// @param counter  of why
void note_rejection(
  const Context& context, const mail::Address& recipient, const mail::Reply& refusal, metrics::Counter counter
);
/// A rule refused, before there was content. @param recipient  null: all mail of this sender
void note_rule_refusal(
  const Context& context, const policy::Rule& rule, const mail::Address* recipient, const mail::Reply& refusal
);

/// By which somebody finds a message again.
struct MessageFacts {
  std::optional<QueueId> id;  ///< nothing: none was stored
  std::string message_id;
  std::uint64_t size = 0;  ///< octets of content
};
/// What rules did at the end of data: a deletion or a change of a message is written down with who and why.
void note_deeds(
  const Context& context, const std::vector<Policing::Deed>& deeds, const MessageFacts& message
);

void note_failed_handshake(const Context& context, const Error& error);
/// Commands came behind STARTTLS. Somebody between the client and us may have put them there (CVE-2011-0411).
void note_injection(const Context& context);
/// The message is stored and its sender does not know (RFC 1047): it may come again.
void note_possible_duplicate(const Context& context, QueueId id);
/// The client could not relay since its address stands for several.
void note_hidden(const Context& context);
/// Something threw. What is wrong is ours: the client is told to come again, and has lost nothing.
void note_exception(const Context& context, const std::exception_ptr& thrown);
/// @param lasted  the whole session
void note_end(const Context& context, const smtp::ServerSession& session, milliseconds lasted);

}  // namespace relay::session
