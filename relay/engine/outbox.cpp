#include "relay/engine/outbox.hpp"

#include <algorithm>
#include <utility>

#include "relay/engine/content.hpp"
#include "relay/engine/records.hpp"

namespace relay::engine {
namespace {

using metrics::Counter;
using smtp::Disposition;

/// Between two tries to record an outcome while the disk is full.
constexpr std::chrono::seconds kRecordAgain{1};

bool is_untried(const smtp::MessageOutcome& outcome) {
  return !outcome.recipients.empty() &&
         std::all_of(outcome.recipients.begin(), outcome.recipients.end(), [](const auto& recipient) {
           return recipient.disposition == Disposition::untried;
         });
}

struct EventOf {
  std::string_view event;
  log::Level level;
  Counter counter;
};
EventOf event_of(Disposition disposition) {
  switch (disposition) {
    case Disposition::delivered: return {"delivery", log::Level::info, Counter::recipients_delivered};
    case Disposition::failed: return {"failure", log::Level::warning, Counter::recipients_failed};
    case Disposition::deferred:
    case Disposition::untried: break;
  }
  return {"deferral", log::Level::info, Counter::recipients_deferred};
}

}  // namespace

Outbox::Outbox(const Context& context, Services services, std::size_t max_connections)
    : context_(context),
      services_(services),
      counters_(context.metrics.shard(services.shard)),
      tasks_(
        services.thread.executor(),
        [&log = context_.log](const std::string& what) {
          log.write(log::error("exception").with("in", "delivery").with("error", what));
        }
      ),
      destination_(route::smarthost_destination()),
      pool_(services.thread.context(), {tasks_, services.resolver, services.hops, *this}, max_connections),
      random_(std::random_device{}()) {}

void Outbox::ship(const route::Destination&, std::vector<Dispatched> attempts, bool may_connect) {
  auto shared = std::make_shared<std::vector<Dispatched>>(std::move(attempts));
  net::asio::post(services_.thread.context(), [this, shared, may_connect] {
    std::vector<delivery::Job> jobs;
    for (auto& dispatched : *shared) jobs.push_back(make_job(std::move(dispatched)));
    pool_.start(std::move(jobs), may_connect);
  });
}

delivery::Job Outbox::make_job(Dispatched dispatched) {
  auto& attempt = dispatched.attempt;
  const auto& envelope = attempt.stored.envelope;
  const auto id = attempt.item.key.id;
  delivery::Job job{
    id, {envelope.reverse_path, {}, envelope.size + envelope.received.size(), envelope.body}, nullptr
  };
  for (const auto index : attempt.pending) job.message.recipients.push_back(envelope.recipients[index]);
  job.content = dispatched.content ? content_in_memory(envelope.received, std::move(dispatched.content))
                                   : content_in_spool(context_, id, envelope.received, attempt.stored.chunks);
  taken_.emplace(id, Taken{std::move(attempt), context_.clock.clock().steady()});
  return job;
}

// ---- what connections report ----

void Outbox::attempted(delivery::Job job, smtp::MessageOutcome outcome, delivery::Peer peer) {
  auto taken = std::move(taken_.extract(job.id).mapped());
  if (outcome.unreadable) {
    return services_.dispatcher.unreadable(
      {taken.attempt.destination, taken.attempt.item, services_.shard}, *outcome.unreadable
    );
  }
  if (is_untried(outcome)) {
    log_untried(taken, peer, "the connection ended");
    return services_.dispatcher.put_back(taken.attempt, services_.shard);
  }
  const auto limits = context_.limits.limits();
  const double fraction = std::uniform_real_distribution<double>(0, 1)(random_);
  const auto hop = peer.address.empty() ? peer.name : peer.name + " [" + peer.address + "]";
  auto settlement = settle(taken.attempt, outcome, limits->retry, context_.clock.now(), fraction, hop);
  log_outcome(taken.attempt, outcome, settlement, peer, taken.begun);
  if (outcome.may_be_duplicated) counters_.add(Counter::possible_duplicates_out);
  ++unrecorded_;
  submit(std::make_shared<Unrecorded>(Unrecorded{std::move(taken.attempt), std::move(settlement)}));
}

void Outbox::untried(delivery::Job job) {
  auto taken = std::move(taken_.extract(job.id).mapped());
  if (!is_stopped_) log_untried(taken, last_failure_.peer, last_failure_.what);
  services_.dispatcher.put_back(taken.attempt, services_.shard);
}

/// Once for each message and round of the hop, which its health spaces out.
void Outbox::log_untried(const Taken& taken, const delivery::Peer& peer, const std::string& reason) {
  counters_.add(Counter::recipients_deferred, taken.attempt.pending.size());
  const auto now = context_.clock.clock().steady();
  context_.log.write(
    with_peer(with_attempt(log::info("deferral"), taken.attempt, context_.clock.now()), peer)
      .with("reply", last_failure_.reply)
      .with("delay_attempt", to_seconds(now - taken.begun))
      .with("reason", reason)
      .with("message", "the next hop failed before it judged the message; it waits for the hop")
  );
}

void Outbox::connection_ready(const delivery::Peer& peer) {
  counters_.add(Counter::delivery_connections_ready);
  if (peer.tls.ends_with(" verified")) counters_.add(Counter::delivery_connections_tls);
  context_.metrics.set(metrics::Gauge::credentials_are_refused, 0);
  services_.dispatcher.connection_ready(destination_, services_.shard);
}

void Outbox::connection_closed() { services_.dispatcher.connection_closed(destination_, services_.shard); }

void Outbox::hop_failed(const smtp::HopFailure& failure, const delivery::Peer& peer, bool was_of_use) {
  if (failure.credentials_refused) {
    counters_.add(Counter::credentials_refused);
    context_.metrics.set(metrics::Gauge::credentials_are_refused, 1);
  }
  if (was_of_use && !failure.credentials_refused)
    return;  // an old connection ended: that says nothing of the hop
  counters_.add(Counter::delivery_connections_failed);
  last_failure_ = {
    std::string(smtp::doing(failure.stage)) + ": " + failure.error.context, peer,
    failure.reply ? failure.reply->to_line() : ""
  };
  const auto event = failure.credentials_refused ? "credentials_refused" : "hop_failure";
  context_.log.write(with_peer(log::warning(event).with("destination", destination_.name), peer)
                       .with("stage", smtp::doing(failure.stage))
                       .with("error", failure.error.message())
                       .with("reply", last_failure_.reply));
  services_.dispatcher.hop_failed(destination_, peer.name + ": " + last_failure_.what);
}

// ---- recording ----

/// Tries until it is recorded: what is not on disk would be sent again. Meanwhile nothing else starts.
void Outbox::submit(const std::shared_ptr<Unrecorded>& outcome) {
  auto done = [this, outcome](const Result<void>& result) {
    net::asio::post(services_.thread.context(), [this, outcome, result] {
      if (result) return recorded(*outcome);
      context_.log.write(log::error("storage_error")
                           .with("queue_id", outcome->attempt.item.key.id.to_text())
                           .with("error", result.error().message())
                           .with("message", "an outcome could not be recorded: no further delivery starts"));
      if (!std::exchange(outcome->holds_pause, true)) services_.dispatcher.pause();
      if (result.error().fate != Fate::terminal) return submit_again_later(outcome);
      --unrecorded_;  // until restart: what was delivered may be delivered once more then
    });
  };
  context_.committer.submit({outcome->settlement.operations, outcome->settlement.sync, std::move(done)});
}

void Outbox::submit_again_later(const std::shared_ptr<Unrecorded>& outcome) {
  auto timer = std::make_shared<net::asio::steady_timer>(services_.thread.context(), kRecordAgain);
  timer->async_wait([this, timer, outcome](net::error_code ec) {
    if (!ec) submit(outcome);
  });
}

void Outbox::recorded(const Unrecorded& outcome) {
  --unrecorded_;
  if (outcome.holds_pause) services_.dispatcher.unpause();
  const auto failed = outcome.settlement.failed_recipients;
  if (outcome.settlement.is_complete) {
    services_.admission.remove_waiting(1, outcome.attempt.item.size);
    if (failed > 0) services_.admission.add_failed(1, outcome.attempt.item.size);
    counters_.add(failed > 0 ? Counter::messages_failed : Counter::messages_delivered);
  }
  services_.dispatcher.finished(outcome.attempt, services_.shard, outcome.settlement.again);
}

void Outbox::log_outcome(
  const Attempt& attempt, const smtp::MessageOutcome& outcome, const Settlement& settlement,
  const delivery::Peer& peer, SteadyTime begun
) {
  const auto now = context_.clock.clock().steady();
  const auto age = context_.clock.now() - attempt.item.arrival;
  counters_.observe(metrics::Duration::delivery_attempt, now - begun);
  for (std::size_t i = 0; i < outcome.recipients.size(); ++i) {
    const auto& recipient = outcome.recipients[i];
    const auto [event, level, counter] = event_of(recipient.disposition);
    counters_.add(counter);
    const auto address = attempt.stored.envelope.recipients[attempt.pending[i]].to_text();
    auto record = with_peer(with_attempt({level, event}, attempt, context_.clock.now()), peer)
                    .with("recipients", nlohmann::ordered_json::array({address}))
                    .with("recipient", address)
                    .with("stage", smtp::doing(recipient.stage))
                    .with("reply", recipient.reply.to_line())
                    .with("delay_attempt", to_seconds(now - begun));
    if (outcome.may_be_duplicated) record = std::move(record).with("possible_duplicate", true);
    if (settlement.again) {
      const auto wait = settlement.again->key.due - context_.clock.now();
      record = std::move(record).with("retry_in", to_seconds(wait));
    }
    context_.log.write(record);
    if (recipient.disposition == Disposition::delivered) {
      counters_.observe(metrics::Duration::delivery, age);
    }
  }
}

void Outbox::stop() {
  is_stopped_ = true;
  pool_.stop();
}

}  // namespace relay::engine
