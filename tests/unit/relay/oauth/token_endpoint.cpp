#include "relay/oauth/token_endpoint.hpp"

#include <gmock/gmock.h>

namespace relay::oauth {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const Account kAccount{"mail", "https://login.example.com/t/token", "id", "s&cr=t +%", "https://x/.default",
                       ""};

Result<Grant> parsed(unsigned status, const std::string& body) {
  return parse_grant({status, "application/json", body}, {kAccount.client_secret, ""});
}

TEST(TokenRequest, AsksWithClientCredentials) {
  const auto request = token_request(kAccount, "");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->method, "POST");
  EXPECT_EQ(request->host, "login.example.com");
  EXPECT_EQ(request->target, "/t/token");
  EXPECT_EQ(request->headers.front().second, "application/x-www-form-urlencoded");
  EXPECT_EQ(
    request->body,
    "grant_type=client_credentials&client_id=id&client_secret=s%26cr%3Dt%20%2B%25&scope=https%3A%2F%2Fx%2F."
    "default"
  );
}

TEST(TokenRequest, AsksWithARefreshTokenWhenThereIsOne) {
  auto account = kAccount;
  account.client_secret.clear();
  account.scope.clear();
  EXPECT_EQ(
    token_request(account, "1//r")->body, "grant_type=refresh_token&refresh_token=1%2F%2Fr&client_id=id"
  );
}

TEST(TokenRequest, GoesOverHttpsOnly) {
  auto account = kAccount;
  account.token_url = "http://login.example.com/t/token";
  EXPECT_EQ(token_request(account, "").error().code, Errc::invalid_argument);
}

TEST(Grants, AreReadWithWhatTheyHold) {
  const auto grant =
    parsed(200, R"({"access_token":"at","token_type":"Bearer","expires_in":3599,"refresh_token":"next"})");
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->access_token, "at");
  EXPECT_EQ(grant->expires_in, std::chrono::seconds{3599});
  EXPECT_EQ(grant->refresh_token, "next");
  EXPECT_EQ(parsed(200, R"({"access_token":"at","expires_in":"60"})")->expires_in, std::chrono::seconds{60});
  EXPECT_EQ(parsed(200, R"({"access_token":"at"})")->expires_in, std::nullopt);
}

TEST(Grants, AreNotReadOutOfSomethingElse) {
  for (const auto* body :
       {"", "[]", "{", "<html>", R"({"access_token":""})", R"({"access_token":7})",
        R"({"access_token":"a b"})", R"({"access_token":"a\u0001b"})",
        R"({"access_token":"at","token_type":"mac"})", R"({"access_token":"at","expires_in":0})",
        R"({"access_token":"at","expires_in":-5})", R"({"access_token":"at","expires_in":"soon"})",
        R"({"access_token":"at","expires_in":[]})"}) {
    const auto grant = parsed(200, body);
    ASSERT_FALSE(grant) << body;
    EXPECT_EQ(grant.error().code, Errc::protocol_error) << body;
    EXPECT_EQ(grant.error().fate, Fate::transient) << body;
  }
}

TEST(Grants, RefusedSayWhyInTheEndpointsWords) {
  const auto refused =
    parsed(401, R"({"error":"invalid_client","error_description":"AADSTS7000215: no such"})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::not_permitted);
  EXPECT_EQ(refused.error().context, "token endpoint answered 401 invalid_client: AADSTS7000215: no such");
  EXPECT_EQ(parsed(503, "<html>").error().context, "token endpoint answered 503");
  EXPECT_EQ(parsed(503, "<html>").error().code, Errc::unavailable);
  EXPECT_EQ(parsed(429, "{}").error().code, Errc::unavailable);
  EXPECT_EQ(parsed(302, "").error().code, Errc::unavailable);
}

TEST(Grants, RefusedShowNoWordsThatQuoteASecret) {
  for (const auto* quote : {"s&cr=t +%", "x s&cr=t y", "s%26cr%3Dt"}) {
    const auto refused =
      parsed(400, R"({"error":"invalid_client","error_description":"bad )" + std::string(quote) + "\"}");
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), Not(HasSubstr("cr=t"))) << quote;
    EXPECT_THAT(refused.error().message(), Not(HasSubstr("cr%3Dt"))) << quote;
    EXPECT_THAT(refused.error().message(), HasSubstr("400")) << quote;
  }
}

}  // namespace
}  // namespace relay::oauth
