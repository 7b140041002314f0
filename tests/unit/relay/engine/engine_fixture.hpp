#pragma once
/// The engine as a whole, between sessions and next hops that the test plays.

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "relay/engine/engine.hpp"
#include "relay/engine/listing.hpp"
#include "tests/support/exchange.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/peer.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/unit/relay/engine/settings.hpp"

namespace relay::engine {

using namespace std::chrono_literals;
using metrics::Counter;
using metrics::Gauge;

/// The engine over a real spool, with next hops that the test plays: one a destination.
class EngineTest : public ::testing::Test, public delivery::RouteSource, public delivery::ProviderSource {
 protected:
  void SetUp() override {
    settings.reshape([](queue::Shape& shape) { shape.retry = {200ms, 1s, 120h}; });
    hosts_["smarthost/default"] = acceptor.port();
    begin();
  }
  void TearDown() override { end(); }

  void begin(Octets content_memory = {1U << 20U}, std::size_t shards = 1) {
    loops.clear();
    for (std::size_t i = 0; i < shards; ++i) loops.push_back(std::make_unique<relay::test::Loop>());
    scheduler = std::make_unique<relay::test::Loop>();
    store = std::move(*spool::Store::open({folder.path("spool"), {}, &log, &metrics}));
    std::vector<net::IoThread*> threads;
    for (const auto& loop : loops) threads.push_back(&loop->thread);
    engine = std::make_unique<Engine>(Parts{
      *store,
      clock,
      settings,
      settings,
      *this,
      *this,
      log,
      metrics,
      threads,
      scheduler->thread,
      folder.path("spool"),
      spool::Durable::yes,
      content_memory,
      {}
    });
    EXPECT_TRUE(engine->start());
  }
  void end() {
    if (!engine) return;
    engine->stop_deliveries();
    engine->close_deliveries();
    relay::test::eventually([this] { return engine->busy_deliveries() == 0; }, "the end of all deliveries");
    scheduler->thread.stop();
    for (auto& loop : loops) loop->thread.stop();
    engine.reset();
    store.reset();
  }
  void restart(Octets content_memory = {1U << 20U}) {
    end();
    begin(content_memory);
  }

  net::Awaitable<Found> find(route::Destination destination) override {
    const std::scoped_lock lock(mutex_);
    delivery::Host host;
    host.name = destination.name;
    host.next_hop.endpoint = {"127.0.0.1", hosts_.at(destination.name)};
    host.connect_timeout = 5s;
    delivery::Route route;
    route.hosts = {std::move(host)};
    route.idle_time = idle_time;
    Found found = std::make_shared<const delivery::Route>(std::move(route));
    co_return found;
  }
  net::Awaitable<Resolved> resolve(std::shared_ptr<const delivery::Route>, std::size_t) override {
    delivery::Target target;
    target.addresses = {*IpAddress::parse("127.0.0.1")};
    target.policy.helo_name = "relay.example";
    target.policy.tls = smtp::TlsMode::none;
    Resolved resolved = std::move(target);
    co_return resolved;
  }
  std::uint64_t generation(const route::Destination&) const override { return 0; }
  void credentials_refused(const delivery::Route&, std::size_t, const delivery::Target&) override {}
  void credentials_accepted(const delivery::Route&, std::size_t) override {}
  bool may_send(const delivery::Target&) override { return true; }
  void
  tls_tried(const delivery::Route&, std::size_t, const delivery::Target&, const std::optional<net::TlsFault>&)
    override {}
  net::Awaitable<Answer> provider(route::Destination) override {
    Answer answer;
    answer.valid_for = 1h;
    co_return answer;
  }
  /// Where a destination's host is from now on.
  void move_host(std::uint16_t port, const std::string& destination = "smarthost/default") {
    const std::scoped_lock lock(mutex_);
    hosts_[destination] = port;
  }

