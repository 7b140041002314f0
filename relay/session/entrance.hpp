#pragma once
/// Who a connection is from, and whether it becomes a session.

#include <optional>
#include <string>

#include "relay/session/client_counts.hpp"
#include "relay/session/serve.hpp"

namespace relay::session {

/// What is known of a client before its session begins.
struct Preamble {
  IpAddress client;
  std::string early_octets;         // what came behind the PROXY header
  std::optional<mail::TlsUse> tls;  // as that header says
};

/// Who the client is, once a load balancer of `proxy_trusted` has said so (smtp/proxy_header.hpp).
/// Errors: those of net::Stream; timed_out behind 30 s; protocol_error where the first octets are no PROXY header.
/// @param stream, rules  outlive the call
[[nodiscard]] net::Awaitable<Result<Preamble>> identify(net::Stream& stream, const Rules& rules);

/// Counts and records a peer that did not say it, tells it why (550 5.7.1) where it sent something else, and closes.
[[nodiscard]] net::Awaitable<void> refuse_proxy(
  net::Stream& stream, const Rules& rules, Services services, Error error
);

/// A place among its connections, for a client that is one; nothing when it has too many, which is counted and recorded.
/// All addresses that hide clients count for one, since any stranger may be behind them: with half of what there is, so that
/// others find a place.
[[nodiscard]] std::optional<ClientCounts::Place> enter(
  const Rules& rules, const IpAddress& client, bool is_hidden, Services services
);
/// 421 4.7.0: what it is told then.
[[nodiscard]] mail::Reply too_many_of(const IpAddress& client, bool is_hidden);

/// What policy rules on clients alone refuse, recorded; a greeting has codes of its own, 554 and 421 (RFC 5321 section 4.2.2).
[[nodiscard]] std::optional<mail::Reply> refuse_connection(
  const Rules& rules, const IpAddress& client, Services services
);

/// Refuses a client before it becomes a session. In the clear one that begins with TLS could read nothing, and a handshake
/// for a client that is one too many is not to be had.
void turn_away(net::Stream stream, const Rules& rules, mail::Reply refusal, Services services);

}  // namespace relay::session
