#pragma once
/// Looks at children without which mail flows all the same, and makes them so. What fails is told, and holds nothing else
/// back.

#include "operator/relay/applier.hpp"
#include "operator/relay/caches.hpp"
#include "operator/relay/optional_retries.hpp"
#include "operator/relay/witness.hpp"

namespace op::smtp_relay {

/// Safe from any thread, for different SmtpRelays at a time.
class OptionalApplier {
 public:
  /// All of these outlive this.
  OptionalApplier(
    Caches& caches, kube::Client& client, Applier& applier, const relay::Clock& clock, relay::log::Sink& log,
    std::string default_image
  )
      : caches_(caches),
        client_(client),
        applier_(applier),
        log_(log),
        default_image_(std::move(default_image)),
        retries_(clock) {}

  /// Fills in `world.optional`. One that is not wanted is only taken from the caches: what is ours is there, sooner or
  /// later; nor is one asked for that failed lately. Failures: none but Kind::cancelled.
  [[nodiscard]] kube::Answer<void> gather(World& world, const std::stop_token& stop);
  /// What fails is lost, and says so in the plan, with when to come back for it.
  void apply(OptionalPlan& plan, const World& world, Witness& witness, const std::stop_token& stop);
  /// There is no such relay any more.
  void forget(const Key& relay) { retries_.forget(relay); }

 private:
  [[nodiscard]] OptionalRetries::Held failed(
    const api::SmtpRelay& relay, resources::Optional child, const kube::Failure& failure,
    const std::stop_token& stop
  );
  void hold_back(
    OptionalState& state, const api::SmtpRelay& relay, resources::Optional child, resources::Wish wish,
    const std::stop_token& stop
  );
  void forbid(const std::string& name_space, resources::Optional child, const std::string& missing);
  void ask_anew(const std::string& name_space, resources::Optional child, const std::stop_token& stop);
  /// @return  the first right of those that a child takes which the server says we lack; empty: none
  [[nodiscard]] std::string missing_right(
    const std::string& name_space, resources::Optional child, const std::stop_token& stop
  );
  void carry_out(OptionalPlan& plan, const World& world, const std::stop_token& stop);

  Caches& caches_;
  kube::Client& client_;
  Applier& applier_;
  relay::log::Sink& log_;
  std::string default_image_;
  OptionalRetries retries_;
};

}  // namespace op::smtp_relay
