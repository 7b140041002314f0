#include "relay/engine/transfer.hpp"

#include <nlohmann/json.hpp>

#include "relay/base/text.hpp"
#include "relay/engine/transfer_lines.hpp"
#include "tests/unit/relay/engine/spooled.hpp"

namespace relay::engine {
namespace {

using nlohmann::ordered_json;
using spool::Family;

class TransferTest : public Spooled {
 protected:
  void SetUp() override {
    Spooled::SetUp();
    leftovers = std::make_unique<Leftovers>(*committer);
    imports = std::make_unique<Imports>(*context, *dispatcher, *admission, *leftovers);
  }
  Standing only_place(Family family = Family::due) {
    return find_standing(*store, {}, {family}, "", 1)->found.front();
  }
  std::string exported(
    const Standing& standing, const std::optional<std::vector<std::string>>& held = std::nullopt
  ) {
    std::string lines;
    std::optional<std::uint32_t> from = 0;
    while (from) {
      const auto page = export_page(*store, name_of(standing), *from, held);
      EXPECT_TRUE(page) << page.error().message();
      if (!page) break;
      lines += page->lines;
      from = page->next;
    }
    return lines;
  }
  Result<ordered_json> take(
    std::string piece, ImportOptions options = {}, const std::string& stream = "one"
  ) {
    auto promise = std::make_shared<std::promise<Result<ordered_json>>>();
    auto future = promise->get_future();
    imports->take(stream, std::move(piece), options, [promise](Result<ordered_json> answer) {
      promise->set_value(std::move(answer));
    });
    return future.get();
  }
  /// A message of two recipients for one queue, of whom a rule holds the second.
  QueueId store_partly_held() {
    const auto id = store_message({"a@default.test", "b@default.test"});
    const auto found = find_standing(*store, only(id), {Family::due}, "", 1)->found.front();
    auto waiting = found.place;
    waiting.share = {0};
    auto held = found.place;
    held.item.key.due += milliseconds{1};
    held.share = {1};
    EXPECT_TRUE(store->write(
      {spool::remove(Family::due, found.key), put_place(waiting), put_held(held)}, spool::Sync::no
    ));
    return id;
  }
  /// Who waits, or is on hold, of an imported message.
  std::vector<std::uint32_t> share_of(const Result<ordered_json>& answer, Family family) {
    const auto id = *QueueId::parse(answer->at("imported").at(0).at("queue_id").get<std::string>());
    const auto found = find_standing(*store, only(id), {family}, "", 10)->found;
    return found.size() == 1 ? found.front().place.share : std::vector<std::uint32_t>{};
  }
  /// Content of many chunks.
  QueueId store_large(std::uint32_t chunks) {
    const auto id = store_message();
    auto stored = *store->envelope(id);
    spool::Operations operations{spool::remove(Family::envelope, spool::id_key(id))};
    for (std::uint32_t i = 1; i < chunks; ++i) {
      const auto line = "chunk " + std::to_string(i) + "\r\n";
      stored.envelope.size += line.size();
      operations.push_back(spool::put_record(Family::content, spool::indexed_key(id, i), line));
    }
    stored.chunks = chunks;
    EXPECT_TRUE(store->write(operations, spool::Sync::no));
    EXPECT_TRUE(store->write(
      {spool::put_record(Family::envelope, spool::id_key(id), spool::to_payload(stored))}, spool::Sync::no
    ));
    return id;
  }
  std::string content(const QueueId& id) {
    std::string all;
    const auto stored = store->envelope(id);
    for (std::uint32_t i = 0; stored && i < stored->chunks; ++i) all += store->chunk(id, i).value_or("?");
    return all;
  }

