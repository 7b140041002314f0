#include "relay/app/outgoing.hpp"

#include <cstdio>
#include <fstream>

#include "relay/app/text_file.hpp"
#include "relay/route/targets.hpp"
#include "relay/tlspolicy/https_fetcher.hpp"

namespace relay::app {
namespace {

constexpr std::chrono::hours kPolicyRefresh{1};
constexpr seconds kTxtTimeout{10};

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
    const auto is_forbidden = [plan](const IpAddress& address) {
      return route::is_forbidden_target(address, plan->mx.own, plan->mx.allowed);
    };
    tlspolicy::HttpsPolicyFetcher fetcher(resolver_, plan->mx.tls_client, is_forbidden);
    auto text = co_await fetcher.fetch_policy(std::move(domain));
    co_return text;
  }

 private:
  net::Resolver& resolver_;
  const outbound::PlanSource& plans_;
};

Outgoing::Outgoing(Services services, const std::string& spool_path)
    : services_(services),
      ledger_path_(spool_path + "/sources.json"),
      names_(std::make_unique<Names>(services.resolver)),
      policies_(std::make_unique<Policies>(services.resolver, services.plans)),
      sts_(std::make_unique<tlspolicy::StsCache>(
        tlspolicy::StsPorts{
          services.loop.context(), workers_, *names_, *policies_, services.clock, services.log, {}
        },
        tlspolicy::StsOptions{spool_path + "/mta-sts"}
      )),
      shapes_(services.plans) {
  kept_ledger_ = read_text(ledger_path_).value_or("");
  ways_ = std::make_unique<outbound::Ways>(
    outbound::Ways::Services{services.plans, services.resolver, *sts_, services.clock},
    outbound::SourceLedger::from_json(kept_ledger_)
  );
}

Outgoing::~Outgoing() { workers_.join(); }

void Outgoing::tick() {
  keep_ledger();
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
  const auto beside = ledger_path_ + ".new";
  {
    std::ofstream file(beside, std::ios::trunc);
    file << ledger;
    if (!file.flush()) return;  // the disk is full: tried again in a second
  }
  if (std::rename(beside.c_str(), ledger_path_.c_str()) == 0) kept_ledger_ = std::move(ledger);
}

}  // namespace relay::app
