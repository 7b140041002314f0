#include "relay/engine/leftovers.hpp"

#include <memory>
#include <utility>

namespace relay::engine {
namespace {

/// Messages; beyond, the next start sweeps. Admission refuses long before so many fail on a full disk.
constexpr std::size_t kMost = 1000;

}  // namespace

void Leftovers::remove(spool::Operations operations) {
  auto again = std::make_shared<spool::Operations>(operations);
  auto done = [this, again](const Result<void>& result) {
    if (!result && result.error().fate != Fate::terminal) keep(std::move(*again));
  };
  committer_.submit({std::move(operations), spool::Sync::no, std::move(done)});
}

void Leftovers::keep(spool::Operations operations) {
  const std::scoped_lock lock(mutex_);
  if (kept_.size() < kMost) kept_.push_back(std::move(operations));
}

void Leftovers::retry() {
  if (committer_.failure()) return;
  std::vector<spool::Operations> again;
  {
    const std::scoped_lock lock(mutex_);
    std::swap(again, kept_);
  }
  for (auto& operations : again) remove(std::move(operations));
}

}  // namespace relay::engine
