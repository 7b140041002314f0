#include "operator/relay/applier.hpp"

#include <gmock/gmock.h>

#include "tests/support/quiet_log.hpp"
#include "tests/unit/operator/kube/scripted_transport.hpp"
#include "tests/unit/operator/relay/example.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ApplierTest : public ::testing::Test {
 protected:
  kube::Answer<Json> converge(const std::optional<Json>& live) { return applier.converge(child, live, {}); }
  /// What was asked, in short.
  [[nodiscard]] std::vector<std::string> asked() const {
    std::vector<std::string> all;
    for (const auto& request : transport.requests) {
      const bool is_dry = request.target.find("dryRun=All") != std::string::npos;
      all.push_back(std::string(name(request.method)) + (is_dry ? " dry" : ""));
    }
    return all;
  }
  static Json with_sidecar(Json object) {
    object["spec"]["template"]["spec"]["containers"].push_back({{"name", "sidecar"}, {"image", "x"}});
    return object;
  }
  /// As a server stores it that fills in something we do not know of.
  static Json in_the_servers_words(Json object) {
    object["spec"]["template"]["spec"]["novelty"] = "default";
    return object;
  }

  kube::ScriptedTransport transport;
  kube::OpenGate gate{relay::seconds{1}};
  kube::Client client{transport, gate, "smtp-relay-operator"};
  relay::test::QuietLog log;
  std::vector<std::string> told;
  Applier applier{
    client, log,
    [this](const kube::Resource&, const Json&, std::string_view what, std::string_view why) {
      told.push_back(std::string(what) + ": " + std::string(why));
    }
  };
  const Child child = make_plan(example(), kDefaults).apply.at(2);
};

TEST_F(ApplierTest, WritesNothingThatIsAlreadySo) {
  EXPECT_TRUE(converge(child.desired));
  EXPECT_THAT(asked(), IsEmpty());
  EXPECT_THAT(told, IsEmpty());
}

TEST_F(ApplierTest, RemembersItsOwnWriteUntilTheCacheHasIt) {
  const auto of_version = [&](const char* version) {
    auto object = child.desired;
    object["metadata"]["resourceVersion"] = version;
    return object;
  };
  const auto before = with_sidecar(of_version("1"));
  transport.answers(200, of_version("2").dump());
  EXPECT_TRUE(converge(before));
  EXPECT_EQ(applier.latest(child.resource, before), of_version("2"));
  EXPECT_EQ(applier.latest(child.resource, std::nullopt), std::nullopt) << "it has been deleted since";
  EXPECT_EQ(applier.latest(child.resource, of_version("3")), of_version("3"));
  EXPECT_EQ(applier.latest(child.resource, before), before) << "what the cache has had is not remembered";
}

TEST_F(ApplierTest, AppliesWhatDoesNotExist) {
  transport.answers(201, child.desired.dump());
  EXPECT_TRUE(converge(std::nullopt));
  EXPECT_THAT(asked(), ElementsAre("PATCH"));
  EXPECT_EQ(log.records("applied").at(0)["why"], "it did not exist");
  EXPECT_THAT(told, ElementsAre("applied: it did not exist"));
}

TEST_F(ApplierTest, AppliesWhatDiffers) {
  auto live = child.desired;
  live["spec"]["template"]["spec"]["containers"][0]["image"] = "evil:1";
  transport.answers(200, child.desired.dump());
  EXPECT_TRUE(converge(live));
  EXPECT_THAT(asked(), ElementsAre("PATCH"));
}

TEST_F(ApplierTest, ReplacesWhatHoldsMoreThanIsOurs) {
  const auto live = with_sidecar(child.desired);
  transport.answers(200, live.dump());           // apply leaves the sidecar
  transport.answers(200, child.desired.dump());  // a replacement would not
  transport.answers(200, child.desired.dump());
  const auto now = converge(live);
  ASSERT_TRUE(now);
  EXPECT_THAT(asked(), ElementsAre("PATCH", "PUT dry", "PUT"));
  EXPECT_EQ(now->at("spec"), child.desired["spec"]);
}

