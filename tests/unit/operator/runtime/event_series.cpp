#include "operator/runtime/event_series.hpp"

#include <gmock/gmock.h>

namespace op::runtime {
namespace {

using kube::Failure;
using kube::Json;
using kube::Kind;
using Write = EventSeries::Write;

Occurrence occurrence(const std::string& note = "it is missing", const std::string& uid = "u-1") {
  Occurrence made;
  made.regarding = {"smtp.buildinglink.com/v1alpha1", "SmtpRelay", {"mail", "edge"}, uid};
  made.type = Occurrence::Type::warning;
  made.reason = "SecretNotFound";
  made.action = "Reconcile";
  made.note = note;
  return made;
}

kube::Answer<void> failed(Kind kind, std::optional<milliseconds> retry_after = {}) {
  const auto fate =
    kind == Kind::invalid || kind == Kind::not_found ? relay::Fate::permanent : relay::Fate::transient;
  return tl::unexpected(Failure{kind, {relay::Errc::unavailable, fate, "scripted"}, retry_after});
}

class EventSeriesTest : public ::testing::Test {
 protected:
  void tell(const std::string& note = "it is missing") { series.add(occurrence(note), now); }
  void pass(milliseconds time) {
    now.steady += time;
    now.wall += time;
  }
  /// The next write, answered so.
  std::optional<Write> sends(const kube::Answer<void>& answer = {}) {
    auto write = series.next(now);
    if (write) series.settle(answer, now);
    return write;
  }
  EventSeries series{"smtp.buildinglink.com/smtp-relay-operator", "host_1"};
  Moment now{SteadyTime{seconds{1000}}, WallTime{seconds{1'769'860'800}}};
};

TEST_F(EventSeriesTest, BeginsWithAnEventOfItsOwn) {
  tell();
  const auto write = sends();
  ASSERT_TRUE(write);
  EXPECT_EQ(write->kind, Write::Kind::create);
  EXPECT_EQ(write->key.name_space, "mail");
  EXPECT_EQ(write->key.name, "edge.1769860800000-1");
  const auto& body = write->body;
  EXPECT_EQ(body["apiVersion"], "events.k8s.io/v1");
  EXPECT_EQ(body["eventTime"], "2026-01-31T12:00:00.000000Z");
  EXPECT_EQ(body["type"], "Warning");
  EXPECT_EQ(body["reason"], "SecretNotFound");
  EXPECT_EQ(body["regarding"]["uid"], "u-1");
  EXPECT_EQ(body["reportingInstance"], "host_1");
  EXPECT_FALSE(body.contains("series")) << "one is no series";
  EXPECT_FALSE(sends());
}

TEST_F(EventSeriesTest, CountsWhatComesAgainAtMostEveryThirtySeconds) {
  tell();
  (void)sends();
  pass(seconds{1});
  tell();
  tell();
  EXPECT_FALSE(sends());
  EXPECT_EQ(series.wake_at(), now.steady + seconds{29});
  pass(seconds{29});
  const auto write = sends();
  ASSERT_TRUE(write);
  EXPECT_EQ(write->kind, Write::Kind::patch);
  EXPECT_EQ(write->body["series"]["count"], 3);
  EXPECT_EQ(write->body["series"]["lastObservedTime"], "2026-01-31T12:00:01.000000Z");
  EXPECT_EQ(write->body.size(), 1U) << "nothing else of an Event may change";
  EXPECT_FALSE(series.wake_at());
}

TEST_F(EventSeriesTest, TellsOfWhatDiffersByItsNoteApart) {
  tell("a");
  tell("b");
  tell("a");
  const auto first = sends();
  const auto second = sends();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->body["series"]["count"], 2) << "counted before it was written";
  EXPECT_EQ(second->body["note"], "b");
  EXPECT_NE(first->key.name, second->key.name);
}

TEST_F(EventSeriesTest, EndsBehindSixQuietMinutes) {
  tell();
  (void)sends();
  pass(seconds{359});
  tell();
  EXPECT_EQ(sends()->kind, Write::Kind::patch);
  pass(seconds{360});
  tell();
  EXPECT_EQ(sends()->kind, Write::Kind::create);
  EXPECT_EQ(series.open(), 1U);
}

TEST_F(EventSeriesTest, GivesOneObjectABurstAndThenOneEachFiveMinutes) {
  const auto told = [&](int count) {
    int written = 0;
    for (int i = 0; i < count; ++i) {
      tell("note " + std::to_string(now.wall.time_since_epoch().count()) + " " + std::to_string(i));
      written += sends() ? 1 : 0;
    }
    return written;
  };
  EXPECT_EQ(told(40), 25);
  pass(seconds{301});
  EXPECT_EQ(told(3), 1);
  series.add(occurrence("x", "u-2"), now);
  EXPECT_TRUE(sends()) << "another object has an allowance of its own";
}

TEST_F(EventSeriesTest, TriesAgainWhatFailedForAWhileAndThenGivesUp) {
  tell();
  EXPECT_TRUE(sends(failed(Kind::server)));
  EXPECT_FALSE(sends());
  pass(seconds{10});
  EXPECT_TRUE(sends(failed(Kind::throttled, seconds{60})));
  pass(seconds{59});
  EXPECT_FALSE(sends()) << "as long as the server asks";
  pass(seconds{1});
  int tries = 2;
  while (sends(failed(Kind::unreachable))) {
    ++tries;
    pass(seconds{10});
  }
  EXPECT_EQ(tries, 12);
  EXPECT_EQ(series.open(), 0U);
}

TEST_F(EventSeriesTest, DropsWhatMayNotBeWritten) {
  for (const auto kind : {Kind::forbidden, Kind::invalid, Kind::cancelled}) {
    tell();
    EXPECT_TRUE(sends(failed(kind)));
    EXPECT_EQ(series.open(), 0U);
  }
}

TEST_F(EventSeriesTest, TakesAnEventThatIsThereForItsOwn) {
  tell();
  EXPECT_TRUE(sends(failed(Kind::conflict)));
  EXPECT_FALSE(sends());
  tell();
  pass(seconds{30});
  EXPECT_EQ(sends()->kind, Write::Kind::patch);
}

TEST_F(EventSeriesTest, BeginsAnewWhereTheServerHasForgottenTheEvent) {
  tell();
  (void)sends();
  tell();
  pass(seconds{30});
  EXPECT_EQ(sends(failed(Kind::not_found))->kind, Write::Kind::patch);
  const auto again = sends();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->kind, Write::Kind::create);
  EXPECT_EQ(again->body["series"]["count"], 2);
}

TEST_F(EventSeriesTest, CutsANoteThatTheServerWouldRefuseBetweenCharacters) {
  std::string note(1018, 'x');
  note += "\u00fc\u00fc\u00fc\u00fc";
  tell(note);
  const auto cut = sends()->body["note"].get<std::string>();
  EXPECT_LE(cut.size(), 1024U);
  EXPECT_TRUE(cut.ends_with("\u00fc ...")) << cut.substr(1000);
}

TEST_F(EventSeriesTest, HoldsNoMoreThanItsLimit) {
  for (int i = 0; i < 1100; ++i) series.add(occurrence("x", "u-" + std::to_string(i)), now);
  EXPECT_EQ(series.open(), EventSeries::kMaxOpen);
}

}  // namespace
}  // namespace op::runtime
