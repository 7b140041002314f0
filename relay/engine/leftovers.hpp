#pragma once
/// What messages that were refused or abandoned leave in the spool.

#include <mutex>
#include <vector>

#include "relay/spool/committer.hpp"

namespace relay::engine {

/// Submits removals of their chunks; nobody waits for them. One that meets a full disk is kept and submitted
/// again once writing works: else refused mail would take space, when there is least of it, until the next
/// start sweeps it.
///
/// Thread: any. Lifetime: `committer` outlives it, and it outlives Committer::stop().
class Leftovers {
 public:
  explicit Leftovers(spool::Committer& committer) : committer_(committer) {}

  void remove(spool::Operations operations);
  /// About once a second: submits again what failed, unless it would fail once more.
  void retry();

 private:
  void keep(spool::Operations operations);

  spool::Committer& committer_;
  std::mutex mutex_;
  std::vector<spool::Operations> kept_;  // under mutex_
};

}  // namespace relay::engine
