#pragma once
/// When a child without which mail flows is tried again after it failed.

#include <map>
#include <mutex>
#include <optional>

#include "operator/relay/world.hpp"
#include "operator/runtime/clock.hpp"

namespace op::smtp_relay {

inline constexpr relay::milliseconds kLongestOptionalDelay = std::chrono::minutes{10};
/// 30 s behind the first failure, doubling to the longest. @param failures  in a row, at least 1
[[nodiscard]] relay::milliseconds optional_retry_delay(unsigned failures);

/// What failed lately, and why: it is not asked for again before its time, whatever wakes its relay meanwhile, so that a
/// webhook that is down gets few requests from a fleet, and an audit few refusals. An edit of the resource is not held
/// up. Where the operator has no right to a kind, no relay of the namespace asks for ten minutes.
///
/// Safe from any thread.
class OptionalRetries {
 public:
  /// @param clock  outlives this
  explicit OptionalRetries(const relay::Clock& clock) : clock_(clock) {}

  struct Held {
    std::string why;
    std::optional<relay::milliseconds> look_in;  ///< none: only an event will mend it
    bool is_forbidden = false;                   ///< to the operator, for all relays of the namespace
  };
  /// Why nothing is to be asked for now; nothing: it may be tried.
  [[nodiscard]] std::optional<Held> held(const api::SmtpRelay& relay, resources::Optional child) const;
  /// @param is_final  the same would be refused again: nobody is to come back for it
  /// @return  as held() from now on
  Held failed(
    const api::SmtpRelay& relay, resources::Optional child, const std::string& why, bool is_final = false
  );
  /// The operator has no right to this kind there. @return  whether that is news
  bool forbidden(const std::string& name_space, resources::Optional child, const std::string& why);
  /// It was forbidden, and its time is over: the right is to be asked about before the kind is asked for.
  [[nodiscard]] bool is_doubtful(const std::string& name_space, resources::Optional child) const;
  void permitted(const std::string& name_space, resources::Optional child);
  /// It is as it should be, or there is no such kind any more: its next failure is its first.
  void settled(const api::SmtpRelay& relay, resources::Optional child);
  void forget(const Key& relay);

 private:
  struct Failure {
    std::string why;
    relay::SteadyTime until;
    std::string uid;              // of the resource, and
    std::int64_t generation = 0;  // of its spec, which the failure is about
    unsigned count = 0;
    bool is_final = false;
  };
  [[nodiscard]] const Failure* failure_of(const api::SmtpRelay& relay, resources::Optional child) const;

  const relay::Clock& clock_;
  mutable std::mutex mutex_;
  std::map<Key, std::map<resources::Optional, Failure>> failures_;            // under mutex_
  std::map<std::pair<std::string, resources::Optional>, Failure> forbidden_;  // likewise
};

}  // namespace op::smtp_relay
