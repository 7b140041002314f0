/// Log records and metrics: what each message takes of them.

#include "relay/base/log.hpp"
#include "relay/base/queue_id.hpp"
#include "relay/metrics/counters.hpp"
#include "relay/metrics/exposition.hpp"
#include "tests/micro/message.hpp"

namespace relay::micro {
namespace {

/// The record of a reception, as engine::Intake writes it for each message.
Operation log_reception() {
  return [envelope = message_envelope(), id = QueueId{7, 1}] {
    const auto record = log::info("reception")
                          .with("queue_id", id.to_text())
                          .with("client", envelope.origin.client)
                          .with("helo", envelope.origin.helo)
                          .with("protocol", "ESMTP")
                          .with("sender", envelope.reverse_path.to_text())
                          .with("recipients", nlohmann::ordered_json::array({"tenant@example.net"}))
                          .with("size", envelope.size)
                          .with("message_id", envelope.message_id)
                          .with("reply", "250 2.0.0 OK queued as " + id.to_text())
                          .with("commit_ms", 3);
    require(record.to_line(envelope.arrival).size() > 300, "the line of a reception");
  };
}

Operation count_message() {
  return [registry = std::make_shared<metrics::Registry>(1)] {
    auto& shard = registry->shard(0);
    const auto before = shard.read(metrics::Counter::messages_received);
    shard.add(metrics::Counter::messages_received);
    shard.add(metrics::Counter::octets_received, 4096);
    shard.add(metrics::Counter::spool_commits);
    shard.observe(metrics::Duration::spool_commit, std::chrono::milliseconds{3});
    shard.observe(metrics::Duration::delivery_attempt, std::chrono::milliseconds{40});
    shard.observe(metrics::Duration::delivery, std::chrono::milliseconds{70});
    shard.add(metrics::Counter::recipients_delivered);
    shard.add(metrics::Counter::messages_delivered);
    require(shard.read(metrics::Counter::messages_received) == before + 1, "a count");
  };
}

/// A scrape by Prometheus, of three shards and as many destinations as there may be.
Operation expose_metrics() {
  std::vector<metrics::Depth> depths;
  for (std::size_t i = 0; i < metrics::kMaxDestinations; ++i)
    depths.push_back({"mx/d" + std::to_string(i) + ".example", i, 1.5});
  return [registry = std::make_shared<metrics::Registry>(3), depths] {
    require(metrics::exposition(*registry, depths, "1.0.0").size() > 10'000, "a page of metrics");
  };
}

}  // namespace

std::vector<Path> base_paths() {
  return {
    {"base/log_reception", 500, log_reception},
    {"metrics/count_message", 2000, count_message},
    {"metrics/expose", 10, expose_metrics},
  };
}

}  // namespace relay::micro
