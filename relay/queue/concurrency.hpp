#pragma once
/// How many connections a next hop is given at present: it shows by itself how many it likes.

#include <cstddef>

namespace relay::queue {

/// The feedback of Postfix's qmgr(8) (SCHEDULER_README, "Less-than-1 feedback"): success adds 1/window, failure
/// takes as much, so that a whole window of either changes it by one. Failures since the last success are counted
/// in windows too (pseudo-cohorts): after a whole one of them the hop is dead.
///
/// Thread: one at a time.
class ConcurrencyWindow {
 public:
  static constexpr std::size_t kInitial = 5;

  /// @param limit  at least 1
  explicit ConcurrencyWindow(std::size_t limit);

  void set_limit(std::size_t limit);
  /// @param in_use  connections there are: a window that is not used up does not grow
  void succeeded(std::size_t in_use);
  void failed();
  /// As new: behind a suspension.
  void reset();

  /// 1 up to the limit.
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool is_dead() const;

 private:
  std::size_t limit_;
  double window_ = 1;
  double failed_cohorts_ = 0;
};

}  // namespace relay::queue
