#include "relay/app/front.hpp"

#include <utility>

#include "relay/smtp/reply.hpp"

namespace relay::app {
namespace {

using metrics::Counter;

/// Connections that there may be for one more from `peer`. A fifth is for those who may relay from where they are, and for load
/// balancers, whose clients are not known yet (decision 0103).
std::size_t places_for(const session::Rules& rules, const IpAddress& peer) {
  const bool is_known = contains(rules.proxy_trusted, peer) || rules.access.allowed.empty() ||
                        policy::standing(rules.access, peer) == policy::Standing::allowed;
  return rules.max_connections - (is_known ? 0 : rules.max_connections / 5);
}

/// Counts a connection for as long as it lives.
class Counted {
 public:
  Counted(ConnectionCount& count, metrics::Registry& metrics) : count_(count), metrics_(metrics) {
    publish(++count_);
  }
  ~Counted() { publish(--count_); }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  void publish(std::uint64_t value) {
    metrics_.set(metrics::Gauge::connections_open, static_cast<double>(value));
  }
  ConnectionCount& count_;
  metrics::Registry& metrics_;
};

/// Writes down what a coroutine threw. The log outlives the loops.
auto logger_of(log::Sink& log, std::string_view where) {
  return [&log, where](const std::string& what) {
    log.write(log::error("exception").with("in", where).with("error", what));
  };
}

}  // namespace

Front::Front(Services services)
    : services_(services),
      counters_(services.subject.metrics.shard(services.shard)),
      sessions_(services.thread.executor(), logger_of(services.log, "session")),
      turned_away_(services.thread.executor(), logger_of(services.log, "refusal of a connection")) {}

Result<void> Front::open_server(
  const std::vector<Endpoint>& endpoints, http::Handler handler, http::BodyLimit body_limit
) {
  if (endpoints.empty()) return {};
  auto server = http::Server::open(
    services_.thread.context(), endpoints, std::move(handler), services_.log, std::move(body_limit)
  );
  if (!server) return tl::unexpected(server.error());
  (*server)->start();
  servers_.push_back(std::move(*server));
  return {};
}

Result<void> Front::open_pages(const config::Settings& settings) {
  const bool has_own_metrics = !settings.metrics_listen.empty();
  auto opened = open_server(settings.http_listen, health_pages(services_.subject, !has_own_metrics));
  if (!opened) return opened;
  return open_server(settings.metrics_listen, metrics_page(services_.subject));
}

Result<void> Front::open_mail(
  const config::Settings& settings, engine::Engine& engine, const std::string& admin_token
) {
  auto opened = open_server(
    settings.admin_listen, admin_pages(services_.subject, admin_token), admin_body_limit(admin_token)
  );
  if (!opened) return opened;
  opened = open_listener(settings.listen, engine, services_.live);
  for (std::size_t i = 0; opened && i < settings.listeners.size(); ++i)
    opened = open_listener(settings.listeners[i].listen, engine, services_.live.listener(i));
  return opened;
}

Result<void> Front::open_listener(
  const std::vector<Endpoint>& endpoints, engine::Engine& engine, const session::RulesSource& source
) {
  auto listener = net::Listener::open(services_.thread.context(), endpoints);
  if (!listener) return tl::unexpected(listener.error());
  mail_.push_back(std::move(*listener));
  mail_.back()->start([this, &engine, &source](net::Stream stream) {
    accept(std::move(stream), engine, source);
  });
  return {};
}

void Front::turn_away(net::Stream stream, const session::Rules& rules, std::string_view why) {
  if (!rules.tls_first) turned_away_.add(std::move(stream), rules.hostname, smtp::reply(421, {4, 3, 2}, why));
}

void Front::accept(net::Stream stream, engine::Engine& engine, const session::RulesSource& source) {
  const auto rules = source.rules();
  if (services_.subject.state.is_turning_away()) {
    counters_.add(Counter::connections_refused_stopping);
    return turn_away(std::move(stream), *rules, "Service is shutting down, try another host");
  }
  if (rules->is_withdrawn) {
    counters_.add(Counter::connections_refused_stopping);
    return turn_away(std::move(stream), *rules, "No mail is taken here any more, use another port");
  }
  if (services_.connections.load() >= places_for(*rules, stream.peer())) {
    counters_.add(Counter::connections_refused_too_many);
    return turn_away(std::move(stream), *rules, "Too many connections, try again later");
  }
  counters_.add(Counter::connections_accepted);
  const session::Services services{
    engine.gate(),
    engine.sink(services_.shard),
    services_.log,
    counters_,
    services_.clients,
    services_.refusals,
    turned_away_,
    services_.sightings,
    services_.passwords,
    services_.failed_logins,
    services_.rate_limits,
    services_.resolver,
    sessions_
  };
  sessions_.spawn(serve(std::move(stream), source, services));
}

net::Awaitable<void> Front::serve(
  net::Stream stream, const session::RulesSource& source, session::Services services
) {
  const Counted counted(services_.connections, services_.subject.metrics);
  const net::TaskGroup::Membership membership(sessions_, stream.handle());
  co_await session::serve(std::move(stream), source, services);
}

std::size_t Front::pages() const {
  std::size_t sum = 0;
  for (const auto& server : servers_) sum += server->connections();
  return sum;
}

void Front::close() {
  for (auto& listener : mail_) listener->close();
  for (auto& server : servers_) server->close();
}

}  // namespace relay::app
