#include "relay/ctl/admin_client.hpp"

#include <gtest/gtest.h>

#include "tests/unit/relay/ctl/admin_peer.hpp"

namespace relay::ctl {
namespace {

TEST(AdminClient, SendsItsTokenOverLoopbackAlone) {
  const AdminPeer peer([](const auto&) { return AdminPeer::Said{200, {{"is", "here"}}}; });
  auto admin = peer.interface();
  const auto answer = request(admin, "GET", "/v1/status");
  ASSERT_TRUE(answer) << answer.error().context;
  EXPECT_EQ(answer->dump(), R"({"is":"here"})");
  // Every address of this machine: the peer would hear it, and so might others.
  admin.endpoint.host = "0.0.0.0";
  const auto refused = request(admin, "GET", "/v1/status");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::invalid_argument);
  EXPECT_EQ(peer.asked("GET").size(), 1U);
}

TEST(AdminClient, TakesTheFirstOfSeveralListeners) {
  EXPECT_EQ(*first_endpoint("127.0.0.1:8026"), (Endpoint{"127.0.0.1", 8026}));
  EXPECT_EQ(*first_endpoint("[::1]:8027, 127.0.0.1:8026"), (Endpoint{"::1", 8027}));
  EXPECT_FALSE(first_endpoint(""));
  EXPECT_FALSE(first_endpoint("127.0.0.1"));
}

}  // namespace
}  // namespace relay::ctl
