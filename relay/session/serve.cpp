#include "relay/session/serve.hpp"

#include <chrono>
#include <exception>
#include <utility>

#include "relay/session/driver.hpp"
#include "relay/session/entrance.hpp"
#include "relay/session/records.hpp"

namespace relay::session {
namespace {

using metrics::Counter;
using net::Awaitable;
using net::Stream;

smtp::Client client_of(const Rules& rules, const Preamble& preamble) {
  const auto& address = preamble.client;
  smtp::Client client{address, smtp::Grammar::strict, std::nullopt, rules.listener, preamble.tls};
  const auto standing = policy::standing(rules.access, address);
  if (standing == policy::Standing::allowed) client.grammar = smtp::Grammar::lenient;
  if (standing == policy::Standing::hidden) client.explanation = policy::refuse_client(rules.access, address);
  return client;
}

smtp::ServerLimits limits_of(const std::shared_ptr<const Rules>& rules) {
  auto limits = rules->limits;
  limits.bulk_headers = {rules, &rules->bulk_headers};
  limits.has_tls = rules->tls != nullptr;
  limits.needs_tls = rules->needs_tls;
  limits.tls_first = rules->tls_first;
  limits.has_auth = rules->wants_users;
  limits.auth_needs_tls = rules->auth_needs_tls;
  limits.needs_auth = rules->needs_auth;
  return limits;
}

/// @param refusal  set: all that the session has to say, over TLS
smtp::ServerSession session_of(
  const std::shared_ptr<const Rules>& rules, const Preamble& preamble, std::optional<mail::Reply> refusal
) {
  auto limits = limits_of(rules);
  if (!refusal) return {rules->hostname, client_of(*rules, preamble), std::move(limits)};
  refusal->text = rules->hostname + " " + refusal->text;
  return {rules->hostname, std::move(*refusal), std::move(limits)};
}

}  // namespace

Awaitable<void> serve(Stream stream, const RulesSource& source, Services services) {
  const auto rules = source.rules();
  auto preamble = co_await identify(stream, *rules);
  if (!preamble) {
    co_await refuse_proxy(stream, *rules, services, preamble.error());
    co_return;
  }
  const bool is_hidden = policy::hides_clients(rules->access, preamble->client);
  std::optional<ClientCounts::Place> place;
  if (!is_hidden || policy::standing(rules->access, preamble->client) != policy::Standing::allowed) {
    place = enter(*rules, preamble->client, is_hidden, services);
    if (!place) {
      turn_away(std::move(stream), *rules, too_many_of(preamble->client, is_hidden), services);
      co_return;
    }
  }
  if (!is_hidden) services.sightings.note_own(preamble->client);
  auto refusal = refuse_connection(*rules, preamble->client, services);
  if (refusal && !rules->tls_first) {
    turn_away(std::move(stream), *rules, std::move(*refusal), services);
    co_return;
  }
  if (rules->tls_first && !rules->tls) {  // no certificate yet: the log says so
    services.counters.add(Counter::client_tls_failed);
    co_return;
  }
  const auto begin = std::chrono::steady_clock::now();
  auto session = session_of(rules, *preamble, std::move(refusal));
  const Context context{source, services, preamble->client, rules->listener};
  Driver driver(stream, session, context, rules->tls);
  std::exception_ptr thrown;
  try {
    co_await driver.run(std::move(preamble->early_octets));
  } catch (...) {
    thrown = std::current_exception();
  }
  if (thrown) {
    co_await driver.give_up();
    note_exception(context, thrown);
  }
  services.counters.add(Counter::refusals, session.refusals());
  if (driver.was_refused_as_hidden(*rules)) note_hidden(context);
  if (rules->logs_sessions) {
    const auto lasted = std::chrono::steady_clock::now() - begin;
    note_end(context, session, std::chrono::duration_cast<milliseconds>(lasted));
  }
  co_await stream.close_gently();
}

}  // namespace relay::session
