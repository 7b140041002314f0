#include "operator/relay/rights.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <set>

#include "tests/unit/operator/kube/scripted_transport.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::HasSubstr;

std::set<std::string> asked_in(const std::vector<Right>& rights, const std::string& name_space) {
  std::set<std::string> found;
  for (const auto& right : rights) {
    if (right.question.name_space == name_space)
      found.insert(right.question.verb + " " + resource_of(right.question));
  }
  return found;
}

TEST(Rights, AreNeededInEachNamespaceThatIsServedAndForTheLeaseInOurOwn) {
  const auto rights = rights_used({{"mail", "other"}, "system", "smtp-relay-operator-blue"});
  EXPECT_EQ(asked_in(rights, "mail"), asked_in(rights, "other"));
  EXPECT_TRUE(asked_in(rights, "mail").contains("patch smtprelays.smtp.buildinglink.com/status"));
  EXPECT_TRUE(asked_in(rights, "mail").contains("create daemonsets.apps"));
  EXPECT_EQ(
    asked_in(rights, "system"),
    (std::set<std::string>{
      "create leases.coordination.k8s.io", "get leases.coordination.k8s.io smtp-relay-operator-blue",
      "update leases.coordination.k8s.io smtp-relay-operator-blue"
    })
  );
}

TEST(Rights, AreNoneForALeaseWithoutAnElection) {
  EXPECT_TRUE(asked_in(rights_used({{"mail"}, "system", ""}), "system").empty());
}

/// Neither more nor less: what the chart grants and nobody uses should go.
TEST(Rights, AreThoseThatTheChartGrants) {
  std::ifstream file("charts/smtp-relay-operator/templates/rbac.yaml");
  const std::string chart{std::istreambuf_iterator<char>(file), {}};
  for (const auto& right : rights_used({{"mail"}, "mail", "smtp-relay-operator"})) {
    const auto& asked = right.question;
    const auto resource = asked.resource + (asked.subresource.empty() ? "" : "/" + asked.subresource);
    EXPECT_THAT(chart, HasSubstr("resources: [" + resource + "]")) << resource;
  }
}

TEST(Rights, ThatAreMissingStandInATableWithWhatIsLost) {
  kube::ScriptedTransport transport;
  kube::OpenGate gate{relay::seconds{1}};
  kube::Client client(transport, gate, "smtp-relay-operator");
  const auto rights = rights_used({{""}, "system", ""});
  for (const auto& right : rights) {
    const bool is_allowed = right.question.resource != "events" && right.question.verb != "update";
    transport.answers(201, is_allowed ? R"({"status":{"allowed":true}})" : R"({"status":{"allowed":false}})");
  }
  const auto verdicts = ask_for(client, rights, {}).value();
  const auto table = to_table(verdicts);
  EXPECT_THAT(table, HasSubstr("NAMESPACE  RESOURCE"));
  EXPECT_THAT(table, HasSubstr("(all)      daemonsets.apps"));
  EXPECT_THAT(table, HasSubstr("update  NO: what others add to a DaemonSet stays\n"));
  EXPECT_THAT(table, HasSubstr("create  no: no Events\n"));
  EXPECT_TRUE(lacks_what_is_required(verdicts));
}

TEST(Rights, ThatOneCanDoWithoutAreNotRequired) {
  EXPECT_FALSE(lacks_what_is_required({{{{}, false, "no Events"}, false}, {{{}, true, ""}, true}}));
}

TEST(Rights, AreUnknownWhereTheServerDoesNotAnswer) {
  kube::ScriptedTransport transport;
  kube::OpenGate gate{relay::seconds{1}};
  kube::Client client(transport, gate, "smtp-relay-operator");
  EXPECT_EQ(ask_for(client, rights_used({{"mail"}, "mail", ""}), {}).error().kind, kube::Kind::unreachable);
}

}  // namespace
}  // namespace op::smtp_relay
