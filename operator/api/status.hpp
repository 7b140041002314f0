#pragma once
/// What the operator reports about one SmtpRelay.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/clock.hpp"

namespace op::api {

/// As metav1.Condition: `reason` is one CamelCase word that programs may match, `message` is for people.
struct Condition {
  std::string type;
  std::string status = "Unknown";  ///< True, False, Unknown
  std::string reason;
  std::string message;
  std::int64_t observed_generation = 0;
  std::string last_transition_time;  ///< RFC 3339; when `status` last changed
  friend bool operator==(const Condition&, const Condition&) = default;
};

/// Condition types, in the order in which they are shown.
namespace condition {
inline constexpr std::string_view kReady = "Ready";
inline constexpr std::string_view kProgressing = "Progressing";
inline constexpr std::string_view kDegraded = "Degraded";
inline constexpr std::string_view kConfigValid = "ConfigValid";
inline constexpr std::string_view kSecretsResolved = "SecretsResolved";
inline constexpr std::string_view kPodSecurityAllowed = "PodSecurityAllowed";
inline constexpr std::string_view kPortAvailable = "PortAvailable";
inline constexpr std::string_view kSourceAddressPreserved = "SourceAddressPreserved";
inline constexpr std::string_view kCordonAware = "CordonAware";
inline constexpr std::string_view kMailLeaves = "MailLeaves";
inline constexpr std::string_view kPaused = "Paused";
inline constexpr std::string_view kAll[] = {
  kReady,           kProgressing,        kDegraded,      kConfigValid,
  kSecretsResolved, kPodSecurityAllowed, kPortAvailable, kSourceAddressPreserved,
  kCordonAware,     kMailLeaves,         kPaused
};
}  // namespace condition

/// Which version of a Secret is in use; never its values or their hashes.
struct ObservedSecret {
  std::string name;
  std::string resource_version;
  friend bool operator==(const ObservedSecret&, const ObservedSecret&) = default;
};

/// A node whose relay does not take mail.
struct DegradedNode {
  std::string node;
  std::string reason;  ///< one CamelCase word, its pod's: CrashLoopBackOff
  friend bool operator==(const DegradedNode&, const DegradedNode&) = default;
};

struct Status {
  std::int64_t observed_generation = 0;
  std::vector<Condition> conditions;
  std::int64_t desired_nodes = 0;
  std::int64_t updated_nodes = 0;
  std::int64_t ready_nodes = 0;
  std::int64_t available_nodes = 0;
  std::int64_t misscheduled_nodes = 0;
  std::vector<DegradedNode> degraded_nodes;  ///< by name, ten at most
  std::string selector;                      ///< of the relay's pods
  std::string image;
  std::string config_hash;
  std::vector<ObservedSecret> observed_secrets;

  [[nodiscard]] const Condition* find(std::string_view type) const;
  /// Replaces the condition of this type or adds it. Keeps the transition time of one whose `status` stays the same.
  void set(Condition next, relay::WallTime now);
  friend bool operator==(const Status&, const Status&) = default;
};

/// RFC 3339 with whole seconds, as Kubernetes writes times.
[[nodiscard]] std::string to_kubernetes_time(relay::WallTime time);
/// Reads that; nothing of any other text.
[[nodiscard]] std::optional<relay::WallTime> parse_kubernetes_time(const std::string& text);

[[nodiscard]] Status parse_status(const nlohmann::json& object);
[[nodiscard]] nlohmann::json to_json(const Status& status);

}  // namespace op::api
