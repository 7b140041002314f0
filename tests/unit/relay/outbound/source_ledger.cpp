#include "relay/outbound/source_ledger.hpp"

#include "tests/unit/relay/outbound/fixture.hpp"

namespace relay::outbound {
namespace {

using std::chrono::days;

/// Warms up from kDay with 2 and then 4 messages a day.
Source warming(const std::string& name = "a") {
  auto made = source(name, "default", "192.0.2.1");
  made.messages_a_day = {2, 4};
  made.warm_up_from = kDay;
  return made;
}
int taken(SourceLedger& ledger, const Source& from, std::chrono::sys_days day) {
  int count = 0;
  while (count < 10 && ledger.take(from, day)) ++count;
  return count;
}
std::string chosen(
  const SourceLedger& ledger, const std::vector<Source>& sources, const std::string& pool, double chance = 0,
  std::chrono::sys_days day = kDay
) {
  const auto* found = ledger.choose(sources, pool, day, chance);
  return found == nullptr ? "none" : found->name;
}

TEST(WarmUp, AllowsMoreEachDayAndThenAll) {
  EXPECT_EQ(allowance(warming(), kDay - days{1}), 0U) << "it has not begun";
  EXPECT_EQ(allowance(warming(), kDay), 2U);
  EXPECT_EQ(allowance(warming(), kDay + days{1}), 4U);
  EXPECT_EQ(allowance(warming(), kDay + days{2}), std::nullopt);
  EXPECT_EQ(allowance(warming(), kDay + days{1000}), std::nullopt);
  EXPECT_EQ(allowance(source("a", "default", "192.0.2.1"), kDay), std::nullopt) << "none";
}

TEST(SourceLedger, CountsEachDayAnew) {
  SourceLedger ledger;
  const auto from = warming();
  EXPECT_EQ(taken(ledger, from, kDay), 2);
  EXPECT_FALSE(ledger.may_send(from, kDay));
  EXPECT_TRUE(ledger.may_send(from, kDay + days{1}));
  EXPECT_EQ(taken(ledger, from, kDay + days{1}), 4);
  EXPECT_EQ(taken(ledger, from, kDay + days{2}), 10) << "as many as come";
}

TEST(SourceLedger, CountsEachSourceForItself) {
  SourceLedger ledger;
  EXPECT_EQ(taken(ledger, warming("a"), kDay), 2);
  EXPECT_EQ(taken(ledger, warming("b"), kDay), 2);
}

TEST(SourceLedger, GivesNothingBeforeTheFirstDay) {
  SourceLedger ledger;
  EXPECT_EQ(taken(ledger, warming(), kDay - days{3}), 0);
}

TEST(SourceLedger, ChoosesWithinThePool) {
  const SourceLedger ledger;
  const std::vector<Source> sources{source("a", "default", "192.0.2.1"), source("b", "bulk", "192.0.2.2")};
  EXPECT_EQ(chosen(ledger, sources, "bulk"), "b");
  EXPECT_EQ(chosen(ledger, sources, "default"), "a");
  EXPECT_EQ(chosen(ledger, sources, ""), "a") << "what no rule gives to a pool";
  EXPECT_EQ(chosen(ledger, sources, "gone"), "a");
  EXPECT_EQ(chosen(ledger, {}, ""), "none");
}

TEST(SourceLedger, KnowsWhereNobodyButTheSystemChooses) {
  const std::vector<Source> sources{source("b", "bulk", "192.0.2.2")};
  EXPECT_TRUE(has_sources(sources, "bulk"));
  EXPECT_FALSE(has_sources(sources, "")) << "nothing is in the pool `default`";
  EXPECT_FALSE(has_sources({}, "bulk"));
  EXPECT_TRUE(has_sources({source("a", "default", "192.0.2.1")}, "gone"));
}

TEST(SourceLedger, ChoosesByWeight) {
  const SourceLedger ledger;
  std::vector<Source> sources{source("a", "default", "192.0.2.1"), source("b", "default", "192.0.2.2")};
  sources[1].weight = 3;
  EXPECT_EQ(chosen(ledger, sources, "", 0.2499), "a");
  EXPECT_EQ(chosen(ledger, sources, "", 0.25), "b");
  EXPECT_EQ(chosen(ledger, sources, "", 0.999999), "b");
}

TEST(SourceLedger, ChoosesNoneThatHasSentItsShare) {
  SourceLedger ledger;
  const std::vector<Source> sources{warming("a"), warming("b")};
  EXPECT_EQ(taken(ledger, sources[0], kDay), 2);
  for (const double chance : {0.0, 0.5, 0.999}) EXPECT_EQ(chosen(ledger, sources, "", chance), "b");
  EXPECT_EQ(taken(ledger, sources[1], kDay), 2);
  EXPECT_EQ(chosen(ledger, sources, ""), "none") << "no other pool stands in";
  EXPECT_EQ(chosen(ledger, sources, "", 0, kDay + days{1}), "a");
}

TEST(SourceLedger, OutlivesARestart) {
  SourceLedger before;
  (void)before.take(warming(), kDay);
  EXPECT_EQ(before.to_json(), R"({"day":20782,"sent":{"a":1}})");
  auto after = SourceLedger::from_json(before.to_json());
  EXPECT_EQ(taken(after, warming(), kDay), 1) << "one was sent before";
  auto next_day = SourceLedger::from_json(before.to_json());
  EXPECT_EQ(taken(next_day, warming(), kDay + days{1}), 4);
}

TEST(SourceLedger, TakesAFileThatIsDamagedForNone) {
  for (const auto* text :
       {"", "{", "[]", "null", R"({"day": "today"})", R"({"sent": {"a": 2}})",
        R"({"day": 20782, "sent": [2]})", R"({"day": 20782, "sent": {"a": -2}})",
        R"({"day": 20782, "sent": {"a": "2"}})", "\xff"}) {
    auto ledger = SourceLedger::from_json(text);
    EXPECT_EQ(taken(ledger, warming(), kDay), 2) << text;
  }
}

}  // namespace
}  // namespace relay::outbound
