#include "operator/relay/pod_security.hpp"

namespace op::smtp_relay {
namespace {

constexpr relay::seconds kRemembered{60};

}  // namespace

kube::Answer<PodSecurity> NamespaceLevels::of(const std::string& name_space, std::stop_token stop) {
  static const auto kEnforced = Json::json_pointer("/metadata/labels") / "pod-security.kubernetes.io/enforce";
  const auto now = clock_.steady();
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(name_space);
    if (found != known_.end() && now - found->second.read < kRemembered) return found->second.level;
  }
  const auto answer = client_.get(kube::kNamespaces, {"", name_space}, std::move(stop));
  PodSecurity security;
  if (answer) security.level = answer->contains(kEnforced) ? answer->at(kEnforced).get<std::string>() : "";
  else if (answer.error().kind == kube::Kind::forbidden) security.unreadable = answer.error().error.context;
  else if (answer.error().kind != kube::Kind::not_found) return tl::unexpected(answer.error());
  const std::lock_guard lock(mutex_);
  known_[name_space] = {security, now};
  return security;
}

bool lets_relays_run(const PodSecurity& security) {
  return security.level != "baseline" && security.level != "restricted";
}

}  // namespace op::smtp_relay
