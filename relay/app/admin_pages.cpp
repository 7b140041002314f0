#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <unistd.h>

#include "relay/app/pages.hpp"
#include "relay/base/text.hpp"
#include "relay/engine/listing.hpp"
#include "relay/net/completion.hpp"

namespace relay::app {
namespace {

using http::Request;
using http::Response;
using net::Awaitable;
using nlohmann::ordered_json;

constexpr std::size_t kTokenOctets = 32;
constexpr std::size_t kShownDestinations = 100;
constexpr std::size_t kDefaultPage = 100;

Response as_json(const ordered_json& document, unsigned status = 200) {
  return {
    status, document.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n", "application/json"
  };
}

Response problem(unsigned status, std::string_view what) { return as_json({{"error", what}}, status); }

bool is_authorized(const Request& request, const std::string& token) {
  const auto expected = "Bearer " + token;
  return request.authorization.size() == expected.size() &&
         CRYPTO_memcmp(request.authorization.data(), expected.data(), expected.size()) == 0;
}

Awaitable<std::string> listed(engine::Engine& engine, std::string cursor, std::size_t limit) {
  using Answer = std::function<void(std::string)>;
  std::function<void(Answer)> start = [&engine, cursor = std::move(cursor), limit](Answer answer) {
    net::asio::post(engine.workers(), [&engine, cursor, limit, answer = std::move(answer)] {
      answer(as_json(engine::list_queue(engine.store(), {}, cursor, limit)).body);
    });
  };
  return net::answered_by<std::string>(std::move(start));
}

ordered_json destination_facts(const queue::DestinationState& state, SteadyTime now) {
  ordered_json facts{
    {"destination", state.destination.name},        {"in_flight", state.in_flight},
    {"waiting_in_memory", state.waiting_in_memory}, {"last_failure", state.last_failure},
    {"next_attempt_in_seconds", nullptr},
  };
  if (state.suspended_until && *state.suspended_until > now) {
    facts["next_attempt_in_seconds"] =
      std::chrono::duration_cast<std::chrono::seconds>(*state.suspended_until - now).count();
  }
  return facts;
}

Awaitable<std::string> described(Subject& subject, engine::Engine& engine) {
  using Answer = std::function<void(std::string)>;
  std::function<void(Answer)> start = [&subject, &engine](Answer answer) {
    engine.dispatcher().describe(
      kShownDestinations,
      [&subject, answer = std::move(answer
                 )](const std::vector<queue::DestinationState>& states, std::size_t in_flight) {
        using metrics::Gauge;
        const auto number = [&](Gauge gauge) {
          return static_cast<std::uint64_t>(subject.metrics.read(gauge));
        };
        ordered_json facts{
          {"ready", !unready_reason(subject)},
          {"reason", unready_reason(subject).value_or("")},
          {"drained", subject.state.is_drained()},
          {"waiting", number(Gauge::queue_messages)},
          {"waiting_bytes", number(Gauge::queue_octets)},
          {"failed", number(Gauge::failed_messages)},
          {"in_flight", in_flight},
          {"destinations", ordered_json::array()},
        };
        for (const auto& state : states)
          facts["destinations"].push_back(destination_facts(state, subject.clock.steady()));
        answer(as_json(facts).body);
      }
    );
  };
  return net::answered_by<std::string>(std::move(start));
}

Response set_drained(Subject& subject, bool is_drained) {
  subject.state.set_drained_by_admin(is_drained);
  return as_json({{"drained", subject.state.is_drained()}});
}

Awaitable<Response> answer(Subject& subject, const std::string& token, Request request) {
  if (!is_authorized(request, token))
    co_return problem(401, "the token in admin.token of the spool folder is needed");
  auto* engine = subject.engine.load();
  if (engine == nullptr) co_return problem(503, unready_reason(subject).value_or("starting"));
  const auto operation = request.method + " " + request.path;
  Response response =
    problem(404, "there are GET /v1/status, GET /v1/queue, POST /v1/drain, POST /v1/resume");
  if (operation == "POST /v1/drain") response = set_drained(subject, true);
  else if (operation == "POST /v1/resume") response = set_drained(subject, false);
  else if (operation == "GET /v1/status") {
    response.body = co_await described(subject, *engine);
    response.status = 200;
  } else if (operation == "GET /v1/queue") {
    const auto limit = parse_number(http::query_value(request.query, "limit")).value_or(kDefaultPage);
    auto cursor = http::query_value(request.query, "after");
    response.body = co_await listed(*engine, std::move(cursor), limit);
    response.status = 200;
  }
  co_return response;
}

}  // namespace

http::Handler admin_pages(Subject& subject, std::string token) {
  return [&subject, token = std::move(token)](Request request) {
    return answer(subject, token, std::move(request));
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
