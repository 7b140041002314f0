#include "relay/ctl/queue_commands.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/relay/ctl/admin_peer.hpp"

namespace relay::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// What a list of this length says on standard error; the list itself is in `out`.
std::string complaint_about(const AdminPeer& peer, std::size_t limit, std::string& out) {
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(list_queue(peer.interface(), {}, limit, false), kDone);
  out = ::testing::internal::GetCapturedStdout();
  return ::testing::internal::GetCapturedStderr();
}

TEST(ListQueue, SaysThatItWasCut) {
  const AdminPeer peer([](const AdminPeer::Asked& asked) -> AdminPeer::Said {
    if (asked.operation.starts_with("GET /v1/status"))
      return {200, {{"destinations", nlohmann::json::array()}}};
    const bool is_second = asked.operation.ends_with("&after=second");
    return {
      200,
      {{"messages", nlohmann::ordered_json::array({listed(is_second ? "id-2" : "id-1", "waiting")})},
       {"next", is_second ? "" : "second"}}
    };
  });
  std::string out;
  EXPECT_THAT(complaint_about(peer, 1, out), HasSubstr("more than these 1"));
  EXPECT_THAT(out, HasSubstr("id-1"));
  EXPECT_THAT(out, Not(HasSubstr("id-2")));
  EXPECT_THAT(complaint_about(peer, 2, out), IsEmpty());
  EXPECT_THAT(out, HasSubstr("id-2"));
}

}  // namespace
}  // namespace relay::ctl
