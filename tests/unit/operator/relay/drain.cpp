#include "operator/relay/drain.hpp"

#include <gmock/gmock.h>

namespace op::smtp_relay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = DrainVerdict::Kind;
using relay::seconds;

constexpr relay::WallTime kNoon{seconds{1'769'860'800}};

SpoolReport of(const std::string& node, std::uint64_t waiting, bool takes_mail = false) {
  SpoolReport report{node, "u-" + node};
  report.waiting = waiting;
  report.takes_mail = takes_mail;
  return report;
}
Json pod(const std::string& node) {
  return {{"metadata", {{"name", node}, {"uid", "u-" + node}}}, {"spec", {{"nodeName", node}}}};
}

class DrainVerdictTest : public ::testing::Test {
 protected:
  [[nodiscard]] DrainVerdict verdict() const { return judge(spec, state); }
  api::Spec spec;
  DrainState state{{of("a", 0), of("b", 0)}, 2, kNoon, kNoon};
};

TEST_F(DrainVerdictTest, IsDoneWhenAllNodesAreDrained) { EXPECT_EQ(verdict().kind, Kind::is_done); }

TEST_F(DrainVerdictTest, GoesOnWhileOneNodeIsNot) {
  state.reports[1].waiting = 1;
  EXPECT_EQ(verdict().kind, Kind::goes_on);
  state.reports[1] = of("b", 0, true);
  EXPECT_EQ(verdict().kind, Kind::goes_on);
  state.reports[1] = of("b", 0);
  state.reports[1].unknown = "no answer";
  EXPECT_EQ(verdict().kind, Kind::goes_on);
}

TEST_F(DrainVerdictTest, WaitsForANodeThatHasNoPodNow) {
  state.desired = 3;
  EXPECT_EQ(verdict().kind, Kind::goes_on);
}

TEST_F(DrainVerdictTest, IsOverAfterLameDuckAndFlushTimeout) {
  state.reports[1].waiting = 1;
  spec.lame_duck = "30s";
  spec.flush_timeout = "2m";
  state.now = kNoon + seconds{149};
  EXPECT_EQ(verdict().kind, Kind::goes_on);
  state.now = kNoon + seconds{150};
  EXPECT_EQ(verdict().kind, Kind::is_over);
  EXPECT_THAT(verdict().message, HasSubstr("2026-01-31T12:02:30Z"));
  state.reports[1].waiting = 0;
  EXPECT_EQ(verdict().kind, Kind::is_done) << "what is done is not late";
}

TEST_F(DrainVerdictTest, HasDefaultsForTimesThatCannotBeRead) {
  spec.lame_duck = "soon";
  spec.flush_timeout = "";
  EXPECT_EQ(drain_deadline(spec, kNoon), kNoon + seconds{80});
}

TEST_F(DrainVerdictTest, IsOverAtOnceWhereNoPodIsAndNoneShouldBe) {
  state.reports.clear();
  EXPECT_EQ(verdict().kind, Kind::goes_on);
  state.desired = 0;
  EXPECT_EQ(verdict().kind, Kind::is_over);
}

TEST_F(DrainVerdictTest, SaysWhatRemainsAndHowToEndIt) {
  state.reports = {of("a", 11), of("b", 1, true), of("c", 0)};
  state.reports.push_back({"d", "u-d", "10.1.2.3:8025: timed out"});
  EXPECT_EQ(
    verdict().message,
    "12 messages on 2 of 4 nodes remain; 1 node still takes mail; 1 node has not answered (d: 10.1.2.3:8025: "
    "timed "
    "out); ends by 2026-01-31T12:01:20Z, or at once with the annotation "
    "smtp.buildinglink.com/force-delete=true"
  );
}

TEST_F(DrainVerdictTest, LooksAgainSoonAtFirstAndNeverBehindTheEnd) {
  state.reports[0].waiting = 1;
  spec.flush_timeout = "10m";
  const auto pause_after = [&](seconds lasted) {
    state.now = kNoon + lasted;
    return verdict().look_again_in;
  };
  EXPECT_EQ(pause_after(seconds{0}), seconds{1});
  EXPECT_EQ(pause_after(seconds{50}), seconds{5});
  EXPECT_EQ(pause_after(seconds{500}), seconds{10});
  EXPECT_EQ(pause_after(seconds{617}), seconds{3});
  EXPECT_EQ(pause_after(seconds{-5}), seconds{1}) << "clocks differ";
}

TEST(DrainBook, KnowsOfEachPodWhatItSaidLast) {
  DrainBook book;
  EXPECT_THAT(book.of({pod("a")}), ElementsAre(report_of(pod("a"), "not asked yet")));
  book.note({of("a", 5)});
  book.note({report_of(pod("a"), "no answer"), report_of(pod("b"), "no answer")});
  EXPECT_THAT(book.of({pod("a"), pod("b")}), ElementsAre(of("a", 5), report_of(pod("b"), "no answer")));
}

TEST(DrainBook, RemembersWhatAPodThatIsGoneLeftBehind) {
  DrainBook book;
  book.note({of("a", 5), of("b", 0), of("c", 0, true)});
  EXPECT_THAT(book.of({}), ElementsAre(of("a", 5), of("c", 0, true)))
    << "b had nothing, and took nothing more";
  auto successor = pod("a");
  successor["metadata"]["uid"] = "u-2";
  EXPECT_THAT(book.of({successor}), ElementsAre(report_of(successor, "not asked yet"), of("c", 0, true)));
}

TEST(DrainBook, KnowsWhomItToldUntilTheCacheShowsAnotherVersionOfThem) {
  DrainBook book;
  auto seen = pod("a");
  seen["metadata"]["resourceVersion"] = "7";
  EXPECT_THAT(book.not_told({seen, pod("b")}), SizeIs(2));
  book.note_told(seen);
  EXPECT_THAT(book.not_told({seen, pod("b")}), ElementsAre(pod("b")));
  seen["metadata"]["resourceVersion"] = "8";
  EXPECT_THAT(book.not_told({seen}), SizeIs(1)) << "somebody took the annotation away";
}

TEST(DrainBook, HasThoseThatCouldNotBeToldBehindTheOthers) {
  DrainBook book;
  const std::vector<Json> pods{pod("a"), pod("b"), pod("c")};
  book.note_failed(pod("a"));
  book.note_failed(pod("a"));
  book.note_failed(pod("b"));
  EXPECT_THAT(book.not_told(pods), ElementsAre(pod("c"), pod("b"), pod("a")));
  EXPECT_EQ(book.untried(pods), 1U);
}

TEST(DrainBook, LetsOneAskAtATime) {
  DrainBook book;
  EXPECT_TRUE(book.begin_asking());
  EXPECT_FALSE(book.begin_asking());
  book.end_asking();
  EXPECT_TRUE(book.begin_asking());
}

TEST(Finalizer, IsAddedAndTakenAwayBesideThoseOfOthers) {
  Json relay{{"metadata", {{"name", "edge"}}}};
  EXPECT_FALSE(has_finalizer(relay));
  relay["metadata"]["finalizers"] = {"a", "b"};
  relay["metadata"]["finalizers"] = finalizer_patch(relay, "7", true)["metadata"]["finalizers"];
  EXPECT_TRUE(has_finalizer(relay));
  const auto patch = finalizer_patch(relay, "8", false);
  EXPECT_EQ(patch["metadata"], (Json{{"resourceVersion", "8"}, {"finalizers", {"a", "b"}}}));
}

TEST(ForceAnnotation, HasAnyValueButNothingAndFalse) {
  Json relay{{"metadata", Json::object()}};
  EXPECT_FALSE(is_forced(relay));
  for (const auto& [value, is_force] :
       std::map<std::string, bool>{{"true", true}, {"now", true}, {"", false}, {"False", false}}) {
    relay["metadata"]["annotations"] = {{"smtp.buildinglink.com/force-delete", value}};
    EXPECT_EQ(is_forced(relay), is_force) << value;
  }
}

TEST(Retirement, IsToldToEachPodOnce) {
  auto told = pod("a");
  told["metadata"]["annotations"] = {{"smtp.buildinglink.com/retire", "true"}};
  auto leaving = pod("b");
  leaving["metadata"]["deletionTimestamp"] = "2026-01-31T12:00:00Z";
  EXPECT_THAT(pods_to_retire({told, leaving}), IsEmpty());
  const auto found = pods_to_retire({told, leaving, pod("c")});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(retiring(found[0])["metadata"]["uid"], "u-c");
}

TEST(DrainingStatus, FollowsTheDaemonSetAndKeepsTheOtherConditions) {
  api::SmtpRelay relay;
  relay.generation = 4;
  relay.status.set({"ConfigValid", "True", "Accepted", "good", 3, ""}, kNoon);
  const Json daemon_set{
    {"metadata", {{"generation", 1}}},
    {"status", {{"observedGeneration", 1}, {"desiredNumberScheduled", 3}, {"numberAvailable", 1}}},
  };
  const auto status = draining_status(relay, "12 messages remain", daemon_set, kNoon);
  EXPECT_EQ(status.find("Ready")->status, "False");
  EXPECT_EQ(status.find("Ready")->reason, "Draining");
  EXPECT_EQ(status.find("Progressing")->status, "True");
  EXPECT_EQ(status.find("Progressing")->message, "12 messages remain");
  EXPECT_EQ(status.find("ConfigValid")->reason, "Accepted");
  EXPECT_EQ(status.desired_nodes, 3);
  EXPECT_EQ(status.available_nodes, 1);
  EXPECT_EQ(status.observed_generation, 4);
}

TEST(DrainingStatus, HasNoMessageThatAServerWouldNotTake) {
  const auto status = draining_status({}, std::string(40'000, 'x'), std::nullopt, kNoon);
  EXPECT_THAT(status.find("Progressing")->message, SizeIs(4000));
}

}  // namespace
}  // namespace op::smtp_relay
