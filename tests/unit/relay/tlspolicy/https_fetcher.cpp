#include "relay/tlspolicy/https_fetcher.hpp"

#include <gtest/gtest.h>

namespace relay::tlspolicy {
namespace {

std::string outcome(unsigned status, const std::string& type) {
  const auto text = policy_text(web::Response{status, type, "body"});
  return text ? *text : std::string(name(text.error().code));
}

TEST(HttpsPolicyFetcher, TakesPlainTextOnly) {
  EXPECT_EQ(outcome(200, "text/plain"), "body");
  EXPECT_EQ(outcome(200, "Text/Plain ; charset=utf-8"), "body");
  for (const auto* type : {"", "text/html", "text/plainer", "application/octet-stream"})
    EXPECT_EQ(outcome(200, type), "unavailable") << type;
}

TEST(HttpsPolicyFetcher, FollowsNoRedirectCase130) {
  for (const unsigned status : {201U, 204U, 301U, 302U, 307U, 404U, 500U})
    EXPECT_EQ(outcome(status, "text/plain"), "unavailable") << status;
}

}  // namespace
}  // namespace relay::tlspolicy
