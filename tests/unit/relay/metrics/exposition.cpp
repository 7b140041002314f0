#include "relay/metrics/exposition.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <iterator>
#include <set>

namespace relay::metrics {
namespace {

using ::testing::HasSubstr;

TEST(Exposition, HasEverySeriesFromTheStartWithValueZero) {
  const Registry registry(2);
  const auto text = exposition(registry, {}, "1.2.3");
  for (const auto* series :
       {"smtp_relay_messages_received_total 0\n", "smtp_relay_recipients_total{result=\"failed\"} 0\n",
        "smtp_relay_connections_refused_total{reason=\"proxy_header\"} 0\n", "smtp_relay_ready 0\n",
        "smtp_relay_spool_commit_seconds_count 0\n", "smtp_relay_build_info{version=\"1.2.3\"} 1\n"}) {
    EXPECT_THAT(text, HasSubstr(series));
  }
}

TEST(Exposition, AddsUpTheShards) {
  Registry registry(3);
  registry.shard(0).add(Counter::messages_received, 2);
  registry.shard(2).add(Counter::messages_received);
  registry.set(Gauge::queue_messages, 7);
  const auto text = exposition(registry, {}, "");
  EXPECT_THAT(text, HasSubstr("smtp_relay_messages_received_total 3\n"));
  EXPECT_THAT(text, HasSubstr("smtp_relay_queue_messages 7\n"));
}

TEST(Exposition, CountsDurationsInCumulativeBuckets) {
  Registry registry(1);
  registry.shard(0).observe(Duration::delivery, std::chrono::milliseconds{3});
  registry.shard(0).observe(Duration::delivery, std::chrono::hours{5});
  const auto text = exposition(registry, {}, "");
  EXPECT_THAT(text, HasSubstr("smtp_relay_delivery_seconds_bucket{le=\"0.0025\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("smtp_relay_delivery_seconds_bucket{le=\"0.005\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("smtp_relay_delivery_seconds_bucket{le=\"+Inf\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("smtp_relay_delivery_seconds_count 2\n"));
}

TEST(Exposition, TellsRefusalsByClassAndResult) {
  Registry registry(2);
  registry.shard(0).add(Refusal::deferred, 9);
  registry.shard(1).add(Refusal::deferred, 9);
  registry.shard(1).add(Refusal::failed, 0);
  const auto text = exposition(registry, {}, "");
  const std::string name = "smtp_relay_refused_recipients_total";
  EXPECT_THAT(text, HasSubstr(name + "{class=\"greylisted\",result=\"deferred\"} 2\n"));
  EXPECT_THAT(text, HasSubstr(name + "{class=\"greylisted\",result=\"failed\"} 0\n"));
  EXPECT_THAT(text, HasSubstr(name + "{class=\"invalid_recipient\",result=\"failed\"} 1\n"));
  EXPECT_THAT(text, HasSubstr(name + "{class=\"other\",result=\"deferred\"} 0\n"));
}

TEST(Exposition, ShowsWhatWaitsForEachDestination) {
  const auto text = exposition(Registry(1), {{"mx/example.org", 12, 90.5}, {"other", 3, 0}}, "");
  EXPECT_THAT(text, HasSubstr("smtp_relay_destination_messages{destination=\"mx/example.org\"} 12\n"));
  EXPECT_THAT(
    text, HasSubstr("smtp_relay_destination_oldest_seconds{destination=\"mx/example.org\"} 90.5\n")
  );
  EXPECT_THAT(text, HasSubstr("smtp_relay_destination_messages{destination=\"other\"} 3\n"));
}

TEST(Exposition, EscapesNamesOfDestinations) {
  const auto text = exposition(Registry(1), {{"mx/a\"b\\c\n", 1, 0}}, "");
  EXPECT_THAT(text, HasSubstr(R"({destination="mx/a\"b\\c\n"} 1)"));
}

TEST(Exposition, NamesEachFamilyOnce) {
  const auto text = exposition(Registry(1), {}, "");
  std::size_t families = 0;
  std::set<std::string> names;
  for (std::size_t at = text.find("# TYPE "); at != std::string::npos; at = text.find("# TYPE ", at + 1)) {
    ++families;
    names.insert(text.substr(at, text.find('\n', at) - at));
  }
  EXPECT_EQ(names.size(), families);
}

TEST(Exposition, IsWhatTheDocumentationSays) {
  std::ifstream file("docs/metrics.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(page, metrics_page()) << "run make docs";
}

}  // namespace
}  // namespace relay::metrics
