#include "operator/kube/resource.hpp"

#include <gtest/gtest.h>

namespace op::kube {
namespace {

TEST(Resource, HasItsPathByGroup) {
  EXPECT_EQ(kPods.collection("mail"), "/api/v1/namespaces/mail/pods");
  EXPECT_EQ(
    kDaemonSets.path("mail", "edge-smtp-relay"), "/apis/apps/v1/namespaces/mail/daemonsets/edge-smtp-relay"
  );
  EXPECT_EQ(kLeases.api_version(), "coordination.k8s.io/v1");
  EXPECT_EQ(kSecrets.api_version(), "v1");
}

TEST(Resource, WithoutANamespaceIsThatOfAllOfThem) {
  EXPECT_EQ(kPods.collection(""), "/api/v1/pods");
  EXPECT_EQ(kDaemonSets.collection(""), "/apis/apps/v1/daemonsets");
}

TEST(Resource, CannotBeLeftByANameWithSlashes) {
  EXPECT_EQ(kPods.path("mail", "../secrets/x"), "/api/v1/namespaces/mail/pods/..%2Fsecrets%2Fx");
}

TEST(Query, LeavesOutWhatIsEmptyAndEncodesTheRest) {
  EXPECT_EQ(query({{"a", ""}, {"labelSelector", "x=1,y"}, {"b", "2"}}), "?labelSelector=x%3D1%2Cy&b=2");
  EXPECT_EQ(query({{"a", ""}}), "");
}

}  // namespace
}  // namespace op::kube
