#include "relay/engine/dispatcher.hpp"

#include <algorithm>
#include <utility>

#include "relay/engine/records.hpp"
#include "relay/engine/signing.hpp"

namespace relay::engine {

using metrics::Counter;
using route::Destination;
namespace step = queue::schedule_step;

namespace {

/// Until what could not be read or recorded is tried again.
constexpr std::chrono::seconds kMoment{2};

/// As the queue's schedule has it behind the wait that has just ended: what is postponed counts no attempts.
milliseconds next_wait(const queue::RetrySchedule& schedule, const queue::Item& item) {
  const auto last = item.key.due - item.scheduled;
  std::uint32_t waits = 1;
  // A wait is spread by a tenth.
  for (auto wait = std::max(schedule.initial, milliseconds{1}); wait * 8 / 10 <= last && wait < schedule.max;
       wait *= 2)
    ++waits;
  const auto chance = static_cast<double>(item.key.id.number % 1000) / 1000;
  return queue::retry_delay(schedule, waits, chance);
}

/// How many places a message has beside one, waiting or held: it counts once, whatever their number.
Result<std::size_t> other_places(const spool::Store& store, const QueueId& id) {
  std::size_t count = 0;
  for (const auto family : {spool::Family::due, spool::Family::held}) {
    const auto found = store.places_of(family, id);
    if (!found) return tl::unexpected(found.error());
    count += found->size();
  }
  return count > 0 ? count - 1 : 0;
}

/// Whether a share of the message stands in this queue, waiting or held; also when that can't be read now.
bool has_share(const spool::Store& store, const QueueId& id, const queue::QueueName& queue) {
  for (const auto family : {spool::Family::due, spool::Family::held}) {
    const auto found = store.places_of(family, id, queue.to_key());
    if (!found || !found->empty()) return true;
  }
  return false;
}

}  // namespace

Dispatcher::Dispatcher(
  const Context& context, net::IoThread& thread, Admission& admission, delivery::ProviderSource& providers,
  const queue::SchedulerLimits& limits, Jitter& jitter
)
    : context_(context),
      thread_(thread),
      admission_(admission),
      providers_(providers),
      tasks_(
        thread.executor(),
        [&log = context_.log](const std::string& what) {
          log.write(log::error("exception").with("in", "provider lookup").with("error", what));
        }
      ),
      scheduler_(limits, context.shapes, jitter),
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

void Dispatcher::start(const std::vector<std::string>& queues) {
  on_thread([this, queues] {
    for (const auto& key : queues) {
      if (const auto name = queue::QueueName::parse(key)) scheduler_.add(*name);
    }
  });
}

void Dispatcher::announce(const std::vector<Place>& places) {
  // No plan: nothing can start because of it, and the order with what follows is kept.
  net::asio::post(thread_.context(), [this, places] {
    for (const auto& place : places) scheduler_.announce(place.queue, place.item.key.id);
  });
}

void Dispatcher::withdraw(const std::vector<Place>& places) {
  on_thread([this, places] {
    for (const auto& place : places) scheduler_.withdraw(place.queue, place.item.key.id);
  });
}

void Dispatcher::accepted(Accepted message) {
  depths_.add(message.places);
  on_thread([this, message = std::move(message)]() mutable {
    const bool is_new = !message.fresh.stored.envelope.recipients.empty();
    for (auto& place : message.places) {
      // What is not in the window is read from disk in its time: holding on to its content would help nobody.
      const bool is_in_memory = scheduler_.admit(place.queue, place.item, now());
      if (!is_in_memory || !is_new) continue;
      auto fresh = message.places.size() == 1 ? std::move(message.fresh) : message.fresh;
      fresh_.emplace(message.id, KeptFresh{place.queue, std::move(place.share), std::move(fresh)});
    }
  });
}

void Dispatcher::finished(
  const Attempt& attempt, std::size_t shard, const std::optional<queue::Item>& again
) {
  if (!again) depths_.remove(attempt.place.queue);
  on_thread([this, place = Place{attempt.place.queue, again.value_or(attempt.place.item), {}}, shard, again] {
    scheduler_.finished(place.queue, place.item.key.id, shard);
    if (again) scheduler_.admit(place.queue, *again, now());
    fulfil_wish(place);
  });
}

void Dispatcher::fulfil_wish(const Place& place) {
  const auto wish = wishes_.find(place.item.key.id);
  if (wish == wishes_.end()) return;
  net::asio::post(context_.workers, [this, place, what = wish->second] { fulfil_(what, place); });
  wishes_.erase(wish);
}

void Dispatcher::put_back(const Attempt& attempt, std::size_t shard) {
  put_back(InFlight{attempt.place.queue, attempt.place.item, shard});
}

void Dispatcher::put_back(const InFlight& message) {
  on_thread([this, message] {
    scheduler_.put_back(message.queue, message.item.key.id, message.shard);
    fulfil_wish({message.queue, message.item, {}});
  });
}

void Dispatcher::moved(const Attempt& attempt, const queue::Item& item) {
  on_thread([this, place = Place{attempt.place.queue, item, {}}] {
    scheduler_.moved(place.queue, place.item, now());
    fulfil_wish(place);
  });
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

void Dispatcher::judged(const Destination& destination) {
  on_thread([this, destination] { scheduler_.judged(destination); });
}

void Dispatcher::hurry(const Destination& destination) {
  on_thread([this, destination] { scheduler_.hurry(destination, now()); });
}

void Dispatcher::hurry_all() {
  on_thread([this] { scheduler_.hurry_all(now()); });
}

void Dispatcher::suspend(const Destination& destination, std::optional<milliseconds> duration) {
  on_thread([this, destination, duration] {
    std::optional<SteadyTime> until;
    if (duration) until = now().steady + *duration;
    scheduler_.suspend(destination, until);
  });
}

void Dispatcher::unsuspend(const Destination& destination) {
  on_thread([this, destination] { scheduler_.unsuspend(destination); });
}

void Dispatcher::pause() {
  on_thread([this] { scheduler_.pause(++pauses_ > 0); });
}

void Dispatcher::unpause() {
  on_thread([this] { scheduler_.pause(--pauses_ > 0); });
}

void Dispatcher::reload(const queue::SchedulerLimits& limits) {
  on_thread([this, limits] {
    scheduler_.set_limits(limits);
    scheduler_.reload();
  });
}

void Dispatcher::take_out(
  std::vector<Place> places, std::optional<Wish> wish, std::function<void(std::vector<bool>)> answer
) {
  on_thread([this, places = std::move(places), wish, answer = std::move(answer)] {
    std::vector<bool> are_in_flight;
    for (const auto& place : places) {
      const auto& id = place.item.key.id;
      are_in_flight.push_back(scheduler_.forget(place.queue, id));
      if (are_in_flight.back() && wish) wishes_[id] = *wish;
      if (are_in_flight.back()) continue;
      forget_fresh(place.queue, id);
      depths_.remove(place.queue);
    }
    answer(std::move(are_in_flight));
  });
}

void Dispatcher::describe(
  std::size_t limit, std::function<void(std::vector<queue::DestinationState>, std::size_t)> answer
) {
  net::asio::post(thread_.context(), [this, limit, answer = std::move(answer)] {
    answer(scheduler_.states(now(), limit), scheduler_.in_flight());
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

std::optional<Dispatcher::KeptFresh> Dispatcher::take_fresh(
  const queue::QueueName& queue, const QueueId& id
) {
  const auto [first, last] = fresh_.equal_range(id);
  const auto found =
    std::find_if(first, last, [&](const auto& entry) { return entry.second.queue == queue; });
  if (found == last) return std::nullopt;
  auto kept = std::move(found->second);
  fresh_.erase(found);
  return kept;
}

/// What is in memory goes straight to its shard; what must be read or signed goes by a worker.
void Dispatcher::begin(step::Start start) {
  const bool is_signed = context_.limits.limits()->signing != nullptr;
  std::vector<Dispatched> ready;
  std::vector<Task> tasks;
  const auto provider = provider_of(start.queue.destination);
  for (const auto& item : start.items) {
    auto kept = take_fresh(start.queue, item.key.id);
    if (!kept || is_signed) {
      tasks.push_back({item, std::move(kept)});
      continue;
    }
    auto dispatched = fresh_attempt(start.queue, item, std::move(*kept));
    dispatched.attempt.provider = provider;
    if (!is_in_its_queue(dispatched.attempt)) {
      reroute(dispatched.attempt, start.shard);
      continue;
    }
    dispatched.attempt.has_signature = true;
    ready.push_back(std::move(dispatched));
  }
  const auto& [queue, shard, items, max_connections] = start;
  if (!ready.empty()) shippers_[shard]->ship(queue.destination, std::move(ready), max_connections);
  if (tasks.empty()) return;
  start.items.clear();
  net::asio::post(
    context_.workers,
    [this, start = std::move(start), provider, tasks = std::make_shared<std::vector<Task>>(std::move(tasks))](
    ) mutable { prepare(start, std::move(*tasks), provider); }
  );
}

Dispatched Dispatcher::fresh_attempt(const queue::QueueName& queue, const queue::Item& item, KeptFresh kept) {
  Dispatched dispatched;
  auto& attempt = dispatched.attempt;
  attempt.place = {queue, item, std::move(kept.share)};
  attempt.stored = std::move(kept.fresh.stored);
  attempt.pending = pending_recipients(attempt.stored, attempt.place.share, {});
  dispatched.content = std::move(kept.fresh.content);
  return dispatched;
}

std::string Dispatcher::provider_of(const Destination& destination) const {
  if (route::mx_domain(destination).empty()) return {};
  const auto state = scheduler_.state(destination, now());
  return state ? state->provider : std::string();
}

/// On a worker: reads and signs.
void Dispatcher::prepare(const step::Start& start, std::vector<Task> tasks, const std::string& provider) {
  std::vector<Dispatched> ready;
  for (auto& task : tasks) {
    Dispatched dispatched;
    if (task.fresh) {
      dispatched = fresh_attempt(start.queue, task.item, std::move(*task.fresh));
    } else {
      auto attempt = load_attempt(context_.store, start.queue, task.item);
      if (!attempt) {
        unreadable({start.queue, task.item, start.shard}, attempt.error());
        continue;
      }
      dispatched.attempt = std::move(*attempt);
    }
    dispatched.attempt.provider = provider;
    if (dispatched.attempt.pending.empty()) conclude(dispatched.attempt, start.shard);
    else if (!is_in_its_queue(dispatched.attempt)) reroute(dispatched.attempt, start.shard);
    else if (auto made = sign(context_, dispatched); !made)
      unreadable({start.queue, task.item, start.shard}, made.error());
    else ready.push_back(std::move(dispatched));
  }
  if (!ready.empty())
    shippers_[start.shard]->ship(start.queue.destination, std::move(ready), start.max_connections);
}

void Dispatcher::begin(const step::Resolve& resolve) { tasks_.spawn(resolve_provider(resolve.destination)); }

net::Awaitable<void> Dispatcher::resolve_provider(Destination destination) {
  delivery::ProviderSource::Answer answer{"", kMoment};
  try {
    answer = co_await providers_.provider(destination);
  } catch (const std::exception& error) {
    // Without an answer nothing of it would ever start again.
    context_.log.write(log::error("exception").with("in", "provider lookup").with("error", error.what()));
  }
  scheduler_.resolved(destination, answer.provider, now().steady + answer.valid_for);
  plan();
}

void Dispatcher::begin(const step::Load& load) {
  net::asio::post(context_.workers, [this, load] { read_queue(load); });
}

/// Reads on behind a page that holds nothing but damaged places: it would be asked for again and again.
void Dispatcher::read_queue(const step::Load& load) {
  const auto& [after, until, limit] = load.what;
  auto from = after;
  while (true) {
    auto page = context_.store.due(load.queue.to_key(), from, until, limit);
    if (!page) {
      index_unreadable(page.error());
      if (page.error().fate == Fate::transient) in_a_moment([this, load] { begin(load); });
      return;
    }
    for (const auto& id : page->damaged)
      quarantine({load.queue, {{{}, id}, {}, 0, 0, {}}}, "its place in the queue does not verify");
    const bool has_more = page->next_due && *page->next_due <= until;
    from = page->through;
    if (page->items.empty() && has_more) continue;
    return on_thread([this, queue = load.queue, page = std::move(*page)] {
      scheduler_.loaded(queue, page.items, page.next_due);
    });
  }
}

void Dispatcher::begin(const step::Expire& expire) {
  settle_untried(
    expire.queue, expire.items,
    [this, destination = expire.queue.destination](const Attempt& attempt) {
      return expired(attempt, context_.shapes.shape(destination, attempt.provider).retry.max_age);
    }
  );
}

void Dispatcher::begin(const step::Warn& warn) {
  const auto state = scheduler_.state(warn.queue.destination, now());
  settle_untried(
    warn.queue, warn.items,
    [obstacle = state ? state->last_failure : std::string()](const Attempt& attempt) {
      return late(attempt, obstacle);
    }
  );
}

/// What nobody tries now has this outcome.
void Dispatcher::settle_untried(
  const queue::QueueName& queue, const std::vector<queue::Item>& items, Outcome outcome
) {
  const auto provider = provider_of(queue.destination);
  for (const auto& item : items) {
    forget_fresh(queue, item.key.id);
    net::asio::post(context_.workers, [this, queue, item, provider, outcome] {
      settle_one(queue, item, provider, outcome);
    });
  }
}

/// On a worker.
void Dispatcher::settle_one(
  const queue::QueueName& queue, const queue::Item& item, const std::string& provider, const Outcome& outcome
) {
  auto loaded = load_attempt(context_.store, queue, item);
  if (!loaded) return unreadable({queue, item, queue::kNoShard}, loaded.error());
  if (loaded->pending.empty()) return conclude(*loaded, queue::kNoShard);
  loaded->provider = provider;
  auto settled = outcome(*loaded);
  shippers_.front()->settle(std::move(*loaded), std::move(settled));
}

/// All of its recipients are settled: a repair of the spool has brought back its place in the queue, and nothing else.
void Dispatcher::conclude(const Attempt& attempt, std::size_t shard) {
  auto conclude_now = [this, attempt, shard] {
    const auto others =
      attempt.is_divided() ? other_places(context_.store, attempt.id()) : Result<std::size_t>(0);
    if (!others) {
      leave(attempt);
      index_unreadable(others.error());
      return in_a_moment([this, attempt, shard] { put_back(attempt, shard); });
    }
    auto done = [this, attempt, shard, is_last = *others == 0](const Result<void>& result) {
      leave(attempt);
      if (!result) return in_a_moment([this, attempt, shard] { put_back(attempt, shard); });
      if (is_last) admission_.remove_waiting(1, attempt.place.item.size);
      finished(attempt, shard, std::nullopt);
    };
    context_.committer.submit(
      {{spool::remove(spool::Family::due, key_of(attempt.place))}, spool::Sync::yes, std::move(done)}
    );
  };
  if (!attempt.is_divided()) return conclude_now();
  shares_.enter(attempt.id(), [this, conclude_now = std::move(conclude_now)] {
    net::asio::post(context_.workers, conclude_now);
  });
}

// ---- routes that have changed ----

bool Dispatcher::is_in_its_queue(const Attempt& attempt) const {
  const auto& envelope = attempt.stored.envelope;
  const auto& destination = attempt.place.queue.destination;
  const auto routes = context_.limits.limits()->routes;
  return std::all_of(attempt.pending.begin(), attempt.pending.end(), [&](std::uint32_t index) {
    return routed_anew(*routes, envelope, index, destination) == destination;
  });
}

/// Others of its recipients may be on their way to the same queue: one after the other.
void Dispatcher::reroute(const Attempt& attempt, std::size_t shard) {
  if (!attempt.is_divided()) return move(attempt, shard);
  shares_.enter(attempt.id(), [this, attempt, shard] {
    net::asio::post(context_.workers, [this, attempt, shard] { move(attempt, shard); });
  });
}

void Dispatcher::leave(const Attempt& attempt) {
  if (attempt.is_divided()) shares_.leave(attempt.id());
}

/// Gives its recipients places where the present routes lead. A queue holds a message once: while others of its
/// recipients wait there already, or are held, these stay where they are and ask again later.
void Dispatcher::move(const Attempt& attempt, std::size_t shard) {
  const auto routes = context_.limits.limits()->routes;
  auto split = split_anew(*routes, attempt.stored.envelope, attempt.pending, attempt.place.queue.destination);
  std::vector<Place> places;
  bool is_taken = false;
  for (auto& [destination, recipients] : split) {
    Place place{{destination, attempt.place.queue.lane}, attempt.place.item, std::move(recipients)};
    place.item.key.due = now().wall;
    if (place.item.key.due == attempt.place.item.key.due) place.item.key.due += milliseconds{1};
    place.item.scheduled = now().wall;
    const bool is_whole = split.size() == 1 && !attempt.is_divided();
    if (is_whole) place.share.clear();
    if (attempt.is_divided() && place.queue != attempt.place.queue)
      is_taken = is_taken || has_share(context_.store, attempt.id(), place.queue);
    places.push_back(std::move(place));
  }
  if (is_taken) return postpone(attempt, shard);
  spool::Operations operations{spool::remove(spool::Family::due, key_of(attempt.place))};
  for (const auto& place : places) operations.push_back(put_place(place));
  announce(places);
  auto done = [this, attempt, shard, places](const Result<void>& result) {
    leave(attempt);
    if (!result) {
      withdraw(places);
      return in_a_moment([this, attempt, shard] { put_back(attempt, shard); });
    }
    finished(attempt, shard, std::nullopt);
    accepted({attempt.id(), places, {}});
  };
  context_.committer.submit({std::move(operations), spool::Sync::yes, std::move(done)});
}

void Dispatcher::postpone(const Attempt& attempt, std::size_t shard) {
  const auto shape = context_.shapes.shape(attempt.place.queue.destination, attempt.provider);
  auto place = attempt.place;
  place.item.scheduled = now().wall;
  place.item.key.due = place.item.scheduled + next_wait(shape.retry, attempt.place.item);
  if (place.item.key.due == attempt.place.item.key.due) place.item.key.due += milliseconds{1};
  auto done = [this, attempt, shard, item = place.item](const Result<void>& result) {
    leave(attempt);
    if (!result) return in_a_moment([this, attempt, shard] { put_back(attempt, shard); });
    finished(attempt, shard, item);
  };
  const auto last = "waits for others of its recipients to leave the queue that it belongs to";
  context_.committer.submit(
    {{spool::remove(spool::Family::due, key_of(attempt.place)), put_place(place, last)},
     spool::Sync::no,
     std::move(done)}
  );
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
  on_thread([this, message] { scheduler_.release(message.queue.destination, message.shard); });
  in_a_moment([this, message] { put_back(InFlight{message.queue, message.item, queue::kNoShard}); });
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
    if (!in_quarantine_.insert(id).second) return scheduler_.finished(message.queue, id, message.shard);
    context_.log.write(
      log::error("quarantine")
        .with("queue_id", id.to_text())
        .with("reason", why)
        .with("message", "a record of this message does not verify: it is set aside and will not be sent")
    );
    scheduler_.release(message.queue.destination, message.shard);
    set_aside({message.queue, message.item, queue::kNoShard});
  });
}

/// Behind what is being settled of others of its recipients.
void Dispatcher::set_aside(const InFlight& message) {
  shares_.enter(message.item.key.id, [this, message] {
    net::asio::post(context_.workers, [this, message] { set_aside_now(message); });
  });
}

void Dispatcher::set_aside_now(InFlight message) {
  const auto& id = message.item.key.id;
  if (message.item.size == 0) {  // its place in the queue was damaged: the envelope may know
    if (const auto stored = context_.store.envelope(id)) message.item.size = stored->envelope.size;
  }
  auto operations = context_.store.quarantine(id);
  if (!operations) {
    shares_.leave(id);
    index_unreadable(operations.error());
    return quarantine_failed(message, operations.error());
  }
  if (operations->empty()) {
    shares_.leave(id);
    // Its other place was set aside, and this one with it. One without a size was met twice while that was going on.
    if (message.item.size > 0) depths_.remove(message.queue);
    return forget(message);
  }
  auto done = [this, message](const Result<void>& result) {
    shares_.leave(message.item.key.id);
    if (!result) return quarantine_failed(message, result.error());
    context_.committer_counters.add(Counter::spool_quarantined);
    admission_.remove_waiting(1, message.item.size);
    depths_.remove(message.queue);
    forget(message);
  };
  context_.committer.submit({std::move(*operations), spool::Sync::yes, std::move(done)});
}

/// It stays in flight until it is recorded; what fails until restart is found again then.
void Dispatcher::quarantine_failed(const InFlight& message, const Error& error) {
  if (error.fate == Fate::transient) in_a_moment([this, message] { set_aside(message); });
}

void Dispatcher::forget(const InFlight& message) {
  on_thread([this, message] {
    in_quarantine_.erase(message.item.key.id);
    wishes_.erase(message.item.key.id);
    forget_fresh(message.queue, message.item.key.id);
    scheduler_.finished(message.queue, message.item.key.id, message.shard);
  });
}

Result<Attempt> load_attempt(
  const spool::Store& store, const queue::QueueName& queue, const queue::Item& item
) {
  Attempt attempt;
  attempt.place = {queue, item, {}};
  auto waiting = store.place(spool::Family::due, key_of(attempt.place));
  if (!waiting) return tl::unexpected(std::move(waiting.error()));
  auto stored = store.envelope(item.key.id);
  if (!stored) return tl::unexpected(std::move(stored.error()));
  auto settled = store.results(item.key.id);
  if (!settled) return tl::unexpected(std::move(settled.error()));
  auto signature = store.signature(item.key.id);
  if (!signature && signature.error().code != Errc::not_found)
    return tl::unexpected(std::move(signature.error()));
  attempt.place.share = std::move(waiting->share);
  attempt.place.item.sender_was_warned = waiting->sender_was_warned;
  attempt.last = std::move(waiting->last);
  attempt.stored = std::move(*stored);
  attempt.settled_before = std::move(*settled);
  attempt.pending = pending_recipients(attempt.stored, attempt.place.share, attempt.settled_before);
  attempt.has_signature = attempt.signature_is_stored = signature.has_value();
  if (signature) attempt.signature = std::move(*signature);
  return attempt;
}

}  // namespace relay::engine
