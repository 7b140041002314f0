#include "relay/engine/dispatcher.hpp"

#include <utility>

#include "relay/engine/records.hpp"

namespace relay::engine {

using metrics::Counter;
using route::Destination;
namespace step = queue::schedule_step;

namespace {

/// Until what could not be read or recorded is tried again.
constexpr std::chrono::seconds kMoment{2};

}  // namespace

Dispatcher::Dispatcher(
  const Context& context, net::IoThread& thread, Admission& admission, queue::SchedulerLimits limits,
  Jitter& jitter
)
    : context_(context),
      thread_(thread),
      admission_(admission),
      scheduler_(limits, jitter),
      timer_(thread.context()) {}

/// Runs an action on the scheduler's thread and lets the schedule act on it.
template <class Action>
void Dispatcher::on_thread(Action action) {
  net::asio::post(thread_.context(), [this, action = std::move(action)]() mutable {
    action();
    plan();
  });
}

/// Runs an action on the scheduler's thread once kMoment has passed.
template <class Action>
void Dispatcher::in_a_moment(Action action) {
  net::asio::post(thread_.context(), [this, action = std::move(action)]() mutable {
    auto timer = std::make_shared<net::asio::steady_timer>(thread_.context(), kMoment);
    timer->async_wait([timer, action = std::move(action)](net::error_code ec) mutable {
      if (!ec) action();
    });
  });
}

queue::Now Dispatcher::now() const { return {context_.clock.now(), context_.clock.clock().steady()}; }

// ---- events ----

void Dispatcher::start(const std::vector<std::string>& destinations) {
  on_thread([this, destinations] {
    for (const auto& destination : destinations) scheduler_.add(Destination{destination});
  });
}

void Dispatcher::announce(const Destination& destination, const QueueId& id) {
  // No plan: nothing can start because of it, and the order with what follows is kept.
  net::asio::post(thread_.context(), [this, destination, id] { scheduler_.announce(destination, id); });
}

void Dispatcher::withdraw(const Destination& destination, const QueueId& id) {
  on_thread([this, destination, id] { scheduler_.withdraw(destination, id); });
}

void Dispatcher::accepted(const Destination& destination, const queue::Item& item, Fresh fresh) {
  on_thread([this, destination, item, fresh = std::move(fresh)]() mutable {
    // What is not in the window is read from disk in its time: holding on to its content would help nobody.
    if (scheduler_.admit(destination, item, now())) fresh_.emplace(item.key.id, std::move(fresh));
  });
}

void Dispatcher::finished(
  const Attempt& attempt, std::size_t shard, const std::optional<queue::Item>& again
) {
  on_thread([this, destination = attempt.destination, id = attempt.item.key.id, shard, again] {
    scheduler_.finished(destination, id, shard);
    if (again) scheduler_.admit(destination, *again, now());
  });
}

void Dispatcher::put_back(const Attempt& attempt, std::size_t shard) {
  put_back(InFlight{attempt.destination, attempt.item, shard});
}

void Dispatcher::put_back(const InFlight& message) {
  on_thread([this, message] { scheduler_.put_back(message.destination, message.item.key.id, message.shard); }
  );
}

void Dispatcher::connection_ready(const Destination& destination, std::size_t shard) {
  on_thread([this, destination, shard] {
    context_.metrics.set(metrics::Gauge::delivery_connections_open, static_cast<double>(++connections_));
    scheduler_.connection_ready(destination, shard);
  });
}

void Dispatcher::connection_closed(const Destination& destination, std::size_t shard) {
  on_thread([this, destination, shard] {
    context_.metrics.set(metrics::Gauge::delivery_connections_open, static_cast<double>(--connections_));
    scheduler_.connection_closed(destination, shard);
  });
}

void Dispatcher::hop_failed(const Destination& destination, std::string why) {
  on_thread([this, destination, why = std::move(why)]() mutable {
    scheduler_.hop_failed(destination, std::move(why), now());
  });
}

void Dispatcher::resume(const Destination& destination) {
  on_thread([this, destination] { scheduler_.resume(destination, now()); });
}

void Dispatcher::pause() {
  on_thread([this] { scheduler_.pause(++pauses_ > 0); });
}

void Dispatcher::unpause() {
  on_thread([this] { scheduler_.pause(--pauses_ > 0); });
}

void Dispatcher::reload() {
  on_thread([this] { scheduler_.set_retry(context_.limits.limits()->retry); });
}

void Dispatcher::describe(std::function<void(std::vector<queue::DestinationState>, std::size_t)> answer) {
  net::asio::post(thread_.context(), [this, answer = std::move(answer)] {
    answer(scheduler_.states(), scheduler_.in_flight());
  });
}

// ---- steps ----

void Dispatcher::plan() {
  // What began now could not be recorded, and would be delivered again behind the restart.
  if (context_.committer.has_failed_for_good()) return stop_timer();
  for (auto& planned : scheduler_.plan(now())) {
    std::visit([this](auto& one) { begin(std::move(one)); }, planned);
  }
  set_timer();
}

void Dispatcher::set_timer() {
  const auto wake_at = scheduler_.wake_at(now());
  if (!wake_at) return stop_timer();
  if (armed_for_ == wake_at) return;
  armed_for_ = wake_at;
  timer_.expires_at(*wake_at);
  timer_.async_wait([this](net::error_code ec) {
    if (ec) return;
    armed_for_.reset();
    plan();
  });
}

void Dispatcher::stop_timer() {
  armed_for_.reset();
  timer_.cancel();
}

void Dispatcher::begin(step::Start start) {
  std::vector<Dispatched> fresh;
  std::vector<queue::Item> stored;
  for (const auto& item : start.items) {
    const auto found = fresh_.find(item.key.id);
    if (found == fresh_.end()) {
      stored.push_back(item);
      continue;
    }
    Dispatched dispatched{
      {item, start.destination, std::move(found->second.stored), {}, {}}, std::move(found->second.content)
    };
    dispatched.attempt.pending = pending_recipients(dispatched.attempt.stored, {});
    fresh.push_back(std::move(dispatched));
    fresh_.erase(found);
  }
  if (!fresh.empty()) shippers_[start.shard]->ship(start.destination, std::move(fresh), start.may_connect);
  if (!stored.empty()) ship_stored(start.destination, start.shard, std::move(stored), start.may_connect);
}

void Dispatcher::ship_stored(
  Destination destination, std::size_t shard, std::vector<queue::Item> items, bool may_connect
) {
  net::asio::post(
    context_.workers,
    [this, destination = std::move(destination), shard, items = std::move(items), may_connect] {
      std::vector<Dispatched> loaded;
      for (const auto& item : items) {
        auto attempt = load_attempt(context_.store, destination, item);
        if (!attempt) unreadable({destination, item, shard}, attempt.error());
        else if (attempt->pending.empty()) conclude(*attempt, shard);
        else loaded.push_back({std::move(*attempt), nullptr});
      }
      if (!loaded.empty()) shippers_[shard]->ship(destination, std::move(loaded), may_connect);
    }
  );
}

void Dispatcher::begin(const step::Load& load) {
  net::asio::post(context_.workers, [this, load] { read_queue(load); });
}

/// Reads on behind a page that holds nothing but damaged places: it would be asked for again and again.
void Dispatcher::read_queue(const step::Load& load) {
  const auto& [after, until, limit] = load.what;
  auto from = after;
  while (true) {
    auto page = context_.store.due(load.destination.name, from, until, limit);
    if (!page) {
      index_unreadable(page.error());
      if (page.error().fate == Fate::transient) in_a_moment([this, load] { begin(load); });
      return;
    }
    for (const auto& id : page->damaged)
      quarantine({load.destination, {{{}, id}, {}, 0, 0}}, "its place in the queue does not verify");
    const bool has_more = page->next_due && *page->next_due <= until;
    from = page->through;
    if (page->items.empty() && has_more) continue;
    return on_thread([this, destination = load.destination, page = std::move(*page)] {
      scheduler_.loaded(destination, page.items, page.next_due);
    });
  }
}

void Dispatcher::begin(const step::Expire& expire) {
  for (const auto& item : expire.items) {
    fresh_.erase(item.key.id);
    net::asio::post(context_.workers, [this, destination = expire.destination, item] {
      expire_one(destination, item);
    });
  }
}

void Dispatcher::expire_one(const Destination& destination, const queue::Item& item) {
  auto loaded = load_attempt(context_.store, destination, item);
  if (!loaded) return unreadable({destination, item, queue::kNoShard}, loaded.error());
  if (loaded->pending.empty()) return conclude(*loaded, queue::kNoShard);
  const auto limits = context_.limits.limits();
  const auto outcome = expired(*loaded, limits->retry.max_age);
  auto settlement = settle(*loaded, outcome, limits->retry, now().wall, 0, "");
  const auto reply = outcome.recipients.empty() ? "" : outcome.recipients.front().reply.to_line();
  auto record = with_peer(with_attempt(log::warning("failure"), *loaded, now().wall), {})
                  .with("attempt", item.attempts)
                  .with("stage", smtp::doing(smtp::Stage::connect))
                  .with("reply", reply);
  const auto recipients = loaded->pending.size();
  auto done = [this, attempt = std::move(*loaded), record = std::move(record),
               recipients](const Result<void>& result) {
    if (!result) return put_back(attempt, queue::kNoShard);
    auto& counters = context_.committer_counters;
    counters.add(Counter::recipients_failed, recipients);
    counters.add(Counter::messages_failed);
    admission_.remove_waiting(1, attempt.item.size);
    admission_.add_failed(1, attempt.item.size);
    context_.log.write(record);
    finished(attempt, queue::kNoShard, std::nullopt);
  };
  context_.committer.submit({std::move(settlement.operations), settlement.sync, std::move(done)});
}

/// All of its recipients are settled: a repair of the spool has brought back its place in the queue, and nothing else.
void Dispatcher::conclude(const Attempt& attempt, std::size_t shard) {
  const auto key = spool::due_key(attempt.destination.name, attempt.item.key.due, attempt.item.key.id);
  auto done = [this, attempt, shard](const Result<void>& result) {
    if (!result) return in_a_moment([this, attempt, shard] { put_back(attempt, shard); });
    admission_.remove_waiting(1, attempt.item.size);
    finished(attempt, shard, std::nullopt);
  };
  context_.committer.submit({{spool::remove(spool::Family::due, key)}, spool::Sync::yes, std::move(done)});
}

// ---- what cannot be read ----

void Dispatcher::unreadable(const InFlight& message, const Error& error) {
  if (error.code == Errc::corrupt || error.code == Errc::not_found)
    return quarantine(message, error.message());
  context_.log.write(log::error("spool_unreadable")
                       .with("queue_id", message.item.key.id.to_text())
                       .with("error", error.message())
                       .with("message", "the message waits; no other is accepted for a while"));
  admission_.note_read_failure(error);
  on_thread([this, message] { scheduler_.release(message.destination, message.shard); });
  in_a_moment([this, message] { put_back({message.destination, message.item, queue::kNoShard}); });
}

/// The index itself: what is damaged stays so until the next start repairs it, and all else is tried again by
/// whoever met it.
void Dispatcher::index_unreadable(const Error& error) {
  const bool is_damaged = error.code == Errc::corrupt;
  context_.log.write(
    log::error("spool_failed")
      .with("error", error.message())
      .with(
        "message", is_damaged ? "the queue is damaged: nothing is accepted or delivered until a restart, "
                                "which repairs it"
                              : "the queue could not be read: nothing is accepted until it can"
      )
  );
  if (!is_damaged) return admission_.note_read_failure(error);
  admission_.note_read_failure({Errc::storage_failed, Fate::terminal, error.context});
  pause();
}

void Dispatcher::quarantine(const InFlight& message, const std::string& why) {
  on_thread([this, message, why] {
    const auto& id = message.item.key.id;
    // A damaged place in the queue is met again while it is being set aside.
    if (!in_quarantine_.insert(id).second) return scheduler_.finished(message.destination, id, message.shard);
    context_.log.write(
      log::error("quarantine")
        .with("queue_id", id.to_text())
        .with("reason", why)
        .with("message", "a record of this message does not verify: it is set aside and will not be sent")
    );
    scheduler_.release(message.destination, message.shard);
    set_aside({message.destination, message.item, queue::kNoShard});
  });
}

void Dispatcher::set_aside(const InFlight& message) {
  net::asio::post(context_.workers, [this, message = message]() mutable {
    const auto& id = message.item.key.id;
    if (message.item.size == 0) {  // its place in the queue was damaged: the envelope may know
      if (const auto stored = context_.store.envelope(id)) message.item.size = stored->envelope.size;
    }
    auto operations = context_.store.quarantine(id);
    if (!operations) {
      index_unreadable(operations.error());
      return quarantine_failed(message, operations.error());
    }
    if (operations->empty()) return forget(message);
    auto done = [this, message](const Result<void>& result) {
      if (!result) return quarantine_failed(message, result.error());
      context_.committer_counters.add(Counter::spool_quarantined);
      admission_.remove_waiting(1, message.item.size);
      forget(message);
    };
    context_.committer.submit({std::move(*operations), spool::Sync::yes, std::move(done)});
  });
}

/// It stays in flight until it is recorded; what fails until restart is found again then.
void Dispatcher::quarantine_failed(const InFlight& message, const Error& error) {
  if (error.fate == Fate::transient) in_a_moment([this, message] { set_aside(message); });
}

void Dispatcher::forget(const InFlight& message) {
  on_thread([this, message] {
    in_quarantine_.erase(message.item.key.id);
    scheduler_.finished(message.destination, message.item.key.id, message.shard);
  });
}

Result<Attempt> load_attempt(
  const spool::Store& store, const Destination& destination, const queue::Item& item
) {
  auto stored = store.envelope(item.key.id);
  if (!stored) return tl::unexpected(stored.error());
  auto settled = store.results(item.key.id);
  if (!settled) return tl::unexpected(settled.error());
  Attempt attempt{item, destination, std::move(*stored), std::move(*settled), {}};
  attempt.pending = pending_recipients(attempt.stored, attempt.settled_before);
  return attempt;
}

}  // namespace relay::engine