TEST_F(ApplierTest, LeavesWhatTheServerItselfAdds) {
  const auto live = in_the_servers_words(child.desired);
  transport.answers(200, live.dump());
  transport.answers(200, live.dump());  // a replacement would come out the same
  EXPECT_TRUE(converge(live));
  EXPECT_THAT(asked(), ElementsAre("PATCH", "PUT dry"));
  transport.requests.clear();
  EXPECT_TRUE(converge(live));
  EXPECT_THAT(asked(), IsEmpty()) << "it remembers";
}

TEST_F(ApplierTest, SeesDriftBeyondTheServersWords) {
  const auto live = in_the_servers_words(child.desired);
  transport.answers(200, live.dump());
  transport.answers(200, live.dump());
  EXPECT_TRUE(converge(live));
  transport.requests.clear();
  const auto drifted = with_sidecar(live);
  transport.answers(200, drifted.dump());
  transport.answers(200, live.dump());
  transport.answers(200, live.dump());
  EXPECT_TRUE(converge(drifted));
  EXPECT_THAT(asked(), ElementsAre("PATCH", "PUT dry", "PUT"));
  transport.requests.clear();
  auto without_labels = live;
  without_labels["metadata"].erase("labels");
  transport.answers(200, live.dump());
  transport.answers(200, live.dump());
  EXPECT_TRUE(converge(without_labels));
  EXPECT_EQ(asked().front(), "PATCH") << "labels are looked at as well";
}

TEST_F(ApplierTest, ForgetsWithTheResource) {
  const auto live = in_the_servers_words(child.desired);
  transport.answers(200, live.dump());
  transport.answers(200, live.dump());
  EXPECT_TRUE(converge(live));
  transport.requests.clear();
  applier.forget(kube::key_of(child.desired));
  transport.answers(200, live.dump());
  transport.answers(200, live.dump());
  EXPECT_TRUE(converge(live));
  EXPECT_THAT(asked(), ElementsAre("PATCH", "PUT dry"));
}

TEST_F(ApplierTest, PassesOnWhatTheServerRefuses) {
  transport.answers(422, R"({"message":"spec.template: invalid"})");
  const auto answer = converge(std::nullopt);
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, kube::Kind::invalid);
}

TEST_F(ApplierTest, ReplacesWhatCannotStandBesideOurs) {
  const auto live = with_sidecar(child.desired);
  transport.answers(422, R"({"message":"ports[1].name: Duplicate value"})");
  transport.answers(200, child.desired.dump());
  EXPECT_EQ(converge(live).value(), child.desired);
  EXPECT_THAT(asked(), ElementsAre("PATCH", "PUT"));
}

TEST_F(ApplierTest, PassesOnTheFirstRefusalWhereAReplacementIsRefusedToo) {
  const auto live = with_sidecar(child.desired);
  transport.answers(422, R"({"message":"first"})");
  transport.answers(422, R"({"message":"second"})");
  EXPECT_NE(converge(live).error().error.context.find("first"), std::string::npos);
}

TEST_F(ApplierTest, DeletesWhatItSawAndIsContentWhereItIsGone) {
  auto live = child.desired;
  live["metadata"]["uid"] = "d-1";
  transport.answers(200, "{}");
  EXPECT_TRUE(applier.remove({child.resource, live}, {}));
  EXPECT_THAT(asked(), ElementsAre("DELETE"));
  EXPECT_EQ(log.records("removed").size(), 1U);
  transport.answers(404, "{}");
  EXPECT_TRUE(applier.remove({child.resource, live}, {}));
  transport.answers(409, "{}");
  EXPECT_EQ(applier.remove({child.resource, live}, {}).error().kind, kube::Kind::conflict);
}

TEST_F(ApplierTest, LeavesAReplacementToTheNextRoundWhenTheObjectChangedMeanwhile) {
  const auto live = with_sidecar(child.desired);
  transport.answers(200, live.dump());
  transport.answers(200, child.desired.dump());
  transport.answers(409, "{}");
  EXPECT_EQ(converge(live).error().kind, kube::Kind::conflict);
}

}  // namespace
}  // namespace op::smtp_relay
