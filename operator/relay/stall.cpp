#include "operator/relay/stall.hpp"

#include <algorithm>
#include <tuple>

namespace op::smtp_relay {
namespace {

/// Readiness that comes and goes is no step, as long as it never lasts.
bool is_a_step(const Rollout& from, const Rollout& to) {
  const auto place = [](const Rollout& at) {
    return std::tuple(at.generation, at.is_observed, at.desired, at.updated, at.available);
  };
  return place(from) != place(to);
}

}  // namespace

bool is_known_to_be_stalled(const api::SmtpRelay& relay, const Rollout& rollout) {
  const auto& status = relay.status;
  const auto* progressing = status.find(api::condition::kProgressing);
  return progressing != nullptr && progressing->reason == kStalled &&
         progressing->observed_generation == relay.generation && rollout.is_observed &&
         status.desired_nodes == rollout.desired && status.updated_nodes == rollout.updated &&
         status.available_nodes == rollout.available;
}

runtime::milliseconds Standstill::time_left(
  const Key& relay, const Rollout& rollout, runtime::milliseconds stall_after, runtime::SteadyTime now
) {
  auto [since, is_new] = since_.try_emplace(relay, Since{rollout, now});
  if (!is_new && is_a_step(since->second.rollout, rollout)) since->second = {rollout, now};
  const auto left = std::chrono::ceil<runtime::milliseconds>(since->second.at + stall_after - now);
  return std::max(left, runtime::milliseconds{0});
}

}  // namespace op::smtp_relay
