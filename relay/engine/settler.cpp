#include "relay/engine/settler.hpp"

#include <utility>

#include "relay/engine/outcome_log.hpp"

namespace relay::engine {
namespace {

using metrics::Counter;

/// Between two tries to record an outcome while the disk is full, or to read what a record needs.
constexpr std::chrono::seconds kAgain{1};

std::string hop_of(const delivery::Peer& peer) {
  return peer.address.empty() ? peer.name : peer.name + " [" + peer.address + "]";
}

/// For reports, without its port (RFC 3464 section 2.3.5).
std::string remote_mta(const delivery::Peer& peer) { return peer.name.substr(0, peer.name.rfind(':')); }

}  // namespace

Settler::Settler(const Context& context, Services services)
    : context_(context), services_(services), random_(std::random_device{}()) {}

/// Runs an action on the shard in a moment.
template <class Action>
void Settler::later(Action action) {
  auto timer = std::make_shared<net::Timer>(services_.thread.context(), kAgain);
  timer->async_wait([timer, action = std::move(action)](net::error_code ec) {
    if (!ec) action();
  });
}

void Settler::settle(Ended ended) {
  ++unrecorded_;
  const bool is_divided = ended.attempt.is_divided();
  const bool is_reported = services_.reports.is_wanted(ended.attempt, ended.outcome);
  auto record = std::make_shared<Record>(Record{std::move(ended), {}, {}});
  if (!is_divided && !is_reported) return write(record);
  net::asio::post(context_.workers, [this, record, is_divided] {
    if (!is_divided) return prepare(record);
    services_.shares.enter(record->ended.attempt.id(), [this, record] {
      net::asio::post(context_.workers, [this, record] { prepare(record); });
    });
  });
}

/// On a worker. What cannot be read now is read in a moment: the outcome is known and must not be forgotten.
void Settler::prepare(const Shared& record) {
  auto& [ended, reported, settlement, holds_pause, is_gone] = *record;
  Result<void> done;
  if (ended.attempt.is_divided()) done = read_others(*record);
  if (done && !is_gone && services_.reports.is_wanted(ended.attempt, ended.outcome)) {
    auto made = services_.reports.report(ended.attempt, ended.outcome, remote_mta(ended.peer));
    if (made) reported = std::move(*made);
    else done = tl::unexpected(std::move(made.error()));
  }
  net::asio::post(services_.thread.context(), [this, record, done] {
    if (done) return write(record);
    context_.log.write(log::error("spool_unreadable")
                         .with("queue_id", record->ended.attempt.id().to_text())
                         .with("error", done.error().message())
                         .with("message", "an outcome waits to be recorded"));
    services_.admission.note_read_failure(done.error());
    later([this, record] { net::asio::post(context_.workers, [this, record] { prepare(record); }); });
  });
}

/// What was recorded of the message's other recipients meanwhile.
Result<void> Settler::read_others(Record& record) const {
  auto& attempt = record.ended.attempt;
  const auto stored = context_.store.envelope(attempt.id());
  record.is_gone = !stored && stored.error().code == Errc::not_found;
  auto results = context_.store.results(attempt.id());
  // Damaged results are found by the next attempt, or by nobody: they count as they were.
  if (results) attempt.settled_before = std::move(*results);
  else if (results.error().code != Errc::corrupt) return tl::unexpected(std::move(results.error()));
  const auto signature = context_.store.signature(attempt.id());
  attempt.signature_is_stored = signature.has_value() || signature.error().code == Errc::corrupt;
  return {};
}

void Settler::write(const Shared& record) {
  auto& [ended, reported, settlement, holds_pause, is_gone] = *record;
  const auto& attempt = ended.attempt;
  if (is_gone) return recorded(*record);
  const auto shape = context_.shapes.shape(attempt.place.queue.destination, attempt.provider);
  Terms terms{shape.retry,        context_.clock.now(), std::uniform_real_distribution<double>(0, 1)(random_),
              hop_of(ended.peer), reported.is_closed,   reported.sender_is_warned,
              reported.operations};
  settlement = engine::settle(attempt, ended.outcome, terms);
  if (!settlement.is_as_before) log_outcome(context_, services_.counters, ended, settlement);
  log_reports(context_, services_.counters, attempt, reported);
  for (const auto& message : reported.messages) services_.dispatcher.announce(message.places);
  submit(record);
}

/// Tries until it is recorded: what is not on disk would be sent again. Meanwhile nothing else starts.
void Settler::submit(const Shared& record) {
  auto done = [this, record](const Result<void>& result) {
    net::asio::post(services_.thread.context(), [this, record, result] {
      if (result) recorded(*record);
      else not_recorded(record, result.error());
    });
  };
  context_.committer.submit({record->settlement.operations, record->settlement.sync, std::move(done)});
}

void Settler::not_recorded(const Shared& record, const Error& error) {
  context_.log.write(log::error("storage_error")
                       .with("queue_id", record->ended.attempt.id().to_text())
                       .with("error", error.message())
                       .with("message", "an outcome could not be recorded: no further delivery starts"));
  if (!std::exchange(record->holds_pause, true)) services_.dispatcher.pause();
  if (error.fate != Fate::terminal) return later([this, record] { submit(record); });
  --unrecorded_;  // until restart: what was delivered may be delivered once more then
  leave(*record);
}

void Settler::recorded(const Record& record) {
  const auto& [ended, reported, settlement, holds_pause, is_gone] = record;
  --unrecorded_;
  if (holds_pause) services_.dispatcher.unpause();
  const auto size = ended.attempt.place.item.size;
  if (settlement.is_complete) {
    services_.admission.remove_waiting(1, size);
    if (settlement.is_dead_letter) services_.admission.add_failed(1, size);
    services_.counters.add(settlement.has_failed ? Counter::messages_failed : Counter::messages_delivered);
  }
  for (const auto& message : reported.messages) {
    services_.admission.add_waiting(1, message.fresh.stored.envelope.size);
    services_.dispatcher.accepted(message);
  }
  if (settlement.is_as_before) services_.dispatcher.moved(ended.attempt, *settlement.again);
  else services_.dispatcher.finished(ended.attempt, ended.shard, settlement.again);
  leave(record);
}

void Settler::leave(const Record& record) {
  const auto& attempt = record.ended.attempt;
  if (!attempt.is_divided()) return;
  net::asio::post(context_.workers, [this, id = attempt.id()] { services_.shares.leave(id); });
}

}  // namespace relay::engine
