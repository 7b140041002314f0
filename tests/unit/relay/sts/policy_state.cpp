#include "relay/sts/policy_state.hpp"

#include <gtest/gtest.h>

namespace relay::sts {
namespace {

using namespace std::chrono_literals;

const WallTime kStart{milliseconds{1'800'000'000'000}};

class StsPolicyState : public ::testing::Test {
 protected:
  void pass(milliseconds time) {
    now.wall += time;
    now.steady += time;
  }
  static Policy enforce(std::chrono::seconds max_age) { return {Mode::enforce, max_age, {"mx.example"}}; }
  static Result<Policy> no_fetch() { return transient(Errc::timed_out, "no answer"); }
  void has_policy(std::chrono::seconds max_age = 240h) {
    state = PolicyState(Cached{enforce(max_age), "1", now.wall});
  }
  const Policy* policy() { return state.policy(now.wall); }
  bool waits() { return state.must_wait(now.wall); }

  Now now{kStart, SteadyTime{} + 1h};
  PolicyState state;
};

TEST_F(StsPolicyState, WaitsForTheFirstPolicy) {
  EXPECT_FALSE(waits());
  EXPECT_TRUE(state.ask(now));
  EXPECT_TRUE(waits());
  EXPECT_FALSE(state.ask(now)) << "one look-up at a time";
  EXPECT_TRUE(state.looked_up(record::Found{"1"}, now));
  EXPECT_TRUE(waits());
  EXPECT_TRUE(state.fetched(enforce(1h), now));
  EXPECT_FALSE(waits());
  ASSERT_NE(policy(), nullptr);
  EXPECT_EQ(state.cached(), (Cached{enforce(1h), "1", kStart}));
}

TEST_F(StsPolicyState, GoesWithoutWhereThereIsNone) {
  for (const RecordAnswer& answer : {RecordAnswer{record::None{}}, RecordAnswer{record::Failed{}}}) {
    PolicyState fresh;
    EXPECT_TRUE(fresh.ask(now));
    EXPECT_FALSE(fresh.looked_up(answer, now));
    EXPECT_FALSE(fresh.must_wait(now.wall));
    EXPECT_EQ(fresh.policy(now.wall), nullptr);
    EXPECT_FALSE(fresh.ask(now)) << "it remembers that for some minutes";
    now.steady += kRecordInterval;
    EXPECT_TRUE(fresh.ask(now));
  }
}

TEST_F(StsPolicyState, AsksSoonerBehindAFailureOfDns) {
  EXPECT_TRUE(state.ask(now));
  EXPECT_FALSE(state.looked_up(record::Failed{}, now));
  pass(kShortRecordInterval);
  EXPECT_TRUE(state.ask(now));
}

TEST_F(StsPolicyState, GoesWithoutWhenTheFetchFails) {
  EXPECT_TRUE(state.ask(now));
  EXPECT_TRUE(state.looked_up(record::Found{"1"}, now));
  EXPECT_FALSE(state.fetched(no_fetch(), now));
  EXPECT_FALSE(waits());
  EXPECT_EQ(policy(), nullptr);
}

TEST_F(StsPolicyState, FetchesAFailedIdAgainBehindFiveMinutes) {
  EXPECT_TRUE(state.ask(now));
  EXPECT_TRUE(state.looked_up(record::Found{"1"}, now));
  EXPECT_FALSE(state.fetched(no_fetch(), now));
  pass(kFetchInterval - 1ms);
  EXPECT_FALSE(state.ask(now));
  pass(1ms);
  EXPECT_TRUE(state.ask(now));
  EXPECT_TRUE(state.looked_up(record::Found{"1"}, now));
}

TEST_F(StsPolicyState, WaitsWithAFailedIdAlsoWhenSomebodyWasRefused) {
  has_policy();
  EXPECT_TRUE(state.ask(now));
  EXPECT_TRUE(state.looked_up(record::Found{"2"}, now));
  EXPECT_FALSE(state.fetched(no_fetch(), now));
  pass(kShortRecordInterval);
  state.refused();
  EXPECT_TRUE(state.ask(now));
  EXPECT_FALSE(state.looked_up(record::Found{"2"}, now));
  EXPECT_FALSE(waits());
  state.refused();
  pass(kShortRecordInterval);
  EXPECT_TRUE(state.ask(now));
  EXPECT_TRUE(state.looked_up(record::Found{"3"}, now)) << "another id is another matter";
}

TEST_F(StsPolicyState, KeepsItsPolicyThroughFailuresOfDnsAndFetchCase130) {
  has_policy();
  for (const RecordAnswer& answer : {RecordAnswer{record::Failed{}}, RecordAnswer{record::None{}}}) {
    pass(kRecordInterval);
    EXPECT_TRUE(state.ask(now));
    EXPECT_FALSE(waits());
    EXPECT_FALSE(state.looked_up(answer, now));
    EXPECT_NE(policy(), nullptr);
  }
  pass(kRecordInterval);
  EXPECT_TRUE(state.ask(now));
  EXPECT_TRUE(state.looked_up(record::Found{"2"}, now));
  EXPECT_FALSE(waits()) << "in the background";
  EXPECT_FALSE(state.fetched(permanent(Errc::protocol_error, "not valid"), now));
  EXPECT_NE(policy(), nullptr);
  EXPECT_EQ(state.cached()->id, "1");
}

TEST_F(StsPolicyState, LosesItsPolicyBehindMaxAge) {
  has_policy(1h);
  pass(1h);
  EXPECT_NE(policy(), nullptr);
  pass(1ms);
  EXPECT_EQ(policy(), nullptr);
  EXPECT_TRUE(state.ask(now));
  EXPECT_TRUE(waits());
  EXPECT_TRUE(state.looked_up(record::Found{"1"}, now)) << "the same id, but nothing that counts";
}

TEST_F(StsPolicyState, LeavesAKnownIdAlone) {
  has_policy();
  EXPECT_TRUE(state.ask(now));
  EXPECT_FALSE(state.looked_up(record::Found{"1"}, now));
}

TEST_F(StsPolicyState, RefreshesOnceADayWhateverTheRecordSays) {
  has_policy();
  pass(kRefreshInterval - 1ms);
  EXPECT_TRUE(state.ask(now));
  EXPECT_FALSE(state.looked_up(record::Found{"1"}, now));
  pass(kRecordInterval);
  EXPECT_TRUE(state.ask(now));
  EXPECT_TRUE(state.looked_up(record::Failed{}, now));
  EXPECT_FALSE(waits());
  EXPECT_TRUE(state.fetched(enforce(240h), now));
  EXPECT_EQ(state.cached()->id, "1");
  EXPECT_EQ(state.cached()->fetched, now.wall);
}

TEST_F(StsPolicyState, RefreshesShortPoliciesAtHalfTheirLife) {
  has_policy(1h);
  pass(30min - 1ms);
  EXPECT_FALSE(state.is_refresh_due(now.wall));
  pass(1ms);
  EXPECT_TRUE(state.is_refresh_due(now.wall));
}

TEST_F(StsPolicyState, ComparesIdsBehindARefusalBeforeItAnswersCase130) {
  has_policy();
  EXPECT_TRUE(state.ask(now));
  EXPECT_FALSE(state.looked_up(record::Found{"1"}, now));
  state.refused();
  EXPECT_FALSE(state.ask(now)) << "at most once a minute";
  pass(kShortRecordInterval);
  EXPECT_TRUE(state.ask(now));
  EXPECT_TRUE(waits());
  EXPECT_TRUE(state.looked_up(record::Found{"2"}, now));
  EXPECT_TRUE(waits()) << "for the newer policy";
  EXPECT_TRUE(state.fetched(enforce(1h), now));
  EXPECT_FALSE(waits());
  EXPECT_EQ(state.cached()->id, "2");
}

TEST_F(StsPolicyState, WaitsNoLongerWhenTheIdIsTheSameBehindARefusal) {
  has_policy();
  pass(kRefreshInterval);
  state.refused();
  EXPECT_TRUE(state.ask(now));
  EXPECT_TRUE(waits());
  EXPECT_TRUE(state.looked_up(record::Found{"1"}, now)) << "a refresh is due";
  EXPECT_FALSE(waits());
}

TEST_F(StsPolicyState, SurvivesAClockThatIsSetBack) {
  has_policy(1h);
  now.wall -= 48h;
  EXPECT_NE(policy(), nullptr);
  EXPECT_TRUE(state.is_refresh_due(now.wall));
}

TEST_F(StsPolicyState, BeginsAnewWhenAFetchWasPutOff) {
  EXPECT_TRUE(state.ask(now));
  EXPECT_TRUE(state.looked_up(record::Found{"1"}, now));
  state.put_off();
  EXPECT_FALSE(waits());
  EXPECT_TRUE(state.ask(now));
}

TEST(StsFault, IsNamedAsReportsNameIt) {
  const auto named = [](Errc code) { return name(fault_of(Error{code, Fate::transient, ""})); };
  EXPECT_EQ(named(Errc::tls_failed), "sts-webpki-invalid");
  EXPECT_EQ(named(Errc::protocol_error), "sts-policy-invalid");
  EXPECT_EQ(named(Errc::too_large), "sts-policy-invalid");
  EXPECT_EQ(named(Errc::timed_out), "sts-policy-fetch-error");
}

}  // namespace
}  // namespace relay::sts
