#pragma once
/// The settings in force, as immutable snapshots that all threads read and the control thread replaces.

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "relay/app/hidden_sources.hpp"
#include "relay/app/inbound_tls.hpp"
#include "relay/app/inbound_users.hpp"
#include "relay/app/plan_maker.hpp"
#include "relay/config/load.hpp"
#include "relay/engine/context.hpp"
#include "relay/queue/scheduler.hpp"
#include "relay/session/serve.hpp"

namespace relay::app {

/// Thread: the sources' methods any, the rest the control thread.
class Live : public session::RulesSource, public outbound::PlanSource, public engine::LimitsSource {
 public:
  /// @param hidden      addresses that hide clients besides those in the settings: gateways
  /// @param log         told what is wrong with files: line numbers of passwd.client, never its words; outlives
  ///                    this
  /// @param make_token  as PlanMaker has it
  Live(
    config::Settings settings, const Files& files, Networks hidden, log::Sink& log,
    PlanMaker::MakeToken make_token
  );
  ~Live() override;
  Live(const Live&) = delete;
  Live& operator=(const Live&) = delete;

  /// Of the main listener.
  [[nodiscard]] std::shared_ptr<const session::Rules> rules() const override;
  /// Of one of `listeners`, as they were at the start: one that settings no longer know is withdrawn.
  [[nodiscard]] const session::RulesSource& listener(std::size_t index) const;
  [[nodiscard]] std::shared_ptr<const outbound::Plan> plan() const override;
  [[nodiscard]] std::shared_ptr<const engine::Limits> limits() const override;
  [[nodiscard]] const config::Settings& settings() const { return settings_; }
  /// That may log in.
  [[nodiscard]] std::size_t users() const;

  /// Puts changed live settings and files in force. True when next hops changed, their credentials and routes
  /// included: then mail that waits is due at once. A file that cannot be used leaves the last good one in force.
  bool apply(const config::Settings& settings, const Files& files);
  /// Errors as InboundTls::check(): these settings would leave clients that need TLS without.
  [[nodiscard]] Result<void> check_tls(const config::Settings& settings) const {
    return tls_.check(settings);
  }

 private:
  class ListenerRules;
  [[nodiscard]] std::shared_ptr<const session::Rules> make_rules(const Files& files);
  [[nodiscard]] std::shared_ptr<const engine::Limits> make_limits(
    const outbound::Plan& plan, const Files& files
  );

  config::Settings settings_;
  Networks hidden_;
  PlanMaker maker_;
  InboundTls tls_;
  HiddenSources sources_;
  InboundUsers users_;

  std::vector<std::unique_ptr<ListenerRules>> listeners_;

  mutable std::mutex mutex_;
  std::shared_ptr<const session::Rules> rules_;
  std::shared_ptr<const outbound::Plan> plan_;
  std::shared_ptr<const engine::Limits> limits_;
};

/// The limits of the schedule that the settings name.
[[nodiscard]] queue::SchedulerLimits schedule_of(const config::Settings& settings);

}  // namespace relay::app