  std::unique_ptr<Leftovers> leftovers;
  std::unique_ptr<Imports> imports;
};

TEST_F(TransferTest, BringsAMessageAcrossWithANewId) {
  const auto id = store_large(60);
  start();
  expect_shipped(1);
  const auto lines = exported(only_place());
  const auto answer = take(lines);
  ASSERT_TRUE(answer) << answer.error().message();
  ASSERT_EQ(answer->at("imported").size(), 1U);
  EXPECT_EQ(answer->at("imported")[0].at("from"), id.to_text());
  const auto there = *QueueId::parse(answer->at("imported")[0].at("queue_id").get<std::string>());
  EXPECT_NE(there, id);
  const auto before = *store->envelope(id);
  const auto after = *store->envelope(there);
  EXPECT_EQ(after.envelope, before.envelope) << "with its Received line and its arrival";
  EXPECT_EQ(content(there), content(id));
  EXPECT_EQ(gauge(metrics::Gauge::queue_messages), 2);
  expect_shipped(2);
}

TEST_F(TransferTest, TakesAMessageInPieces) {
  store_large(60);
  const auto lines = exported(only_place());
  const auto half = lines.find('\n', lines.size() / 2) + 1;
  const auto first = take(lines.substr(0, half));
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->at("imported").empty());
  EXPECT_EQ(store->list_places(Family::due, "", 10)->size(), 1U);
  const auto second = take(lines.substr(half));
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(second->at("imported").size(), 1U);
  EXPECT_EQ(store->list_places(Family::due, "", 10)->size(), 2U);
}

TEST_F(TransferTest, KeepsWhatWasSettledAndTriesDeadLettersAnew) {
  store_dead_letter(clock.now());
  const auto answer = take(exported(only_place(Family::failed)));
  ASSERT_TRUE(answer) << answer.error().message();
  const auto there = *QueueId::parse(answer->at("imported")[0].at("queue_id").get<std::string>());
  EXPECT_TRUE(store->results(there)->empty());
  EXPECT_EQ(count(Family::due), 1U);

  const auto divided = store_message({"c@default.test", "d@other.test"});
  const spool::Settled done{true, "250 ok", "hop", clock.now(), true};
  ASSERT_TRUE(store->write(
    {spool::put_record(Family::result, spool::indexed_key(divided, 0), spool::to_payload(done))},
    spool::Sync::no
  ));
  Selection selection;
  selection.id = divided;
  const auto again = take(exported(find_standing(*store, selection, {Family::due}, "", 1)->found.front()));
  ASSERT_TRUE(again);
  const auto half = *QueueId::parse(again->at("imported")[0].at("queue_id").get<std::string>());
  EXPECT_EQ(store->results(half)->at(0), done);
  const auto places = *all_places(*store, *limits_->routes, half);
  ASSERT_EQ(places.size(), 1U);
  EXPECT_EQ(places[0].place.queue.destination.name, "smarthost/other");
}

TEST_F(TransferTest, PutsOnHoldWhatIsToBe) {
  store_message();
  ASSERT_TRUE(take(exported(only_place()), {true}));
  EXPECT_EQ(count(Family::held), 1U);
  EXPECT_EQ(count(Family::due), 1U);
  EXPECT_EQ(gauge(metrics::Gauge::queue_messages), 2);
}

TEST_F(TransferTest, HoldsThereWhomARuleHeldHere) {
  using Share = std::vector<std::uint32_t>;
  const auto id = store_partly_held();
  const auto held = find_standing(*store, only(id), {Family::held}, "", 1)->found.front();
  for (const auto& from : {only_place(), held}) {
    const auto answer = take(exported(from));
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(share_of(answer, Family::due), Share{0});
    EXPECT_EQ(share_of(answer, Family::held), Share{1});
  }
  EXPECT_EQ(gauge(metrics::Gauge::queue_messages), 3);
  ASSERT_EQ(change(QueueAction::hold, only(id))->changed, 1U) << "as an export that removes does";
  const auto all = find_standing(*store, only(id), {Family::held}, "", 10)->found;
  ASSERT_EQ(all.size(), 2U);
  const auto before = take(exported(all[0], std::vector{name_of(held)}));
  ASSERT_TRUE(before) << before.error().message();
  EXPECT_EQ(share_of(before, Family::due), Share{0});
  EXPECT_EQ(share_of(before, Family::held), Share{1});
  const auto none = take(exported(all[0], std::vector<std::string>{}));
  ASSERT_TRUE(none) << none.error().message();
  const auto there = *QueueId::parse(none->at("imported")[0].at("queue_id").get<std::string>());
  EXPECT_EQ(find_standing(*store, only(there), {Family::due}, "", 10)->found.size(), 1U);
  EXPECT_EQ(find_standing(*store, only(there), {Family::held}, "", 10)->found.size(), 0U);
}

TEST_F(TransferTest, RefusesAHoldOfARecipientThatThereIsNot) {
  store_partly_held();
  auto lines = exported(only_place());
  const auto at = lines.find("\"held\":[1]");
  ASSERT_NE(at, std::string::npos) << lines;
  lines.replace(at, 10, "\"held\":[2]");
  const auto answer = take(lines);
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().context.find("`held` names a recipient"), std::string::npos);
}

