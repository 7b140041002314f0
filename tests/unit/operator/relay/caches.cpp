#include "operator/relay/caches.hpp"

#include <gmock/gmock.h>

#include "operator/resources/names.hpp"
#include "tests/unit/operator/kube/scripted_transport.hpp"
#include "tests/unit/operator/runtime/whole_list.hpp"

namespace op::smtp_relay {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class CachesTest : public ::testing::Test {
 protected:
  static Json relay(const std::string& name) {
    return {{"metadata", {{"namespace", "mail"}, {"name", name}, {"resourceVersion", "1"}}}};
  }
  static Json node(const std::string& version, bool is_cordoned = false) {
    return {
      {"metadata", {{"name", "node-1"}, {"resourceVersion", version}}},
      {"spec", {{"unschedulable", is_cordoned}}},
      {"status", {{"conditions", Json::array({{{"lastHeartbeatTime", version}}})}}},
    };
  }
  /// A pod of `edge`, as kubelet says that it runs.
  static Json pod(const std::string& version, const std::string& cordoned = "") {
    Json made{
      {"metadata",
       {{"namespace", "mail"},
        {"name", "edge-1"},
        {"resourceVersion", version},
        {"labels", {{std::string(resources::kInstanceLabel), "edge"}}}}},
      {"spec", {{"nodeName", "node-1"}}},
      {"status", {{"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}}})}}},
    };
    if (!cordoned.empty())
      made["metadata"]["annotations"][std::string(resources::kCordonedAnnotation)] = cordoned;
    return made;
  }
  std::vector<std::string> take() {
    std::vector<std::string> names;
    for (const auto& key : told) names.push_back(key.name);
    told.clear();
    return names;
  }

  kube::ScriptedTransport transport;
  kube::OpenGate gate{relay::seconds{1}};
  kube::Client client{transport, gate, "smtp-relay-operator"};
  std::vector<Key> told;
  int looks_at_all = 0;
  Caches caches{
    client, [this](const Key& key) { told.push_back(key); }, [](const Key&, const std::string&) {},
    [this] { ++looks_at_all; }
  };
};

TEST_F(CachesTest, HaveAllRelaysLookedAtForACordonAndNoneForAHeartbeat) {
  caches.relays.feed("mail")->upsert(relay("edge"));
  const auto nodes = caches.nodes.feed();
  runtime::give_all(*nodes, {node("1")});
  EXPECT_EQ(looks_at_all, 1);
  take();
  nodes->upsert(node("2"));
  EXPECT_EQ(looks_at_all, 1);
  nodes->upsert(node("3", true));
  EXPECT_EQ(looks_at_all, 2);
  nodes->upsert(node("4"));
  EXPECT_EQ(looks_at_all, 3);
  EXPECT_THAT(take(), IsEmpty()) << "none goes before what happens to it";
}

TEST_F(CachesTest, TellARelayOfAPodWhoseMarkSomebodyChanged) {
  const auto pods = caches.pods.feed("mail");
  pods->upsert(pod("1", "unschedulable"));
  take();
  pods->upsert(pod("2", "unschedulable"));
  EXPECT_THAT(take(), IsEmpty());
  pods->upsert(pod("3"));
  EXPECT_THAT(take(), UnorderedElementsAre("edge"));
}

}  // namespace
}  // namespace op::smtp_relay
