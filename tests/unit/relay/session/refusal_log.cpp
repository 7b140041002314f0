#include "relay/session/refusal_log.hpp"

#include <gtest/gtest.h>

#include "tests/support/quiet_log.hpp"

namespace relay::session {
namespace {

using namespace std::chrono_literals;

IpAddress address(const std::string& text) { return *IpAddress::parse(text); }

class RefusalLogTest : public ::testing::Test {
 protected:
  void refuse(const std::string& client, int times = 1) {
    for (int i = 0; i < times; ++i) refusals.refused(address(client), 50, now);
  }
  /// `client refused` of each record since the last call.
  std::vector<std::string> records() {
    std::vector<std::string> texts;
    const auto all = log.records("connection_refused");
    for (; read_ < all.size(); ++read_)
      texts.push_back(
        all[read_].at("client").get<std::string>() + " " + std::to_string(all[read_].at("refused").get<int>())
      );
    return texts;
  }
  using Texts = std::vector<std::string>;

  test::QuietLog log;
  RefusalLog refusals{log};
  SteadyTime now{1h};

 private:
  std::size_t read_ = 0;
};

TEST_F(RefusalLogTest, TellsOfTheFirstRefusalAtOnceAndOfTheOthersOnceAMinute) {
  refuse("10.0.0.1", 1000);
  EXPECT_EQ(records(), Texts{"10.0.0.1 1"});
  EXPECT_EQ(log.first("connection_refused").at("max_connections_per_client"), 50);
  refusals.flush(now + 59s);
  EXPECT_EQ(records(), Texts{});
  now += 1min;
  refusals.flush(now);
  EXPECT_EQ(records(), Texts{"10.0.0.1 999"});
  refuse("10.0.0.1", 10);
  EXPECT_EQ(records(), Texts{}) << "a minute behind that one";
  now += 1min;
  refuse("10.0.0.1");
  EXPECT_EQ(records(), Texts{"10.0.0.1 11"}) << "whichever comes first";
}

TEST_F(RefusalLogTest, TellsAnewOfAClientThatWasQuietForAMinute) {
  refuse("10.0.0.1");
  now += 1min;
  refusals.flush(now);
  refuse("10.0.0.1");
  EXPECT_EQ(records(), (Texts{"10.0.0.1 1", "10.0.0.1 1"}));
}

TEST_F(RefusalLogTest, KeepsClientsApart) {
  refuse("10.0.0.1", 5);
  refuse("10.0.0.2", 5);
  EXPECT_EQ(records(), (Texts{"10.0.0.1 1", "10.0.0.2 1"}));
  now += 1min;
  refusals.flush(now);
  EXPECT_EQ(records(), (Texts{"10.0.0.1 4", "10.0.0.2 4"}));
}

TEST_F(RefusalLogTest, TakesTheAddressesOfAClientTogether) {
  refuse("2001:db8::1");
  refuse("2001:db8::2");
  EXPECT_EQ(records(), Texts{"2001:db8::1 1"});
  now += 1min;
  refusals.flush(now);
  EXPECT_EQ(records(), Texts{"2001:db8::2 1"}) << "by the address that came last";
}

TEST_F(RefusalLogTest, WritesOneRecordOfAllWhenClientsAreTooMany) {
  for (std::size_t i = 0; i < RefusalLog::kMaxClients; ++i)
    refuse("10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250));
  EXPECT_EQ(records().size(), RefusalLog::kMaxClients);
  for (int i = 0; i < 100; ++i) refuse("10.2.0." + std::to_string(i));
  EXPECT_EQ(records(), Texts{"10.2.0.0 1"});
  EXPECT_TRUE(log.records("connection_refused").back().contains("message"))
    << "says that it is one of several";
  refuse("10.1.0.0");
  now += 1min;
  refusals.flush(now);
  EXPECT_EQ(records(), (Texts{"10.1.0.0 1", "10.2.0.99 99"}));
  now += 1min;
  refusals.flush(now);
  refuse("10.2.0.7");
  EXPECT_FALSE(log.records("connection_refused").back().contains("message")) << "there is room again";
}

TEST_F(RefusalLogTest, LeavesNothingOutAtTheEnd) {
  refuse("10.0.0.1", 3);
  (void)records();
  refusals.flush(SteadyTime::max());
  EXPECT_EQ(records(), Texts{"10.0.0.1 2"});
}

}  // namespace
}  // namespace relay::session
