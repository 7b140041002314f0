#include "operator/runtime/leader_election.hpp"

#include <gmock/gmock.h>

namespace op::runtime {
namespace {

using kube::Failure;
using kube::Kind;
using ::testing::HasSubstr;

Failure failure(Kind kind) { return {kind, {relay::Errc::unavailable, relay::Fate::transient, "scripted"}}; }

class LeaderElectionTest : public ::testing::Test {
 protected:
  ElectionStep on(const ElectionEvent& event) { return step = election.resume(event, now, 0); }
  void wait(milliseconds time) {
    now.steady += time;
    now.wall += time;
  }
  template <class Step>
  const Step& next() {
    EXPECT_TRUE(std::holds_alternative<Step>(step)) << step.index();
    return std::get<Step>(step);
  }
  static LeaseRecord held_by(const std::string& holder, const std::string& version) {
    return {holder, seconds{15}, "a", "r" + version, 1, version};
  }
  ElectionStep reads(const LeaseRecord& record) {
    return on(election_event::ReadDone{std::optional(record)});
  }
  ElectionStep writes(const std::string& version) {
    auto record = std::holds_alternative<election_step::Create>(step)
                    ? std::get<election_step::Create>(step).record
                    : std::get<election_step::Update>(step).record;
    record.resource_version = version;
    return on(election_event::WriteDone{record});
  }
  void lead() {
    on(election_event::Started{});
    on(election_event::ReadDone{std::optional<LeaseRecord>{}});
    writes("1");
    ASSERT_TRUE(election.term());
  }

