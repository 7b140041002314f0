#include "operator/resources/names.hpp"

#include <gtest/gtest.h>

namespace op::resources {
namespace {

api::SmtpRelay edge() {
  api::SmtpRelay relay;
  relay.name = "edge";
  relay.name_space = "mail";
  relay.uid = "u-1";
  return relay;
}

TEST(Names, OfChildrenFitWhereTheLongestResourceNameIsUsed) {
  auto longest = edge();
  longest.name = std::string(46, 'x');
  // Pods of a DaemonSet have a suffix, and 63 is the most for a label value that holds their name.
  EXPECT_LE(child_name(longest).size(), 63U - std::string("-smtp-").size());
}

TEST(Names, GiveTheLabelsThatOthersRelyOn) {
  EXPECT_EQ(
    labels(edge()), (Json{
                      {"app.kubernetes.io/name", "smtp-relay"},
                      {"app.kubernetes.io/instance", "edge"},
                      {"app.kubernetes.io/component", "relay"},
                      {"app.kubernetes.io/part-of", "smtp-relay"},
                      {"app.kubernetes.io/managed-by", "smtp-relay-operator"},
                    })
  );
}

TEST(Names, SelectByNameAndInstanceAlone) {
  EXPECT_EQ(
    selector_labels(edge()),
    (Json{{"app.kubernetes.io/name", "smtp-relay"}, {"app.kubernetes.io/instance", "edge"}})
  );
}

TEST(Names, MakeTheResourceTheOwnerWhoseEndIsTheChildrens) {
  const auto owner = metadata(edge())["ownerReferences"][0];
  EXPECT_EQ(owner["uid"], "u-1");
  EXPECT_EQ(owner["controller"], true);
  EXPECT_EQ(owner["blockOwnerDeletion"], true);
  EXPECT_EQ(owner["apiVersion"], "smtp.buildinglink.com/v1alpha1");
}

TEST(Names, HashShortlyButTheWholeText) {
  EXPECT_EQ(short_hash("abc"), "ba7816bf8f01cfea");
  EXPECT_EQ(short_hash(""), "e3b0c44298fc1c14");
  EXPECT_NE(short_hash(std::string(10'000, 'a') + "b"), short_hash(std::string(10'000, 'a') + "c"));
}

}  // namespace
}  // namespace op::resources
