#include "relay/oauth/token_source.hpp"

#include <gmock/gmock.h>

#include "tests/support/https_server.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/quiet_log.hpp"

namespace relay::oauth {
namespace {

using namespace std::chrono_literals;
using test::HttpsServer;
using ::testing::HasSubstr;
using ::testing::Not;

/// Moves only when the test says so.
class HeldClock : public Clock {
 public:
  [[nodiscard]] WallTime wall() const override { return {}; }
  [[nodiscard]] SteadyTime steady() const override { return SteadyTime{now_.load()}; }
  void advance(std::chrono::seconds by) { now_ = now_.load() + by; }

 private:
  std::atomic<SteadyTime::duration> now_{1000h};
};
class NoJitter : public Jitter {
 public:
  double fraction() override { return 0.5; }
};

class TokenSourceTest : public ::testing::Test {
 protected:
  void TearDown() override {
    loop.thread.stop();
    shard.thread.stop();
    other.thread.stop();
  }
  TokenSource source(const std::string& refresh_token = "") {
    const auto url = "https://127.0.0.1:" + std::to_string(server.port()) + "/token";
    return TokenSource(
      {loop.thread.context(), resolver, clock, jitter, log},
      *net::TlsClient::make({server.ca_file(), "", ""}),
      {"mail", url, "id", "the-client-secret", "scope", refresh_token}
    );
  }
  std::string ask(const TokenSource& from) {
    const auto token = shard.run(from.token());
    return token ? *token : token.error().message();
  }

  HeldClock clock;
  NoJitter jitter;
  test::QuietLog log;
  std::mutex mutex;
  std::string status = "200 OK";  // under the mutex, as the next two
  std::string extra;
  std::string heard;
  std::atomic<int> served{0};
  HttpsServer server{[this](const std::string& request) {
    const std::scoped_lock lock(mutex);
    heard = request;
    if (status != "200 OK") return HttpsServer::answer(status, R"({"error":"the-client-secret is wrong"})");
    const auto token = "token" + std::to_string(++served);
    return HttpsServer::answer(
      status, R"({"access_token":")" + token + R"(","expires_in":3600)" + extra + "}"
    );
  }};
  test::Loop loop;
  test::Loop shard;
  test::Loop other;  // all of them are stopped before any is destroyed
  net::Resolver resolver{loop.thread.context(), {}};

  void will_answer(const std::string& next_status, const std::string& more = "") {
    const std::scoped_lock lock(mutex);
    status = next_status;
    extra = more;
  }
  std::string last_request() {
    const std::scoped_lock lock(mutex);
    return heard;
  }
};

TEST_F(TokenSourceTest, AsksOnceForAllWhoWantAToken) {
  const auto tokens = source();
  std::vector<std::future<Result<std::string>>> waiting;
  for (int i = 0; i < 20; ++i) waiting.push_back((i % 2 == 0 ? shard : other).start(tokens.token()));
  for (auto& answer : waiting) EXPECT_EQ(answer.get(), "token1");
  EXPECT_EQ(server.requests(), 1);
  EXPECT_THAT(
    last_request(), HasSubstr("grant_type=client_credentials&client_id=id&client_secret=the-client-secret")
  );
}

TEST_F(TokenSourceTest, RenewsWhileTheOldTokenServes) {
  const auto tokens = source();
  EXPECT_EQ(ask(tokens), "token1");
  clock.advance(3000s);
  EXPECT_EQ(ask(tokens), "token1");
  test::eventually([&] { return ask(tokens) == "token2"; });
  EXPECT_EQ(server.requests(), 2);
}

TEST_F(TokenSourceTest, KeepsTheTokenWhenRenewalFailsAndLogsWhyWithoutSecrets) {
  const auto tokens = source();
  EXPECT_EQ(ask(tokens), "token1");
  will_answer("401 Unauthorized");
  clock.advance(3000s);
  EXPECT_EQ(ask(tokens), "token1");
  test::eventually([&] { return log.records("token_failure").size() == 1; });
  EXPECT_EQ(ask(tokens), "token1");
  clock.advance(3600s);
  EXPECT_THAT(ask(tokens), HasSubstr("401"));
  EXPECT_THAT(log.text(), HasSubstr("401"));
  EXPECT_THAT(log.text(), Not(HasSubstr("secret is")));
  EXPECT_THAT(log.text(), Not(HasSubstr("token1")));
}

TEST_F(TokenSourceTest, AsksAnewWhenATokenWasRefused) {
  const auto tokens = source();
  EXPECT_EQ(ask(tokens), "token1");
  clock.advance(61s);
  tokens.invalidate("token1");
  EXPECT_EQ(ask(tokens), "token2");
  tokens.invalidate("token2");
  EXPECT_THAT(ask(tokens), HasSubstr("refused a fresh access token"));
  EXPECT_EQ(server.requests(), 2);
}

TEST_F(TokenSourceTest, UsesTheRefreshTokenThatWasGivenLast) {
  const auto tokens = source("configured");
  will_answer("200 OK", R"(,"refresh_token":"rotated")");
  EXPECT_EQ(ask(tokens), "token1");
  EXPECT_THAT(last_request(), HasSubstr("grant_type=refresh_token&refresh_token=configured&"));
  clock.advance(3600s);
  EXPECT_EQ(ask(tokens), "token2");
  EXPECT_THAT(last_request(), HasSubstr("refresh_token=rotated&"));
  will_answer("400 Bad Request");
  clock.advance(3600s);
  EXPECT_THAT(ask(tokens), HasSubstr("400"));
  clock.advance(10s);
  EXPECT_THAT(ask(tokens), HasSubstr("400"));
  EXPECT_THAT(last_request(), HasSubstr("refresh_token=configured&")) << "the one that somebody can mend";
}

TEST_F(TokenSourceTest, TellsNothingToAnEndpointThatItDoesNotTrust) {
  const HttpsServer stranger([](const std::string&) { return HttpsServer::answer("200 OK", "{}"); });
  const TokenSource tokens(
    {loop.thread.context(), resolver, clock, jitter, log},
    *net::TlsClient::make({stranger.ca_file(), "", ""}),
    {"mail", "https://127.0.0.1:" + std::to_string(server.port()) + "/", "id", "secret", "", ""}
  );
  EXPECT_THAT(ask(tokens), HasSubstr("certificate"));
  EXPECT_EQ(server.requests(), 0);
}

TEST_F(TokenSourceTest, MayGoBeforeItsCallersHaveTheirAnswer) {
  auto answer = shard.start(source().token());
  EXPECT_EQ(answer.get(), "token1");
}

}  // namespace
}  // namespace relay::oauth
