#include "relay/tlsrpt/record.hpp"

#include <gtest/gtest.h>

namespace relay::tlsrpt {
namespace {

std::string targets_in(const std::vector<std::string>& records) {
  std::string text;
  for (const auto& target : parse_tlsrpt_record(records)) text += (text.empty() ? "" : " ") + to_text(target);
  return text;
}

TEST(TlsrptRecord, NamesItsDestinations) {
  EXPECT_EQ(targets_in({"v=TLSRPTv1;rua=mailto:reports@example.com"}), "mailto:reports@example.com");
  EXPECT_EQ(
    targets_in(
      {"v=spf1 -all",
       "v=TLSRPTv1; rua=https://Reports.example:8443/v1?x=y , MAILTO:a%2Bb@example.com?subject=x;"}
    ),
    "https://reports.example:8443/v1?x=y mailto:a+b@example.com"
  );
  EXPECT_EQ(targets_in({"v=TLSRPTv1;rua=https://example.com"}), "https://example.com/");
  EXPECT_EQ(record_name("example.com"), "_smtp._tls.example.com");
}

TEST(TlsrptRecord, DoesNotCountUnlessThereIsOne) {
  EXPECT_EQ(targets_in({}), "");
  EXPECT_EQ(targets_in({"v=TLSRPTv1;rua=mailto:a@example.com", "v=TLSRPTv1;rua=mailto:b@example.com"}), "");
  EXPECT_EQ(targets_in({"v=TLSRPTv1"}), "");
  EXPECT_EQ(targets_in({"v=TLSRPTv12;rua=mailto:a@example.com"}), "");
  EXPECT_EQ(targets_in({"v=TLSRPTv1;junk;rua=mailto:a@example.com"}), "");
}

TEST(TlsrptRecord, LeavesOutWhatIsNoUsableDestination) {
  for (const auto* uri :
       {"mailto:", "mailto:postmaster", "mailto:a@[192.0.2.1]", "mailto:a%0D%0ABcc:x@example.com",
        "mailto:a%4", "mailto:a%zz", "http://example.com/", "ftp://example.com/", "https://", "https:///x",
        "https://192.0.2.1/", "https://[::1]/", "https://user@example.com/", "https://example.com:0/",
        "https://example.com:99999/", "https://exa mple.com/", "https://example.com/\x01",
        "https://example.com/\xc3\xbc", ""})
    EXPECT_EQ(targets_in({"v=TLSRPTv1;rua=" + std::string(uri)}), "") << uri;
}

TEST(TlsrptRecord, KeepsTenDestinationsAtMost) {
  std::string record = "v=TLSRPTv1;rua=mailto:a@example.com";
  for (int i = 0; i < 50; ++i) record += ",mailto:a@example.com";
  EXPECT_EQ(parse_tlsrpt_record({record}).size(), kMaxDestinations);
}

}  // namespace
}  // namespace relay::tlsrpt
