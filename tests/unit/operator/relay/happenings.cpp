#include "operator/relay/happenings.hpp"

#include <gmock/gmock.h>

#include "operator/relay/status.hpp"
#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr relay::WallTime kNoon{std::chrono::seconds{1'769'860'800}};

class HappeningsTest : public ::testing::Test {
 protected:
  HappeningsTest() { world.relay.status = first_status(world.relay, kNoon); }
  /// What the next status tells, `Warning SecretNotFound`; it is then the last.
  std::vector<std::string> told() {
    const auto next = next_status(world.relay, make_plan(world, kDefaults), daemon_set, kNoon);
    last = news_of(world.relay, next);
    world.relay.status = next;
    std::vector<std::string> all;
    for (const auto& each : last)
      all.push_back((each.type == Occurrence::Type::warning ? "Warning " : "Normal ") + each.reason);
    return all;
  }
  void roll_out(int desired, int available) {
    daemon_set = Json{
      {"metadata", {{"generation", 1}}},
      {"status",
       {{"observedGeneration", 1},
        {"desiredNumberScheduled", desired},
        {"updatedNumberScheduled", available},
        {"numberReady", available},
        {"numberAvailable", available}}},
    };
  }
  World world = example();
  std::optional<Json> daemon_set;
  std::vector<Occurrence> last;
};

TEST_F(HappeningsTest, BeginWithTheResourceItself) {
  const auto occurrence = first_seen(world.relay);
  EXPECT_EQ(occurrence.reason, "Created");
  EXPECT_EQ(occurrence.regarding.api_version, "smtp.buildinglink.com/v1alpha1");
  EXPECT_EQ(occurrence.regarding.key.to_text(), "mail/edge");
  EXPECT_THAT(occurrence.note, HasSubstr("edge-smtp-relay"));
}

TEST_F(HappeningsTest, AreNoneWhileNothingChanges) {
  roll_out(3, 3);
  EXPECT_THAT(told(), ElementsAre("Normal AllNodesAvailable", "Normal RolloutComplete"));
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(HappeningsTest, OfARolloutAreItsEndAndNotEachNode) {
  roll_out(3, 1);
  EXPECT_THAT(told(), IsEmpty());
  roll_out(3, 2);
  EXPECT_THAT(told(), IsEmpty());
  roll_out(3, 3);
  EXPECT_THAT(told(), ElementsAre("Normal AllNodesAvailable", "Normal RolloutComplete"));
}

TEST_F(HappeningsTest, NameASecretThatIsMissingAndThatItIsBack) {
  const auto there = secret_of(world);
  secret_of(world) = {};
  EXPECT_THAT(told(), ElementsAre("Warning SecretNotFound"));
  EXPECT_EQ(last.at(0).note.substr(0, 50), "SecretsResolved: Secret mail/credentials does not ");
  EXPECT_THAT(told(), IsEmpty());
  secret_of(world) = there;
  EXPECT_THAT(told(), ElementsAre("Normal Resolved"));
}

TEST_F(HappeningsTest, NameASecondFaultOfTheSameReason) {
  world.relay.spec.max_message_size = "1Ki";
  EXPECT_THAT(told(), ElementsAre("Warning InvalidSettings"));
  world.relay.spec.retry_max_age = "soon";
  EXPECT_THAT(told(), ElementsAre("Warning InvalidSettings"));
  EXPECT_THAT(last.at(0).note, HasSubstr("spec.retry.maxAge"));
}

TEST_F(HappeningsTest, WarnOfNamesThatAreTaken) {
  world.daemon_set = Json{
    {"metadata",
     {{"ownerReferences",
       Json::array({{{"kind", "Other"}, {"name", "x"}, {"uid", "u-2"}, {"controller", true}}})}}}
  };
  EXPECT_THAT(told(), ElementsAre("Warning NameConflict"));
}

TEST_F(HappeningsTest, WarnOfARolloutThatIsStalled) {
  auto next = world.relay.status;
  next.set({"Progressing", "False", "RolloutStalled", "2 of 3 nodes: ImagePullBackOff", 3, ""}, kNoon);
  const auto news = news_of(world.relay, next);
  ASSERT_EQ(news.size(), 1U);
  EXPECT_EQ(news[0].reason, "RolloutStalled");
  EXPECT_EQ(news[0].type, Occurrence::Type::warning);
}

TEST_F(HappeningsTest, WarnOnceOfAnImageWithoutAFixedVersion) {
  world.relay.spec.image = "registry:5000/relay:latest";
  EXPECT_THAT(told(), ElementsAre("Warning ImageNotPinned"));
  EXPECT_THAT(told(), IsEmpty());
  world.relay.spec.image = "registry:5000/relay:1.2";
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(HappeningsTest, OfADeletionNameTheFoldersAndTheNodes) {
  std::vector<Json> pods;
  for (int i = 10; i < 22; ++i) pods.push_back({{"spec", {{"nodeName", "node-" + std::to_string(i)}}}});
  pods.push_back({{"spec", {{"nodeName", ""}}}});
  const auto told = farewell(world.relay, pods, "/var/lib/smtp-relay");
  EXPECT_EQ(told.type, Occurrence::Type::warning);
  EXPECT_EQ(told.reason, "SpoolRetained");
  EXPECT_THAT(told.note, HasSubstr("/var/lib/smtp-relay/mail/edge on nodes node-10, node-11, "));
  EXPECT_THAT(
    told.note, HasSubstr("node-19 and 2 more: an SmtpRelay edge in namespace mail takes it up again")
  );
  EXPECT_THAT(farewell(world.relay, {}, "/x").note, HasSubstr("on the nodes of its pods"));
  world.relay.spec.spool_type = "EmptyDir";
  EXPECT_EQ(farewell(world.relay, pods, "/x").reason, "SpoolLost");
  world.relay.spec.spool_type = "PersistentVolumeClaim";
  world.relay.spec.spool_claim = "spools";
  EXPECT_THAT(
    farewell(world.relay, pods, "/x").note, HasSubstr("in folder edge of the PersistentVolumeClaim spools: ")
  );
}

TEST_F(HappeningsTest, NameALevelOfPodSecurityThatIsTooStrict) {
  world.pod_security.level = "baseline";
  EXPECT_THAT(told(), ElementsAre("Warning LevelTooStrict"));
  EXPECT_THAT(last.at(0).note, HasSubstr("kubectl label namespace mail"));
  world.pod_security.level = "privileged";
  EXPECT_THAT(told(), ElementsAre("Normal Privileged"));
}

TEST(Image, FloatsWithoutAVersionOfItsOwn) {
  for (const auto* image : {"relay", "relay:latest", "registry:5000/relay", "a/b:latest"})
    EXPECT_TRUE(floats(image)) << image;
  for (const auto* image :
       {"", "relay:1", "registry:5000/relay:1.2", "relay@sha256:00", "relay:latest@sha256:00"})
    EXPECT_FALSE(floats(image)) << image;
}

}  // namespace
}  // namespace op::smtp_relay