TEST_F(TransferTest, RefusesWhatIsNotWhole) {
  store_message();
  const auto lines = exported(only_place());
  const auto head = lines.substr(0, lines.find('\n') + 1);
  const auto chunk = lines.substr(head.size(), lines.find('\n', head.size()) + 1 - head.size());
  const std::string end = R"({"end":"x"})"
                          "\n";
  const auto refused = [&](const std::string& piece, const char* why) {
    const auto answer = take(piece);
    ASSERT_FALSE(answer) << why;
    EXPECT_EQ(answer.error().code, Errc::invalid_argument);
    EXPECT_NE(answer.error().context.find(why), std::string::npos) << answer.error().context;
  };
  refused(head + end, "content is missing at its end");
  refused(head + head, "has no end");
  refused(chunk, "content without a message");
  refused("garbage\n", "no JSON object");
  auto damaged = chunk;
  damaged.replace(damaged.find("\"octets\":\"") + 10, 1, "X");
  refused(head + damaged + end, "is damaged");
  const std::string smuggled = "Subject: x\r\n\r\nbody\n.\nMAIL FROM:<x@y>\r\n";
  const ordered_json evil{{"chunk", 0}, {"crc32", crc32(smuggled)}, {"octets", base64(smuggled)}};
  refused(head + evil.dump() + "\n" + end, "line ends other than CRLF");
  EXPECT_EQ(store->list_places(Family::due, "", 10)->size(), 1U) << "nothing was taken";
}

// What writes JSON calls itself for each value in another: the stack ended, and the process with it.
TEST_F(TransferTest, RefusesWhatIsNestedTooDeep) {
  const auto nested = std::string(400'000, '[') + std::string(400'000, ']');
  for (const auto& line :
       {R"({"message":{"queue_id":"x","state":"due","envelope":)" + nested + "}}",
        R"({"chunk":)" + nested + "}"}) {
    const auto answer = take(line + "\n");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::invalid_argument);
    EXPECT_EQ(answer.error().context, "a line has too many values in one another");
  }
}

TEST_F(TransferTest, ForgetsAMessageThatLeftTheQueueThere) {
  store_message();
  const auto lines = exported(only_place());
  const auto cut = lines.substr(0, lines.rfind("{\"end\""));
  const auto answer = take(
    cut +
    R"({"abandoned":"x"})"
    "\n" +
    lines
  );
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(answer->at("imported").size(), 1U);
}

TEST_F(TransferTest, SaysThatAMessageIsGone) {
  const auto standing = [&] {
    store_message();
    return only_place();
  }();
  ASSERT_EQ(change(QueueAction::remove, only(standing.id))->changed, 1U);
  EXPECT_EQ(export_page(*store, name_of(standing), 0).error().code, Errc::not_found);
}

}  // namespace
}  // namespace relay::engine
