#include "relay/engine/journal.hpp"

#include "tests/unit/relay/engine/spooled.hpp"

namespace relay::engine {
namespace {

using nlohmann::ordered_json;

class JournalTest : public ::testing::Test {
 protected:
  static QueueId id(std::uint64_t number) { return {1, number}; }
  void reception(std::uint64_t number, const std::string& message_id, const std::string& recipient) {
    journal.write(log::info("reception")
                    .with("queue_id", id(number).to_text())
                    .with("message_id", message_id)
                    .with("recipients", ordered_json::array({recipient})));
  }
  void event(std::uint64_t number, const char* name) {
    journal.write(log::info(name).with("queue_id", id(number).to_text()));
  }
  std::vector<std::string> events_of(const TraceQuery& query) {
    std::vector<std::string> names;
    for (const auto& story : journal.find(query, 100)) {
      for (const auto& one : story.events) names.push_back(one.at("event").get<std::string>());
    }
    return names;
  }

  test::QuietLog log;
  SystemTime clock;
  Journal journal{log, clock, {10, 100'000}};
};

using Names = std::vector<std::string>;

TEST_F(JournalTest, HandsOnAllAndKeepsWhatNamesAMessage) {
  reception(1, "<x@y>", "a@b.test");
  journal.write(log::info("hop_failure").with("destination", "smarthost/default"));
  EXPECT_EQ(log.records("reception").size(), 1U);
  EXPECT_EQ(log.records("hop_failure").size(), 1U);
  EXPECT_EQ(journal.events(), 1U);
}

TEST_F(JournalTest, FindsAllOfAMessageByIdMessageIdAndRecipient) {
  reception(1, "<x@y>", "a@b.test");
  reception(2, "<z@y>", "c@d.test");
  event(1, "deferral");
  event(1, "delivery");
  const Names all{"reception", "deferral", "delivery"};
  EXPECT_EQ(events_of({id(1), "", ""}), all);
  EXPECT_EQ(events_of({std::nullopt, "x@y", ""}), all);
  EXPECT_EQ(events_of({std::nullopt, "<x@y>", ""}), all);
  EXPECT_EQ(events_of({std::nullopt, "", "A@B.test"}), all);
  EXPECT_EQ(events_of({std::nullopt, "", "b.test"}), all);
  EXPECT_EQ(events_of({std::nullopt, "", "a@b.tes"}), Names{});
  EXPECT_EQ(events_of({id(3), "", ""}), Names{});
}

TEST_F(JournalTest, BeginsAStoryWithTheReceptionAlsoWhereADeliveryWasFaster) {
  event(1, "deferral");
  reception(1, "<x@y>", "a@b.test");
  event(1, "delivery");
  EXPECT_EQ(events_of({id(1), "", ""}), (Names{"reception", "deferral", "delivery"}));
}

TEST_F(JournalTest, ForgetsTheOldest) {
  for (std::uint64_t i = 0; i < 30; ++i) event(i, "delivery");
  EXPECT_EQ(journal.events(), 10U);
  EXPECT_EQ(events_of({id(19), "", ""}), Names{});
  EXPECT_EQ(events_of({id(20), "", ""}), Names{"delivery"});
}

TEST_F(JournalTest, KeepsToItsMemory) {
  Journal small(log, clock, {1000, 2000});
  auto many = ordered_json::array();
  for (int i = 0; i < 1000; ++i) many.push_back("recipient" + std::to_string(i) + "@b.test");
  for (int i = 0; i < 20; ++i)
    small.write(log::info("reception").with("queue_id", id(1).to_text()).with("recipients", many));
  EXPECT_LE(small.octets(), 2000U);
  EXPECT_GE(small.events(), 1U);
  const auto event = small.find({id(1), "", ""}, 1).front().events.front();
  EXPECT_EQ(event.at("recipients").size(), 20U);
  EXPECT_EQ(event.at("recipients_in_all"), 1000);
}

}  // namespace
}  // namespace relay::engine
