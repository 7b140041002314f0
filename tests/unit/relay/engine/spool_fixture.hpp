#pragma once
/// The engine's parts over a real spool, without connections.

#include <gmock/gmock.h>
#include <mutex>

#include "relay/engine/dispatcher.hpp"
#include "tests/support/exchange.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/unit/relay/engine/settings.hpp"

namespace relay::engine {

using namespace std::chrono_literals;
using metrics::Counter;
using spool::Family;

inline const route::Destination kHop{"smarthost/default"};

struct Middle : Jitter {
  double fraction() override { return 0.5; }
};

/// Keeps what it was to ship and to settle.
class Shipped : public Shipper {
 public:
  void ship(const route::Destination&, std::vector<Dispatched> attempts, std::size_t) override {
    const std::scoped_lock lock(mutex_);
    for (auto& dispatched : attempts) attempts_.push_back(std::move(dispatched.attempt));
  }
  void settle(Attempt attempt, smtp::MessageOutcome outcome) override {
    const std::scoped_lock lock(mutex_);
    settled_.emplace_back(std::move(attempt), std::move(outcome));
  }
  std::vector<Attempt> attempts() const {
    const std::scoped_lock lock(mutex_);
    return attempts_;
  }
  std::vector<std::pair<Attempt, smtp::MessageOutcome>> settled() const {
    const std::scoped_lock lock(mutex_);
    return settled_;
  }
  std::size_t count() const { return attempts().size(); }

 private:
  mutable std::mutex mutex_;
  std::vector<Attempt> attempts_;
  std::vector<std::pair<Attempt, smtp::MessageOutcome>> settled_;
};

class SpoolTest : public ::testing::Test, public delivery::ProviderSource {
 protected:
  void SetUp() override {
    settings.reshape([](queue::Shape& shape) { shape.max_connections = 100; });
    open();
  }
  void TearDown() override { close(); }

  virtual void open() {
    store = std::move(*spool::Store::open({folder.path("spool"), {}, &log, &metrics}));
    loop = std::make_unique<relay::test::Loop>();
    workers = std::make_unique<net::WorkerPool>(2);
    committer = std::make_unique<spool::Committer>(*store, spool::Durable::no, metrics.shard(1));
    clock = std::make_unique<QueueClock>(real_clock);
    context.emplace(
      Context{*store, *committer, *clock, settings, settings, log, metrics, metrics.shard(1), *workers}
    );
    admission = std::make_unique<Admission>(*context, folder.path("spool"));
    dispatcher = std::make_unique<Dispatcher>(
      *context, loop->thread, *admission, *this, queue::SchedulerLimits{}, jitter
    );
    dispatcher->set_shippers({&shipped});
    dispatcher->set_wish_handler([this](Wish wish, const Place& place) {
      const std::scoped_lock lock(mutex_);
      wishes_.emplace_back(wish, place.item.key.id);
    });
    const auto usage = store->usage();
    admission->start_with(usage);
    dispatcher->depths().start_with(usage.by_queue);
  }
  virtual void close() {
    if (!store) return;
    loop->thread.stop();
    workers->join();
    committer->stop();
    dispatcher.reset();
    admission.reset();
    committer.reset();
    store.reset();
  }
  void start(const std::vector<std::string>& queues = {kHop.name}) { dispatcher->start(queues); }

  net::Awaitable<Answer> provider(route::Destination) override {
    Answer answer;
    answer.provider = provider_name;
    answer.valid_for = 1h;
    co_return answer;
  }

  spool::StoredEnvelope envelope(
    const std::vector<std::string>& recipients, const std::string& from = "a@b"
  ) {
    spool::StoredEnvelope stored;
    stored.envelope.reverse_path = relay::test::address(from);
    for (const auto& recipient : recipients)
      stored.envelope.recipients.push_back(relay::test::address(recipient));
    stored.envelope.arrival = real_clock.wall();
    stored.envelope.size = 1000;
    return stored;
  }
  Place place(
    const QueueId& id, const std::string& queue = kHop.name, std::vector<std::uint32_t> share = {}
  ) {
    const auto now = clock->now();
    return {*queue::QueueName::parse(queue), {{now, id}, now, 0, 1000, now}, std::move(share)};
  }
  void write(const spool::Operations& operations) { EXPECT_TRUE(store->write(operations, spool::Sync::no)); }
  /// On disk, as accepted by an earlier process.
  QueueId store_message(
    spool::StoredEnvelope stored, std::vector<Place> places, const std::string& content = ""
  ) {
    const auto id = places.front().item.key.id;
    if (!content.empty()) {
      stored.chunks = 1;
      write({spool::put_record(Family::content, spool::indexed_key(id, 0), content)});
    }
    write(accept_operations(id, stored, places));
    return id;
  }
  QueueId store_message() {
    const auto id = store->next_id();
    return store_message(envelope({"c@d"}), {place(id)});
  }
  /// With a place in the queue that does not verify.
  QueueId store_damaged() {
    const auto id = store->next_id();
    write(
      {spool::put_record(Family::envelope, spool::id_key(id), spool::to_payload(envelope({"c@d"}))),
       spool::put(Family::due, key_of(place(id)), "garbage")}
    );
    return id;
  }
  /// The attempt at what is stored under this place.
  Attempt load(const Place& place) {
    auto attempt = load_attempt(*store, place.queue, place.item);
    EXPECT_TRUE(attempt) << attempt.error().message();
    return std::move(*attempt);
  }
  std::vector<spool::WaitingMessage> places() const { return *store->list_places(Family::due, "", 1000); }
  std::uint64_t depth(const std::string& destination = kHop.name) {
    for (const auto& depth : dispatcher->depths().top())
      if (depth.destination == destination) return depth.messages;
    return 0;
  }
  std::size_t in_flight() {
    auto promise = std::make_shared<std::promise<std::size_t>>();
    dispatcher->describe(10, [promise](const auto&, std::size_t count) { promise->set_value(count); });
    return promise->get_future().get();
  }
  std::vector<bool> take_out(const std::vector<Place>& places, std::optional<Wish> wish = std::nullopt) {
    auto promise = std::make_shared<std::promise<std::vector<bool>>>();
    dispatcher->take_out(places, wish, [promise](std::vector<bool> answer) {
      promise->set_value(std::move(answer));
    });
    return promise->get_future().get();
  }
  std::vector<std::pair<Wish, QueueId>> wishes() const {
    const std::scoped_lock lock(mutex_);
    return wishes_;
  }
  void expect_shipped(std::size_t count) {
    relay::test::eventually([&] { return shipped.count() >= count; }, "the attempts");
    EXPECT_EQ(shipped.count(), count);
  }
  std::size_t quarantined() const { return metrics.total(Counter::spool_quarantined); }

  relay::test::Folder folder;
  relay::test::QuietLog log;
  metrics::Registry metrics{2};
  test::RealClock real_clock;
  test::Settings settings;
  std::string provider_name;  // of every destination
  Middle jitter;
  Shipped shipped;
  std::unique_ptr<spool::Store> store;
  std::unique_ptr<relay::test::Loop> loop;
  std::unique_ptr<net::WorkerPool> workers;
  std::unique_ptr<spool::Committer> committer;
  std::unique_ptr<QueueClock> clock;
  std::optional<Context> context;
  std::unique_ptr<Admission> admission;
  std::unique_ptr<Dispatcher> dispatcher;

 private:
  mutable std::mutex mutex_;
  std::vector<std::pair<Wish, QueueId>> wishes_;
};

}  // namespace relay::engine
