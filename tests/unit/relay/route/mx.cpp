#include "relay/route/mx.hpp"

#include <gtest/gtest.h>
#include <set>

namespace relay::route {
namespace {

/// Chance that goes through given fractions, over and over.
class Chance : public Jitter {
 public:
  explicit Chance(std::vector<double> fractions = {0}) : fractions_(std::move(fractions)) {}
  double fraction() override { return fractions_[next_++ % fractions_.size()]; }

 private:
  std::vector<double> fractions_;
  std::size_t next_ = 0;
};

MxSet found(std::vector<MxSet::Record> records) { return {MxSet::Status::found, std::move(records)}; }

/// The names in their order, or the status of the refusal.
std::string hosts_of(const MxSet& answer, const std::vector<std::string>& own_names = {"relay.example.net"}) {
  Chance chance;
  const auto hosts = mx_hosts("example.org", answer, own_names, chance);
  if (!hosts) return refusal_reply(hosts.error(), "example.org").status->to_text();
  std::string text;
  for (const auto& host : *hosts) text += (text.empty() ? "" : " ") + host.name;
  return text;
}

TEST(MxHosts, StandInTheOrderOfTheirPreference) {
  EXPECT_EQ(
    hosts_of(found({{20, "C.example.org."}, {5, "a.example.org"}, {10, "b.example.org"}})),
    "a.example.org b.example.org c.example.org"
  );
}

TEST(MxHosts, OfADomainThatDoesNotExistAreNoneCase126) {
  EXPECT_EQ(hosts_of({MxSet::Status::no_such_domain, {}}), "5.1.2");
}

TEST(MxHosts, OfADomainWithoutMxAreTheDomainItselfCase126) {
  Chance chance;
  const auto hosts = mx_hosts("Example.org.", {MxSet::Status::no_data, {}}, {}, chance);
  ASSERT_TRUE(hosts);
  EXPECT_EQ(*hosts, (std::vector{MxHost{"example.org", 0}}));
}

TEST(MxHosts, OfANullMxAreNoneCase126) {
  EXPECT_EQ(hosts_of(found({{0, "."}})), "5.1.10");
  EXPECT_EQ(hosts_of(found({{0, "."}, {10, "."}})), "5.1.10");
  EXPECT_EQ(hosts_of(found({{0, "."}, {10, "mx.example.org"}})), "mx.example.org")
    << "RFC 7505 section 3: no other records may stand beside it";
}

TEST(MxHosts, LeaveOutWhatIsNoHostNameCase126) {
  EXPECT_EQ(
    hosts_of(found(
      {{1, "10.0.0.1"}, {2, "two\\032words"}, {3, "[10.0.0.1]"}, {4, "::1"}, {5, ""}, {6, "mx_1.example.org"}}
    )),
    "mx_1.example.org"
  );
  EXPECT_EQ(hosts_of(found({{1, "10.0.0.1"}})), "5.4.4");
  EXPECT_EQ(hosts_of(found({})), "5.4.4") << "not the domain itself: it has MX";
}

TEST(MxHosts, EndBeforeOurselvesCase127) {
  EXPECT_EQ(
    hosts_of(
      found({{5, "a.example.org"}, {10, "Relay.Example.net."}, {10, "b.example.org"}, {20, "c.example.org"}})
    ),
    "a.example.org"
  );
  EXPECT_EQ(hosts_of(found({{10, "relay.example.net"}, {20, "c.example.org"}})), "5.4.6");
  EXPECT_EQ(hosts_of({MxSet::Status::no_data, {}}, {"EXAMPLE.org."}), "5.4.6")
    << "the domain is our own name";
}

TEST(MxHosts, AreTriedOnceEach) {
  EXPECT_EQ(
    hosts_of(found({{20, "a.example.org"}, {5, "A.example.org"}, {10, "b.example.org"}})),
    "a.example.org b.example.org"
  );
}

TEST(MxHosts, OfOnePreferenceAreShuffledCase128) {
  const auto answer = found({{10, "a"}, {10, "b"}, {10, "c"}, {5, "first"}, {20, "last"}});
  Chance chance({0.1, 0.9, 0.4, 0.7, 0.2, 0.6, 0.999999999, 0.0, 0.35});
  std::set<std::string> orders;
  for (int round = 0; round < 100; ++round) {
    const auto hosts = mx_hosts("example.org", answer, {}, chance);
    ASSERT_TRUE(hosts && hosts->size() == 5);
    EXPECT_EQ(hosts->front().name, "first");
    EXPECT_EQ(hosts->back().name, "last");
    orders.insert((*hosts)[1].name + (*hosts)[2].name + (*hosts)[3].name);
  }
  EXPECT_GE(orders.size(), 3U);
}

TEST(MxHosts, OfAThousandRecordsAreThoseThousandCase126) {
  MxSet answer = found({});
  for (int i = 0; i < 1000; ++i) answer.records.push_back({10, "mx" + std::to_string(i) + ".example.org"});
  Chance chance({0.5});
  EXPECT_EQ(mx_hosts("example.org", answer, {}, chance)->size(), 1000U);
}

TEST(MxRefusal, HasAReplyForEachReason) {
  const auto null_mx = refusal_reply(MxRefusal::null_mx, "exa\nmple.org");
  EXPECT_EQ(null_mx.to_line(), "556 5.1.10 exa?mple.org: the domain accepts no mail (null MX)");
  for (const auto refusal :
       {MxRefusal::no_such_domain, MxRefusal::loop, MxRefusal::no_usable_host, MxRefusal::no_address,
        MxRefusal::forbidden_target}) {
    const auto reply = refusal_reply(refusal, "example.org");
    EXPECT_EQ(reply.code, 550);
    EXPECT_EQ(reply.status->status_class, 5);
  }
}

}  // namespace
}  // namespace relay::route
