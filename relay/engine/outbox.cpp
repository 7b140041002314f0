#include "relay/engine/outbox.hpp"

#include <algorithm>
#include <utility>

#include "relay/engine/content.hpp"
#include "relay/engine/records.hpp"

namespace relay::engine {
namespace {

using metrics::Counter;
using smtp::Disposition;

/// Destinations without connections that are kept for their hosts' sake; beyond it they are forgotten.
constexpr std::size_t kIdleDestinations = 100;

bool is_untried(const smtp::MessageOutcome& outcome) {
  return !outcome.recipients.empty() &&
         std::all_of(outcome.recipients.begin(), outcome.recipients.end(), [](const auto& recipient) {
           return recipient.disposition == Disposition::untried;
         });
}

Counter tls_counter(const delivery::Peer& peer) {
  if (peer.tls.empty()) return Counter::tls_none;
  if (peer.tls.find(" dane-") != std::string::npos) return Counter::tls_dane;
  return peer.tls.ends_with(" verified") ? Counter::tls_verified : Counter::tls_unverified;
}

}  // namespace

/// Hears of the connections to one destination.
class Outbox::Destination : public delivery::Reporter {
 public:
  Destination(Outbox& outbox, const route::Destination& destination)
      : outbox_(outbox),
        destination_(destination),
        pool_(
          outbox.services_.thread.context(), destination, {outbox.tasks_, outbox.services_.routes, *this}
        ) {}

  [[nodiscard]] delivery::Pool& pool() { return pool_; }

  [[nodiscard]] bool may_begin() const override { return !context().committer.has_failed_for_good(); }

  bool still_wants(const delivery::Job& job) override {
    const auto limits = context().limits.limits();
    if (limits->guard.mode == policy::Mode::deliver) return true;
    if (may_leave(limits->guard, outbox_.at(destination_, job.id))) return true;
    auto [attempt, begun] = outbox_.take(destination_, job.id);
    dispatcher().put_back(attempt, shard());  // who takes it up again captures it
    return false;
  }

  void attempted(
    delivery::Job job, smtp::MessageOutcome outcome, delivery::Peer peer, std::chrono::nanoseconds sending
  ) override {
    auto [attempt, begun] = outbox_.take(destination_, job.id);
    if (outcome.unreadable) {
      return dispatcher().unreadable({attempt.place.queue, attempt.place.item, shard()}, *outcome.unreadable);
    }
    if (is_untried(outcome)) {
      log_untried(attempt, begun, peer, "the connection ended");
      return dispatcher().put_back(attempt, shard());
    }
    if (peer.messages_before > 0) outbox_.counters_.add(Counter::connections_reused);
    dispatcher().judged(destination_);
    const auto took = context().clock.clock().steady() - begun;
    const auto waited = std::max(took - peer.connecting - sending, std::chrono::nanoseconds{0});
    outbox_.settler_.settle(
      {std::move(attempt), std::move(outcome), std::move(peer), shard(), waited, sending}
    );
  }

  void untried(delivery::Job job) override {
    auto [attempt, begun] = outbox_.take(destination_, job.id);
    if (!outbox_.is_stopped_) log_untried(attempt, begun, last_failure_.peer, last_failure_.what);
    dispatcher().put_back(attempt, shard());
  }

  void connection_ready(const delivery::Peer& peer) override {
    outbox_.counters_.add(Counter::delivery_connections_ready);
    outbox_.counters_.add(tls_counter(peer));
    if (peer.tls.ends_with(" verified")) outbox_.counters_.add(Counter::delivery_connections_tls);
    dispatcher().connection_ready(destination_, shard());
  }

  void connection_closed() override { dispatcher().connection_closed(destination_, shard()); }

  void host_failed(const smtp::HopFailure& failure, const delivery::Peer& peer) override {
    note_credentials(failure);
    log_failure("host_failure", failure, peer);
  }

  void hop_failed(const smtp::HopFailure& failure, const delivery::Peer& peer, bool was_of_use) override {
    note_credentials(failure);
    if (was_of_use && !failure.credentials_refused)
      return;  // an old connection ended: that says nothing of the hop
    // No settings know of it any more: its mail goes where it belongs when it is taken up again.
    if (failure.error.code == Errc::not_found) return;
    outbox_.counters_.add(Counter::delivery_connections_failed);
    if (failure.error.code == Errc::tls_failed) outbox_.counters_.add(Counter::tls_failed);
    last_failure_ = {
      std::string(smtp::doing(failure.stage)) + ": " + failure.error.context, peer,
      failure.reply ? failure.reply->to_line() : ""
    };
    log_failure(failure.credentials_refused ? "credentials_refused" : "hop_failure", failure, peer);
    const auto name = peer.name.empty() ? destination_.name : peer.name;
    dispatcher().hop_failed(destination_, name + ": " + last_failure_.what);
  }

 private:
  [[nodiscard]] const Context& context() const { return outbox_.context_; }
  [[nodiscard]] Dispatcher& dispatcher() { return outbox_.services_.dispatcher; }
  [[nodiscard]] std::size_t shard() const { return outbox_.services_.shard; }

  void note_credentials(const smtp::HopFailure& failure) {
    if (failure.credentials_refused) outbox_.counters_.add(Counter::credentials_refused);
  }