  LeaderElection election{ElectionOptions{"me"}};
  ElectionStep step;
  ElectionNow now{SteadyTime{seconds{1000}}, relay::WallTime{seconds{1'769'860'800}}};
};

TEST_F(LeaderElectionTest, MakesTheLeaseWhereThereIsNone) {
  on(election_event::Started{});
  next<election_step::Read>();
  on(election_event::ReadDone{std::optional<LeaseRecord>{}});
  const auto record = next<election_step::Create>().record;
  EXPECT_EQ(record.holder, "me");
  EXPECT_EQ(record.duration, seconds{15});
  EXPECT_EQ(record.renewed, "2026-01-31T12:00:00.000000Z");
  EXPECT_FALSE(election.term());
  writes("1");
  EXPECT_EQ(election.term(), (Term{now.steady + seconds{10}, now.steady + seconds{15}}));
  EXPECT_EQ(next<election_step::Wait>().delay, seconds{2});
}

TEST_F(LeaderElectionTest, CountsATermFromTheSendingOfARenewalNotFromItsAnswer) {
  lead();
  wait(seconds{2});
  on(election_event::Woke{});
  const auto sent = now.steady;
  wait(seconds{3});
  writes("2");
  EXPECT_EQ(election.term()->write_until, sent + seconds{10});
}

TEST_F(LeaderElectionTest, RenewsWithoutReading) {
  lead();
  wait(seconds{2});
  on(election_event::Woke{});
  EXPECT_EQ(next<election_step::Update>().record.resource_version, "1");
  EXPECT_EQ(next<election_step::Update>().record.transitions, 0);
}

TEST_F(LeaderElectionTest, WaitsWhileAnotherHoldsTheLease) {
  on(election_event::Started{});
  reads(held_by("other", "5"));
  EXPECT_FALSE(election.term());
  EXPECT_EQ(next<election_step::Wait>().delay, seconds{2});
  EXPECT_EQ(election.holder(), "other");
}

TEST_F(LeaderElectionTest, TakesOverWhatHasNotChangedBeforeItsEyesForItsWholeDuration) {
  on(election_event::Started{});
  reads(held_by("other", "5"));
  for (int i = 0; i < 7; ++i) {
    wait(seconds{2});
    on(election_event::Woke{});
    reads(held_by("other", "5"));
    ASSERT_TRUE(std::holds_alternative<election_step::Wait>(step));
  }
  EXPECT_EQ(next<election_step::Wait>().delay, seconds{1}) << "it looks again exactly when the lease expires";
  wait(seconds{1});
  on(election_event::Woke{});
  reads(held_by("other", "5"));
  const auto record = next<election_step::Update>().record;
  EXPECT_EQ(record.holder, "me");
  EXPECT_EQ(record.transitions, 2);
  EXPECT_EQ(record.resource_version, "5");
}

TEST_F(LeaderElectionTest, JudgesByChangeNotByTheTimesWrittenInTheLease) {
  on(election_event::Started{});
  auto ancient = held_by("other", "5");
  ancient.renewed = "1999-01-01T00:00:00.000000Z";
  reads(ancient);
  next<election_step::Wait>();
  wait(seconds{14});
  ancient.resource_version = "6";
  on(election_event::Woke{});
  reads(ancient);
  wait(seconds{14});
  on(election_event::Woke{});
  reads(ancient);
  next<election_step::Wait>();
  EXPECT_FALSE(election.term());
}

TEST_F(LeaderElectionTest, TakesAFreedLeaseAtOnce) {
  on(election_event::Started{});
  reads(held_by("other", "5"));
  wait(seconds{2});
  on(election_event::Woke{});
  reads({"", seconds{1}, "", "", 1, "6"});
  EXPECT_EQ(next<election_step::Update>().record.holder, "me");
}

TEST_F(LeaderElectionTest, StopsLeadingAtTheRenewDeadline) {
  lead();
  const auto deadline = election.term()->write_until;
  while (election.term()) {
    const auto delay = next<election_step::Wait>().delay;
    ASSERT_LE(now.steady + delay, deadline) << "it must not oversleep";
    wait(delay);
    on(election_event::Woke{});
    if (election.term()) on(election_event::WriteDone{tl::unexpected(failure(Kind::unreachable))});
  }
  EXPECT_EQ(now.steady, deadline);
  next<election_step::Read>();
}

TEST_F(LeaderElectionTest, KeepsLeadingThroughAShortOutage) {
  lead();
  for (int i = 0; i < 3; ++i) {
    wait(seconds{2});
    on(election_event::Woke{});
    on(election_event::WriteDone{tl::unexpected(failure(Kind::unreachable))});
    ASSERT_TRUE(election.term());
  }
  wait(seconds{2});
  on(election_event::Woke{});
  writes("2");
  EXPECT_EQ(election.term()->write_until, now.steady + seconds{10});
}

TEST_F(LeaderElectionTest, FindsThatItWasFrozenBeforeItWritesAgain) {
  lead();
  wait(seconds{20});
  on(election_event::Woke{});
  EXPECT_FALSE(election.term());
  next<election_step::Read>();
}

TEST_F(LeaderElectionTest, DoesNotLeadByAnAnswerThatCameTooLate) {
  on(election_event::Started{});
  on(election_event::ReadDone{std::optional<LeaseRecord>{}});
  wait(seconds{11});
  writes("1");
  EXPECT_FALSE(election.term());
}

TEST_F(LeaderElectionTest, ReadsAgainBehindAConflict) {
  lead();
  wait(seconds{2});
  on(election_event::Woke{});
  on(election_event::WriteDone{tl::unexpected(failure(Kind::conflict))});
  next<election_step::Read>();
  EXPECT_TRUE(election.term()) << "it may have been our own write whose answer was lost";
  reads(held_by("me", "9"));
  EXPECT_EQ(next<election_step::Update>().record.resource_version, "9");
}

TEST_F(LeaderElectionTest, StopsLeadingWhenAnotherHasTheLease) {
  lead();
  wait(seconds{2});
  on(election_event::Woke{});
  on(election_event::WriteDone{tl::unexpected(failure(Kind::conflict))});
  reads(held_by("other", "9"));
  EXPECT_FALSE(election.term());
  next<election_step::Wait>();
}

TEST_F(LeaderElectionTest, MakesTheLeaseAnewWhenSomebodyDeletedIt) {
  lead();
  wait(seconds{2});
  on(election_event::Woke{});
  on(election_event::WriteDone{tl::unexpected(failure(Kind::not_found))});
  next<election_step::Read>();
  on(election_event::ReadDone{std::optional<LeaseRecord>{}});
  next<election_step::Create>();
  EXPECT_TRUE(election.term());
}

TEST_F(LeaderElectionTest, PausesWhenTheLeaseCannotBeMadeForWantOfItsNamespace) {
  on(election_event::Started{});
  for (int round = 0; round < 3; ++round) {
    on(election_event::ReadDone{std::optional<LeaseRecord>{}});
    next<election_step::Create>();
    on(election_event::WriteDone{tl::unexpected(failure(Kind::not_found))});
    EXPECT_EQ(next<election_step::Wait>().delay, seconds{2});
    on(election_event::Woke{});
    next<election_step::Read>();
  }
}

TEST_F(LeaderElectionTest, PausesWhenTheNamespaceGoesWhileItLeads) {
  lead();
  wait(seconds{2});
  on(election_event::Woke{});
  on(election_event::WriteDone{tl::unexpected(failure(Kind::not_found))});
  on(election_event::ReadDone{std::optional<LeaseRecord>{}});
  next<election_step::Create>();
  on(election_event::WriteDone{tl::unexpected(failure(Kind::not_found))});
  EXPECT_EQ(next<election_step::Wait>().delay, seconds{2});
}

TEST_F(LeaderElectionTest, TriesAgainWhenTheLeaseCannotBeRead) {
  on(election_event::Started{});
  on(election_event::ReadDone{tl::unexpected(failure(Kind::unreachable))});
  EXPECT_EQ(next<election_step::Wait>().delay, seconds{2});
}

TEST_F(LeaderElectionTest, FreesTheLeaseOnlyWhileItIsItsOwn) {
  EXPECT_FALSE(election.released(now));
  lead();
  const auto record = election.released(now);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->holder, "");
  EXPECT_EQ(record->duration, seconds{1});
  EXPECT_EQ(record->resource_version, "1");
  wait(seconds{10});
  EXPECT_FALSE(election.released(now));
}

TEST(ElectionOptions, MustLeaveTimeForEachOther) {
  EXPECT_FALSE(fault_of(ElectionOptions{"x"}));
  EXPECT_THAT(
    *fault_of({"x", seconds{10}, seconds{10}, seconds{2}}), HasSubstr("--renew-deadline must be shorter")
  );
  EXPECT_THAT(*fault_of({"x", seconds{15}, seconds{10}, seconds{9}}), HasSubstr("--retry-period"));
  EXPECT_THAT(*fault_of({"x", seconds{15}, seconds{10}, milliseconds{0}}), HasSubstr("more than 0s"));
}

TEST(ElectionOptions, LeaveTheWatchdogTimeForTwoLooksBehindTheLastRequestAndBeforeTheLeaseExpires) {
  for (const auto& [lease, renew] : {std::pair{15, 10}, {6, 4}, {60, 10}, {10, 9}}) {
    const ElectionOptions options{"me", seconds{lease}, seconds{renew}, milliseconds{500}};
    const SteadyTime sent{seconds{1000}};
    const Term term{sent + seconds{renew}, sent + seconds{lease}};
    EXPECT_LT(term.write_until + request_limit(options), overdue_at(term));
    EXPECT_LT(overdue_at(term) + last_grace(options), term.expires);
  }
}

TEST(ElectionOptions, EndALastRequestBeforeTheLeaseExpires) {
  const ElectionOptions options{"x"};
  EXPECT_EQ(request_limit(options), seconds{4});
  EXPECT_LT(options.renew_deadline + request_limit(options), options.lease_duration);
}

}  // namespace
}  // namespace op::runtime
