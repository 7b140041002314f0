#include "operator/relay/witness.hpp"

#include <gmock/gmock.h>

#include "tests/unit/operator/kube/scripted_transport.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::SizeIs;

class WitnessTest : public ::testing::Test {
 protected:
  WitnessTest() {
    seen.name_space = "mail";
    seen.name = "edge";
    seen.uid = "u-1";
    seen.generation = 3;
  }
  void has(const std::string& metadata) { transport.answers(200, R"({"metadata":)" + metadata + "}"); }
  kube::ScriptedTransport transport;
  kube::OpenGate gate{relay::seconds{1}};
  kube::Client client{transport, gate, "smtp-relay-operator"};
  api::SmtpRelay seen;
  Witness witness{client, seen, ""};
};

TEST_F(WitnessTest, ConfirmsWhatTheServerHasAndAsksOnce) {
  has(R"({"uid":"u-1","generation":3,"resourceVersion":"999"})");
  EXPECT_TRUE(witness.confirm({}));
  EXPECT_TRUE(witness.confirm({}));
  EXPECT_THAT(transport.requests, SizeIs(1));
}

TEST_F(WitnessTest, NeedNotAskWhenAWriteHasShownIt) {
  witness.has_seen_it();
  EXPECT_TRUE(witness.confirm({}));
  EXPECT_THAT(transport.requests, SizeIs(0));
}

TEST_F(WitnessTest, KnowsAnotherSpecAnotherObjectAndAnotherOperators) {
  for (const auto* other :
       {R"({"uid":"u-1","generation":4})", R"({"uid":"u-2","generation":3})",
        R"({"uid":"u-1","generation":3,"deletionTimestamp":"2026-01-31T08:15:30Z"})",
        R"({"uid":"u-1","generation":3,"labels":{"smtp.buildinglink.com/controller-id":"blue"}})"}) {
    has(other);
    const auto answer = witness.confirm({});
    ASSERT_FALSE(answer) << other;
    EXPECT_EQ(answer.error().kind, kube::Kind::conflict) << other;
  }
  transport.answers(404, "");
  EXPECT_EQ(witness.confirm({}).error().kind, kube::Kind::conflict) << "gone";
}

TEST_F(WitnessTest, PassesOnThatItCouldNotAsk) {
  transport.answers(500, "");
  EXPECT_EQ(witness.confirm({}).error().kind, kube::Kind::server);
  transport.answers(403, R"({"message":"smtprelays is forbidden"})");
  EXPECT_EQ(witness.confirm({}).error().kind, kube::Kind::forbidden);
}

}  // namespace
}  // namespace op::smtp_relay
