#include "operator/relay/status_publisher.hpp"

#include "operator/relay/caches.hpp"
#include "operator/relay/happenings.hpp"

namespace op::smtp_relay {
namespace {

namespace log = relay::log;

/// Tells of conditions whose `status` changed.
void log_changes(const api::SmtpRelay& relay, const api::Status& next, log::Sink& sink) {
  for (const auto& condition : next.conditions) {
    const auto* before = relay.status.find(condition.type);
    const bool is_same =
      before != nullptr && before->status == condition.status && before->reason == condition.reason;
    if (is_same || condition.status == "Unknown") continue;
    sink.write(log::info("condition")
                 .with("resource", relay.name_space + "/" + relay.name)
                 .with("type", condition.type)
                 .with("status", condition.status)
                 .with("reason", condition.reason)
                 .with("message", condition.message));
  }
}

}  // namespace

kube::Answer<std::optional<api::SmtpRelay>> StatusPublisher::publish(
  api::SmtpRelay relay, api::Status next, std::stop_token stop
) {
  if (relay.status == next) return relay;
  const Json body{
    {"apiVersion", kSmtpRelays.api_version()},
    {"kind", kSmtpRelays.kind},
    // With the version we looked at: a status made from an older state is refused.
    {"metadata",
     {{"namespace", relay.name_space}, {"name", relay.name}, {"resourceVersion", relay.resource_version}}},
    {"status", api::to_json(next)},
  };
  const auto answer = client_.apply_status(kSmtpRelays, body, std::move(stop));
  if (!answer && answer.error().kind == kube::Kind::not_found) return std::nullopt;
  if (!answer) return tl::unexpected(answer.error());
  log_changes(relay, next, log_);
  for (auto& occurrence : news_of(relay, next)) events_.record(std::move(occurrence));
  const auto former = std::exchange(relay.resource_version, kube::resource_version_of(*answer));
  relay.status = std::move(next);
  if (former == relay.resource_version) return relay;  // the server had it already
  const std::lock_guard lock(mutex_);
  auto& written = written_[{relay.name_space, relay.name}];
  if (written.version != former) written.former.clear();
  written.former.insert(former);
  written.version = relay.resource_version;
  written.status = relay.status;
  return relay;
}

api::SmtpRelay StatusPublisher::latest(api::SmtpRelay relay) {
  const std::lock_guard lock(mutex_);
  const auto written = written_.find({relay.name_space, relay.name});
  if (written == written_.end()) return relay;
  if (!written->second.former.contains(relay.resource_version)) {
    written_.erase(written);
    return relay;
  }
  relay.resource_version = written->second.version;
  relay.status = written->second.status;
  return relay;
}

void StatusPublisher::forget(const kube::Key& relay) {
  const std::lock_guard lock(mutex_);
  written_.erase(relay);
}

}  // namespace op::smtp_relay
