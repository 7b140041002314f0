#include "operator/runtime/reflector.hpp"

#include <gtest/gtest.h>

namespace op::runtime {
namespace {

using kube::Failure;
using kube::Kind;
using kube::WatchEvent;

Failure failure(Kind kind, std::optional<milliseconds> retry_after = {}) {
  return {kind, {relay::Errc::unavailable, relay::Fate::transient, "scripted"}, retry_after};
}

class ReflectorTest : public ::testing::Test {
 protected:
  ReflectorStep on(const ReflectorEvent& event) { return step = reflector.resume(event, now, fraction); }
  void lists(const std::string& version) {
    const auto* list = std::get_if<reflector_step::List>(&step);
    ASSERT_NE(list, nullptr);
    EXPECT_EQ(list->resource_version, version);
  }
  void watches(const std::string& version) {
    const auto* watch = std::get_if<reflector_step::Watch>(&step);
    ASSERT_NE(watch, nullptr);
    EXPECT_EQ(watch->resource_version, version);
    EXPECT_FALSE(watch->with_objects);
  }
  void lists_as_a_stream(const std::string& version) {
    const auto* watch = std::get_if<reflector_step::Watch>(&step);
    ASSERT_NE(watch, nullptr);
    EXPECT_EQ(watch->resource_version, version);
    EXPECT_TRUE(watch->with_objects);
    EXPECT_TRUE(reflector.is_gathering());
  }
  void waits(milliseconds delay) {
    const auto* wait = std::get_if<reflector_step::Wait>(&step);
    ASSERT_NE(wait, nullptr);
    EXPECT_EQ(wait->delay, delay);
  }
  void saw_all(const std::string& version) {
    reflector.saw(
      {WatchEvent::Type::bookmark,
       {{"metadata", {{"resourceVersion", version}, {"annotations", {{"k8s.io/initial-events-end", "true"}}}}}
       }}
    );
  }
  void saw(const std::string& version, WatchEvent::Type type = WatchEvent::Type::modified) {
    reflector.saw({type, {{"metadata", {{"resourceVersion", version}}}}});
  }
  /// Up to a watch from version 10.
  void begin() {
    on(reflector_event::Started{});
    on(reflector_event::Listed{"10"});
  }