  void log_failure(std::string_view event, const smtp::HopFailure& failure, const delivery::Peer& peer) {
    context().log.write(with_peer(log::warning(event).with("destination", destination_.name), peer)
                          .with("stage", smtp::doing(failure.stage))
                          .with("error", failure.error.message())
                          .with("reply", failure.reply ? failure.reply->to_line() : ""));
  }

  /// Once for each message and round of the hop, which its health spaces out.
  void log_untried(
    const Attempt& attempt, SteadyTime begun, const delivery::Peer& peer, const std::string& reason
  ) {
    outbox_.counters_.add(Counter::recipients_deferred, attempt.pending.size());
    const auto now = context().clock.clock().steady();
    context().log.write(
      with_peer(
        with_attempt(log::info("deferral"), attempt, pending_texts(attempt), context().clock.now()), peer
      )
        .with("reply", last_failure_.reply)
        .with("delay_attempt", to_seconds(now - begun))
        .with("reason", reason)
        .with("message", "the next hop failed before it judged the message; it waits for the hop")
    );
  }

  struct LastFailure {  // of the hop, for the records of messages that wait for it
    std::string what;
    delivery::Peer peer;
    std::string reply;
  };

  Outbox& outbox_;
  route::Destination destination_;
  delivery::Pool pool_;
  LastFailure last_failure_;
};

Outbox::Outbox(const Context& context, Services services)
    : context_(context),
      services_(services),
      counters_(context.metrics.shard(services.shard)),
      settler_(
        context, {services.thread, counters_, services.dispatcher, services.admission, services.shares,
                  services.reports}
      ),
      tasks_(services.thread.executor(), [&log = context_.log](const std::string& what) {
        log.write(log::error("exception").with("in", "delivery").with("error", what));
      }) {}

Outbox::~Outbox() = default;

Outbox::Destination& Outbox::at(const route::Destination& destination) {
  auto& found = destinations_[destination];
  if (!found) found = std::make_unique<Destination>(*this, destination);
  return *found;
}

void Outbox::ship(
  const route::Destination& destination, std::vector<Dispatched> attempts, std::size_t max_connections
) {
  auto shared = std::make_shared<std::vector<Dispatched>>(std::move(attempts));
  net::asio::post(services_.thread.context(), [this, destination, shared, max_connections] {
    if (destinations_.size() > kIdleDestinations) forget_idle();
    auto& pool = at(destination).pool();
    if (is_stopped_) pool.stop();
    std::vector<delivery::Job> jobs;
    for (auto& dispatched : *shared) {
      if (auto job = make_job(std::move(dispatched))) jobs.push_back(std::move(*job));
    }
    pool.start(std::move(jobs), max_connections);
  });
}

void Outbox::forget_idle() {
  std::erase_if(destinations_, [](const auto& entry) { return entry.second->pool().is_empty(); });
}

void Outbox::settle(Attempt attempt, smtp::MessageOutcome outcome) {
  auto shared = std::make_shared<Ended>();
  shared->attempt = std::move(attempt);
  shared->outcome = std::move(outcome);
  net::asio::post(services_.thread.context(), [this, shared] { settler_.settle(std::move(*shared)); });
}

/// Nothing when it is in delivery to this destination already: a queue holds a message once.
std::optional<delivery::Job> Outbox::make_job(Dispatched dispatched) {
  auto& attempt = dispatched.attempt;
  const auto& envelope = attempt.stored.envelope;
  const auto id = attempt.id();
  const auto above = attempt.signature + envelope.received;
  const auto top = above + envelope.edits.added;
  delivery::Job job;
  job.id = id;
  auto& message = job.message;
  message.reverse_path = envelope.reverse_path;
  message.size = above.size() + mail::sent_size(envelope);
  message.body = envelope.body;
  message.smtputf8 = envelope.smtputf8;
  message.requires_tls = envelope.requires_tls;
  message.dsn.ret = envelope.dsn.ret;
  message.dsn.envelope_id = envelope.dsn.envelope_id;
  for (const auto index : attempt.pending) {
    message.recipients.push_back(envelope.recipients[index]);
    if (!envelope.dsn.recipients.empty()) message.dsn.recipients.push_back(envelope.dsn.of(index));
  }
  job.open_content = [this, id, top, chunks = attempt.stored.chunks, content = std::move(dispatched.content),
                      removed = envelope.edits.removed] {
    return content ? content_in_memory(top, content, removed)
                   : content_in_spool(context_, id, top, chunks, removed);
  };
  if (!attempt.signature.empty() && !attempt.signature_is_stored) counters_.add(Counter::signatures);
  const auto destination = attempt.place.queue.destination;
  const TakenKey key{destination, id};
  if (taken_.contains(key)) {
    services_.dispatcher.put_back(attempt, services_.shard);
    return std::nullopt;
  }
  taken_.emplace(key, Taken{std::move(attempt), context_.clock.clock().steady()});
  return job;
}

const Attempt& Outbox::at(const route::Destination& destination, const QueueId& id) const {
  return taken_.at(TakenKey{destination, id}).attempt;
}

Outbox::Taken Outbox::take(const route::Destination& destination, const QueueId& id) {
  return std::move(taken_.extract(TakenKey{destination, id}).mapped());
}

void Outbox::stop() {
  is_stopped_ = true;
  for (auto& [name, destination] : destinations_) destination->pool().stop();
}

std::size_t Outbox::busy() const {
  std::size_t opening = 0;
  for (const auto& [name, destination] : destinations_) opening += destination->pool().opening();
  return tasks_.count() - opening + settler_.unrecorded();
}

}  // namespace relay::engine
