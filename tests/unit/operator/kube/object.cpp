#include "operator/kube/object.hpp"

#include <gtest/gtest.h>

namespace op::kube {
namespace {

const Json kPod = R"({"metadata": {"namespace": "mail", "name": "p", "uid": "u", "resourceVersion": "9",
  "ownerReferences": [{"kind": "Other", "name": "o", "uid": "1"},
                      {"kind": "DaemonSet", "name": "d", "uid": "2", "controller": true}]},
  "status": {"count": 3}})"_json;

TEST(Object, IsKnownByNamespaceAndName) {
  EXPECT_EQ(key_of(kPod).to_text(), "mail/p");
  EXPECT_EQ(resource_version_of(kPod), "9");
}

TEST(Object, IsNamedByItsMetadataAlone) {
  EXPECT_TRUE(is_named(kPod));
  for (const auto& other :
       {Json(), Json("p"), Json::array({"p"}), Json{{"name", "p"}}, Json{{"metadata", "p"}},
        Json{{"metadata", {{"name", ""}}}}, Json{{"metadata", {{"name", 1}}}}})
    EXPECT_FALSE(is_named(other)) << other;
}

TEST(Object, HasOneControllerAmongItsOwners) {
  EXPECT_EQ(controller_of(kPod).uid, "2");
  EXPECT_EQ(controller_of(kPod).kind, "DaemonSet");
  EXPECT_EQ(controller_of(Json::object()).uid, "");
}

TEST(Object, GivesNothingForWhatIsAbsentOrOfAnotherType) {
  EXPECT_EQ(text_at(kPod, "/metadata/absent/deeper"), "");
  EXPECT_EQ(text_at(kPod, "/status/count"), "");
  EXPECT_EQ(number_at(kPod, "/status/count"), 3);
  EXPECT_EQ(number_at(kPod, "/metadata/uid"), 0);
}

TEST(Object, IsBeingDeletedFromItsDeletionTimestampOn) {
  EXPECT_FALSE(is_being_deleted(kPod));
  EXPECT_TRUE(is_being_deleted({{"metadata", {{"deletionTimestamp", "2026-01-31T12:00:00Z"}}}}));
}

}  // namespace
}  // namespace op::kube
