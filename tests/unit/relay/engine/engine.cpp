#include "relay/engine/engine.hpp"

#include <gmock/gmock.h>

#include "relay/engine/listing.hpp"
#include "tests/support/exchange.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/peer.hpp"
#include "tests/support/quiet_log.hpp"
#include "tests/unit/relay/spool/broken_files.hpp"

namespace relay::engine {
namespace {

using namespace std::chrono_literals;
using metrics::Counter;
using metrics::Gauge;

class RealClock : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override {
    return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
  }
  [[nodiscard]] SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
};

/// The engine over a real spool, with a next hop that the test plays.
class EngineTest : public ::testing::Test, public LimitsSource, public delivery::HopSource {
 protected:
  void SetUp() override {
    hop_ = std::make_shared<delivery::Hop>();
    hop_->next_hop = {
      {"127.0.0.1", acceptor.port()}, {"relay.example", smtp::TlsMode::none, std::nullopt, {}}
    };
    hop_->connect_timeout = 5s;
    hop_->idle_time = 10s;
    limits_ = std::make_shared<Limits>();
    limits_->hostname = "node1.example";
    limits_->retry = {200ms, 1s, 120h};
    limits_->spool_max_size = Octets{1U << 30U};
    limits_->spool_min_free_percent = 0;
    begin();
  }
  void TearDown() override { end(); }

  void begin(
    Octets content_memory = {1U << 20U}, std::size_t shards = 1, std::size_t delivery_connections = 2
  ) {
    loops.clear();
    for (std::size_t i = 0; i < shards; ++i) loops.push_back(std::make_unique<test::Loop>());
    scheduler = std::make_unique<test::Loop>();
    store = std::move(*spool::Store::open({folder.path("spool"), {}, &log, &metrics}));
    std::vector<net::IoThread*> threads;
    for (const auto& loop : loops) threads.push_back(&loop->thread);
    engine = std::make_unique<Engine>(Parts{
      *store, clock, *this, *this, log, metrics, threads, scheduler->thread, folder.path("spool"),
      spool::Durable::yes, content_memory, delivery_connections
    });
    engine->start();
  }
  void end() {
    if (!engine) return;
    engine->stop_deliveries();
    engine->close_deliveries();
    test::eventually([this] { return engine->busy_deliveries() == 0; }, "the end of all deliveries");
    scheduler->thread.stop();
    for (auto& loop : loops) loop->thread.stop();
    engine.reset();
    store.reset();
  }
  void restart(Octets content_memory = {1U << 20U}) {
    end();
    begin(content_memory);
  }

  std::shared_ptr<const Limits> limits() const override { return limits_; }
  std::shared_ptr<const delivery::Hop> hop() const override { return hop_; }

