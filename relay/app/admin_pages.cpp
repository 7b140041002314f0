#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <unistd.h>

#include "relay/app/admin_queue.hpp"
#include "relay/app/mode.hpp"
#include "relay/base/text.hpp"
#include "relay/net/completion.hpp"

namespace relay::app {
namespace {

using http::Request;
using http::Response;
using net::Awaitable;
using nlohmann::ordered_json;

constexpr std::size_t kTokenOctets = 32;
constexpr std::size_t kDestinations = 100;  // described at most, unless asked otherwise
constexpr std::size_t kMaxDestinations = 10'000;
constexpr std::size_t kMaxBody = 2U << 20U;

bool is_authorized(const Request& request, const std::string& token) {
  const auto expected = "Bearer " + token;
  return request.authorization.size() == expected.size() &&
         CRYPTO_memcmp(request.authorization.data(), expected.data(), expected.size()) == 0;
}

// ---- destinations ----

ordered_json destination_facts(const queue::DestinationState& state, SteadyTime now) {
  const auto [normal, bulk] = state.waiting_in_memory;
  ordered_json facts{
    {"destination", state.destination.name},
    {"provider", state.provider},
    {"in_flight", state.in_flight},
    {"waiting_in_memory", normal + bulk},
    {"bulk_waiting_in_memory", bulk},
    {"connections_ready", state.connections_ready},
    {"concurrency_window", state.concurrency_window},
    {"is_suspended", state.is_suspended},
    {"last_failure", state.last_failure},
    {"next_attempt_in_seconds", nullptr},
    {"next_due", nullptr},
    {"oldest_arrival", nullptr},
  };
  if (state.suspended_until && *state.suspended_until > now) {
    facts["next_attempt_in_seconds"] =
      std::chrono::duration_cast<std::chrono::seconds>(*state.suspended_until - now).count();
  }
  if (state.next_due) facts["next_due"] = to_rfc3339(*state.next_due);
  if (state.oldest_arrival) facts["oldest_arrival"] = to_rfc3339(*state.oldest_arrival);
  return facts;
}

using Described = std::function<Response(const ordered_json& destinations, std::size_t in_flight)>;

Awaitable<Response> described(const Clock& clock, engine::Engine& engine, std::size_t limit, Described make) {
  using Answer = std::function<void(Response)>;
  std::function<void(Answer)> start = [&clock, &engine, limit, make = std::move(make)](Answer answer) {
    engine.dispatcher().describe(
      limit,
      [&clock, make, answer = std::move(answer)](
        const std::vector<queue::DestinationState>& states, std::size_t in_flight
      ) {
        auto destinations = ordered_json::array();
        for (const auto& state : states) destinations.push_back(destination_facts(state, clock.steady()));
        answer(make(destinations, in_flight));
      }
    );
  };
  return net::answered_by<Response>(std::move(start));
}

Awaitable<Response> status(Subject& subject, engine::Engine& engine, const Request& /*request*/) {
  return described(
    subject.clock, engine, kDestinations,
    [&subject](const ordered_json& destinations, std::size_t in_flight) {
      using metrics::Gauge;
      const auto number = [&](Gauge gauge) {
        return static_cast<std::uint64_t>(subject.metrics.read(gauge));
      };
      return json_response(
        {{"ready", !unready_reason(subject)},
         {"reason", unready_reason(subject).value_or("")},
         {"drained", subject.state.is_drained()},
         {"mode", mode_in(subject.metrics)},
         {"waiting", number(Gauge::queue_messages)},
         {"waiting_bytes", number(Gauge::queue_octets)},
         {"failed", number(Gauge::failed_messages)},
         {"in_flight", in_flight},
         {"destinations", destinations}}
      );
    }
  );
}

Awaitable<Response> destinations(Subject& subject, engine::Engine& engine, const Request& request) {
  const auto limit = parse_number(http::query_value(request.query, "limit")).value_or(kDestinations);
  return described(
    subject.clock, engine, std::clamp<std::size_t>(limit, 1, kMaxDestinations),
    [](const ordered_json& list, std::size_t) { return json_response({{"destinations", list}}); }
  );
}

enum class DestinationAction : std::uint8_t { suspend, unsuspend, retry };

Response change_destination(engine::Engine& engine, DestinationAction action, const std::string& text) {
  const auto body = ordered_json::parse(text.empty() ? "{}" : text, nullptr, false);
  const bool has_name =
    body.is_object() && body.contains("destination") && body.at("destination").is_string();
  const auto named = parse_destination(has_name ? body.at("destination").get<std::string>() : "");
  const bool has_time = has_name && body.contains("seconds");
  if (has_time && !body.at("seconds").is_number_unsigned())
    return problem(400, "`seconds` must be a number above 0");
  if (!named) return problem(400, named.error().context);
  const auto seconds = has_time ? body.at("seconds").get<std::uint64_t>() : 0;
  const auto& destination = *named;
  auto& dispatcher = engine.dispatcher();
  switch (action) {
    case DestinationAction::suspend: {
      std::optional<milliseconds> duration;
      if (seconds > 0) duration = std::chrono::seconds{std::min<std::uint64_t>(seconds, 366ULL * 86400)};
      dispatcher.suspend(destination, duration);
      break;
    }
    case DestinationAction::unsuspend: dispatcher.unsuspend(destination); break;
    case DestinationAction::retry: dispatcher.hurry(destination); break;
  }
  return json_response({{"destination", destination.name}});
}

template <DestinationAction action>
Awaitable<Response> change_destination(Subject&, engine::Engine& engine, const Request& request) {
  auto response = change_destination(engine, action, request.body);
  co_return response;
}

// ---- the relay itself ----

template <bool is_drained>
Awaitable<Response> set_drained(Subject& subject, engine::Engine&, const Request&) {
  subject.state.set_drained_by_admin(is_drained);
  auto response =
    json_response({{"drained", subject.state.is_drained()}, {"reason", unready_reason(subject).value_or("")}}
    );
  co_return response;
}

struct Page {
  std::string_view operation;
  Awaitable<Response> (*answer)(Subject&, engine::Engine&, const Request&);
};
constexpr std::array kPages{
  Page{"GET /v1/status", status},
  Page{"POST /v1/drain", set_drained<true>},
  Page{"POST /v1/resume", set_drained<false>},
  Page{"GET /v1/queue", list_page},
  Page{"POST /v1/queue/hold", change_page<engine::QueueAction::hold>},
  Page{"POST /v1/queue/release", change_page<engine::QueueAction::release>},
  Page{"POST /v1/queue/retry", change_page<engine::QueueAction::retry>},
  Page{"POST /v1/queue/delete", change_page<engine::QueueAction::remove>},
  Page{"GET /v1/trace", trace_page},
  Page{"GET /v1/export", export_page},
  Page{"POST /v1/import", import_page},
  Page{"GET /v1/destinations", destinations},
  Page{"POST /v1/destinations/suspend", change_destination<DestinationAction::suspend>},
  Page{"POST /v1/destinations/unsuspend", change_destination<DestinationAction::unsuspend>},
  Page{"POST /v1/destinations/retry", change_destination<DestinationAction::retry>},
};

Response not_found() {
  std::string text = "there are";
  for (const auto& page : kPages) text += (text.ends_with("are") ? " " : ", ") + std::string(page.operation);
  return problem(404, text);
}

Awaitable<Response> answer(Subject& subject, const std::string& token, Request request) {
  if (!is_authorized(request, token))
    co_return problem(401, "the token in admin.token of the spool folder is needed");
  auto* engine = subject.engine.load();
  if (engine == nullptr) co_return problem(503, unready_reason(subject).value_or("starting"));
  const auto operation = request.method + " " + request.path;
  const auto page =
    std::find_if(kPages.begin(), kPages.end(), [&](const Page& one) { return one.operation == operation; });
  if (page == kPages.end()) co_return not_found();
  const auto act = page->answer;
  auto response = co_await act(subject, *engine, request);
  co_return response;
}

}  // namespace

Response json_response(const ordered_json& document, unsigned status) {
  return {
    status, document.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n", "application/json"
  };
}

Response problem(unsigned status, std::string_view what) { return json_response({{"error", what}}, status); }

http::Handler admin_pages(Subject& subject, std::string token) {
  return [&subject, token = std::move(token)](Request request) {
    return answer(subject, token, std::move(request));
  };
}

http::BodyLimit admin_body_limit(std::string token) {
  return [token = std::move(token)](const Request& request) {
    return is_authorized(request, token) ? kMaxBody : http::kMaxRequest;
  };
}

Result<std::string> make_admin_token(const std::string& spool_path) {
  std::string octets(kTokenOctets, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(octets.data()), kTokenOctets) != 1) {
    return tl::unexpected(Error{Errc::storage_failed, Fate::terminal, "no randomness for the admin token"});
  }
  auto token = base64(octets);
  const auto path = spool_path + "/admin.token";
  const auto failed = [&] {
    return tl::unexpected(
      Error{Errc::storage_failed, Fate::terminal, "write " + path + ": " + std::strerror(errno)}
    );
  };
  // A new file, so that its mode holds from its first octet on.
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return failed();
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return failed();
  const auto written = write(file, token.data(), token.size());
  const bool is_closed = close(file) == 0;
  if (written != static_cast<ssize_t>(token.size()) || !is_closed) return failed();
  return token;
}

}  // namespace relay::app
