#include "relay/session/refusal_log.hpp"

#include <algorithm>

#include "relay/session/client_counts.hpp"

namespace relay::session {

void RefusalLog::refused(const IpAddress& client, std::size_t limit, SteadyTime now) {
  const auto counted = client_of(client);
  const std::scoped_lock lock(mutex_);
  const auto known = clients_.find(counted);
  const bool is_other = known == clients_.end() && clients_.size() >= kMaxClients;
  auto& refusals = is_other ? others_ : clients_[counted];
  refusals.last = client;
  refusals.limit = limit;
  ++refusals.unrecorded;
  if (now >= refusals.next_record) write(refusals, is_other, now);
}

void RefusalLog::flush(SteadyTime now) {
  const std::scoped_lock lock(mutex_);
  const auto is_due = [&](const Refusals& refusals) { return now >= refusals.next_record; };
  std::erase_if(clients_, [&](const auto& entry) {
    return is_due(entry.second) && entry.second.unrecorded == 0;
  });
  for (auto& [first, refusals] : clients_) {
    if (is_due(refusals)) write(refusals, false, now);
  }
  if (is_due(others_) && others_.unrecorded > 0) write(others_, true, now);
}

void RefusalLog::write(Refusals& refusals, bool are_of_several, SteadyTime now) {
  auto record = log::info("connection_refused")
                  .with("client", refusals.last.to_text())
                  .with("refused", refusals.unrecorded)
                  .with("max_connections_per_client", refusals.limit);
  if (are_of_several)
    record.with("message", "more clients than have records of their own; this is one of them");
  log_.write(record);
  refusals.unrecorded = 0;
  refusals.next_record = std::min(now, SteadyTime::max() - kInterval) + kInterval;
}

}  // namespace relay::session
