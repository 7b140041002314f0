#include "operator/runtime/platform.hpp"

#include <array>
#include <cstdlib>
#include <poll.h>
#include <random>
#include <unistd.h>

#include "operator/kube/cpprest_transport.hpp"
#include "operator/runtime/metered_transport.hpp"

namespace op::runtime {
namespace {

/// A watch gets a bookmark about once a minute; three missing ones mean that the connection is dead.
constexpr seconds kSilentWatch{200};
constexpr seconds kSilentRequest{30};
/// What events.k8s.io/v1 takes for the name of a process.
constexpr std::size_t kLongestInstance = 128;

/// Unique to this process: two operators on one machine must not take each other for themselves.
std::string make_identity() {
  const auto* pod = std::getenv("POD_NAME");
  std::string host = pod == nullptr ? "" : pod;
  if (host.empty()) {
    std::array<char, 256> name{};
    gethostname(name.data(), name.size() - 1);
    host = name.data();
  }
  std::random_device random;
  std::array<char, 20> suffix{};
  std::snprintf(suffix.data(), suffix.size(), "_%08x%08x", random(), random());
  return host + suffix.data();
}

PlatformOptions with_identity(PlatformOptions options) {
  options.election.identity = make_identity();
  return options;
}

HttpReply reply(const Health& health) { return {health.is_good ? 200U : 503U, health.why + "\n"}; }

/// The lease is about to expire and something of ours may still write: only the end of the process stops it for certain.
/// Waits for nobody: whoever reads our log may hang too.
[[noreturn]] void give_up() {
  constexpr std::string_view kWords =
    R"({"level":"error","event":"watchdog","message":"a write or a step down hangs while the lease expires; ending"})"
    "\n";
  pollfd error{STDERR_FILENO, POLLOUT, 0};
  // Shorter than PIPE_BUF: a pipe that is ready takes all of it.
  if (poll(&error, 1, 0) == 1 && (error.revents & POLLOUT) != 0) {
    [[maybe_unused]] const auto written = write(STDERR_FILENO, kWords.data(), kWords.size());
  }
  std::_Exit(70);
}

}  // namespace

/// One kind of traffic to the API server, counted.
struct Line {
  Line(kube::Credentials& credentials, kube::CpprestOptions options, Metrics& metrics)
      : transport(credentials, std::move(options)), metered(transport, metrics) {}
  kube::CpprestTransport transport;
  MeteredTransport metered;
};

struct Platform::Connections {
  Connections(kube::Credentials& credentials, const PlatformOptions& options, Metrics& metrics)
      : user_agent(options.program + " (" + options.election.identity + ")"),
        requests(credentials, {kSilentRequest, user_agent}, metrics),
        watches(credentials, {kSilentWatch, user_agent}, metrics),
        lease(credentials, {kSilentRequest, user_agent}, metrics) {}
  std::string user_agent;
  Line requests;
  Line watches;
  Line lease;
};

Platform::Platform(
  PlatformOptions options, kube::Access access, const relay::Clock& clock, relay::log::Sink& log
)
    : options_(with_identity(std::move(options))),
      clock_(clock),
      log_(log),
      credentials_(std::move(access), clock),
      // The server is https://host:port.
      metrics_(options_.names, options_.workers, credentials_.access().server.substr(8)),
      leadership_(clock, TokenBucket(options_.qps, options_.burst), metrics_),
      lease_gate_(request_limit(options_.election)),
      spare_gate_(leadership_),
      connections_(std::make_unique<Connections>(credentials_, options_, metrics_)),
      client_(connections_->requests.metered, leadership_, options_.field_manager),
      watch_client_(connections_->watches.metered, leadership_, options_.field_manager),
      lease_client_(
        connections_->lease.metered, lease_gate_, options_.field_manager,
        {request_limit(options_.election), request_limit(options_.election), request_limit(options_.election)}
      ),
      event_client_(connections_->requests.metered, spare_gate_, options_.field_manager),
      events_(
        event_client_, {options_.event_source, options_.election.identity.substr(0, kLongestInstance)}, clock,
        log
      ) {}

Platform::~Platform() = default;

InformerContext Platform::informers() { return {client_, watch_client_, metrics_, clock_, jitter_, log_}; }

void Platform::serve(Reconciler& reconciler, std::function<std::vector<Key>()> all_keys) {
  all_keys_ = std::move(all_keys);
  controller_ = std::make_unique<Controller>(reconciler, options_.workers, metrics_, log_, clock_);
}

std::unique_ptr<Elector> Platform::make_elector() {
  if (options_.lease.name.empty()) return nullptr;
  return std::make_unique<Elector>(
    options_.lease, options_.election,
    ElectorContext{lease_client_, leadership_, metrics_, clock_, jitter_, log_},
    ElectorCallbacks{
      [this](std::stop_token term) { manager_->lead(std::move(term)); }, [this] { manager_->stand_by(); },
      give_up
    }
  );
}

relay::Result<std::vector<std::unique_ptr<HttpEndpoint>>> Platform::open_endpoints(
  const std::function<Health()>& liveness
) {
  const auto healthz = [this, liveness] {
    const auto own = manager_->liveness();
    return reply(own.is_good ? liveness() : own);
  };
  HttpEndpoint::Routes health{
    {"/healthz", healthz},
    {"/readyz", [this] { return reply(manager_->readiness()); }},
  };
  HttpEndpoint::Routes metrics{
    {"/metrics",
     [this] {
       return HttpReply{
         200, metrics_.to_text(controller_->state()), "text/plain; version=0.0.4; charset=utf-8"
       };
     }},
  };
  std::vector<std::unique_ptr<HttpEndpoint>> all;
  if (options_.health_address == options_.metrics_address) {
    health.merge(metrics);
  } else {
    all.push_back(std::make_unique<HttpEndpoint>(options_.metrics_address, std::move(metrics)));
  }
  all.push_back(std::make_unique<HttpEndpoint>(options_.health_address, std::move(health)));
  for (const auto& endpoint : all) {
    if (const auto opened = endpoint->open(); !opened) return tl::unexpected(opened.error());
  }
  return all;
}

relay::Result<void> Platform::run(
  std::vector<std::unique_ptr<Informer>> informers, const std::stop_token& stop,
  const std::function<Health()>& liveness
) {
  manager_ = std::make_unique<Manager>(
    Manager::Options{options_.resync, [this] { enqueue_all(); }}, std::move(informers), *controller_,
    leadership_
  );
  const auto elector = make_elector();
  const auto endpoints = open_endpoints(liveness);
  if (!endpoints) return tl::unexpected(endpoints.error());
  events_.start();
  if (elector == nullptr) metrics_.leads(true);  // nobody else will say so
  manager_->run(elector.get(), stop);
  events_.stop();
  return {};
}

}  // namespace op::runtime
