#include "operator/relay/pod_security.hpp"

#include <gmock/gmock.h>

#include "tests/unit/operator/kube/scripted_transport.hpp"
#include "tests/unit/operator/runtime/fakes.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::SizeIs;

class NamespaceLevelsTest : public ::testing::Test {
 protected:
  void enforces(const std::string& level) {
    transport.answers(
      200,
      R"({"metadata":{"name":"mail","labels":{"pod-security.kubernetes.io/enforce":")" + level + R"("}}})"
    );
  }
  kube::ScriptedTransport transport;
  kube::OpenGate gate{relay::seconds{1}};
  kube::Client client{transport, gate, "smtp-relay-operator"};
  runtime::VirtualClock clock;
  NamespaceLevels levels{client, clock};
};

TEST_F(NamespaceLevelsTest, AreReadOnceAMinute) {
  enforces("baseline");
  EXPECT_EQ(levels.of("mail", {})->level, "baseline");
  EXPECT_EQ(transport.requests[0].asked(), "GET /api/v1/namespaces/mail");
  clock.advance(relay::seconds{59});
  EXPECT_EQ(levels.of("mail", {})->level, "baseline");
  EXPECT_THAT(transport.requests, SizeIs(1));
  clock.advance(relay::seconds{1});
  enforces("privileged");
  EXPECT_EQ(levels.of("mail", {})->level, "privileged");
}

TEST_F(NamespaceLevelsTest, AreNoneWhereNoLabelNamesOne) {
  transport.answers(200, R"({"metadata":{"name":"mail"}})");
  EXPECT_EQ(levels.of("mail", {})->level, "");
  EXPECT_TRUE(lets_relays_run(*levels.of("mail", {})));
}

TEST_F(NamespaceLevelsTest, AreUnknownWhereTheyMayNotBeRead) {
  transport.answers(403, R"({"message":"namespaces is forbidden"})");
  EXPECT_NE(levels.of("mail", {})->unreadable, "");
}

TEST_F(NamespaceLevelsTest, PassOnAFailureThatMayPass) {
  transport.answers(500, "");
  EXPECT_EQ(levels.of("mail", {}).error().kind, kube::Kind::server);
  enforces("restricted");
  EXPECT_FALSE(lets_relays_run(*levels.of("mail", {}))) << "and is not remembered";
}

}  // namespace
}  // namespace op::smtp_relay
