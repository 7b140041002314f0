/// Where a message goes, and what its outcome leads to: routing, settlement, and the record of a delivery.

#include "relay/engine/journal.hpp"
#include "relay/engine/outcome_log.hpp"
#include "tests/micro/message.hpp"
#include "tests/support/folder.hpp"

namespace relay::micro {
namespace {

using namespace engine;
using namespace std::chrono_literals;

constexpr WallTime kNow{milliseconds{1'769'847'330'100}};
const QueueId kId{7, 1};

struct FixedClock : Clock {
  [[nodiscard]] WallTime wall() const override { return kNow; }
  [[nodiscard]] SteadyTime steady() const override { return SteadyTime{} + 1h; }
};

/// A message to twenty recipients of ten domains, five of them behind smarthosts of their own.
Operation place_message() {
  std::vector<route::SmarthostRule> rules;
  for (int i = 0; i < 5; ++i) {
    route::SmarthostRule rule;
    rule.name = "s" + std::to_string(i);
    rule.recipient_domains = {"d" + std::to_string(i) + ".example"};
    rules.push_back(rule);
  }
  auto envelope = message_envelope();
  envelope.recipients.clear();
  for (int i = 0; i < 20; ++i)
    envelope.recipients.push_back(
      address("tenant" + std::to_string(i) + "@d" + std::to_string(i % 10) + ".example")
    );
  return [routes = std::make_shared<route::RouteTable>(rules), envelope] {
    const auto places = new_places(*routes, envelope, kId, queue::Lane::normal, envelope.arrival);
    require(places.size() == 10, "a place for each destination");
  };
}

Ended delivered() {
  Ended ended;
  ended.attempt.stored = {message_envelope(), 1};
  const auto arrival = ended.attempt.stored.envelope.arrival;
  ended.attempt.place = {
    {{"smarthost/default"}, queue::Lane::normal}, {{arrival, kId}, arrival, 0, 4096, arrival}, {}
  };
  ended.attempt.pending = {0};
  smtp::RecipientOutcome outcome;
  outcome.disposition = smtp::Disposition::delivered;
  outcome.stage = smtp::Stage::data_end;
  outcome.reply = {250, mail::EnhancedStatus{2, 0, 0}, "Ok: queued as 4bX7"};
  ended.outcome.recipients = {outcome};
  ended.peer.name = "smtp.example.net:587";
  ended.peer.address = "192.0.2.25:587";
  ended.peer.tls = "TLSv1.3 TLS_AES_256_GCM_SHA384 verified";
  ended.peer.connecting = 12ms;
  ended.waited = 1ms;
  ended.sending = 9ms;
  return ended;
}

Operation settle_delivery() {
  Terms terms;
  terms.now = kNow;
  terms.fraction = 0.5;
  terms.hop = "smtp.example.net:587";
  return [ended = delivered(), terms] {
    require(settle(ended.attempt, ended.outcome, terms).is_complete, "a message that is settled");
  };
}

/// Makes lines as the relay's log does, and writes them nowhere.
struct Lines : log::Sink {
  void write(const log::Record& record) override { octets = record.to_line(kNow).size(); }
  std::size_t octets = 0;
};

struct FixedSettings : LimitsSource, queue::ShapeSource {
  [[nodiscard]] std::shared_ptr<const Limits> limits() const override { return std::make_shared<Limits>(); }
  [[nodiscard]] queue::Shape shape(const route::Destination&, const std::string&) const override {
    return {};
  }
  [[nodiscard]] std::optional<queue::ProviderShape> provider_shape(const std::string&) const override {
    return std::nullopt;
  }
};

/// What Context refers to. The spool and the threads are there and do nothing.
struct World {
  test::Folder folder;
  FixedClock clock;
  FixedSettings settings;
  Lines lines;
  Journal log{lines, clock};  // in front of the log, as in the relay
  metrics::Registry metrics{2};
  std::unique_ptr<spool::Store> store =
    std::move(*spool::Store::open({folder.path("spool"), {}, nullptr, nullptr}));
  spool::Committer committer{*store, spool::Durable::no, metrics.shard(1)};
  QueueClock queue_clock{clock};
  net::WorkerPool workers{1};
  Context context{*store, committer, queue_clock,      settings, settings,
                  log,    metrics,   metrics.shard(1), workers};
};

Operation log_delivery() {
  return [world = std::make_shared<World>(), ended = delivered(), settlement = Settlement{}] {
    log_outcome(world->context, world->metrics.shard(0), ended, settlement);
    require(world->lines.octets > 300, "the line of a delivery");
  };
}

}  // namespace

std::vector<Path> engine_paths() {
  return {
    {"engine/place_message", 100, place_message},
    {"engine/settle_delivery", 200, settle_delivery},
    {"engine/log_delivery", 200, log_delivery},
  };
}

}  // namespace relay::micro
