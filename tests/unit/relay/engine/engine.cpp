#include "relay/engine/engine.hpp"

#include <array>
#include <future>
#include <poll.h>

#include "tests/unit/relay/engine/engine_fixture.hpp"
#include "tests/unit/relay/spool/broken_files.hpp"

namespace relay::engine {
namespace {

using relay::test::Peer;

Peer& first_to_speak(Peer& one, Peer& other) {
  std::array<pollfd, 2> both{{{one.fd(), POLLIN, 0}, {other.fd(), POLLIN, 0}}};
  if (poll(both.data(), both.size(), relay::test::kPeerTimeoutMs) < 1) ADD_FAILURE() << "neither speaks";
  return both[0].revents != 0 ? one : other;
}

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
  EXPECT_EQ(log.first("delivery").at("queue_id"), id.to_text());
  EXPECT_EQ(log.first("delivery").at("reply"), "250 queued");
}

TEST_F(EngineTest, KeepsOnHoldWhatARuleHoldsAndDeliversTheOthers) {
  held = {1};
  accept({"A: b\r\n\r\n"}, {"now@d", "held@d"});
  auto peer = acceptor.accept();
  greet(peer);
  take(peer);
  expect_count(Counter::recipients_delivered, 1);
  relay::test::eventually([&] { return listed().size() == 1; }, "the delivery in the spool");
  EXPECT_EQ(listed()[0]["state"], "held");
  EXPECT_EQ(waiting(), 1) << "it is there still";
  end();
  begin();
  EXPECT_EQ(waiting(), 1);
}

TEST_F(EngineTest, DeliversWhatARuleHeldOnceItIsReleased) {
  held = {0};
  const auto id = accept();
  EXPECT_EQ((*list_queue(*store, {}, "", 10))["messages"][0]["state"], "held");
  std::promise<Result<Changed>> changed;
  Change release;
  release.action = QueueAction::release;
  release.selection.id = id;
  engine->control().change(release, [&](Result<Changed> result) { changed.set_value(std::move(result)); });
  EXPECT_EQ(changed.get_future().get()->changed, 1U);
  auto peer = acceptor.accept();
  greet(peer);
  take(peer);
  expect_count(Counter::messages_delivered, 1);
  EXPECT_EQ(waiting(), 0);
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
  idle_time = 10min;
  end();
  begin(Octets{1U << 20U}, 2);
  for (int i = 0; i < 4; ++i) accept();
  auto first = acceptor.accept();
  auto second = acceptor.accept();
  greet(first);
  greet(second);
  for (int i = 0; i < 4; ++i)
    take(first_to_speak(first, second));  // which of them gets how many is not promised
  expect_count(Counter::messages_delivered, 4);
  for (std::size_t shard = 0; shard < 2; ++shard)
    EXPECT_GT(metrics.shard(shard).read(Counter::messages_delivered), 0U) << shard;
}

TEST_F(EngineTest, FindsItsQueueAgainBehindARestart) {
  acceptor.close();
  for (int i = 0; i < 5; ++i) accept();
  relay::test::eventually(
    [this] { return metrics.total(Counter::delivery_connections_failed) > 0; }, "a refused connection"
  );
  end();
  relay::test::Acceptor returned;
  move_host(returned.port());
  begin();
  EXPECT_EQ(waiting(), 5);
  auto peer = returned.accept();
  greet(peer);
  for (int i = 0; i < 5; ++i) take(peer);
  expect_count(Counter::messages_delivered, 5);
}

TEST_F(EngineTest, SendsARecipientThatGotItNothingMore) {
  sender = "";  // nobody is told that one failed: it is kept
  accept({"A: b\r\n\r\n"}, {"got@d", "later@d", "never@d"});
  {
    auto peer = acceptor.accept();
    greet(peer);
    take(peer, "250 ok\r\n450 4.2.1 later\r\n550 5.1.1 unknown\r\n");
    relay::test::eventually(
      [this] { return listed()[0]["last"] == "450 4.2.1 later"; }, "its place in the queue"
    );
    peer.until("later@d>\r\nDATA\r\n");  // the retry, over the same connection, for that one only
    peer.send("250 ok\r\n250 ok\r\n354 go\r\n");
    peer.until("\r\n.\r\n");
    peer.send("250 queued\r\n");
  }
  expect_count(Counter::messages_failed, 1);
  EXPECT_EQ(metrics.read(Gauge::failed_messages), 1);
  const auto page = *list_queue(*store, {}, "", 10);
  ASSERT_EQ(page["messages"].size(), 1U);
  EXPECT_EQ(page["messages"][0]["state"], "failed");
  EXPECT_EQ(page["messages"][0]["recipients"][2]["reply"], "550 5.1.1 unknown");
  EXPECT_EQ(page["messages"][0]["recipients"][0]["state"], "delivered");
  EXPECT_EQ(page["next"], "");
}

TEST_F(EngineTest, KeepsResultsOfRecipientsAcrossARestart) {
  const auto id = accept({"A: b\r\n\r\n"}, {"got@d", "later@d"});
  {
    auto peer = acceptor.accept();
    greet(peer);
    settings.reshape([](queue::Shape& shape) { shape.retry.initial = 1h; });
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
  relay::test::eventually(
    [this] { return metrics.total(Counter::delivery_connections_failed) > 0; }, "a refused connection"
  );
  end();
  auto raw = std::move(*spool::Store::open({folder.path("spool"), {}, &log, &metrics}));
  const auto key = spool::id_key(damaged);
  ASSERT_TRUE(raw->write({spool::remove(spool::Family::envelope, key)}, spool::Sync::no));
  ASSERT_TRUE(raw->write({spool::put(spool::Family::envelope, key, "not a record")}, spool::Sync::yes));
  raw.reset();
  relay::test::Acceptor returned;
  move_host(returned.port());
  begin();
  auto peer = returned.accept();
  greet(peer);
  take(peer);
  expect_count(Counter::messages_delivered, 1);
  expect_count(Counter::spool_quarantined, 1);
  ASSERT_EQ(log.records("quarantine").size(), 1U);
  EXPECT_EQ(log.first("quarantine").at("queue_id"), damaged.to_text());
  relay::test::eventually([this] { return waiting() == 0; });
}

TEST_F(EngineTest, GivesUpWhatIsTooOld) {
  acceptor.close();
  settings.reshape([](queue::Shape& shape) { shape.retry = {100ms, 200ms, 1s}; });
  sender = "";
  restart();
  accept();
  expect_count(Counter::messages_failed, 1);
  ASSERT_GE(log.records("failure").size(), 1U);
  EXPECT_EQ(log.first("failure").at("reply"), "554 5.4.7 Delivery was tried for 1s without success");
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
  relay::test::BrokenFiles full(folder.path("spool"), ".log", "/dev/full");
  message.reset();
  relay::test::eventually([this] { return metrics.total(Counter::spool_errors_full) > 0; }, "a full disk");
  full.mend();
  eventually_forgotten(id);
}

TEST_F(EngineTest, ForgetsAMessageWhoseCommitMetAFullDisk) {
  const auto id = next_id();
  auto message = loops[0]->run(begun());
  relay::test::BrokenFiles full(folder.path("spool"), ".log", "/dev/full");
  const auto refused = loops[0]->run(committed(*message));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::storage_full);
  ASSERT_EQ(log.records("storage_error").size(), 1U);
  EXPECT_EQ(log.first("storage_error").at("reply"), "452 4.3.1 Insufficient system storage, try again later");
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
  relay::test::Acceptor returned;
  move_host(returned.port());
  begin();
  auto first = returned.accept();  // the queue itself and the envelope have been read
  relay::test::BrokenFiles broken(folder.path("spool"), ".sst");
  greet(first);
  first.until("DATA\r\n");
  first.send("250 ok\r\n250 ok\r\n354 go\r\n");
  first.rest();
  first.close();
  relay::test::eventually([this] { return !log.records("spool_unreadable").empty(); }, "a failed read");
  EXPECT_EQ(engine->gate().refuse_message().value_or(mail::Reply{}).code, 451);
  EXPECT_THAT(engine->unready_reason().value_or(""), ::testing::HasSubstr("read content"));
  broken.mend();
  auto peer = returned.accept();
  greet(peer);
  take(peer);
  expect_count(Counter::messages_delivered, 1);
  EXPECT_EQ(metrics.total(Counter::spool_quarantined), 0U);
  relay::test::eventually([this] { return !engine->unready_reason(); }, "mail is accepted again");
}

TEST_F(EngineTest, TriesNothingWhereOnlyAPlaceInTheQueueIsLeft) {
  acceptor.close();
  const auto settled = accept();
  end();
  auto raw = std::move(*spool::Store::open({folder.path("spool"), {}, &log, &metrics}));
  const spool::Settled refused{false, "550 no", "hop", WallTime{}, false};
  const spool::Failed kept{WallTime{}, 10, WallTime{}, 1};
  ASSERT_TRUE(raw->write(
    {spool::put_record(spool::Family::result, spool::indexed_key(settled, 0), spool::to_payload(refused)),
     spool::put_record(spool::Family::failed, spool::id_key(settled), spool::to_payload(kept))},
    spool::Sync::yes
  ));
  raw.reset();
  relay::test::Acceptor returned;
  move_host(returned.port());
  begin();
  relay::test::eventually([this] { return waiting() == 0; }, "an empty queue");
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
  relay::test::Acceptor returned;
  move_host(returned.port());
  begin();
  auto peer = returned.accept();
  greet(peer);
  peer.until("DATA\r\n");
  peer.send("250 ok\r\n250 ok\r\n354 go\r\n");
  peer.rest();
  expect_count(Counter::spool_quarantined, 1);
  relay::test::eventually([this] { return waiting() == 0; });
  EXPECT_EQ(store->envelope(damaged).error().code, Errc::not_found);
  EXPECT_EQ(log.records("deferral").size(), deferrals);
  EXPECT_EQ(log.records("hop_failure").size(), failures) << "the hop is not to blame";
}

TEST_F(EngineTest, WarnsOfEveryMessageOnceThatWaitsForAHopThatIsDown) {
  constexpr std::size_t kMessages = 60;
  settings.reshape([](queue::Shape& shape) { shape.warn_after = 1s; });
  settings.change([](Limits& limits) { limits.reports.rate = {10'000, 1h}; });
  acceptor.close();
  for (std::size_t i = 0; i < kMessages; ++i) accept();
  expect_count(Counter::reports, kMessages);
  relay::test::eventually(
    [this] {
      const auto all = store->list_places(spool::Family::due, "", 1000).value();
      return all.size() == 2 * kMessages && std::all_of(all.begin(), all.end(), [](const auto& one) {
               return one.waiting.sender_was_warned;
             });
    },
    "the marks, of the reports too"
  );
  const auto places = store->list_places(spool::Family::due, "", 1000).value();
  for (const auto& one : places) EXPECT_EQ(one.waiting.attempts, 0U) << "nobody was asked";
  EXPECT_EQ(waiting(), 2.0 * kMessages);
  end();
  relay::test::Acceptor returned;
  move_host(returned.port());
  begin();
  auto peer = returned.accept();
  greet(peer);
  take(peer);
  expect_count(Counter::messages_delivered, 1);
  EXPECT_EQ(metrics.total(Counter::reports), kMessages) << "none again behind the restart";
}

TEST_F(EngineTest, StartsNoDeliveryOnceTheSpoolHasFailedForGood) {
  acceptor.close();
  accept();
  const auto tries = [this] { return metrics.total(Counter::delivery_connections_failed); };
  relay::test::eventually([&] { return tries() > 0; }, "a refused connection");
  relay::test::BrokenFiles broken(folder.path("spool"), ".log");
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
  idle_time = 500ms;
  settings.reshape([](queue::Shape& shape) { shape.max_connections = 1; });
  begin(Octets{1U << 20U}, 2);
  for (int i = 0; i < 4; ++i) accept();
  auto peer = acceptor.accept();
  greet(peer);
  for (int i = 0; i < 4; ++i) take(peer);
  expect_count(Counter::messages_delivered, 4);
  EXPECT_EQ(metrics.total(Counter::delivery_connections_ready), 1U);
  EXPECT_EQ(metrics.read(Gauge::delivery_connections_open), 1);
  EXPECT_EQ(peer.line(), "QUIT");
  peer.close();
  relay::test::eventually([this] { return metrics.read(Gauge::delivery_connections_open) == 0; });
}

TEST_F(EngineTest, SaysWhichTlsAMessageCameOver) {
  accept({"A: b\r\n\r\n"}, {"c@d"});
  tls = mail::TlsUse{"TLSv1.3", "TLS_AES_256_GCM_SHA384"};
  accept({"A: b\r\n\r\n"}, {"c@d"});
  const auto receptions = log.records("reception");
  ASSERT_EQ(receptions.size(), 2U);
  EXPECT_FALSE(receptions[0].contains("tls_version") || receptions[0].contains("tls_cipher"));
  EXPECT_EQ(receptions[1].at("tls_version"), "TLSv1.3");
  EXPECT_EQ(receptions[1].at("tls_cipher"), "TLS_AES_256_GCM_SHA384");
}

TEST_F(EngineTest, SaysOfEveryMessageWhoseItIsAndWhy) {
  accept({"A: b\r\n\r\n"}, {"c@d", "e@f"});
  const auto reception = log.first("reception");
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
  relay::test::eventually([this] { return log.records("deferral").size() == 2; });
  const auto untried = log.first("deferral");
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
