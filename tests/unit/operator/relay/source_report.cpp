#include "operator/relay/source_report.hpp"

#include <gtest/gtest.h>

namespace op::smtp_relay {
namespace {

TEST(SourceReport, HasWhatTheRelaySays) {
  SourceReport report{"node-1", "p-1"};
  ASSERT_TRUE(read_sources(
    R"({"own_addresses":true,"hidden":[{"address":"10.140.1.1","refusals":3,"seconds":2},{"address":"10.1.40.12"}]})",
    report
  ));
  EXPECT_TRUE(report.is_known);
  EXPECT_TRUE(report.has_seen_own_addresses);
  ASSERT_EQ(report.hidden.size(), 2U);
  EXPECT_EQ(report.hidden[0].to_text(), "10.1.40.12");
  EXPECT_EQ(report.hidden[1].to_text(), "10.140.1.1");
  ASSERT_TRUE(read_sources(R"({"own_addresses":false,"hidden":[]})", report));
  EXPECT_FALSE(report.has_seen_own_addresses);
  EXPECT_TRUE(report.hidden.empty());
}

TEST(SourceReport, StaysAsItWasByAPageThatSaysSomethingElse) {
  const SourceReport before{"node-1", "p-1"};
  for (const auto* page :
       {"", "[]", "{}", R"({"own_addresses":1,"hidden":[]})", R"({"own_addresses":true})",
        R"({"own_addresses":true,"hidden":{}})", R"({"own_addresses":true,"hidden":["10.0.0.1"]})",
        R"({"own_addresses":true,"hidden":[{"address":"node-1"}]})"}) {
    auto report = before;
    const auto read = read_sources(page, report);
    ASSERT_FALSE(read) << page;
    EXPECT_EQ(read.error().code, relay::Errc::protocol_error);
    EXPECT_EQ(report, before) << page;
  }
}

}  // namespace
}  // namespace op::smtp_relay
