#include "operator/relay/nodes.hpp"

#include <gmock/gmock.h>

#include "tests/unit/operator/runtime/whole_list.hpp"

namespace op::smtp_relay {
namespace {

using kube::Json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Json object(const std::string& name, const std::string& version = "1") {
  return {
    {"metadata",
     {{"name", name},
      {"uid", "uid-of-" + name},
      {"resourceVersion", version},
      {"labels", {{"kubernetes.io/os", "linux"}}},
      {"annotations", {{"example.net/much", "text"}}},
      {"managedFields", Json::array({1, 2})}}},
    {"spec", {{"podCIDR", "10.1.0.0/24"}}},
    {"status",
     {{"images", Json::array({"a", "b"})},
      {"conditions", Json::array({{{"type", "Ready"}, {"lastHeartbeatTime", version}}})}}},
  };
}

Json tainted(Json node, const std::string& key, const std::string& effect = "NoSchedule") {
  node["spec"]["taints"].push_back({{"key", key}, {"effect", effect}});
  return node;
}

TEST(Node, HasItsLabelsItsTaintsAndWhetherItIsCordoned) {
  auto json = tainted(object("node-1"), "dedicated", "NoExecute");
  json["spec"]["taints"][0]["value"] = "mail";
  json["spec"]["unschedulable"] = true;
  const auto node = parse_node(json);
  EXPECT_EQ(node.name, "node-1");
  EXPECT_EQ(node.labels, (std::map<std::string, std::string>{{"kubernetes.io/os", "linux"}}));
  EXPECT_THAT(node.taints, ElementsAre(Taint{"dedicated", "mail", "NoExecute"}));
  EXPECT_TRUE(node.is_unschedulable);
}

TEST(Node, HasNoTaintsThatSayHowItIs) {
  auto json = object("node-1");
  for (const auto* key : {"not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure"})
    json = tainted(std::move(json), std::string("node.kubernetes.io/") + key);
  json = tainted(std::move(json), "node.kubernetes.io/unschedulable");
  EXPECT_THAT(
    parse_node(json).taints, ElementsAre(Taint{"node.kubernetes.io/unschedulable", "", "NoSchedule"})
  );
}

TEST(Node, OfAnyOtherFormIsReadAsFarAsItGoes) {
  EXPECT_EQ(parse_node(Json::object()), Node{});
  EXPECT_EQ(parse_node(Json::array()), Node{});
  const auto node = parse_node(
    {{"metadata", {{"name", "node-1"}, {"labels", {{"a", 1}, {"b", "c"}}}}},
     {"spec", {{"taints", Json::array({1, {{"value", "no key"}}})}, {"unschedulable", "true"}}}}
  );
  EXPECT_EQ(node.labels, (std::map<std::string, std::string>{{"b", "c"}}));
  EXPECT_THAT(node.taints, IsEmpty());
  EXPECT_FALSE(node.is_unschedulable);
}

class NodeCacheTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& [name, node] : cache.now()->by_name) found.push_back(name);
    return found;
  }

  int wakes = 0;
  NodeCache cache{[this] { ++wakes; }};
  std::unique_ptr<runtime::Sink> feed = cache.feed();
};

TEST_F(NodeCacheTest, KnowsNothingUntilItHasAList) {
  EXPECT_FALSE(cache.now()->are_known());
  runtime::give_all(*feed, {});
  EXPECT_TRUE(cache.now()->are_known());
  EXPECT_EQ(wakes, 1);
}

TEST_F(NodeCacheTest, WakesOnceForAList) {
  runtime::give_all(*feed, {object("node-1"), object("node-2")});
  EXPECT_THAT(names(), ElementsAre("node-1", "node-2"));
  EXPECT_EQ(wakes, 1);
}

TEST_F(NodeCacheTest, WakesNobodyForAHeartbeat) {
  runtime::give_all(*feed, {object("node-1")});
  wakes = 0;
  feed->upsert(object("node-1", "2"));
  feed->upsert(tainted(object("node-1", "3"), "node.kubernetes.io/not-ready"));
  runtime::give_all(*feed, {object("node-1", "4")});
  EXPECT_EQ(wakes, 0);
}

TEST_F(NodeCacheTest, WakesForACordonAndItsEndForLabelsAndForNodesThatComeAndGo) {
  runtime::give_all(*feed, {object("node-1")});
  wakes = 0;
  auto cordoned = object("node-1", "2");
  cordoned["spec"]["unschedulable"] = true;
  feed->upsert(cordoned);
  EXPECT_EQ(wakes, 1);
  EXPECT_TRUE(cache.now()->find("node-1")->is_unschedulable);
  feed->upsert(object("node-1", "3"));
  EXPECT_EQ(wakes, 2);
  EXPECT_FALSE(cache.now()->find("node-1")->is_unschedulable);
  auto labelled = object("node-1", "4");
  labelled["metadata"]["labels"]["zone"] = "a";
  feed->upsert(labelled);
  EXPECT_EQ(wakes, 3);
  feed->upsert(object("node-2"));
  EXPECT_EQ(wakes, 4);
  feed->erase(object("node-1"));
  EXPECT_EQ(wakes, 5);
  EXPECT_EQ(cache.now()->find("node-1"), nullptr);
  feed->erase(object("node-1"));
  EXPECT_EQ(wakes, 5) << "it was gone already";
}

TEST_F(NodeCacheTest, FindsWhatWentWhileNobodyWatched) {
  runtime::give_all(*feed, {object("node-1"), object("node-2")});
  wakes = 0;
  runtime::give_all(*feed, {object("node-2"), object("node-3")});
  EXPECT_THAT(names(), ElementsAre("node-2", "node-3"));
  EXPECT_EQ(wakes, 1) << "one that came, and one that went";
}

TEST_F(NodeCacheTest, WakesOnceForAListOfManyThatChangedThoughItBreaksOffAtFirst) {
  runtime::give_all(*feed, {object("node-1"), object("node-2"), object("node-3")});
  wakes = 0;
  feed->list_begins();
  feed->upsert(tainted(object("node-1", "2"), "dedicated"));
  runtime::give_all(
    *feed, {tainted(object("node-1", "2"), "dedicated"), tainted(object("node-2", "2"), "dedicated"),
            object("node-3")}
  );
  EXPECT_EQ(wakes, 1);
  feed->list_begins();
  feed->upsert(object("node-1", "3"));
  EXPECT_EQ(wakes, 1);
  runtime::give_all(
    *feed, {object("node-1", "3"), tainted(object("node-2", "2"), "dedicated"), object("node-3")}
  );
  EXPECT_EQ(wakes, 2) << "what came before the list broke off is told when it is whole";
}

TEST_F(NodeCacheTest, SaysThatItMayNotLookAndWhenItMayAgain) {
  runtime::give_all(*feed, {object("node-1")});
  feed->refused("no right to watch nodes");
  EXPECT_EQ(cache.now()->unreadable, "no right to watch nodes");
  EXPECT_FALSE(cache.now()->are_known()) << "what was seen may be outdated";
  EXPECT_EQ(wakes, 2);
  feed->refused("");
  EXPECT_TRUE(cache.now()->are_known());
  EXPECT_EQ(wakes, 3);
}

TEST_F(NodeCacheTest, SharesOneStateUntilSomethingChanges) {
  runtime::give_all(*feed, {object("node-1")});
  const auto before = cache.now();
  EXPECT_EQ(before, cache.now());
  feed->upsert(object("node-2"));
  EXPECT_NE(before, cache.now());
  EXPECT_EQ(before->by_name.size(), 1U) << "who holds it sees no change";
}

}  // namespace
}  // namespace op::smtp_relay
