#include "operator/resources/pod_template.hpp"

#include <gtest/gtest.h>

namespace op::resources {
namespace {

class PodTemplateTest : public ::testing::Test {
 protected:
  PodTemplateTest() {
    relay.name = "edge";
    relay.name_space = "mail";
    relay.spec.smarthosts = {{"primary", "smtp.test"}};
  }
  [[nodiscard]] Json pod() const {
    return pod_template({relay, "image:1", "/srv/spool", environment_hash})["spec"];
  }
  [[nodiscard]] Json volume(const std::string& name) const {
    const auto whole = pod();
    for (const auto& each : whole["volumes"]) {
      if (each["name"] == name) return each;
    }
    return nullptr;
  }
  api::SmtpRelay relay;
  std::string environment_hash;
};

TEST_F(PodTemplateTest, KeepsAllOfPodSecurityRestrictedButWhatItMustNot) {
  const auto template_pod = pod();
  EXPECT_EQ(template_pod["securityContext"]["runAsNonRoot"], true);
  EXPECT_EQ(template_pod["securityContext"]["runAsUser"], 2525);
  EXPECT_EQ(template_pod["securityContext"]["fsGroup"], 2525);
  EXPECT_EQ(template_pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
  EXPECT_EQ(template_pod["automountServiceAccountToken"], false);
  EXPECT_EQ(template_pod["enableServiceLinks"], false);
  EXPECT_FALSE(template_pod.contains("hostNetwork"));
  const auto security = template_pod["containers"][0]["securityContext"];
  EXPECT_EQ(security["allowPrivilegeEscalation"], false);
  EXPECT_EQ(security["readOnlyRootFilesystem"], true);
  EXPECT_EQ(security["capabilities"], (Json{{"drop", {"ALL"}}}));
}

TEST_F(PodTemplateTest, HasARootContainerThatMayChangeTheOwnerOfTheSpoolAndNothingElse) {
  const auto container = pod()["initContainers"][0];
  EXPECT_EQ(container["command"], (Json{"chown", "2525:2525", "/var/spool/smtp-relay"}));
  EXPECT_EQ(container["securityContext"]["runAsUser"], 0);
  EXPECT_EQ(container["securityContext"]["capabilities"], (Json{{"drop", {"ALL"}}, {"add", {"CHOWN"}}}));
  EXPECT_EQ(container["volumeMounts"].size(), 1U);
}

TEST_F(PodTemplateTest, HasNoRootContainerWhereTheSpoolIsThePodsOwn) {
  relay.spec.spool_type = "EmptyDir";
  EXPECT_FALSE(pod().contains("initContainers"));
  EXPECT_EQ(volume("spool"), (Json{{"name", "spool"}, {"emptyDir", Json::object()}}));
}

TEST_F(PodTemplateTest, GivesEachNodeAFolderOfItsOwnInASharedSpool) {
  relay.spec.spool_type = "PersistentVolumeClaim";
  relay.spec.spool_claim = "spools";
  EXPECT_EQ(volume("spool")["persistentVolumeClaim"], (Json{{"claimName", "spools"}}));
  const auto whole = pod();
  const auto owner = whole["initContainers"][0];
  const auto mount = owner["volumeMounts"][0];
  EXPECT_EQ(mount["subPathExpr"], "edge/$(SMTP_RELAY_NODE_NAME)");
  EXPECT_EQ(owner["env"][0]["name"], "SMTP_RELAY_NODE_NAME") << "or the folder would have no name";
  const auto mounts = whole["containers"][0]["volumeMounts"];
  EXPECT_NE(std::find(mounts.begin(), mounts.end(), mount), mounts.end()) << "the relay has the same folder";
}

TEST_F(PodTemplateTest, HasTheLabelsAndAnnotationsOfItsUserBesidesItsOwn) {
  relay.spec.pod_labels = {{"team", "mail"}, {"app.kubernetes.io/name", "mine"}};
  relay.spec.pod_annotations = {{"note", "x"}, {"prometheus.io/port", "1"}};
  const auto metadata = pod_template({relay, "image:1", "/srv", ""})["metadata"];
  EXPECT_EQ(metadata["labels"]["team"], "mail");
  EXPECT_EQ(metadata["labels"]["app.kubernetes.io/name"], "smtp-relay") << "or the DaemonSet lost its pods";
  EXPECT_EQ(metadata["annotations"]["note"], "x");
  EXPECT_EQ(metadata["annotations"]["prometheus.io/port"], "9090");
}

TEST_F(PodTemplateTest, GivesEachRelayASpoolOfItsOwnBelowTheOperatorsRoot) {
  EXPECT_EQ(
    volume("spool")["hostPath"], (Json{{"path", "/srv/spool/mail/edge"}, {"type", "DirectoryOrCreate"}})
  );
}

TEST_F(PodTemplateTest, MountsCredentialsAsAFolderForTheRelaysGroup) {
  EXPECT_TRUE(volume("passwd-client").is_null());
  relay.spec.passwd_client = api::KeyReference{api::KeyReference::Kind::secret, "credentials", "exim"};
  const auto secret = volume("passwd-client")["secret"];
  EXPECT_EQ(secret["items"], Json::array({{{"key", "exim"}, {"path", "passwd.client"}, {"mode", 0440}}}));
  EXPECT_EQ(secret["optional"], false);
}

TEST_F(PodTemplateTest, DoesNotChangeWithTheSettingsThatReloadLive) {
  const auto before = pod();
  relay.spec.allowed_networks = {"10.0.0.0/8"};
  relay.spec.smarthosts[0].host = "other.test";
  relay.spec.max_message_size = "1Mi";
  relay.spec.retry_max_age = "2h";
  relay.spec.delivery.bulk_senders = {"news@a.test"};
  relay.spec.bounces.from = "postmaster@a.test";
  EXPECT_EQ(pod(), before);
}

TEST_F(PodTemplateTest, DoesNotChangeWithTheRulesOfListenersButWithTheirPorts) {
  relay.spec.listeners = {{"submissions", 465, "Implicit"}};
  const auto made = [&] { return pod_template({relay, "image:1", "/srv", ""}); };
  const auto before = made();
  relay.spec.listeners[0].auth = "Required";
  relay.spec.listeners[0].allowed_networks = {"192.0.2.0/24"};
  relay.spec.listeners[0].tls = "Required";
  EXPECT_EQ(made(), before);
  relay.spec.listeners.push_back({"other", 587});
  const auto after = made();
  EXPECT_NE(after["spec"], before["spec"]);
  EXPECT_NE(
    after["metadata"]["annotations"][std::string(kSettingsAnnotation)],
    before["metadata"]["annotations"][std::string(kSettingsAnnotation)]
  ) << "pods of before keep settings for the ports that they have";
}

TEST_F(PodTemplateTest, RestartsPodsWhenTheirEnvironmentChanges) {
  relay.spec.env_from = {"extra"};
  environment_hash = "1";
  const auto before = pod_template({relay, "image:1", "/srv", environment_hash});
  const auto after = pod_template({relay, "image:1", "/srv", "2"});
  EXPECT_NE(before, after);
  EXPECT_EQ(
    before["spec"]["containers"][0]["envFrom"], Json::array({{{"configMapRef", {{"name", "extra"}}}}})
  );
}

TEST_F(PodTemplateTest, LeavesTheNameOfTheRelayToItUnlessItIsSaid) {
  EXPECT_EQ(host_name(relay.spec), "");
  relay.spec.helo_domain_suffix = "example.org";
  EXPECT_EQ(host_name(relay.spec), "$(SMTP_RELAY_NODE_NAME).example.org");
  relay.spec.helo_from = "Static";
  relay.spec.helo_name = "mail.example.org";
  EXPECT_EQ(host_name(relay.spec), "mail.example.org");
}

TEST_F(PodTemplateTest, NamesTheNodeBeforeTheVariableThatHoldsItsName) {
  const auto variables = pod_template({relay, "image:1", "/srv", "", {}, {}, "$(SMTP_RELAY_NODE_NAME).a"}
  )["spec"]["containers"][0]["env"];
  EXPECT_EQ(variables[0]["name"], "SMTP_RELAY_NODE_NAME");
  EXPECT_EQ(
    variables.back(), (Json{{"name", "SMTP_RELAY_HOSTNAME"}, {"value", "$(SMTP_RELAY_NODE_NAME).a"}})
  );
  EXPECT_EQ(pod()["containers"][0]["env"].size(), variables.size() - 1) << "without a name, no variable";
}

TEST_F(PodTemplateTest, GivesTheRelayTimeToDrain) {
  EXPECT_EQ(grace_period(std::chrono::seconds{50}), 55);
  EXPECT_EQ(grace_period(std::chrono::milliseconds{61500}), 67) << "rounded up";
  const auto made = [&](std::optional<std::chrono::milliseconds> flush_time) {
    return pod_template({relay, "image:1", "/srv", "", std::chrono::seconds{50}, {}, "", {}, flush_time});
  };
  const auto with_a_flush = made(std::chrono::seconds{60});
  EXPECT_EQ(with_a_flush["spec"]["terminationGracePeriodSeconds"], 115);
  EXPECT_EQ(with_a_flush["metadata"]["annotations"][std::string(kFlushAnnotation)], "1m");
  const auto without = made(std::nullopt);
  EXPECT_EQ(without["spec"]["terminationGracePeriodSeconds"], 55);
  EXPECT_FALSE(without["metadata"]["annotations"].contains(std::string(kFlushAnnotation)));
}

}  // namespace
}  // namespace op::resources