  Reflector reflector{Reflector::Lists::whole};
  ReflectorStep step;
  SteadyTime now{seconds{1000}};
  double fraction = 0;
};

TEST_F(ReflectorTest, ListsFromTheServersCacheAndWatchesFromThere) {
  on(reflector_event::Started{});
  lists("0");
  on(reflector_event::Listed{"10"});
  watches("10");
}

TEST_F(ReflectorTest, SpreadsTheTimeoutsOfItsWatches) {
  begin();
  EXPECT_EQ(std::get<reflector_step::Watch>(step).timeout, seconds{300});
  fraction = 0.999;
  now += seconds{300};
  on(reflector_event::WatchEnded{});
  EXPECT_EQ(std::get<reflector_step::Watch>(step).timeout, seconds{599});
}

TEST_F(ReflectorTest, GoesOnFromTheLastVersionWhenTheServerEndsAWatch) {
  begin();
  saw("12");
  saw("15");
  now += seconds{300};
  on(reflector_event::WatchEnded{});
  watches("15");
}

TEST_F(ReflectorTest, GoesOnFromABookmarkToo) {
  begin();
  saw("90", WatchEvent::Type::bookmark);
  now += seconds{300};
  on(reflector_event::WatchEnded{});
  watches("90");
}

TEST_F(ReflectorTest, WatchesAgainWithoutAListWhenTheServerIsAway) {
  begin();
  saw("12");
  now += seconds{60};
  on(reflector_event::WatchEnded{failure(Kind::unreachable)});
  waits(milliseconds{800});
  for (const auto delay : {1600, 3200, 6400, 12'800, 25'600, 30'000, 30'000}) {
    on(reflector_event::Woke{});
    watches("12");
    on(reflector_event::WatchEnded{failure(Kind::unreachable)});
    waits(milliseconds{delay});
  }
}

TEST_F(ReflectorTest, StretchesDelaysByChance) {
  begin();
  fraction = 0.5;
  on(reflector_event::WatchEnded{failure(Kind::unreachable)});
  waits(milliseconds{1200});
}

TEST_F(ReflectorTest, BeginsWithShortDelaysAgainAfterTwoGoodMinutes) {
  begin();
  on(reflector_event::WatchEnded{failure(Kind::unreachable)});
  on(reflector_event::Woke{});
  on(reflector_event::WatchEnded{failure(Kind::unreachable)});
  waits(milliseconds{1600});
  on(reflector_event::Woke{});
  now += seconds{121};
  on(reflector_event::WatchEnded{failure(Kind::unreachable)});
  waits(milliseconds{800});
}

TEST_F(ReflectorTest, ListsAtOnceFromTheNewestStateWhenItsVersionIsGone) {
  begin();
  saw("12");
  now += seconds{60};
  on(reflector_event::WatchEnded{failure(Kind::gone)});
  lists("");
  on(reflector_event::Listed{"400"});
  watches("400");
}

TEST_F(ReflectorTest, ListsAtOnceBehindAnOutageThatEndedASilentWatch) {
  begin();
  now += seconds{60};
  on(reflector_event::WatchEnded{failure(Kind::unreachable)});
  waits(milliseconds{800});
  on(reflector_event::Woke{});
  on(reflector_event::WatchEnded{failure(Kind::gone)});
  lists("");
}

TEST_F(ReflectorTest, DoesNotListForEverWhenWhatItListedIsGoneToo) {
  begin();
  saw("12");
  on(reflector_event::WatchEnded{failure(Kind::gone)});
  lists("");
  on(reflector_event::Listed{"400"});
  on(reflector_event::WatchEnded{failure(Kind::gone)});
  waits(milliseconds{800});
  on(reflector_event::Woke{});
  lists("");
}

TEST_F(ReflectorTest, ListsFromTheNewestStateWhenAListIsGone) {
  on(reflector_event::Started{});
  on(reflector_event::ListFailed{failure(Kind::gone)});
  lists("");
  on(reflector_event::ListFailed{failure(Kind::gone)});
  waits(milliseconds{800});
}

TEST_F(ReflectorTest, RepeatsAFailedListBehindADelay) {
  on(reflector_event::Started{});
  on(reflector_event::ListFailed{failure(Kind::server)});
  waits(milliseconds{800});
  on(reflector_event::Woke{});
  lists("0");
}

TEST_F(ReflectorTest, WaitsAsLongAsAThrottlingServerAsks) {
  on(reflector_event::Started{});
  on(reflector_event::ListFailed{failure(Kind::throttled, seconds{7})});
  waits(seconds{7});
  on(reflector_event::Woke{});
  on(reflector_event::Listed{"10"});
  on(reflector_event::WatchEnded{failure(Kind::throttled, seconds{9})});
  waits(seconds{9});
  on(reflector_event::Woke{});
  watches("10");
}

TEST_F(ReflectorTest, TakesAWatchThatEndsAtOnceWithNothingInItForAFailure) {
  begin();
  now += milliseconds{300};
  on(reflector_event::WatchEnded{});
  waits(milliseconds{800});
  on(reflector_event::Woke{});
  watches("10");
  saw("11");
  on(reflector_event::WatchEnded{});
  watches("11");
}

class StreamedListTest : public ReflectorTest {
 protected:
  StreamedListTest() { reflector = Reflector(); }
  /// Up to a watch that has told of all there was, at version 10.
  void begin_streamed() {
    on(reflector_event::Started{});
    saw("3", WatchEvent::Type::added);
    saw_all("10");
  }
};

TEST_F(StreamedListTest, TakesWhatThereIsFromTheBeginningOfAWatch) {
  on(reflector_event::Started{});
  lists_as_a_stream("0");
  saw("7", WatchEvent::Type::added);
  saw_all("10");
  EXPECT_FALSE(reflector.is_gathering());
  now += seconds{300};
  on(reflector_event::WatchEnded{});
  watches("10");
}

TEST_F(StreamedListTest, TrustsNoVersionBeforeTheEndOfWhatThereIs) {
  on(reflector_event::Started{});
  saw("900", WatchEvent::Type::added);
  saw("950", WatchEvent::Type::bookmark);
  EXPECT_TRUE(reflector.is_gathering()) << "a bookmark without the mark";
  on(reflector_event::WatchEnded{failure(Kind::unreachable)});
  waits(milliseconds{800});
  on(reflector_event::Woke{});
  lists_as_a_stream("0");
}

TEST_F(StreamedListTest, AsksForListsWhereTheServerCannot) {
  on(reflector_event::Started{});
  on(reflector_event::WatchEnded{failure(Kind::invalid)});
  lists("0");
  on(reflector_event::Listed{"10"});
  watches("10");
  on(reflector_event::WatchEnded{failure(Kind::gone)});
  waits(milliseconds{800});
  on(reflector_event::Woke{});
  lists("");
}

TEST_F(StreamedListTest, TriesAListBehindThreeStreamsThatFailed) {
  on(reflector_event::Started{});
  for (int i = 0; i < 3; ++i) {
    lists_as_a_stream("0");
    on(reflector_event::WatchEnded{});
    on(reflector_event::Woke{});
  }
  lists("0");
  on(reflector_event::Listed{"10"});
  watches("10");
  saw("11");
  on(reflector_event::WatchEnded{failure(Kind::gone)});
  lists_as_a_stream("");
}

TEST_F(StreamedListTest, StaysAStreamHoweverOftenItWasForbidden) {
  on(reflector_event::Started{});
  for (int i = 0; i < 4; ++i) {
    lists_as_a_stream("0");
    on(reflector_event::WatchEnded{failure(Kind::forbidden)});
    on(reflector_event::Woke{});
  }
  lists_as_a_stream("0");
}

TEST_F(StreamedListTest, BeginsAtOnceFromTheNewestStateWhenItsVersionIsGone) {
  begin_streamed();
  saw("12");
  on(reflector_event::WatchEnded{failure(Kind::gone)});
  lists_as_a_stream("");
  saw_all("400");
  on(reflector_event::WatchEnded{failure(Kind::gone)});
  waits(milliseconds{800});
  on(reflector_event::Woke{});
  lists_as_a_stream("");
}

TEST_F(StreamedListTest, BeginsAtOnceFromTheNewestStateWhenTheServerHasNotSeenTheVersionItWasAskedFor) {
  on(reflector_event::Started{});
  on(reflector_event::WatchEnded{failure(Kind::gone)});
  lists_as_a_stream("");
  on(reflector_event::WatchEnded{failure(Kind::gone)});
  waits(milliseconds{800});
}

TEST_F(StreamedListTest, WaitsAsLongAsAThrottlingServerAsks) {
  on(reflector_event::Started{});
  on(reflector_event::WatchEnded{failure(Kind::throttled, seconds{7})});
  waits(seconds{7});
  on(reflector_event::Woke{});
  lists_as_a_stream("0");
}

TEST_F(StreamedListTest, GoesOnWithoutAListWhenTheServerFailsBehindTheObjects) {
  begin_streamed();
  for (const auto kind : {Kind::unreachable, Kind::server, Kind::throttled}) {
    on(reflector_event::WatchEnded{failure(kind)});
    on(reflector_event::Woke{});
    watches("10");
  }
}

}  // namespace
}  // namespace op::runtime
