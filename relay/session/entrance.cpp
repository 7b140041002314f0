#include "relay/session/entrance.hpp"

#include <algorithm>
#include <chrono>

#include "relay/session/records.hpp"
#include "relay/smtp/proxy_header.hpp"

namespace relay::session {
namespace {

using metrics::Counter;
using net::Awaitable;
using net::Stream;

constexpr milliseconds kProxyHeaderTimeout = std::chrono::seconds{30};

/// For the last words to a peer.
constexpr milliseconds kFarewellTimeout = std::chrono::seconds{10};

/// Reads the PROXY header of a load balancer.
Awaitable<Result<Preamble>> read_proxy_header(Stream& stream, IpAddress peer) {
  std::string received;
  const auto deadline = std::chrono::steady_clock::now() + kProxyHeaderTimeout;
  while (true) {
    const auto left = deadline - std::chrono::steady_clock::now();
    const auto timeout = std::max(std::chrono::duration_cast<milliseconds>(left), milliseconds{1});
    auto octets = co_await stream.receive(timeout);
    if (!octets) co_return tl::unexpected(std::move(octets.error()));
    received.append(*octets);
    auto header = smtp::parse_proxy_header(received);
    if (!header) co_return tl::unexpected(std::move(header.error()));
    if (!*header) continue;
    Preamble preamble;
    preamble.client = (*header)->client.value_or(peer);
    preamble.early_octets = received.substr((*header)->length);
    preamble.tls = std::move((*header)->tls);
    co_return preamble;
  }
}

}  // namespace

Awaitable<Result<Preamble>> identify(Stream& stream, const Rules& rules) {
  Preamble preamble;
  preamble.client = stream.peer();
  if (!contains(rules.proxy_trusted, preamble.client)) co_return preamble;
  auto read = co_await read_proxy_header(stream, preamble.client);
  co_return read;
}

Awaitable<void> refuse_proxy(Stream& stream, const Rules& rules, Services services, Error error) {
  services.counters.add(Counter::connections_refused_proxy_header);
  auto record =
    log::warning("proxy_header_refused").with("peer", stream.peer().to_text()).with("error", error.message());
  services.log.write(at_listener(std::move(record), rules.listener));
  if (error.code == Errc::protocol_error && !rules.tls_first) {
    const auto words =
      smtp::to_wire(smtp::reply(550, {5, 7, 1}, "This peer must send a PROXY protocol header"));
    auto written = co_await stream.write_all(words, kFarewellTimeout);
    if (written) co_await stream.close_gently();
  }
}

std::optional<ClientCounts::Place> enter(
  const Rules& rules, const IpAddress& client, bool is_hidden, Services services
) {
  const auto limit = is_hidden ? (rules.max_connections + 1) / 2 : rules.max_connections_per_client;
  auto place = services.clients.enter(is_hidden ? IpAddress() : client, limit);
  if (place) return place;
  services.counters.add(Counter::connections_refused_of_one_client);
  services.refusals.refused(client, limit, std::chrono::steady_clock::now());
  return place;
}

mail::Reply too_many_of(const IpAddress& client, bool is_hidden) {
  if (is_hidden)
    return smtp::reply(
      421, {4, 7, 0}, "Too many connections from addresses that hide clients, try again later"
    );
  return smtp::reply(
    421, {4, 7, 0}, "Too many connections from " + client.to_text() + ", close some of them first"
  );
}

std::optional<mail::Reply> refuse_connection(const Rules& rules, const IpAddress& client, Services services) {
  if (!rules.policies) return std::nullopt;
  policy::Facts facts;
  facts.client = client;
  facts.listener = rules.listener;
  const auto decision = policy::decide(*rules.policies, facts);
  auto refusal = policy::refusal_of(decision);
  if (!refusal) return refusal;
  refusal->code = refusal->is_permanent() ? 554 : 421;
  auto record = log::info("policy")
                  .with("rule", decision.rule->name)
                  .with("action", policy::to_text(decision.rule->action))
                  .with("client", client.to_text())
                  .with("reply", refusal->to_line());
  services.log.write(at_listener(std::move(record), rules.listener));
  return refusal;
}

void turn_away(Stream stream, const Rules& rules, mail::Reply refusal, Services services) {
  if (!rules.tls_first) services.turned_away.add(std::move(stream), rules.hostname, std::move(refusal));
}

}  // namespace relay::session
