#pragma once
/// Telling a rollout that takes long from one that does not move.

#include "operator/relay/rollout.hpp"
#include "operator/runtime/clock.hpp"

namespace op::smtp_relay {

/// True when the status already said so of this very spec and these very counts: what a restart of the operator does not
/// change. Counts that moved since are progress.
[[nodiscard]] bool is_known_to_be_stalled(const api::SmtpRelay& relay, const Rollout& rollout);

/// Remembers since when a relay's rollout is where it is.
///
/// Thread: one at a time.
class Standstill {
 public:
  /// How long the rollout may still make no progress; 0: it has stalled.
  [[nodiscard]] runtime::milliseconds time_left(
    const Key& relay, const Rollout& rollout, runtime::milliseconds stall_after, runtime::SteadyTime now
  );
  void forget(const Key& relay) { since_.erase(relay); }

 private:
  struct Since {
    Rollout rollout;
    runtime::SteadyTime at;
  };
  std::map<Key, Since> since_;
};

}  // namespace op::smtp_relay