  net::Awaitable<Result<QueueId>> stored(
    std::vector<std::string> chunks, std::vector<std::string> recipients
  ) {
    auto message = engine->sink(0).begin();
    for (std::size_t i = 0; i + 1 < chunks.size(); ++i) {
      auto appended = co_await message->append(chunks[i]);
      if (!appended) co_return tl::unexpected(appended.error());
    }
    mail::Envelope envelope;
    envelope.reverse_path = relay::test::address(sender);
    for (const auto& recipient : recipients) envelope.recipients.push_back(relay::test::address(recipient));
    envelope.origin = {"10.1.40.70", "app", true, tls};
    envelope.held = held;
    for (const auto& chunk : chunks) envelope.size += chunk.size();
    auto id = co_await message->commit(std::move(envelope), chunks.back());
    co_return id;
  }
  /// The first chunk of a message that goes no further.
  net::Awaitable<std::unique_ptr<session::IncomingMessage>> begun() {
    auto message = engine->sink(0).begin();
    const std::string chunk(1000, 'x');
    auto appended = co_await message->append(chunk);
    EXPECT_TRUE(appended);
    co_return message;
  }
  static net::Awaitable<Result<QueueId>> committed(session::IncomingMessage& message) {
    mail::Envelope envelope;
    envelope.recipients = {relay::test::address("c@d")};
    const std::string rest = "end\r\n";
    auto id = co_await message.commit(envelope, rest);
    co_return id;
  }
  /// The id that the next message gets.
  QueueId next_id() {
    const auto before = store->next_id();
    return {before.spool, before.number + 1};
  }
  void eventually_forgotten(const QueueId& id) {
    relay::test::eventually(
      [&] {
        engine->measure();
        return !store->chunk(id, 0).has_value();
      },
      "the chunk's removal"
    );
  }
  QueueId accept(
    std::vector<std::string> chunks = {"A: b\r\n\r\n"}, std::vector<std::string> recipients = {"c@d"}
  ) {
    const auto id = loops[0]->run(stored(std::move(chunks), std::move(recipients)));
    EXPECT_TRUE(id) << id.error().message();
    return *id;
  }
  static void greet(relay::test::Peer& peer) {
    peer.send("220 hop\r\n");
    peer.line();
    peer.send("250-hop\r\n250 PIPELINING\r\n");
  }
  /// Takes one message, answering RCPT and the final dot as told; returns its content.
  static std::string take(
    relay::test::Peer& peer, const std::string& rcpt_replies = "250 ok\r\n",
    const std::string& end = "250 queued\r\n"
  ) {
    peer.until("DATA\r\n");
    peer.send("250 ok\r\n" + rcpt_replies + "354 go\r\n");
    auto content = peer.until("\r\n.\r\n");
    peer.send(end);
    return content;
  }
  void expect_count(Counter counter, std::uint64_t value) {
    relay::test::eventually([&] { return metrics.total(counter) == value; }, "the counter");
    EXPECT_EQ(metrics.total(counter), value);
  }
  nlohmann::ordered_json listed() const { return list_queue(*store, {}, "", 100)->at("messages"); }
  double waiting() const { return metrics.read(Gauge::queue_messages); }

  relay::test::Folder folder;
  relay::test::QuietLog log;
  metrics::Registry metrics{3};
  test::RealClock clock;
  relay::test::Acceptor acceptor;
  std::vector<std::unique_ptr<relay::test::Loop>> loops;
  std::unique_ptr<relay::test::Loop> scheduler;
  std::unique_ptr<spool::Store> store;
  std::unique_ptr<Engine> engine;
  test::Settings settings;
  std::string sender = "a@example.com";  // of accept()
  std::optional<mail::TlsUse> tls;       // of accept()
  std::vector<std::uint32_t> held;       // of accept(): recipients that a rule holds
  milliseconds idle_time = 10s;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::uint16_t> hosts_;  // ports of destinations, under mutex_
};

}  // namespace relay::engine
