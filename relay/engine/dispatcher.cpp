#include "relay/engine/dispatcher.hpp"

#include <algorithm>
#include <utility>

namespace relay::engine {

using route::Destination;

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
      mailbox_(thread.context(), [this] { plan(); }),
      timer_(thread.context()) {}

/// Runs an action on the scheduler's thread and lets the schedule act on it.
void Dispatcher::on_thread(net::Mailbox::Action action) { mailbox_.post(std::move(action)); }

/// Runs an action on the scheduler's thread once kMoment has passed.
void Dispatcher::in_a_moment(net::Mailbox::Action action) {
  net::asio::post(thread_.context(), [this, action = std::move(action)]() mutable {
    auto timer = std::make_shared<net::Timer>(thread_.context(), kMoment);
    timer->async_wait([timer, action = std::move(action)](net::error_code ec) {
      if (!ec) action();
    });
  });
}

queue::Now Dispatcher::now() const { return {context_.clock.now(), context_.clock.clock().steady()}; }

/// As the moment in which a due time was chosen saw it. The clock may have been set back since, while it was being recorded: the
/// queue would take that step for a wait that was meant.
queue::Now Dispatcher::now_or_at(WallTime chosen) const {
  auto seen = now();
  seen.wall = std::max(seen.wall, chosen);
  return seen;
}

// ---- events ----

void Dispatcher::start(const std::vector<std::string>& queues) {
  on_thread([this, queues] {
    for (const auto& key : queues) {
      if (const auto name = queue::QueueName::parse(key)) scheduler_.add(*name);
    }
  });
}

void Dispatcher::announce(const std::vector<Place>& places) {
  on_thread([this, places] {
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
      const bool is_in_memory = scheduler_.admit(place.queue, place.item, now_or_at(message.placed));
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
    // One that was not tried yet may be a report, which is chosen for when its turn comes.
    const auto chosen = again && again->attempts > 0 ? again->scheduled : WallTime{};
    if (again) scheduler_.admit(place.queue, *again, now_or_at(chosen));
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

// ---- the schedule ----

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
  // One that ends too early costs a plan, but to set it anew for each message costs more.
  if (!wake_at || (armed_for_ && *armed_for_ <= *wake_at)) return;
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

}  // namespace relay::engine
