#include "operator/app/operator.hpp"

#include <array>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <poll.h>
#include <random>
#include <thread>
#include <unistd.h>

namespace op::app {
namespace {

using relay::seconds;

constexpr std::string_view kController = "smtprelay";
constexpr std::string_view kEventSource = "smtp.buildinglink.com/smtp-relay-operator";
constexpr std::string_view kLease = "smtp-relay-operator";

/// A watch gets a bookmark about once a minute; three missing ones mean that the connection is dead.
constexpr seconds kSilentWatch{200};
constexpr seconds kSilentRequest{30};
/// For rights, of a server that did not answer.
constexpr seconds kAskAgain{10};

std::string variable(const char* name) {
  const auto* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Unique to this process: two operators on one machine must not take each other for themselves.
std::string make_identity() {
  auto host = variable("POD_NAME");
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

/// Operators with different ids lead at the same time.
std::string lease_name(const Options& options) {
  const auto& id = options.defaults.controller_id;
  return std::string(kLease) + (id.empty() ? "" : "-" + id);
}

smtp_relay::Realm realm_of(const Options& options, const std::string& own_namespace) {
  return {
    options.namespaces.empty() ? std::vector{own_namespace} : options.namespaces, own_namespace,
    options.leader_elect ? lease_name(options) : ""
  };
}

kube::CpprestOptions transport_options(const std::string& identity, relay::milliseconds idle) {
  return {idle, "smtp-relay-operator/" SMTP_RELAY_VERSION " (" + identity + ")"};
}

runtime::HttpReply reply(const runtime::Health& health) {
  return {health.is_good ? 200U : 503U, health.why + "\n"};
}

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

relay::Result<kube::Access> find_access(const Options& options) {
  relay::Result<kube::Access> access;
  if (options.kubeconfig.empty()) {
    access = kube::in_cluster_access(
      {{"KUBERNETES_SERVICE_HOST", variable("KUBERNETES_SERVICE_HOST")},
       {"KUBERNETES_SERVICE_PORT", variable("KUBERNETES_SERVICE_PORT")}},
      std::string(kube::kServiceAccountFolder)
    );
  } else {
    std::ifstream file(options.kubeconfig);
    if (!file)
      return relay::permanent(relay::Errc::not_found, "cannot read kubeconfig " + options.kubeconfig);
    const std::string yaml{std::istreambuf_iterator<char>(file), {}};
    const auto slash = options.kubeconfig.rfind('/');
    access =
      kube::parse_kubeconfig(yaml, slash == std::string::npos ? "." : options.kubeconfig.substr(0, slash));
    if (!access)
      return relay::permanent(access.error().code, options.kubeconfig + ": " + access.error().context);
  }
  if (!access) return access;
  if (const auto own = variable("POD_NAMESPACE"); !own.empty()) access->name_space = own;
  if (access->name_space.empty()) access->name_space = "default";
  return access;
}

Operator::Operator(
  const Options& options, kube::Access access, const relay::Clock& clock, relay::log::Sink& log
)
    : clock_(clock),
      log_(log),
      identity_(make_identity()),
      credentials_(std::move(access), clock),
      realm_(realm_of(options, credentials_.access().name_space)),
      metrics_(std::string(kController), options.concurrency, credentials_.access().server.substr(8)),
      leadership_(clock, runtime::TokenBucket(options.qps, options.burst), metrics_),
      lease_gate_(request_limit(options.election)),
      request_transport_(credentials_, transport_options(identity_, kSilentRequest)),
      watch_transport_(credentials_, transport_options(identity_, kSilentWatch)),
      lease_transport_(credentials_, transport_options(identity_, kSilentRequest)),
      metered_requests_(request_transport_, metrics_),
      metered_watches_(watch_transport_, metrics_),
      metered_lease_(lease_transport_, metrics_),
      client_(metered_requests_, leadership_),
      watch_client_(metered_watches_, leadership_),
      lease_client_(
        metered_lease_, lease_gate_,
        {request_limit(options.election), request_limit(options.election), request_limit(options.election)}
      ),
      spare_gate_(leadership_),
      event_client_(metered_requests_, spare_gate_),
      events_(event_client_, {std::string(kEventSource), identity_.substr(0, 128)}, clock, log),
      caches_(client_, [this](const kube::Key& key) { controller_.add(key); }),
      reconciler_(options.defaults, {caches_, client_, events_, clock, log}),
      controller_(reconciler_, options.concurrency, metrics_, log, clock),
      manager_(
        {options.resync,
         [this] {
           for (const auto& key : caches_.relays.keys()) controller_.add(key);
         }},
        make_informers(realm_.namespaces), controller_, leadership_
      ),
      elector_(options.leader_elect ? make_elector(options, credentials_.access().name_space) : nullptr),
      endpoints_(make_endpoints(options)) {}

std::vector<std::unique_ptr<runtime::Informer>> Operator::make_informers(
  const std::vector<std::string>& namespaces
) {
  std::vector<std::unique_ptr<runtime::Informer>> all;
  for (const auto& name_space : namespaces) {
    auto some = caches_.informers(name_space, {client_, watch_client_, metrics_, clock_, jitter_, log_});
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  return all;
}

std::unique_ptr<runtime::Elector> Operator::make_elector(
  const Options& options, const std::string& name_space
) {
  auto election = options.election;
  election.identity = identity_;
  return std::make_unique<runtime::Elector>(
    kube::Key{name_space, lease_name(options)}, election,
    runtime::ElectorContext{lease_client_, leadership_, metrics_, clock_, jitter_, log_},
    runtime::ElectorCallbacks{
      [this](std::stop_token term) { manager_.lead(std::move(term)); }, [this] { manager_.stand_by(); },
      give_up
    }
  );
}

std::vector<std::unique_ptr<runtime::HttpEndpoint>> Operator::make_endpoints(const Options& options) {
  runtime::HttpEndpoint::Routes health{
    {"/healthz", [this] { return reply(manager_.liveness()); }},
    {"/readyz", [this] { return reply(manager_.readiness()); }},
  };
  runtime::HttpEndpoint::Routes metrics{
    {"/metrics",
     [this] {
       return runtime::HttpReply{
         200, metrics_.to_text(controller_.state()), "text/plain; version=0.0.4; charset=utf-8"
       };
     }},
  };
  std::vector<std::unique_ptr<runtime::HttpEndpoint>> all;
  if (options.health_address == options.metrics_address) {
    health.merge(metrics);
  } else {
    all.push_back(std::make_unique<runtime::HttpEndpoint>(options.metrics_address, std::move(metrics)));
  }
  all.push_back(std::make_unique<runtime::HttpEndpoint>(options.health_address, std::move(health)));
  return all;
}

int Operator::preflight(const std::stop_token& stop) {
  const auto verdicts = ask_for(client_, rights_used(realm_), stop);
  if (!verdicts) {
    std::cerr << "smtp-relay-operator: " << verdicts.error().message() << "\n";
    return 3;
  }
  std::cout << to_table(*verdicts) << std::flush;
  return lacks_what_is_required(*verdicts) ? 1 : 0;
}

void Operator::look_at_rights(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto verdicts = ask_for(client_, rights_used(realm_), stop);
    if (!verdicts) {
      runtime::wait_for(kAskAgain, stop);
      continue;
    }
    for (const auto& [right, is_allowed] : *verdicts) {
      if (is_allowed) continue;
      log_.write(relay::log::warning("right_missing")
                   .with("namespace", right.question.name_space)
                   .with("resource", smtp_relay::resource_of(right.question))
                   .with("verb", right.question.verb)
                   .with("without", right.without));
    }
    return;
  }
}

relay::Result<void> Operator::run(const std::stop_token& stop) {
  for (const auto& endpoint : endpoints_) {
    if (auto opened = endpoint->open(); !opened) return opened;
  }
  events_.start();
  if (elector_ == nullptr) metrics_.leads(true);  // nobody else will say so
  const std::jthread rights([this](const std::stop_token& ended) { look_at_rights(ended); });
  manager_.run(elector_.get(), stop);
  return {};
}

}  // namespace op::app
