#include "relay/sts/record.hpp"

#include <gtest/gtest.h>

namespace relay::sts {
namespace {

std::string id_in(const std::vector<std::string>& records) { return policy_id(records).value_or("none"); }

TEST(StsRecord, GivesItsId) {
  EXPECT_EQ(id_in({"v=STSv1; id=20160831085700Z;"}), "20160831085700Z");
  EXPECT_EQ(id_in({"v=STSv1;id=1"}), "1");
  EXPECT_EQ(id_in({"v=STSv1 ; \tx-new_1.0=a:b ; id=abc ; "}), "abc");
}

TEST(StsRecord, IsFoundAmongOthers) {
  EXPECT_EQ(id_in({"v=spf1 -all", "v=STSv1; id=7", "v=STSv10; id=8"}), "7");
}

TEST(StsRecord, DoesNotCountWhenThereAreTwo) {
  EXPECT_EQ(id_in({"v=STSv1; id=7", "v=STSv1; id=8"}), "none");
  EXPECT_EQ(id_in({"v=STSv1; id=7", "v=STSv1; broken"}), "none");
  EXPECT_EQ(id_in({}), "none");
}

TEST(StsRecord, DoesNotCountWhenItBreaksTheGrammar) {
  for (const auto* record :
       {"v=STSv1", "v=STSv1;", "V=STSv1; id=1", " v=STSv1; id=1", "v=STSv1; id=", "v=STSv1; id=a-b",
        "v=STSv1; ID=1", "v=STSv1; id=1; junk", "v=STSv1; id=1; =x", "v=STSv1; id=1; a=b=c",
        "v=STSv1; id=1; a=b c", "v=STSv1; id=\xc3\xbc", "v=STSv1; id=123456789012345678901234567890123",
        "id=1; v=STSv1;"})
    EXPECT_EQ(id_in({record}), "none") << record;
}

TEST(StsRecord, NamesItsPlaces) {
  EXPECT_EQ(record_name("example.com"), "_mta-sts.example.com");
  EXPECT_EQ(policy_host("example.com"), "mta-sts.example.com");
}

}  // namespace
}  // namespace relay::sts
