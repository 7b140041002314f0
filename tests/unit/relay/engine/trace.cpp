#include "relay/engine/trace.hpp"

#include <nlohmann/json.hpp>

#include "tests/unit/relay/engine/spooled.hpp"
#include "tests/unit/relay/spool/broken_files.hpp"

namespace relay::engine {
namespace {

using nlohmann::ordered_json;
using TraceTest = Spooled;

TEST_F(TraceTest, TellsWhereAMessageWaitsAndWhatBecameOfItsRecipients) {
  const auto id = store_message({"c@default.test", "d@other.test"});
  const spool::Settled done{true, "250 ok", "hop", clock.now(), true};
  ASSERT_TRUE(store->write(
    {spool::put_record(spool::Family::result, spool::indexed_key(id, 0), spool::to_payload(done))},
    spool::Sync::no
  ));
  const auto page = *trace(*store, *limits_->routes, nullptr, {id, "", ""}, "");
  ASSERT_EQ(page.at("messages").size(), 1U);
  const auto& message = page.at("messages")[0];
  EXPECT_EQ(message.at("state"), "waiting");
  EXPECT_EQ(message.at("message_id"), "<" + id.to_text() + "@b.test>");
  EXPECT_EQ(message.at("recipients")[0].at("reply"), "250 ok");
  EXPECT_EQ(message.at("recipients")[1].at("state"), "waiting");
  EXPECT_EQ(message.at("places").size(), 2U);
  EXPECT_EQ(page.at("next"), "");
}

TEST_F(TraceTest, FindsWaitingMessagesByMessageIdAndRecipient) {
  const auto id = store_message({"c@default.test"});
  store_message({"other@default.test"});
  const auto walked = [&](const TraceQuery& query) {
    std::vector<std::string> found;
    std::string cursor;
    do {
      const auto page = *trace(*store, *limits_->routes, nullptr, query, cursor);
      for (const auto& message : page.at("messages"))
        found.push_back(message.at("queue_id").get<std::string>());
      cursor = page.at("next").get<std::string>();
    } while (!cursor.empty());
    return found;
  };
  const std::vector<std::string> only_it{id.to_text()};
  EXPECT_EQ(walked({std::nullopt, id.to_text() + "@b.test", ""}), only_it);
  EXPECT_EQ(walked({std::nullopt, "", "c@default.test"}), only_it);
}

TEST_F(TraceTest, RemembersWhatIsGone) {
  Journal journal(log, real_clock);
  const auto id = store->next_id();
  journal.write(log::info("delivery").with("queue_id", id.to_text()));
  const auto page = *trace(*store, *limits_->routes, &journal, {id, "", ""}, "");
  ASSERT_EQ(page.at("messages").size(), 1U);
  EXPECT_EQ(page.at("messages")[0].at("state"), "gone");
  EXPECT_EQ(page.at("messages")[0].at("events").size(), 1U);
  EXPECT_TRUE(trace(*store, *limits_->routes, nullptr, {id, "", ""}, "")->at("messages").empty());
}

TEST_F(TraceTest, OfAnIndexThatCannotBeReadIsAnErrorAndNoEnd) {
  store_message({"c@default.test"});
  store->reclaim();  // into tables
  const relay::test::BrokenFiles broken(folder.path("spool"), ".sst");
  const auto walked = trace(*store, *limits_->routes, nullptr, {std::nullopt, "", "c@default.test"}, "walk");
  ASSERT_FALSE(walked);
  EXPECT_EQ(walked.error().fate, Fate::transient);
  EXPECT_FALSE(list_queue(*store, {}, "", 10));
  EXPECT_FALSE(find_standing(*store, {}, {spool::Family::due}, "", 10));
}

}  // namespace
}  // namespace relay::engine
