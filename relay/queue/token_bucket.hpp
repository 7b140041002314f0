#pragma once
/// So many in such a time, evenly spread.

#include <algorithm>
#include <cstdint>
#include <optional>

#include "relay/base/clock.hpp"

namespace relay::queue {

struct Rate {
  std::uint64_t count = 1;                     ///< at least 1
  milliseconds per = std::chrono::seconds{1};  ///< more than 0
  friend bool operator==(const Rate&, const Rate&) = default;
};

/// A token comes every `per / count`. As many as come in a second may be saved up, and one always: within any
/// time t no more than that and t * count / per are taken (the generic cell rate algorithm: all it holds is when the
/// bucket will be full). Without a rate there are always tokens.
///
/// Thread: one at a time. Time comes in as a parameter and never goes back.
class TokenBucket {
 public:
  TokenBucket() = default;
  explicit TokenBucket(std::optional<Rate> rate) { set_rate(rate); }

  /// What was taken so far stays taken, as time.
  void set_rate(std::optional<Rate> rate);
  [[nodiscard]] bool has_token(SteadyTime now) const { return now >= next_token(); }
  /// When has_token() is true again, exactly.
  [[nodiscard]] SteadyTime next_token() const { return full_at_ - saved_; }
  /// Takes one whether or not it is there: what was not foreseen is made up for later.
  void take(SteadyTime now);
  /// It was not used.
  void give_back();
  /// From then on it is as good as new.
  [[nodiscard]] SteadyTime full_at() const { return full_at_; }

 private:
  std::chrono::nanoseconds interval_{};  // 0: no rate
  std::chrono::nanoseconds saved_{};     // of the bucket but one token
  SteadyTime full_at_{};
};

}  // namespace relay::queue
