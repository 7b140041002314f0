#include "operator/relay/placement.hpp"

#include <gtest/gtest.h>

namespace op::smtp_relay {
namespace {

using kube::Json;

Node node(std::map<std::string, std::string> labels, std::vector<Taint> taints = {}) {
  return {"node1", std::move(labels), std::move(taints), false, {}};
}

Json requirement(const char* key, const char* comparison, std::initializer_list<const char*> values = {}) {
  Json made{{"key", key}, {"operator", comparison}};
  for (const auto* value : values) made["values"].push_back(value);
  return made;
}

Json with_terms(Json terms) {
  return {
    {"affinity",
     {{"nodeAffinity",
       {{"requiredDuringSchedulingIgnoredDuringExecution", {{"nodeSelectorTerms", std::move(terms)}}}}}}}
  };
}
Json with_expression(Json expression) {
  return with_terms(Json::array({{{"matchExpressions", Json::array({std::move(expression)})}}}));
}
Json with_field(Json field) {
  return with_terms(Json::array({{{"matchFields", Json::array({std::move(field)})}}}));
}

struct Case {
  const char* name;
  Json pod;
  Node on;
  Fit fit;
};

const Taint kGpu{"gpu", "yes", "NoSchedule"};
const Taint kEvicting{"gpu", "yes", "NoExecute"};

std::vector<Case> cases() {
  const auto linux_node = node({{"kubernetes.io/os", "linux"}, {"zone", "a"}, {"cores", "8"}});
  const Json tolerant{{"tolerations", Json::array({{{"key", "gpu"}, {"value", "yes"}}})}};
  return {
    {"nothing is demanded", Json::object(), node({}), Fit::runs},
    {"nodeSelector: the label is there", {{"nodeSelector", {{"zone", "a"}}}}, linux_node, Fit::runs},
    {"nodeSelector: another value", {{"nodeSelector", {{"zone", "b"}}}}, linux_node, Fit::none},
    {"nodeSelector: no such label", {{"nodeSelector", {{"pool", "b"}}}}, linux_node, Fit::none},
    {"nodeSelector: all must be there",
     {{"nodeSelector", {{"zone", "a"}, {"kubernetes.io/os", "windows"}}}},
     linux_node,
     Fit::none},
    {"In", with_expression(requirement("zone", "In", {"b", "a"})), linux_node, Fit::runs},
    {"In: no such label", with_expression(requirement("pool", "In", {"a"})), linux_node, Fit::none},
    {"NotIn", with_expression(requirement("zone", "NotIn", {"b"})), linux_node, Fit::runs},
    {"NotIn: it is one of them", with_expression(requirement("zone", "NotIn", {"a"})), linux_node, Fit::none},
    {"NotIn: no such label", with_expression(requirement("pool", "NotIn", {"a"})), linux_node, Fit::runs},
    {"Exists", with_expression(requirement("zone", "Exists")), linux_node, Fit::runs},
    {"Exists: no such label", with_expression(requirement("pool", "Exists")), linux_node, Fit::none},
    {"DoesNotExist", with_expression(requirement("pool", "DoesNotExist")), linux_node, Fit::runs},
    {"DoesNotExist: it does", with_expression(requirement("zone", "DoesNotExist")), linux_node, Fit::none},
    {"Gt", with_expression(requirement("cores", "Gt", {"4"})), linux_node, Fit::runs},
    {"Gt: as many", with_expression(requirement("cores", "Gt", {"8"})), linux_node, Fit::none},
    {"Lt", with_expression(requirement("cores", "Lt", {"16"})), linux_node, Fit::runs},
    {"Lt: as many", with_expression(requirement("cores", "Lt", {"8"})), linux_node, Fit::none},
    {"Gt: a label that is no number", with_expression(requirement("zone", "Gt", {"4"})), linux_node, Fit::none
    },
    {"Lt: no such label", with_expression(requirement("disks", "Lt", {"4"})), linux_node, Fit::none},
    {"an unknown operator", with_expression(requirement("zone", "Like", {"a"})), linux_node, Fit::none},
    {"field In", with_field(requirement("metadata.name", "In", {"node1"})), linux_node, Fit::runs},
    {"field In: another", with_field(requirement("metadata.name", "In", {"node2"})), linux_node, Fit::none},
    {"field NotIn", with_field(requirement("metadata.name", "NotIn", {"node2"})), linux_node, Fit::runs},
    {"field NotIn: this one", with_field(requirement("metadata.name", "NotIn", {"node1"})), linux_node,
     Fit::none},
    {"field: another than the name", with_field(requirement("spec.unschedulable", "In", {"node1"})),
     linux_node, Fit::none},
    {"one of several terms",
     with_terms(Json::array({
       {{"matchExpressions", Json::array({requirement("zone", "In", {"b"})})}},
       {{"matchExpressions", Json::array({requirement("zone", "In", {"a"})})}},
     })),
     linux_node, Fit::runs},
    {"all of a term",
     with_terms(Json::array({
       {{"matchExpressions", Json::array({requirement("zone", "In", {"a"}), requirement("pool", "Exists")})}},
     })),
     linux_node, Fit::none},
    {"labels and fields of a term",
     with_terms(Json::array({
       {{"matchExpressions", Json::array({requirement("zone", "In", {"a"})})},
        {"matchFields", Json::array({requirement("metadata.name", "NotIn", {"node1"})})}},
     })),
     linux_node, Fit::none},
    {"an empty term", with_terms(Json::array({Json::object()})), linux_node, Fit::none},
    {"a taint", Json::object(), node({}, {kGpu}), Fit::stays},
    {"a taint that evicts", Json::object(), node({}, {kEvicting}), Fit::none},
    {"a taint that only prefers", Json::object(), node({}, {{"gpu", "yes", "PreferNoSchedule"}}), Fit::runs},
    {"tolerated: Equal", tolerant, node({}, {kGpu, kEvicting}), Fit::runs},
    {"tolerated: Equal, another value", tolerant, node({}, {{"gpu", "no", "NoSchedule"}}), Fit::stays},
    {"tolerated: Exists",
     {{"tolerations", Json::array({{{"key", "gpu"}, {"operator", "Exists"}}})}},
     node({}, {kGpu}),
     Fit::runs},
    {"tolerated: everything",
     {{"tolerations", Json::array({{{"operator", "Exists"}}})}},
     node({}, {kGpu, kEvicting}),
     Fit::runs},
    {"tolerated: another effect",
     {{"tolerations", Json::array({{{"operator", "Exists"}, {"effect", "NoSchedule"}}})}},
     node({}, {kEvicting}),
     Fit::none},
    {"one of two taints is tolerated", tolerant, node({}, {kGpu, {"own", "", "NoSchedule"}}), Fit::stays},
    {"cordoned",
     Json::object(),
     {"node1", {}, {{"node.kubernetes.io/unschedulable", "", "NoSchedule"}}, true, {}},
     Fit::runs},
    {"without a network", Json::object(),
     node({}, {{"node.kubernetes.io/network-unavailable", "", "NoSchedule"}}), Fit::stays},
    {"without a network that it would need",
     {{"hostNetwork", true}},
     node({}, {{"node.kubernetes.io/network-unavailable", "", "NoSchedule"}}),
     Fit::runs},
  };
}

TEST(Placement, IsJudgedAsTheDaemonSetControllerDoes) {
  for (const auto& each : cases()) EXPECT_EQ(fit(parse_placement(each.pod), each.on), each.fit) << each.name;
}

TEST(Placement, LeavesOutWhatHasAnotherFormThanTheApiGivesIt) {
  const Json odd{
    {"nodeSelector", Json::array()},
    {"tolerations", {{"key", "gpu"}}},
    {"affinity", {{"nodeAffinity", {{"requiredDuringSchedulingIgnoredDuringExecution", nullptr}}}}}
  };
  EXPECT_EQ(parse_placement(odd), parse_placement(Json::object()));
  EXPECT_EQ(parse_placement(with_terms(Json::array({"odd"}))).terms->size(), 1U);
}

}  // namespace
}  // namespace op::smtp_relay
