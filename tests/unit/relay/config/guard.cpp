#include "relay/config/guard.hpp"

#include <gmock/gmock.h>

#include "relay/config/load.hpp"

namespace relay::config {
namespace {

using ::testing::HasSubstr;

Loaded loaded(const std::string& json) { return load({json, "relay.json", {}}); }

TEST(GuardOfSettings, IsOfProductionUnlessTheyNameAMode) {
  EXPECT_EQ(guard_of(loaded("{}").settings), policy::Guard{});
}

TEST(GuardOfSettings, HasWhatItsModeNeeds) {
  const auto all =
    loaded(R"({"mode": "allowlist", "mode_allowed": ["qa.test", "*@b.test"], "mode_others": "reject",
                              "mode_redirect_to": "test@qa.test"})");
  ASSERT_TRUE(all.faults.empty()) << all.faults.front().to_text();
  const auto guard = guard_of(all.settings);
  EXPECT_EQ(guard.mode, policy::Mode::allowlist);
  EXPECT_EQ(guard.allowed, (std::vector<std::string>{"qa.test", "*@b.test"}));
  EXPECT_EQ(guard.others, policy::Others::reject);
  EXPECT_EQ(guard.redirect_to.to_text(), "test@qa.test");
}

TEST(GuardOfSettings, IsRefusedWithWhatToSet) {
  const auto lacks_address = loaded(R"({"mode": "redirect"})");
  ASSERT_EQ(lacks_address.faults.size(), 1U);
  EXPECT_THAT(lacks_address.faults[0].to_text(), HasSubstr("set mode_redirect_to"));
  const auto lacks_list = loaded(R"({"mode": "allowlist"})");
  ASSERT_EQ(lacks_list.faults.size(), 1U);
  EXPECT_THAT(lacks_list.faults[0].to_text(), HasSubstr("set mode_allowed"));
  EXPECT_EQ(loaded(R"({"mode": "Capture"})").faults.size(), 1U);
  EXPECT_EQ(loaded(R"({"mode_allowed": ["a b"]})").faults.size(), 1U);
  std::string many;
  for (std::size_t i = 0; i <= kMaxAllowed; ++i) many += (i == 0 ? "" : ",") + std::string("\"a.test\"");
  EXPECT_THAT(
    loaded("{\"mode_allowed\": [" + many + "]}").faults.at(0).to_text(), HasSubstr("more than 256")
  );
}

}  // namespace
}  // namespace relay::config
