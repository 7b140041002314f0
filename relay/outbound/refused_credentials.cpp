#include "relay/outbound/refused_credentials.hpp"

namespace relay::outbound {

void RefusedCredentials::refused(const std::string& smarthost, std::uint64_t generation, SteadyTime now) {
  const std::scoped_lock lock(mutex_);
  auto& refusal = refusals_[smarthost];
  // An old connection may end behind the refusal of newer ones.
  if (generation >= refusal.generation) refusal = {generation, now};
}

void RefusedCredentials::accepted(const std::string& smarthost, std::uint64_t generation) {
  const std::scoped_lock lock(mutex_);
  const auto found = refusals_.find(smarthost);
  // An old connection says nothing of credentials that it was not made with.
  if (found != refusals_.end() && found->second.generation == generation) refusals_.erase(found);
}

std::vector<std::string> RefusedCredentials::now(const std::map<std::string, Use>& uses, SteadyTime now) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(refusals_, [&](const auto& entry) {
    const auto& [smarthost, refusal] = entry;
    const auto use = uses.find(smarthost);
    if (use == uses.end() || use->second.generation != refusal.generation) return true;
    return !use->second.is_waited_for && now - refusal.last >= kUnused;
  });
  std::vector<std::string> names;
  for (const auto& [smarthost, refusal] : refusals_) names.push_back(smarthost);
  return names;
}

}  // namespace relay::outbound
