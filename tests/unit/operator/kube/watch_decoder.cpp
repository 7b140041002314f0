#include "operator/kube/watch_decoder.hpp"

#include <gmock/gmock.h>

namespace op::kube {
namespace {

using ::testing::HasSubstr;
using Type = WatchEvent::Type;

const std::string kStream =
  R"({"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"1"}}})"
  "\n"
  R"({"type":"MODIFIED","object":{"metadata":{"name":"\u00fc{}\n","resourceVersion":"2"}}})"
  "\n\n"
  R"({"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"9"}}})"
  "\n"
  R"({"type":"DELETED","object":{"metadata":{"name":"a","resourceVersion":"10"}}})"
  "\n";

std::vector<Type> types(const std::vector<WatchEvent>& events) {
  std::vector<Type> found;
  for (const auto& event : events) found.push_back(event.type);
  return found;
}

TEST(WatchDecoder, GivesTheSameEventsHoweverTheStreamIsCut) {
  for (std::size_t first = 0; first <= kStream.size(); ++first) {
    for (const std::size_t length : {std::size_t{1}, std::size_t{7}, kStream.size()}) {
      WatchDecoder decoder;
      std::vector<WatchEvent> events;
      const auto feed = [&](std::string_view octets) {
        auto some = decoder.feed(octets);
        ASSERT_TRUE(some);
        for (auto& event : *some) events.push_back(std::move(event));
      };
      feed(std::string_view(kStream).substr(0, first));
      for (auto at = first; at < kStream.size(); at += length)
        feed(std::string_view(kStream).substr(at, length));
      EXPECT_EQ(types(events), (std::vector{Type::added, Type::modified, Type::bookmark, Type::deleted}));
      EXPECT_EQ(resource_version_of(events.back().object), "10");
    }
  }
}

TEST(WatchDecoder, WaitsForTheEndOfALine) {
  WatchDecoder decoder;
  EXPECT_TRUE(decoder.feed(R"({"type":"ADDED","object":{"metadata":{"name":"a"}}})")->empty());
  EXPECT_EQ(decoder.feed("\n")->size(), 1U);
}

TEST(WatchDecoder, RefusesWhatIsNoEventWithoutShowingIt) {
  for (const std::string line :
       {"nonsense secret", R"({"type":"ADDED"})", R"({"type":"RENAMED","object":{}})", "[]", "{",
        R"({"type":"ADDED","object":{}})", R"({"type":"MODIFIED","object":{"metadata":"secret"}})",
        R"({"type":"DELETED","object":{"metadata":{"name":""}}})",
        R"({"type":"BOOKMARK","object":["metadata"]})"}) {
    WatchDecoder decoder;
    const auto events = decoder.feed(line + "\n");
    ASSERT_FALSE(events) << line;
    EXPECT_EQ(events.error().code, relay::Errc::protocol_error);
    EXPECT_THAT(events.error().context, ::testing::Not(HasSubstr("secret")));
  }
}

TEST(WatchDecoder, RefusesALineWithoutEnd) {
  WatchDecoder decoder;
  const std::string part(1U << 20U, 'x');
  relay::Result<std::vector<WatchEvent>> events;
  for (int i = 0; i < 17 && events; ++i) events = decoder.feed(part);
  ASSERT_FALSE(events);
  EXPECT_EQ(events.error().code, relay::Errc::too_large);
}

TEST(WatchDecoder, KnowsTheEndOfWhatWasThereBefore) {
  const auto marked = [](const char* type, const char* value) {
    return WatchDecoder()
      .feed(
        std::string(R"({"type":")") + type +
        R"(","object":{"metadata":{"name":"a","annotations":{"k8s.io/initial-events-end":")" + value +
        "\"}}}}\n"
      )
      .value()
      .at(0);
  };
  EXPECT_TRUE(ends_initial_events(marked("BOOKMARK", "true")));
  EXPECT_FALSE(ends_initial_events(marked("BOOKMARK", "false")));
  EXPECT_FALSE(ends_initial_events(marked("ADDED", "true")));
  EXPECT_FALSE(ends_initial_events({Type::bookmark, {{"metadata", {{"resourceVersion", "1"}}}}}));
}

TEST(WatchDecoder, TellsWhatAnErrorEventStandsFor) {
  WatchDecoder decoder;
  const auto events = decoder.feed(
    R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}})"
    "\n"
    R"({"type":"ERROR","object":{"code":429,"message":"slow down","details":{"retryAfterSeconds":7}}})"
    "\n"
  );
  ASSERT_TRUE(events);
  EXPECT_EQ(failure_of(events->at(0)).kind, Kind::gone);
  EXPECT_EQ(failure_of(events->at(1)).kind, Kind::throttled);
  EXPECT_EQ(failure_of(events->at(1)).retry_after, seconds{7});
}

}  // namespace
}  // namespace op::kube
