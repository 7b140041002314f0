#include "relay/engine/own_message.hpp"

#include <future>
#include <gtest/gtest.h>

#include "relay/engine/engine.hpp"
#include "relay/engine/listing.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/quiet_log.hpp"

namespace relay::engine {
namespace {

using namespace std::chrono_literals;

class RealClock : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override {
    return std::chrono::time_point_cast<milliseconds>(std::chrono::system_clock::now());
  }
  [[nodiscard]] SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
};

/// An engine that knows no way to anywhere: what it takes waits.
class OwnMessageTest : public ::testing::Test,
                       public LimitsSource,
                       public queue::ShapeSource,
                       public delivery::RouteSource,
                       public delivery::ProviderSource {
 protected:
  OwnMessageTest() {
    limits_->hostname = "node1.example";
    limits_->spool_max_size = Octets{1U << 30U};
    limits_->spool_min_free_percent = 0;
    EXPECT_TRUE(engine->start());
  }
  void TearDown() override {
    engine->stop_deliveries();
    engine->close_deliveries();
    test::eventually([this] { return engine->busy_deliveries() == 0; }, "the end of all deliveries");
    scheduler.thread.stop();
    shard.thread.stop();
    engine.reset();  // its workers ask this object, which is not whole any more behind here
  }

  std::shared_ptr<const Limits> limits() const override { return limits_; }
  queue::Shape shape(const route::Destination&, const std::string&) const override {
    queue::Shape shape;
    shape.retry = {1min, 1h, 120h};
    shape.max_connections = 1;
    return shape;
  }
  std::optional<queue::ProviderShape> provider_shape(const std::string&) const override {
    return std::nullopt;
  }
  net::Awaitable<Found> find(route::Destination) override {
    delivery::NoRoute nowhere{{Errc::unavailable, Fate::transient, "no way"}, std::nullopt};
    co_return tl::unexpected(std::move(nowhere));
  }
  net::Awaitable<Resolved> resolve(std::shared_ptr<const delivery::Route>, std::size_t) override {
    delivery::NoRoute nowhere{{Errc::unavailable, Fate::transient, "no way"}, std::nullopt};
    co_return tl::unexpected(std::move(nowhere));
  }
  std::uint64_t generation(const route::Destination&) const override { return 0; }
  void credentials_refused(const delivery::Route&, std::size_t, const delivery::Target&) override {}
  void credentials_accepted(const delivery::Route&, std::size_t) override {}
  bool may_send(const delivery::Target&) override { return true; }
  void
  tls_tried(const delivery::Route&, std::size_t, const delivery::Target&, const std::optional<net::TlsFault>&)
    override {}
  net::Awaitable<Answer> provider(route::Destination) override {
    Answer answer{"", 1min};
    co_return answer;
  }

  /// Where a message of our own waits once it has been tried.
  std::string destination_of(Way way) {
    mail::Envelope envelope;
    envelope.reverse_path = *mail::Address::parse("postmaster@relay.example");
    envelope.recipients = {*mail::Address::parse("tls@Reports.example")};
    std::promise<bool> stored;
    engine->submit_own(envelope, "Subject: x\r\n\r\n", way, [&stored](const Result<void>& result) {
      stored.set_value(result.has_value());
    });
    EXPECT_TRUE(stored.get_future().get());
    test::eventually([this] { return !log.records("hop_failure").empty(); }, "an attempt");
    const auto messages = list_queue(*store, {}, "", 10)->at("messages");
    EXPECT_EQ(messages.size(), 1U);
    return messages.empty() ? "" : messages.front().at("destination").get<std::string>();
  }

  test::Folder folder;
  test::QuietLog log;
  RealClock clock;
  metrics::Registry metrics{3};
  std::shared_ptr<Limits> limits_ = std::make_shared<Limits>();
  test::Loop shard;
  test::Loop scheduler;
  std::unique_ptr<spool::Store> store =
    std::move(*spool::Store::open({folder.path("spool"), {}, &log, &metrics}));
  std::unique_ptr<Engine> engine = std::make_unique<Engine>(Parts{
    *store,
    clock,
    *this,
    *this,
    *this,
    *this,
    log,
    metrics,
    {&shard.thread},
    scheduler.thread,
    folder.path("spool"),
    spool::Durable::yes,
    Octets{1U << 20U},
    queue::SchedulerLimits{}
  });
};

TEST_F(OwnMessageTest, WaitsWithTheMailOfItsDomain) {
  EXPECT_EQ(destination_of(Way::usual), "mx/reports.example");
  EXPECT_EQ(metrics.read(metrics::Gauge::queue_messages), 1);
}

TEST_F(OwnMessageTest, WaitsApartWhenItReportsTlsFailures) {
  EXPECT_EQ(destination_of(Way::report), "mx/reports.example#report");
  const route::Destination destination{"mx/reports.example#report"};
  EXPECT_EQ(route::mx_domain(destination), "reports.example");
  EXPECT_TRUE(route::is_report_destination(destination));
  EXPECT_EQ(route::report_destination({"smarthost/a"}).name, "smarthost/a");
}

}  // namespace
}  // namespace relay::engine
