#include "operator/relay/witness.hpp"

#include "operator/relay/caches.hpp"

namespace op::smtp_relay {
namespace {

/// Fields that every write of ours, the status and annotations of others leave as they are.
bool is_what_we_saw(const Json& live, const api::SmtpRelay& seen, const std::string& controller_id) {
  return kube::text_at(live, "/metadata/uid") == seen.uid &&
         kube::number_at(live, "/metadata/generation") == seen.generation && !kube::is_being_deleted(live) &&
         controller_id_of(live) == controller_id;
}

kube::Failure outdated(const Key& key) {
  return {
    kube::Kind::conflict,
    {relay::Errc::conflict, relay::Fate::transient,
     "SmtpRelay " + key.to_text() + " is gone or another by now; nothing is written for the one that was"}
  };
}

}  // namespace

kube::Answer<void> Witness::confirm(std::stop_token stop) {
  if (is_confirmed_) return {};
  const Key key{relay_.name_space, relay_.name};
  const auto live = client_.get(kSmtpRelays, key, std::move(stop));
  if (!live && live.error().kind == kube::Kind::not_found) return tl::unexpected(outdated(key));
  if (!live) return tl::unexpected(live.error());
  if (!is_what_we_saw(*live, relay_, controller_id_)) return tl::unexpected(outdated(key));
  is_confirmed_ = true;
  return {};
}

}  // namespace op::smtp_relay
