#include "relay/app/outgoing.hpp"

#include <filesystem>
#include <gtest/gtest.h>

#include "tests/support/certificates.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/quiet_log.hpp"

namespace relay::app {
namespace {

using namespace std::chrono_literals;

/// A relay with one source that may send two messages today.
class OutgoingTest : public ::testing::Test, public outbound::PlanSource, public Clock {
 protected:
  static constexpr std::chrono::sys_days kToday = std::chrono::year{2026} / 11 / 25;

  OutgoingTest() {
    plan_.routes = std::make_shared<route::RouteTable>(std::vector<route::SmarthostRule>{});
    plan_.mx.max_connections = 3;
    plan_.sources = {{"a", "default", *IpAddress::parse("192.0.2.1"), 1, "", {2}, kToday}};
    target.source_name = "a";
    start();
  }
  void TearDown() override { stop(); }
  void start() {
    loop = std::make_unique<test::Loop>();
    resolver = std::make_unique<net::Resolver>(loop->thread.context(), net::ResolverFiles{});
    outgoing = std::make_unique<Outgoing>(
      Outgoing::Services{loop->thread, *resolver, *this, *this, log, "node1"}, folder.path()
    );
  }
  void stop() {
    if (!loop) return;
    loop->thread.stop();
    outgoing->join();
    outgoing.reset();
    resolver.reset();
    loop.reset();
  }
  bool send() { return outgoing->ways().may_send(target); }

  [[nodiscard]] std::shared_ptr<const outbound::Plan> plan() const override {
    return std::make_shared<outbound::Plan>(plan_);
  }
  [[nodiscard]] WallTime wall() const override { return WallTime{kToday} + 12h; }
  [[nodiscard]] SteadyTime steady() const override { return SteadyTime{} + 5h; }

  struct NoMail : outbound::OwnMail {
    void submit(mail::Envelope, std::string, outbound::Taken taken) override { taken(true); }
  };
  NoMail mail;
  test::Folder folder;
  test::QuietLog log;
  outbound::Plan plan_;
  delivery::Target target;
  std::unique_ptr<test::Loop> loop;
  std::unique_ptr<net::Resolver> resolver;
  std::unique_ptr<Outgoing> outgoing;
};

TEST_F(OutgoingTest, RemembersAWarmUpOverARestart) {
  EXPECT_TRUE(send());
  outgoing->tick(mail);
  stop();
  start();
  EXPECT_TRUE(send());
  EXPECT_FALSE(send()) << "one went out before";
}

TEST_F(OutgoingTest, WritesTheLedgerOnlyWhenItChanged) {
  EXPECT_TRUE(send());
  outgoing->tick(mail);
  const auto path = folder.path("sources.json");
  ASSERT_TRUE(std::filesystem::exists(path));
  std::filesystem::remove(path);
  outgoing->tick(mail);
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_TRUE(send());
  outgoing->tick(mail);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(OutgoingTest, KeepsNoLedgerWithoutSources) {
  plan_.sources.clear();
  target.source_name.clear();
  EXPECT_TRUE(send());
  outgoing->tick(mail);
  EXPECT_FALSE(std::filesystem::exists(folder.path("sources.json")));
}

TEST_F(OutgoingTest, TriesAgainWhenTheLedgerCouldNotBeWritten) {
  std::filesystem::create_directory(folder.path("sources.json.new"));
  EXPECT_TRUE(send());
  outgoing->tick(mail);
  EXPECT_FALSE(std::filesystem::exists(folder.path("sources.json")));
  std::filesystem::remove(folder.path("sources.json.new"));
  outgoing->tick(mail);
  EXPECT_TRUE(std::filesystem::exists(folder.path("sources.json")));
}

TEST_F(OutgoingTest, BeginsAnewWithADamagedLedger) {
  stop();
  test::write_text(folder.path("sources.json"), "{\"day\": ");
  start();
  EXPECT_TRUE(send());
  EXPECT_TRUE(send());
  EXPECT_FALSE(send());
}

TEST_F(OutgoingTest, HasTheShapesOfThePlan) {
  EXPECT_EQ(outgoing->shapes().shape({"mx/example.org"}, "").max_connections, 3U);
}

}  // namespace
}  // namespace relay::app
