#include "relay/engine/records.hpp"

#include <cmath>

namespace relay::engine {

std::vector<std::string> to_texts(const std::vector<mail::Address>& addresses) {
  std::vector<std::string> texts;
  texts.reserve(addresses.size());
  for (const auto& address : addresses) texts.push_back(address.to_text());
  return texts;
}

std::vector<std::string> pending_texts(const Attempt& attempt) {
  std::vector<std::string> recipients;
  recipients.reserve(attempt.pending.size());
  for (const auto index : attempt.pending)
    recipients.push_back(attempt.stored.envelope.recipients[index].to_text());
  return recipients;
}

log::Record with_attempt(
  log::Record record, const Attempt& attempt, const std::vector<std::string>& recipients, WallTime now
) {
  const auto& envelope = attempt.stored.envelope;
  return std::move(record)
    .with("queue_id", attempt.id().to_text())
    .with("sender", envelope.reverse_path.to_text())
    .with("recipients", recipients)
    .with("destination", attempt.place.queue.to_key())
    .with("size", attempt.place.item.size)
    .with("attempt", attempt.place.item.attempts + 1)
    .with("delay", to_seconds(now - attempt.place.item.arrival));
}

log::Record with_peer(log::Record record, const delivery::Peer& peer) {
  record.with("host", peer.name).with("address", peer.address).with("tls", peer.tls);
  if (!peer.source.empty()) record.with("source", peer.source);
  return record;
}

double to_seconds(std::chrono::nanoseconds duration) {
  return std::round(std::chrono::duration<double, std::milli>(duration).count()) / 1000;
}

}  // namespace relay::engine
