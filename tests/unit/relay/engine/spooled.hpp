#pragma once
/// A spool with its schedule, whose shipper keeps what it is given: deliveries are the test's to settle.

#include <gtest/gtest.h>
#include <mutex>

#include "relay/engine/dead_letters.hpp"
#include "relay/engine/queue_control.hpp"
#include "tests/support/exchange.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/quiet_log.hpp"

namespace relay::engine {

class SystemTime : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override {
    return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
  }
  [[nodiscard]] SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
};

struct NoChance : Jitter {
  double fraction() override { return 0.5; }
};

struct DefaultShapes : queue::ShapeSource {
  [[nodiscard]] queue::Shape shape(const queue::Destination&, const std::string&) const override {
    return {};
  }
  [[nodiscard]] std::optional<queue::ProviderShape> provider_shape(const std::string&) const override {
    return std::nullopt;
  }
};

struct NoProviders : delivery::ProviderSource {
  net::Awaitable<Answer> provider(route::Destination) override {
    Answer answer;
    co_return answer;
  }
};

class Handed : public Shipper {
 public:
  void ship(const route::Destination&, std::vector<Dispatched> attempts, std::size_t) override {
    const std::scoped_lock lock(mutex_);
    for (auto& dispatched : attempts) attempts_.push_back(std::move(dispatched.attempt));
  }
  void settle(Attempt, smtp::MessageOutcome) override {}
  std::vector<Attempt> attempts() const {
    const std::scoped_lock lock(mutex_);
    return attempts_;
  }
  std::size_t count() const { return attempts().size(); }

 private:
  mutable std::mutex mutex_;
  std::vector<Attempt> attempts_;
};

/// Mail for other.test goes to smarthost/other, all else to smarthost/default.
class Spooled : public ::testing::Test, public LimitsSource {
 protected:
  void SetUp() override {
    auto limits = std::make_shared<Limits>();
    limits->hostname = "relay.test";
    limits->routes = std::make_shared<route::RouteTable>(
      std::vector<route::SmarthostRule>{{"default", 10, 1, {}, {}}, {"other", 10, 1, {"other.test"}, {}}}
    );
    limits->spool_max_size = Octets{1U << 30U};
    limits->spool_min_free_percent = 0;
    limits_ = limits;
    store = std::move(*spool::Store::open({folder.path("spool"), {}, &log, &metrics}));
    committer = std::make_unique<spool::Committer>(*store, spool::Durable::no, metrics.shard(1));
    context = std::make_unique<Context>(
      Context{*store, *committer, clock, *this, shapes, log, metrics, metrics.shard(1), *workers}
    );
    admission = std::make_unique<Admission>(*context, folder.path("spool"));
    reports = std::make_unique<Reports>(*context);
    dispatcher = std::make_unique<Dispatcher>(
      *context, loop->thread, *admission, providers, queue::SchedulerLimits{}, jitter
    );
    dispatcher->set_shippers({&shipped});
    control = std::make_unique<QueueControl>(*context, *dispatcher, *admission, *reports);
    dispatcher->pause();
  }
  void TearDown() override {
    loop->thread.stop();
    workers->join();
    committer->stop();
  }
  std::shared_ptr<const Limits> limits() const override { return limits_; }

  /// On disk, as accepted by an earlier process.
  QueueId store_message(
    const std::vector<std::string>& recipients = {"c@default.test"}, milliseconds due_in = milliseconds{0},
    const std::string& sender = "a@b.test"
  ) {
    const auto id = store->next_id();
    spool::StoredEnvelope stored;
    stored.envelope.reverse_path = test::address(sender);
    for (const auto& recipient : recipients) stored.envelope.recipients.push_back(test::address(recipient));
    stored.envelope.received = "Received: by relay.test\r\n";
    const std::string content = "Message-ID: <" + id.to_text() + "@b.test>\r\n\r\nbody\r\n";
    stored.envelope.size = content.size();
    stored.envelope.arrival = clock.now();
    stored.chunks = 1;
    auto places = new_places(*limits_->routes, stored.envelope, id, queue::Lane::normal, clock.now());
    for (auto& place : places) place.item.key.due += due_in;
    auto operations = accept_operations(id, stored, places);
    operations.push_back(spool::put_record(spool::Family::content, spool::indexed_key(id, 0), content));
    EXPECT_TRUE(store->write(operations, spool::Sync::no));
    admission->add_waiting(1, content.size());
    return id;
  }
  /// All failed, and nobody was told.
  QueueId store_dead_letter(WallTime at) {
    const auto id = store_message();
    const auto keys = *store->places_of(spool::Family::due, id);
    const auto size = store->envelope(id)->envelope.size;
    const spool::Settled settled{false, "550 no", "hop", at, false};
    const spool::Failed failed{at, size, at, 1};
    EXPECT_TRUE(store->write(
      {spool::remove(spool::Family::due, keys.front()),
       spool::put_record(spool::Family::result, spool::indexed_key(id, 0), spool::to_payload(settled)),
       spool::put_record(spool::Family::failed, spool::id_key(id), spool::to_payload(failed))},
      spool::Sync::no
    ));
    admission->remove_waiting(1, size);
    admission->add_failed(1, size);
    return id;
  }
  void start() {
    dispatcher->start(store->queues().value());
    dispatcher->unpause();
  }
  Result<Changed> change(Change change) {
    auto promise = std::make_shared<std::promise<Result<Changed>>>();
    auto future = promise->get_future();
    control->change(std::move(change), [promise](Result<Changed> changed) {
      promise->set_value(std::move(changed));
    });
    return future.get();
  }
  Result<Changed> change(QueueAction action, Selection selection) {
    Change asked;
    asked.action = action;
    asked.selection = std::move(selection);
    asked.reason = "a test";
    return change(std::move(asked));
  }
  static Selection only(const QueueId& id) {
    Selection selection;
    selection.id = id;
    return selection;
  }
  std::size_t count(spool::Family family) const { return store->list_places(family, "", 10'000)->size(); }
  double gauge(metrics::Gauge gauge) const { return metrics.read(gauge); }
  void expect_shipped(std::size_t number) {
    test::eventually([&] { return shipped.count() >= number; }, "the attempts");
    EXPECT_EQ(shipped.count(), number);
  }
  /// Settles an attempt as deferred: it waits for an hour.
  void defer(const Attempt& attempt) {
    auto place = attempt.place;
    place.item.key.due = clock.now() + std::chrono::hours{1};
    EXPECT_TRUE(store->write(
      {spool::remove(spool::Family::due, key_of(attempt.place)), put_place(place)}, spool::Sync::no
    ));
    dispatcher->finished(attempt, 0, place.item);
  }

  test::Folder folder;
  test::QuietLog log;
  metrics::Registry metrics{2};
  SystemTime real_clock;
  QueueClock clock{real_clock};
  NoChance jitter;
  DefaultShapes shapes;
  NoProviders providers;
  Handed shipped;
  std::shared_ptr<const Limits> limits_;
  std::unique_ptr<spool::Store> store;
  std::unique_ptr<net::WorkerPool> workers = std::make_unique<net::WorkerPool>(2);
  std::unique_ptr<test::Loop> loop = std::make_unique<test::Loop>();
  std::unique_ptr<spool::Committer> committer;
  std::unique_ptr<Context> context;
  std::unique_ptr<Admission> admission;
  std::unique_ptr<Reports> reports;
  std::unique_ptr<Dispatcher> dispatcher;
  std::unique_ptr<QueueControl> control;
};

}  // namespace relay::engine
