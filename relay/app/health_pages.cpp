#include <nlohmann/json.hpp>

#include "relay/app/mode.hpp"
#include "relay/app/pages.hpp"
#include "relay/app/version.hpp"
#include "relay/base/text.hpp"
#include "relay/metrics/exposition.hpp"

namespace relay::app {
namespace {

using http::Request;
using http::Response;
using net::Awaitable;

/// A loop that does not turn for this long is stuck.
constexpr std::chrono::seconds kHeartbeat{5};
/// Of the reason on /node; what it tells of comes first.
constexpr std::size_t kLongestReason = 300;
/// A disk may be slow, that is /readyz's business; a write that lasts longer than this is stuck.
constexpr std::chrono::minutes kStuckWrite{5};

/// How many of the loops did not answer within kHeartbeat.
Awaitable<std::size_t> silent_loops(const std::vector<net::IoThread*>& loops) {
  const auto executor = co_await net::asio::this_coro::executor;
  auto timer = std::make_shared<net::Timer>(executor, kHeartbeat);
  auto silent = std::make_shared<std::size_t>(loops.size());
  for (auto* loop : loops) {
    net::asio::post(loop->context(), [executor, timer, silent] {
      net::asio::post(executor, [timer, silent] {
        if (--*silent == 0) timer->cancel();
      });
    });
  }
  net::error_code ec;
  if (*silent > 0) co_await timer->async_wait(net::into(ec));
  co_return *silent;
}

Awaitable<Response> livez(const Subject& subject) {
  const auto silent = co_await silent_loops(subject.loops);
  const auto* engine = subject.engine.load();
  const bool is_stuck = engine != nullptr && engine->write_lasts() > kStuckWrite;
  Response response{200, "OK\n"};
  if (silent > 0) response = Response{503, std::to_string(silent) + " event loops are stuck\n"};
  else if (is_stuck) response = Response{503, "a write to the spool is stuck\n"};
  co_return response;
}

Response unless(const std::optional<std::string>& reason) {
  if (reason) return {503, *reason + "\n"};
  return {200, "OK\n"};
}

/// What is in the spool and may still come in; nothing of the spool before it is open.
void add_queue(const Subject& subject, nlohmann::ordered_json& facts) {
  using metrics::Gauge;
  const auto number = [&](Gauge gauge) { return static_cast<std::uint64_t>(subject.metrics.read(gauge)); };
  facts["mode"] = mode_in(subject.metrics);
  facts["accepting"] = !subject.state.is_turning_away();
  // Before the queue: what a session brought is counted by the time that it has ended.
  facts["sessions"] = subject.sessions == nullptr ? 0 : subject.sessions->load();
  if (subject.engine.load() == nullptr) return;
  facts["waiting"] = number(Gauge::queue_messages);
  facts["failed"] = number(Gauge::failed_messages);
}

Response node(const Subject& subject) {
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(subject.clock.wall() - subject.start);
  const auto reason = unready_reason(subject);
  nlohmann::ordered_json facts{
    {"node", subject.identity.node_name},
    {"pod", subject.identity.pod_name},
    {"namespace", subject.identity.pod_namespace},
    {"hostname", subject.identity.hostname},
    {"version", kVersion},
    {"uptime", uptime.count()},
    {"ready", !reason},
  };
  if (reason) facts["reason"] = printable(*reason, kLongestReason);
  add_queue(subject, facts);
  return {200, facts.dump() + "\n", "application/json"};
}

/// What clients' addresses tell of the network, for the operator.
Response sources(const Subject& subject) {
  session::SourceSightings::Sightings seen;
  if (subject.sightings != nullptr) seen = subject.sightings->at(subject.clock.steady());
  auto hidden = nlohmann::ordered_json::array();
  for (const auto& source : seen.hidden) {
    hidden.push_back(
      {{"address", source.address.to_text()},
       {"refusals", source.refusals},
       {"seconds", source.since_last.count()}}
    );
  }
  const nlohmann::ordered_json facts{
    {"own_addresses", seen.has_seen_own_addresses}, {"hidden", std::move(hidden)}
  };
  return {200, facts.dump() + "\n", "application/json"};
}

std::vector<metrics::Depth> depths_of(Subject& subject) {
  auto* engine = subject.engine.load();
  return engine == nullptr ? std::vector<metrics::Depth>{} : engine->depths();
}

Response metrics_of(Subject& subject) {
  using metrics::Gauge;
  subject.metrics.set(Gauge::ready, unready_reason(subject) ? 0 : 1);
  subject.metrics.set(Gauge::draining, subject.state.is_drained() || subject.state.is_stopping() ? 1 : 0);
  subject.metrics.set(Gauge::log_records_dropped, static_cast<double>(subject.log.dropped()));
  const auto text = metrics::exposition(subject.metrics, depths_of(subject), kVersion);
  return {200, text, "text/plain; version=0.0.4; charset=utf-8"};
}

bool is_read(const Request& request) { return request.method == "GET" || request.method == "HEAD"; }

Awaitable<Response> health(Subject& subject, bool has_metrics, Request request) {
  Response response{404, "Not found: there are /livez, /readyz, /health, /node and /sources\n"};
  if (!is_read(request)) response = Response{405, "Only GET\n"};
  else if (request.path == "/livez") response = co_await livez(subject);
  else if (request.path == "/readyz") response = unless(unready_reason(subject));
  else if (request.path == "/health") response = unless(unhealthy_reason(subject));
  else if (request.path == "/node") response = node(subject);
  else if (request.path == "/sources") response = sources(subject);
  else if (request.path == "/metrics" && has_metrics) response = metrics_of(subject);
  co_return response;
}

Awaitable<Response> metrics_only(Subject& subject, Request request) {
  Response response{404, "Not found: there is /metrics\n"};
  if (is_read(request) && request.path == "/metrics") response = metrics_of(subject);
  co_return response;
}

}  // namespace

std::optional<std::string> unready_reason(const Subject& subject) {
  if (auto reason = subject.state.unready_reason()) return reason;
  const auto* engine = subject.engine.load();
  return engine == nullptr ? std::optional<std::string>("starting") : engine->unready_reason();
}

std::optional<std::string> unhealthy_reason(const Subject& subject) {
  if (auto reason = unready_reason(subject)) return reason;
  return subject.state.fault();
}

http::Handler health_pages(Subject& subject, bool has_metrics) {
  return
    [&subject, has_metrics](Request request) { return health(subject, has_metrics, std::move(request)); };
}

http::Handler metrics_page(Subject& subject) {
  return [&subject](Request request) { return metrics_only(subject, std::move(request)); };
}

}  // namespace relay::app
