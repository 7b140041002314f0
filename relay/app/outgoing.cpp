#include "relay/app/outgoing.hpp"

#include <cstdio>
#include <fstream>
#include <random>

#include "relay/app/text_file.hpp"
#include "relay/route/targets.hpp"
#include "relay/tlspolicy/https_fetcher.hpp"
#include "relay/web/client.hpp"

namespace relay::app {
namespace {

constexpr std::chrono::hours kPolicyRefresh{1};
constexpr seconds kTxtTimeout{10};
constexpr seconds kReportTimeout{60};
/// Counts that a crash may lose.
constexpr seconds kKeepInterval{10};

/// Written beside and put in its place, so that it is never half of it.
bool keep(const std::string& path, const std::string& text) {
  const auto beside = path + ".new";
  {
    std::ofstream file(beside, std::ios::trunc);
    file << text;
    if (!file.flush()) return false;  // the disk is full: tried again in a second
  }
  return std::rename(beside.c_str(), path.c_str()) == 0;
}

}  // namespace

/// TXT records as MTA-STS asks for them.
class Outgoing::Names : public tlspolicy::TxtLookup {
 public:
  explicit Names(net::Resolver& resolver) : resolver_(resolver) {}
  net::Awaitable<Result<std::vector<std::string>>> txt(std::string name) override {
    auto answer = co_await resolver_.txt(std::move(name), kTxtTimeout);
    if (!answer) co_return tl::unexpected(std::move(answer.error()));
    co_return std::move(answer->records);
  }

 private:
  net::Resolver& resolver_;
};

/// Policies by the authorities that are in force when they are fetched.
class Outgoing::Policies : public tlspolicy::PolicyFetcher {
 public:
  Policies(net::Resolver& resolver, const outbound::PlanSource& plans) : resolver_(resolver), plans_(plans) {}
  net::Awaitable<Result<std::string>> fetch_policy(std::string domain) override {
    const auto plan = plans_.plan();
    const auto may_connect = [plan](const IpAddress& address) {
      return !route::is_forbidden_target(address, plan->mx.own, plan->mx.allowed);
    };
    tlspolicy::HttpsPolicyFetcher fetcher(resolver_, plan->mx.tls_client, may_connect);
    auto text = co_await fetcher.fetch_policy(std::move(domain));
    co_return text;
  }

 private:
  net::Resolver& resolver_;
  const outbound::PlanSource& plans_;
};

/// What reports of TLS failures need of the network, on the scheduler's loop.
class Outgoing::Carrier : public outbound::ReportCarrier {
 public:
  Carrier(const Services& services, tlspolicy::TxtLookup& names)
      : services_(services), names_(names), tasks_(services.loop.executor(), [this](const std::string& what) {
          services_.log.write(log::error("exception").with("in", "TLS reports").with("error", what));
        }) {}

  void look_up(std::string name, std::function<void(Records)> answer) override {
    net::asio::post(services_.loop.context(), [this, name = std::move(name), answer = std::move(answer)] {
      tasks_.spawn(look_up_now(name, answer));
    });
  }
  void post(tlsrpt::HttpsTarget to, std::string body, outbound::Taken taken) override {
    web::Request request;
    request.method = "POST";
    request.host = to.host;
    request.port = to.port;
    request.target = to.target;
    request.headers.emplace_back("Content-Type", "application/tlsrpt+gzip");
    request.body = std::move(body);
    net::asio::post(services_.loop.context(), [this, request = std::move(request), taken = std::move(taken)] {
      tasks_.spawn(post_now(request, taken));
    });
  }

 private:
  net::Awaitable<void> look_up_now(std::string name, std::function<void(Records)> answer) {
    auto records = co_await names_.txt(std::move(name));
    answer(std::move(records));
  }

  /// A stranger's DNS names the host: it must not lead to what is inside.
  net::Awaitable<void> post_now(web::Request request, outbound::Taken taken) {
    const auto plan = services_.plans.plan();
    web::Limits limits;
    limits.timeout = kReportTimeout;
    request.may_connect = [plan](const IpAddress& address) {
      return !route::is_forbidden_target(address, plan->mx.own, plan->mx.allowed);
    };
    auto tls = plan->mx.tls_client;
    const auto response = co_await web::fetch(services_.resolver, std::move(tls), std::move(request), limits);
    if (!response)
      services_.log.write(log::warning("tls_report_post").with("error", response.error().message()));
    taken(response && response->status / 100 == 2);
  }

  const Services& services_;
  tlspolicy::TxtLookup& names_;
  net::TaskGroup tasks_;
};

/// For the control thread.
class Outgoing::Chance : public Jitter {
 public:
  double fraction() override { return std::uniform_real_distribution<double>(0, 1)(random_); }

 private:
  std::mt19937 random_{std::random_device{}()};
};

Outgoing::Outgoing(Services services, const std::string& spool_path)
    : services_(std::move(services)),
      ledger_path_(spool_path + "/sources.json"),
      names_(std::make_unique<Names>(services_.resolver)),
      policies_(std::make_unique<Policies>(services_.resolver, services_.plans)),
      carrier_(std::make_unique<Carrier>(services_, *names_)),
      chance_(std::make_unique<Chance>()),
      reports_path_(spool_path + "/tls-reports.json"),
      reports_(std::make_unique<outbound::TlsReports>(
        outbound::TlsReports::Services{services_.plans, *carrier_, services_.clock, *chance_, services_.log},
        services_.node, read_text(reports_path_).value_or("")
      )),
      sts_(std::make_unique<tlspolicy::StsCache>(
        tlspolicy::StsPorts{
          services_.loop.context(), workers_, *names_, *policies_, services_.clock, services_.log,
          [this](const std::string& domain, sts::Fault fault) { reports_->policy_failed(domain, fault); }
        },
        tlspolicy::StsOptions{spool_path + "/mta-sts"}
      )),
      shapes_(services_.plans) {
  kept_ledger_ = read_text(ledger_path_).value_or("");
  ways_ = std::make_unique<outbound::Ways>(
    outbound::Ways::Services{services_.plans, services_.resolver, *sts_, services_.clock, reports_.get()},
    outbound::SourceLedger::from_json(kept_ledger_)
  );
}

Outgoing::~Outgoing() {
  workers_.join();
  next_keeping_ = {};
  keep_reports();
}

void Outgoing::tick(outbound::OwnMail& mail) {
  keep_ledger();
  reports_->tick(mail);
  keep_reports();
  const auto now = services_.clock.steady();
  if (now < next_refresh_) return;
  next_refresh_ = now + kPolicyRefresh;
  sts_->refresh();
}

/// A warm-up that a restart set back to nothing would be none.
void Outgoing::keep_ledger() {
  if (services_.plans.plan()->sources.empty()) return;
  auto ledger = ways_->ledger();
  if (ledger == kept_ledger_) return;
  if (keep(ledger_path_, ledger)) kept_ledger_ = std::move(ledger);
}

void Outgoing::keep_reports() {
  const auto now = services_.clock.steady();
  if (now < next_keeping_) return;
  next_keeping_ = now + kKeepInterval;
  if (auto text = reports_->to_keep()) unkept_reports_ = std::move(text);
  if (unkept_reports_ && keep(reports_path_, *unkept_reports_)) unkept_reports_.reset();
}

}  // namespace relay::app