  net::Awaitable<Result<QueueId>> stored(
    std::vector<std::string> chunks, std::vector<std::string> recipients
  ) {
    auto message = engine->sink(0).begin();
    for (std::size_t i = 0; i + 1 < chunks.size(); ++i) {
      auto appended = co_await message->append(chunks[i]);
      if (!appended) co_return tl::unexpected(appended.error());
    }
    mail::Envelope envelope;
    envelope.reverse_path = test::address("a@example.com");
    for (const auto& recipient : recipients) envelope.recipients.push_back(test::address(recipient));
    envelope.origin = {"10.1.40.70", "app", true};
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
    envelope.recipients = {test::address("c@d")};
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
    test::eventually(
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
  static void greet(test::Peer& peer) {
    peer.send("220 hop\r\n");
    peer.line();
    peer.send("250-hop\r\n250 PIPELINING\r\n");
  }
  /// Takes one message, answering RCPT and the final dot as told; returns its content.
  static std::string take(
    test::Peer& peer, const std::string& rcpt_replies = "250 ok\r\n",
    const std::string& end = "250 queued\r\n"
  ) {
    peer.until("DATA\r\n");
    peer.send("250 ok\r\n" + rcpt_replies + "354 go\r\n");
    auto content = peer.until("\r\n.\r\n");
    peer.send(end);
    return content;
  }
  void expect_count(Counter counter, std::uint64_t value) {
    test::eventually([&] { return metrics.total(counter) == value; }, "the counter");
    EXPECT_EQ(metrics.total(counter), value);
  }
  double waiting() const { return metrics.read(Gauge::queue_messages); }

  test::Folder folder;
  test::QuietLog log;
  metrics::Registry metrics{3};
  RealClock clock;
  test::Acceptor acceptor;
  std::vector<std::unique_ptr<test::Loop>> loops;
  std::unique_ptr<test::Loop> scheduler;
  std::unique_ptr<spool::Store> store;
  std::unique_ptr<Engine> engine;
  std::shared_ptr<Limits> limits_;
  std::shared_ptr<delivery::Hop> hop_;
};

TEST_F(EngineTest, DeliversWhatItAcceptedAndForgetsIt) {
  const auto id = accept();
  auto peer = acceptor.accept();
  greet(peer);
  const auto content = take(peer);
  EXPECT_THAT(
    content,
    ::testing::MatchesRegex("Received: from app \\(\\[10\\.1\\.40\\.70\\]\\)(.|\r|\n)*A: b\r\n\r\n\\.\r\n")
  );
  expect_count(Counter::messages_delivered, 1);
  EXPECT_EQ(waiting(), 0);
  EXPECT_EQ(store->envelope(id).error().code, Errc::not_found);
  EXPECT_EQ(store->chunk(id, 0).error().code, Errc::not_found);
  ASSERT_EQ(log.records("reception").size(), 1U);
  ASSERT_EQ(log.records("delivery").size(), 1U);
  EXPECT_EQ(log.records("delivery").front().at("queue_id"), id.to_text());
  EXPECT_EQ(log.records("delivery").front().at("reply"), "250 queued");
}

TEST_F(EngineTest, StreamsALargeMessageThroughTheSpool) {
  std::vector<std::string> chunks(5, std::string(40'000, 'x') + "\r\n");
  accept(chunks);
  auto peer = acceptor.accept();
  greet(peer);
  const auto content = take(peer);
  EXPECT_NE(content.find(chunks[0] + chunks[1] + chunks[2] + chunks[3] + chunks[4]), std::string::npos);
  expect_count(Counter::messages_delivered, 1);
}

TEST_F(EngineTest, DeliversOnEveryShard) {
  end();
  begin(Octets{1U << 20U}, 2);
  for (int i = 0; i < 4; ++i) accept();
  auto first = acceptor.accept();
  auto second = acceptor.accept();
  for (auto* peer : {&first, &second}) {
    greet(*peer);
    take(*peer);
    take(*peer);
  }
  expect_count(Counter::messages_delivered, 4);
}

TEST_F(EngineTest, FindsItsQueueAgainBehindARestart) {
  acceptor.close();
  for (int i = 0; i < 5; ++i) accept();
  test::eventually(
    [this] { return metrics.total(Counter::delivery_connections_failed) > 0; }, "a refused connection"
  );
  end();
  test::Acceptor returned;
  hop_->next_hop.endpoint.port = returned.port();
  begin();
  EXPECT_EQ(waiting(), 5);
  auto peer = returned.accept();
  greet(peer);
  for (int i = 0; i < 5; ++i) take(peer);
  expect_count(Counter::messages_delivered, 5);
}

TEST_F(EngineTest, SendsARecipientThatGotItNothingMore) {
  accept({"A: b\r\n\r\n"}, {"got@d", "later@d", "never@d"});
  {
    auto peer = acceptor.accept();
    greet(peer);
    take(peer, "250 ok\r\n450 4.2.1 later\r\n550 5.1.1 unknown\r\n");
    test::eventually(
      [this] { return list_queue(*store, "", 10)["messages"][0]["last"] == "450 4.2.1 later"; },
      "its place in the queue"
    );
    peer.until("later@d>\r\nDATA\r\n");  // the retry, over the same connection, for that one only
    peer.send("250 ok\r\n250 ok\r\n354 go\r\n");
    peer.until("\r\n.\r\n");
    peer.send("250 queued\r\n");
  }
  expect_count(Counter::messages_failed, 1);
  EXPECT_EQ(metrics.read(Gauge::failed_messages), 1);
  const auto listed = list_queue(*store, "", 10);
  ASSERT_EQ(listed["messages"].size(), 1U);
  EXPECT_EQ(listed["messages"][0]["state"], "failed");
  EXPECT_EQ(listed["messages"][0]["recipients"][2]["reply"], "550 5.1.1 unknown");
  EXPECT_EQ(listed["messages"][0]["recipients"][0]["state"], "delivered");
  EXPECT_EQ(listed["next"], "");
}

TEST_F(EngineTest, KeepsResultsOfRecipientsAcrossARestart) {
  const auto id = accept({"A: b\r\n\r\n"}, {"got@d", "later@d"});
  {
    auto peer = acceptor.accept();
    greet(peer);
    limits_->retry.initial = 1h;
    take(peer, "250 ok\r\n450 4.2.1 later\r\n");
    expect_count(Counter::recipients_delivered, 1);
  }
  end();
  begin();
  EXPECT_EQ(waiting(), 1);
  const auto settled = store->results(id);
  ASSERT_EQ(settled->size(), 1U);
  EXPECT_TRUE(settled->at(0).is_delivered);
}

TEST_F(EngineTest, QuarantinesADamagedMessageAndDeliversTheOthers) {
  acceptor.close();
  const auto damaged = accept();
  accept();
  test::eventually(
    [this] { return metrics.total(Counter::delivery_connections_failed) > 0; }, "a refused connection"
  );
  end();
  auto raw = std::move(*spool::Store::open({folder.path("spool"), {}, &log, &metrics}));
  const auto key = spool::id_key(damaged);
  ASSERT_TRUE(raw->write({spool::remove(spool::Family::envelope, key)}, spool::Sync::no));
  ASSERT_TRUE(raw->write({spool::put(spool::Family::envelope, key, "not a record")}, spool::Sync::yes));
  raw.reset();
  test::Acceptor returned;
  hop_->next_hop.endpoint.port = returned.port();
  begin();
  auto peer = returned.accept();
  greet(peer);
  take(peer);
  expect_count(Counter::messages_delivered, 1);
  expect_count(Counter::spool_quarantined, 1);
  ASSERT_EQ(log.records("quarantine").size(), 1U);
  EXPECT_EQ(log.records("quarantine").front().at("queue_id"), damaged.to_text());
  test::eventually([this] { return waiting() == 0; });
}

TEST_F(EngineTest, GivesUpWhatIsTooOld) {
  acceptor.close();
  limits_->retry = {100ms, 200ms, 1s};
  restart();
  accept();
  expect_count(Counter::messages_failed, 1);
  ASSERT_GE(log.records("failure").size(), 1U);
  EXPECT_EQ(
    log.records("failure").front().at("reply"), "554 5.4.7 Delivery was tried for 1s without success"
  );
  EXPECT_EQ(waiting(), 0);
}

TEST_F(EngineTest, ReadsContentFromTheSpoolWhenMemoryIsShort) {
  restart(Octets{0});
  accept({"Subject: from disk\r\n\r\n"});
  auto peer = acceptor.accept();
  greet(peer);
  EXPECT_THAT(take(peer), ::testing::HasSubstr("Subject: from disk"));
  expect_count(Counter::messages_delivered, 1);
}

TEST_F(EngineTest, ForgetsChunksOfAMessageThatWasNotCommitted) {
  const auto id = next_id();
  EXPECT_TRUE(loops[0]->run(begun()));
  EXPECT_EQ(waiting(), 0);
  eventually_forgotten(id);
}

TEST_F(EngineTest, ForgetsThemOnceTheDiskHasSpaceAgain) {
  const auto id = next_id();
  auto message = loops[0]->run(begun());
  test::BrokenFiles full(folder.path("spool"), ".log", "/dev/full");
  message.reset();
  test::eventually([this] { return metrics.total(Counter::spool_errors_full) > 0; }, "a full disk");
  full.mend();
  eventually_forgotten(id);
}

TEST_F(EngineTest, ForgetsAMessageWhoseCommitMetAFullDisk) {
  const auto id = next_id();
  auto message = loops[0]->run(begun());
  test::BrokenFiles full(folder.path("spool"), ".log", "/dev/full");
  const auto refused = loops[0]->run(committed(*message));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::storage_full);
  ASSERT_EQ(log.records("storage_error").size(), 1U);
  EXPECT_EQ(
    log.records("storage_error").front().at("reply"), "452 4.3.1 Insufficient system storage, try again later"
  );
  full.mend();
  message.reset();
  eventually_forgotten(id);
  EXPECT_EQ(store->envelope(id).error().code, Errc::not_found);
}

// ---- a spool that fails ----

TEST_F(EngineTest, NeitherQuarantinesNorAcceptsWhatItCannotRead) {
  acceptor.close();
  accept({std::string(1000, 'x'), "end\r\n"});
  end();
  test::Acceptor returned;
  hop_->next_hop.endpoint.port = returned.port();
  begin();
  auto first = returned.accept();  // the queue itself and the envelope have been read
  test::BrokenFiles broken(folder.path("spool"), ".sst");
  greet(first);
  first.until("DATA\r\n");
  first.send("250 ok\r\n250 ok\r\n354 go\r\n");
  first.rest();
  first.close();
  test::eventually([this] { return !log.records("spool_unreadable").empty(); }, "a failed read");
  EXPECT_EQ(engine->gate().refuse_message().value_or(mail::Reply{}).code, 451);
  EXPECT_THAT(engine->unready_reason().value_or(""), ::testing::HasSubstr("read content"));
  broken.mend();
  auto peer = returned.accept();
  greet(peer);
  take(peer);
  expect_count(Counter::messages_delivered, 1);
  EXPECT_EQ(metrics.total(Counter::spool_quarantined), 0U);
  test::eventually([this] { return !engine->unready_reason(); }, "mail is accepted again");
}

TEST_F(EngineTest, TriesNothingWhereOnlyAPlaceInTheQueueIsLeft) {
  acceptor.close();
  const auto settled = accept();
  end();
  auto raw = std::move(*spool::Store::open({folder.path("spool"), {}, &log, &metrics}));
  const spool::Settled refused{false, "550 no", "hop", WallTime{}};
  const spool::Failed kept{WallTime{}, 10, WallTime{}, 1};
  ASSERT_TRUE(raw->write(
    {spool::put_record(spool::Family::result, spool::indexed_key(settled, 0), spool::to_payload(refused)),
     spool::put_record(spool::Family::failed, spool::id_key(settled), spool::to_payload(kept))},
    spool::Sync::yes
  ));
  raw.reset();
  test::Acceptor returned;
  hop_->next_hop.endpoint.port = returned.port();
  begin();
  test::eventually([this] { return waiting() == 0; }, "an empty queue");
  EXPECT_TRUE(log.records("failure").empty());
  end();
  begin();
  EXPECT_EQ(waiting(), 0) << "and it does not come back";
  EXPECT_TRUE(store->envelope(settled)) << "the failed message is kept";
}

TEST_F(EngineTest, QuarantinesAMessageWhoseContentIsDamaged) {
  acceptor.close();
  const auto damaged = accept({std::string(1000, 'x'), "end\r\n"});
  end();
  auto raw = std::move(*spool::Store::open({folder.path("spool"), {}, &log, &metrics}));
  const auto deferrals = log.records("deferral").size();
  const auto failures = log.records("hop_failure").size();
  const auto key = spool::indexed_key(damaged, 1);
  ASSERT_TRUE(raw->write({spool::remove(spool::Family::content, key)}, spool::Sync::no));
  ASSERT_TRUE(raw->write({spool::put(spool::Family::content, key, "not a record")}, spool::Sync::yes));
  raw.reset();
  test::Acceptor returned;
  hop_->next_hop.endpoint.port = returned.port();
  begin();
  auto peer = returned.accept();
  greet(peer);
  peer.until("DATA\r\n");
  peer.send("250 ok\r\n250 ok\r\n354 go\r\n");
  peer.rest();
  expect_count(Counter::spool_quarantined, 1);
  test::eventually([this] { return waiting() == 0; });
  EXPECT_EQ(store->envelope(damaged).error().code, Errc::not_found);
  EXPECT_EQ(log.records("deferral").size(), deferrals);
  EXPECT_EQ(log.records("hop_failure").size(), failures) << "the hop is not to blame";
}

TEST_F(EngineTest, StartsNoDeliveryOnceTheSpoolHasFailedForGood) {
  acceptor.close();
  accept();
  const auto tries = [this] { return metrics.total(Counter::delivery_connections_failed); };
  test::eventually([&] { return tries() > 0; }, "a refused connection");
  test::BrokenFiles broken(folder.path("spool"), ".log");
  const auto refused = loops[0]->run(stored({"A: b\r\n\r\n"}, {"c@d"}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fate, Fate::terminal);
  broken.mend();
  std::this_thread::sleep_for(200ms);  // for one that had begun
  const auto before = tries();
  std::this_thread::sleep_for(1500ms);  // longer than any suspension of the hop
  EXPECT_EQ(tries(), before);
}

TEST_F(EngineTest, OpensNoMoreConnectionsThanItMayWhateverTheShards) {
  end();
  hop_->idle_time = 500ms;
  begin(Octets{1U << 20U}, 2, 1);
  for (int i = 0; i < 4; ++i) accept();
  auto peer = acceptor.accept();
  greet(peer);
  for (int i = 0; i < 4; ++i) take(peer);
  expect_count(Counter::messages_delivered, 4);
  EXPECT_EQ(metrics.total(Counter::delivery_connections_ready), 1U);
  EXPECT_EQ(metrics.read(Gauge::delivery_connections_open), 1);
  EXPECT_EQ(peer.line(), "QUIT");
  peer.close();
  test::eventually([this] { return metrics.read(Gauge::delivery_connections_open) == 0; });
}

TEST_F(EngineTest, SaysOfEveryMessageWhoseItIsAndWhy) {
  accept({"A: b\r\n\r\n"}, {"c@d", "e@f"});
  const auto reception = log.records("reception").front();
  EXPECT_EQ(reception.at("reply"), "250 2.0.0 OK queued as " + reception.at("queue_id").get<std::string>());
  {
    auto peer = acceptor.accept();
    peer.send("421 4.3.2 not now\r\n");
    peer.rest();
  }
  auto peer = acceptor.accept();
  greet(peer);
  take(peer, "250 ok\r\n450 4.2.1 later\r\n");
  expect_count(Counter::recipients_delivered, 1);
  test::eventually([this] { return log.records("deferral").size() == 2; });
  const auto untried = log.records("deferral").front();
  EXPECT_EQ(untried.at("recipients"), (nlohmann::ordered_json{"c@d", "e@f"}));
  EXPECT_EQ(untried.at("reply"), "421 4.3.2 not now");
  auto told = log.records("deferral").back();
  EXPECT_EQ(told.at("recipients"), nlohmann::ordered_json::array({"e@f"}));
  for (const auto* record : {&untried, const_cast<const nlohmann::ordered_json*>(&told)}) {
    for (const auto* field :
         {"queue_id", "sender", "host", "address", "size", "reply", "attempt", "delay", "delay_attempt"})
      EXPECT_TRUE(record->contains(field)) << field;
  }
}

}  // namespace
}  // namespace relay::engine
