#include "operator/relay/status_publisher.hpp"

#include <gmock/gmock.h>

#include "tests/support/quiet_log.hpp"
#include "tests/unit/operator/kube/scripted_transport.hpp"
#include "tests/unit/operator/relay/example.hpp"
#include "tests/unit/operator/runtime/fakes.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::SizeIs;

struct Untold : runtime::EventSink {
  void record(runtime::Occurrence) override {}
};

class StatusPublisherTest : public ::testing::Test {
 protected:
  /// As a cache shows it.
  static api::SmtpRelay cached(const std::string& version, const std::string& verdict = "True") {
    auto relay = example().relay;
    relay.resource_version = version;
    relay.status = status(verdict);
    return relay;
  }
  static api::Status status(const std::string& verdict) {
    api::Status status;
    status.conditions = {{"Ready", verdict, "Tested", "in a test", 1, "2026-01-31T08:00:00Z"}};
    return status;
  }
  /// Publishes on top of what the cache shows.
  kube::Answer<std::optional<api::SmtpRelay>> publish(
    const std::string& version, const std::string& verdict
  ) {
    return publisher.publish(publisher.latest(cached(version)), status(verdict), {});
  }
  void server_answers(const std::string& version) {
    transport.answers(200, Json{{"metadata", {{"resourceVersion", version}}}}.dump());
  }

  kube::ScriptedTransport transport;
  kube::OpenGate gate{relay::seconds{1}};
  kube::Client client{transport, gate, "smtp-relay-operator"};
  Untold events;
  relay::test::QuietLog log;
  StatusPublisher publisher{client, events, log};
};

TEST_F(StatusPublisherTest, WritesNothingThatIsThereAlready) {
  EXPECT_TRUE(publish("7", "True"));
  EXPECT_THAT(transport.requests, SizeIs(0));
}

TEST_F(StatusPublisherTest, GoesBackToWhatAStaleCacheStillShows) {
  server_answers("8");
  ASSERT_TRUE(publish("7", "Unknown"));
  server_answers("9");
  ASSERT_TRUE(publish("7", "True"));
  ASSERT_THAT(transport.requests, SizeIs(2));
  EXPECT_EQ(Json::parse(transport.requests.back().body)["metadata"]["resourceVersion"], "8");
  ASSERT_TRUE(publish("7", "True"));
  ASSERT_TRUE(publish("8", "True")) << "the cache follows a step at a time";
  EXPECT_THAT(transport.requests, SizeIs(2));
}

TEST_F(StatusPublisherTest, BelievesTheCacheOnceItShowsSomethingElse) {
  server_answers("8");
  ASSERT_TRUE(publish("7", "Unknown"));
  EXPECT_EQ(publisher.latest(cached("11", "False")).status, status("False"));
  EXPECT_EQ(publisher.latest(cached("7")).status, status("True")) << "it is forgotten";
}

TEST_F(StatusPublisherTest, ForgetsARelayThatIsGone) {
  server_answers("8");
  ASSERT_TRUE(publish("7", "Unknown"));
  publisher.forget({"mail", "edge"});
  EXPECT_EQ(publisher.latest(cached("7")).resource_version, "7");
}

}  // namespace
}  // namespace op::smtp_relay
