#pragma once
/// Plans that a test writes down, and time that it decides.

#include <gmock/gmock.h>
#include <mutex>

#include "relay/outbound/plan.hpp"

namespace relay::outbound {

using namespace std::chrono_literals;

inline constexpr std::chrono::sys_days kDay = std::chrono::year{2026} / 11 / 25;

inline IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

class Plans : public PlanSource {
 public:
  [[nodiscard]] std::shared_ptr<const Plan> plan() const override {
    const std::scoped_lock lock(mutex_);
    return plan_;
  }
  void set(const Plan& plan) {
    const std::scoped_lock lock(mutex_);
    plan_ = std::make_shared<Plan>(plan);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Plan> plan_ = std::make_shared<Plan>();
};

/// Smarthosts by the names of `rules`, each at its own name.
inline void set_smarthosts(Plan& plan, const std::vector<route::SmarthostRule>& rules) {
  plan.routes = std::make_shared<route::RouteTable>(rules);
  plan.smarthosts.clear();
  for (const auto& rule : rules) {
    Smarthost smarthost;
    smarthost.name = smarthost.host.name = rule.name;
    smarthost.host.next_hop.endpoint = {rule.name + ".example.org", 587};
    smarthost.host.connect_timeout = 5s;
    plan.smarthosts.push_back(std::move(smarthost));
  }
}

inline Source source(const std::string& name, const std::string& pool, const char* address) {
  return {name, pool, ip(address), 1, "", {}, {}};
}

}  // namespace relay::outbound
