#include "relay/net/dns_answer.hpp"

#include <gtest/gtest.h>

#include "tests/support/name_server.hpp"

namespace relay::net {
namespace {

const Result<DnsAnswer> kFailed = transient(Errc::unavailable, "SERVFAIL");
const std::string kV4("\x0a\1\2\3");
const std::string kV6 = std::string(15, '\0') + '\1';

DnsAnswer found(bool is_secure, const std::string& rdata) {
  return {DnsStatus::found, is_secure, {}, {{rdata}}};
}
DnsAnswer none(DnsStatus status, bool is_secure = false) { return {status, is_secure, {}, {}}; }

TEST(MxAnswer, KeepsTheBestHundredCase126) {
  DnsAnswer answer{DnsStatus::found, true, "real.example.org", {}};
  for (std::size_t i = 1000; i-- > 0;) answer.records.push_back({test::mx_rdata(i / 2, "mx")});
  answer.records.push_back({"short"});
  const auto read = mx_answer(answer);
  EXPECT_EQ(read.status, DnsStatus::found);
  EXPECT_TRUE(read.is_secure);
  EXPECT_EQ(read.canonical, "real.example.org");
  ASSERT_EQ(read.records.size(), 100U);
  EXPECT_EQ(read.records.front().preference, 0);
  EXPECT_EQ(read.records.back().preference, 49);
}

TEST(MxAnswer, IsFoundThoughNoneCanBeReadCase126) {
  const auto read = mx_answer(found(false, "\1"));
  EXPECT_EQ(read.status, DnsStatus::found) << "not no data, which would make the domain its own exchanger";
  EXPECT_TRUE(read.records.empty());
}

TEST(AddressAnswer, JoinsBothFamilies) {
  const auto both = address_answer(found(true, kV4), found(true, kV6));
  ASSERT_TRUE(both);
  EXPECT_EQ(both->records.size(), 2U);
  EXPECT_TRUE(both->records.front().is_v4());
  EXPECT_TRUE(both->is_secure);
  EXPECT_FALSE(address_answer(found(true, kV4), found(false, kV6))->is_secure);
  EXPECT_FALSE(address_answer(found(true, kV4), none(DnsStatus::no_data))->is_secure);
  EXPECT_TRUE(address_answer(found(true, kV4), none(DnsStatus::no_data, true))->is_secure);
}

TEST(AddressAnswer, SaysWhetherTheNameIsThere) {
  EXPECT_EQ(
    address_answer(none(DnsStatus::no_such_domain), none(DnsStatus::no_such_domain))->status,
    DnsStatus::no_such_domain
  );
  EXPECT_EQ(
    address_answer(none(DnsStatus::no_such_domain), none(DnsStatus::no_data))->status, DnsStatus::no_data
  );
  EXPECT_EQ(address_answer(none(DnsStatus::no_data), found(false, kV6))->status, DnsStatus::found);
}

TEST(AddressAnswer, IsNoLessSecureWhenAFamilyFails) {
  const auto v4 = address_answer(found(true, kV4), kFailed);
  ASSERT_TRUE(v4);
  EXPECT_TRUE(v4->is_secure);
  const auto v6 = address_answer(kFailed, found(true, kV6));
  ASSERT_TRUE(v6);
  EXPECT_TRUE(v6->is_secure);
  EXPECT_EQ(v6->status, DnsStatus::found);
  EXPECT_FALSE(address_answer(kFailed, kFailed));
  EXPECT_FALSE(address_answer(kFailed, none(DnsStatus::no_data)));
  EXPECT_FALSE(address_answer(none(DnsStatus::no_such_domain), kFailed));
}

}  // namespace
}  // namespace relay::net
