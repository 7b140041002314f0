#pragma once
/// Which smarthosts refuse our credentials.

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "relay/base/clock.hpp"

namespace relay::outbound {

/// A smarthost that has refused its credentials is one that refuses them until it judges a message, until it has others,
/// and for as long as it is needed: while mail waits for it, and for kUnused behind its last refusal. So neither the
/// success of another smarthost nor one between two attempts of it hides what is the matter, and nobody is told of a
/// smarthost that nothing goes to any more.
///
/// Thread: any.
class RefusedCredentials {
 public:
  /// Longer than a smarthost that could not be used is passed over for the others of its destination.
  static constexpr std::chrono::minutes kUnused{5};

  /// @param generation  of the smarthost as it was connected to: it rises with other credentials
  void refused(const std::string& smarthost, std::uint64_t generation, SteadyTime now);
  /// It has judged a message that was sent with these credentials, or without any.
  void accepted(const std::string& smarthost, std::uint64_t generation);

  struct Use {
    std::uint64_t generation = 0;  ///< its present one
    bool is_waited_for = false;    ///< mail waits for a destination of its
  };
  /// Those that refuse them now, by name; forgets all others.
  /// @param uses  the smarthosts of the settings, by name
  [[nodiscard]] std::vector<std::string> now(const std::map<std::string, Use>& uses, SteadyTime now);

 private:
  struct Refusal {
    std::uint64_t generation = 0;
    SteadyTime last;
  };
  std::mutex mutex_;
  std::map<std::string, Refusal> refusals_;  // under mutex_
};

}  // namespace relay::outbound
