#include "operator/relay/optional_retries.hpp"

#include <algorithm>
#include <utility>

namespace op::smtp_relay {
namespace {

using relay::milliseconds;
using resources::Optional;

constexpr milliseconds kFirstDelay = relay::seconds{30};
constexpr milliseconds kForgottenAfter = std::chrono::hours{1};

Key key_of(const api::SmtpRelay& relay) { return {relay.name_space, relay.name}; }

}  // namespace

milliseconds optional_retry_delay(unsigned failures) {
  // 2^5 * 30 s is already longer than the longest.
  const auto doublings = std::min(failures == 0 ? 0U : failures - 1, 5U);
  return std::min(kFirstDelay * (1U << doublings), kLongestOptionalDelay);
}

std::optional<OptionalRetries::Held> OptionalRetries::held(const api::SmtpRelay& relay, Optional child)
  const {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.steady();
  const auto left_of = [&](const Failure& failure) {
    return std::chrono::ceil<milliseconds>(failure.until - now);
  };
  if (const auto* failure = failure_of(relay, child); failure != nullptr && failure->until > now)
    return Held{failure->why, failure->is_final ? std::nullopt : std::optional(left_of(*failure))};
  const auto forbidden = forbidden_.find({relay.name_space, child});
  if (forbidden == forbidden_.end() || forbidden->second.until <= now) return std::nullopt;
  return Held{forbidden->second.why, left_of(forbidden->second), true};
}

const OptionalRetries::Failure* OptionalRetries::failure_of(const api::SmtpRelay& relay, Optional child)
  const {
  const auto of_relay = failures_.find(key_of(relay));
  if (of_relay == failures_.end()) return nullptr;
  const auto failure = of_relay->second.find(child);
  if (failure == of_relay->second.end()) return nullptr;
  const bool is_about_it = failure->second.uid == relay.uid && failure->second.generation == relay.generation;
  return is_about_it ? &failure->second : nullptr;
}

bool OptionalRetries::is_doubtful(const std::string& name_space, Optional child) const {
  const std::lock_guard lock(mutex_);
  const auto forbidden = forbidden_.find({name_space, child});
  return forbidden != forbidden_.end() && forbidden->second.until <= clock_.steady();
}

void OptionalRetries::permitted(const std::string& name_space, Optional child) {
  const std::lock_guard lock(mutex_);
  forbidden_.erase({name_space, child});
}

OptionalRetries::Held OptionalRetries::failed(
  const api::SmtpRelay& relay, Optional child, const std::string& why, bool is_final
) {
  const std::lock_guard lock(mutex_);
  const bool is_repeated = failure_of(relay, child) != nullptr;
  auto& failure = failures_[key_of(relay)][child];
  if (!is_repeated) failure.count = 0;
  const auto delay = optional_retry_delay(++failure.count);
  failure.why = why;
  failure.until = clock_.steady() + delay;
  failure.uid = relay.uid;
  failure.generation = relay.generation;
  failure.is_final = is_final;
  return {why, is_final ? std::nullopt : std::optional(delay)};
}

bool OptionalRetries::forbidden(const std::string& name_space, Optional child, const std::string& why) {
  const std::lock_guard lock(mutex_);
  const auto now = clock_.steady();
  // Of namespaces that nobody asks for any more.
  std::erase_if(forbidden_, [&](const auto& entry) { return entry.second.until + kForgottenAfter < now; });
  auto& failure = forbidden_[{name_space, child}];
  failure.until = now + kLongestOptionalDelay;
  return std::exchange(failure.why, why) != why;
}

void OptionalRetries::settled(const api::SmtpRelay& relay, Optional child) {
  const std::lock_guard lock(mutex_);
  const auto of_relay = failures_.find(key_of(relay));
  if (of_relay != failures_.end()) of_relay->second.erase(child);
}

void OptionalRetries::forget(const Key& relay) {
  const std::lock_guard lock(mutex_);
  failures_.erase(relay);
}

}  // namespace op::smtp_relay
