#include "relay/app/trust_anchors.hpp"

#include <fstream>
#include <gtest/gtest.h>

#include "tests/support/folder.hpp"

namespace relay::app {
namespace {

class TrustAnchors : public ::testing::Test {
 protected:
  std::string checked(const std::string& text) {
    std::ofstream(path) << text;
    const auto good = check_trust_anchors({path});
    return good ? "good" : good.error().context;
  }

  test::Folder folder;
  std::string path = folder.path("corp.ds");
};

TEST_F(TrustAnchors, AreRecordsOfOneKindOrTheOther) {
  EXPECT_EQ(checked("corp.example. IN DS 12345 13 2 49FD46E6\n"), "good");
  EXPECT_EQ(checked("; comment\n\ncorp.example.\t3600\tIN\tDNSKEY\t257 3 13 abc=\n"), "good");
  EXPECT_TRUE(check_trust_anchors({}));
}

TEST_F(TrustAnchors, AreMissedWithTheirPath) {
  const auto good = check_trust_anchors({path});
  ASSERT_FALSE(good);
  EXPECT_EQ(good.error().context, "dns_trust_anchors: " + path + " is missing or empty");
  EXPECT_EQ(checked(""), "dns_trust_anchors: " + path + " is missing or empty");
}

TEST_F(TrustAnchors, AreNotAnyText) {
  for (const auto* text : {"hello\n", "; IN DS 1 2 3\n", "DS\n"})
    EXPECT_EQ(checked(text), "dns_trust_anchors: " + path + " holds no DS or DNSKEY record") << text;
}

TEST_F(TrustAnchors, AreNotAFolder) {
  const auto good = check_trust_anchors({folder.path()});
  ASSERT_FALSE(good);
  EXPECT_NE(good.error().context.find(folder.path()), std::string::npos);
}

}  // namespace
}  // namespace relay::app
