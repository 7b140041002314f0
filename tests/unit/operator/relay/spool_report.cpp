#include "operator/relay/spool_report.hpp"

#include <gmock/gmock.h>

namespace op::smtp_relay {
namespace {

using kube::Json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

SpoolReport of(const std::string& node, std::uint64_t waiting) {
  SpoolReport report{node, "u-" + node};
  report.waiting = waiting;
  report.takes_mail = false;
  return report;
}
SpoolReport unknown(const std::string& node) { return {node, "u-" + node, "no answer"}; }

TEST(SpoolReport, IsReadFromThePageOfARelay) {
  auto report =
    report_of({{"metadata", {{"uid", "u-1"}}}, {"spec", {{"nodeName", "node-1"}}}}, "not asked yet");
  EXPECT_EQ(report, (SpoolReport{"node-1", "u-1", "not asked yet"}));
  ASSERT_TRUE(read_page(
    R"({"node":"node-1","uptime":3,"ready":true,"accepting":false,"sessions":0,"waiting":12,"failed":2})",
    report
  ));
  EXPECT_TRUE(report.is_known());
  EXPECT_EQ(report.waiting, 12U);
  EXPECT_EQ(report.failed, 2U);
  EXPECT_FALSE(report.takes_mail);
  EXPECT_FALSE(report.is_drained());
}

TEST(SpoolReport, SaysInTheRelaysWordsWhyItIsNotReadyAlsoWhereItsSpoolIsNotOpen) {
  SpoolReport report;
  ASSERT_TRUE(read_page(
    R"({"ready":false,"reason":"9 % free\nof it","accepting":true,"sessions":0,"waiting":0,"failed":0})",
    report
  ));
  EXPECT_EQ(report.unready, "9 % free?of it") << "printable";
  ASSERT_FALSE(read_page(R"({"ready":false,"reason":"starting","accepting":true,"sessions":0})", report));
  EXPECT_EQ(report.unready, "starting");
  ASSERT_FALSE(read_page(Json{{"reason", std::string(400, 'x')}}.dump(), report));
  EXPECT_EQ(report.unready.size(), 300U);
  ASSERT_TRUE(read_page(R"({"ready":true,"accepting":true,"sessions":0,"waiting":0,"failed":0})", report));
  EXPECT_EQ(report.unready, "") << "it is ready";
  ASSERT_FALSE(read_page(R"({"ready":false,"reason":7})", report));
  EXPECT_EQ(report.unready, "") << "no words";
}

TEST(SpoolReport, SaysDrainedOnlyWhenNothingWaitsAndNothingCanCome) {
  SpoolReport report;
  ASSERT_TRUE(read_page(R"({"accepting":true,"sessions":0,"waiting":0,"failed":0})", report));
  EXPECT_FALSE(report.is_drained());
  ASSERT_TRUE(read_page(R"({"accepting":false,"sessions":1,"waiting":0,"failed":0})", report));
  EXPECT_FALSE(report.is_drained()) << "a session may still bring a message";
  ASSERT_TRUE(read_page(R"({"accepting":false,"sessions":0,"waiting":0,"failed":7})", report));
  EXPECT_TRUE(report.is_drained()) << "nobody sends dead letters";
}

TEST(SpoolReport, LearnsNothingFromAnyOtherPage) {
  const std::vector<std::pair<std::string, std::string>> pages{
    {"OK\n", "no JSON"},
    {"[]", "no JSON"},
    {R"({"node":"node-1","version":"0.1"})", "older than the operator"},
    {R"({"accepting":"yes","sessions":0,"waiting":0,"failed":0})", "older"},
    {R"({"accepting":true,"sessions":-1,"waiting":0,"failed":0})", "older"},
    {R"({"accepting":true,"sessions":0})", "has not opened its spool"},
    {R"({"accepting":true,"sessions":0,"waiting":1.5,"failed":0})", "has not opened"},
  };
  for (const auto& [page, why] : pages) {
    SpoolReport report{"node-1", "u-1", "not asked yet"};
    const auto read = read_page(page, report);
    ASSERT_FALSE(read) << page;
    EXPECT_THAT(read.error().context, HasSubstr(why)) << page;
    EXPECT_EQ(report, (SpoolReport{"node-1", "u-1", "not asked yet"})) << page;
  }
}

TEST(SpoolReports, OfSeveralPodsOfOneNodeAreWhatIsKnown) {
  EXPECT_THAT(
    by_node({of("node-2", 1), unknown("node-1"), of("node-1", 5), unknown("node-1"), of("node-2", 0)}),
    ElementsAre(of("node-1", 5), of("node-2", 0))
  );
}

TEST(SpoolReports, AreAddedUpWithWhatIsNotKnown) {
  EXPECT_EQ(total_of({of("a", 12), of("b", 0)}), "12 messages wait");
  EXPECT_EQ(total_of({of("a", 1), unknown("b")}), "at least 1 message waits");
  EXPECT_EQ(total_of({unknown("b")}), "it is not known how many messages wait");
  EXPECT_EQ(total_of({}), "it is not known how many messages wait");
  auto dead = of("a", 0);
  dead.failed = 2;
  EXPECT_EQ(total_of({dead}), "0 messages wait and 2 dead letters are kept");
}

TEST(SpoolReports, NameTheNodesWithMostFirst) {
  EXPECT_EQ(
    nodes_of({of("a", 0), unknown("b"), of("c", 4), of("d", 8)}), "nodes d (8), c (4), b (unknown), a (0)"
  );
  EXPECT_EQ(nodes_of({of("a", 3)}), "node a (3)");
  EXPECT_EQ(nodes_of({}), "the nodes of its pods");
  EXPECT_EQ(nodes_of({unknown("")}), "the nodes of its pods") << "a pod that is on no node yet";
}

TEST(SpoolReports, NameNoMoreNodesThanFitIntoAnEvent) {
  SpoolReports many;
  for (int i = 0; i < 1000; ++i) many.push_back(of("node-" + std::to_string(i), 1));
  EXPECT_THAT(nodes_of(many), HasSubstr("node-9 (1) and 990 more"));
}

}  // namespace
}  // namespace op::smtp_relay
