#include "relay/web/client.hpp"

#include <gmock/gmock.h>

#include "tests/support/https_server.hpp"
#include "tests/support/loop.hpp"

namespace relay::web {
namespace {

using namespace std::chrono_literals;
using test::HttpsServer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class WebTest : public ::testing::Test {
 protected:
  void TearDown() override { loop.thread.stop(); }

  Result<Response> fetch_from(const HttpsServer& server, Request request = {}, Limits limits = {5s, 1000}) {
    request.host = "127.0.0.1";
    request.port = server.port();
    auto tls = *net::TlsClient::make({server.ca_file(), "", ""});
    return loop.run(fetch(resolver, tls, request, limits));
  }
  /// What a server that says this is taken to have said.
  Result<Response> answered(const std::string& octets, Request request = {}) {
    const HttpsServer server([octets](const std::string&) { return octets; });
    return fetch_from(server, std::move(request));
  }

  test::Loop loop;
  net::Resolver resolver{loop.thread.context(), {}};
};

TEST_F(WebTest, AsksAndGetsAnAnswer) {
  std::string heard;
  const HttpsServer server([&](const std::string& request) {
    heard = request;
    return HttpsServer::answer("200 OK", "{}");
  });
  Request request;
  request.method = "POST";
  request.target = "/token?x=1";
  request.headers = {{"Accept", "application/json"}};
  request.body = "a=b";
  const auto response = fetch_from(server, request);
  ASSERT_TRUE(response) << response.error().message();
  EXPECT_EQ(response->status, 200U);
  EXPECT_EQ(response->content_type, "application/json");
  EXPECT_EQ(response->body, "{}");
  EXPECT_THAT(
    heard, AllOf(
             StartsWith("POST /token?x=1 HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port())),
             HasSubstr("\r\nAccept: application/json\r\n"), HasSubstr("\r\nConnection: close\r\n"),
             ::testing::EndsWith("\r\n\r\na=b")
           )
  );
}

TEST_F(WebTest, KeepsNoMoreOfALineThanItsLimit) {
  const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string endless(1U << 20U, 'x');
  for (const auto& part : {"1;" + endless, "1\r\na\r\n0\r\nX: " + endless}) {
    const auto response = answered(head + part);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::too_large) << response.error().message();
  }
  const auto whole = answered(head + "2;name=" + endless.substr(0, 10'000) + "\r\nab\r\n0\r\nX: y\r\n\r\n");
  ASSERT_TRUE(whole) << whole.error().message();
  EXPECT_EQ(whole->body, "ab");
}

TEST_F(WebTest, HearsNoInterimAnswersWithoutEnd) {
  std::string octets;
  for (int i = 0; i < 100; ++i) octets += "HTTP/1.1 100 Continue\r\n\r\n";
  const auto response = answered(octets + HttpsServer::answer("200 OK", "{}"));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Errc::protocol_error);
}

TEST_F(WebTest, ReadsChunksInterimAnswersAndOtherStatuses) {
  const auto chunked = answered(
    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
  );
  ASSERT_TRUE(chunked) << chunked.error().message();
  EXPECT_EQ(chunked->status, 404U);
  EXPECT_EQ(chunked->body, "abcde");
  const auto moved = answered("HTTP/1.1 302 Found\r\nLocation: https://x/\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(moved) << moved.error().message();
  EXPECT_EQ(moved->status, 302U) << "no redirect is followed";
  Request head;
  head.method = "HEAD";
  const auto nothing = answered("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", head);
  ASSERT_TRUE(nothing) << nothing.error().message();
  EXPECT_EQ(nothing->body, "");
}

TEST_F(WebTest, RefusesAnswersThatAreNone) {
  struct Case {
    std::string octets;
    Errc code;
  };
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  for (const auto& [octets, code] : {
         Case{"", Errc::connection_lost},
         Case{ok, Errc::connection_lost},
         Case{ok + "Content-Length: 5\r\n\r\nabc", Errc::connection_lost},
         Case{ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", Errc::connection_lost},
         Case{ok + "\r\nuntil the end", Errc::protocol_error},
         Case{ok + "Content-Length: 1001\r\n\r\n", Errc::too_large},
         Case{ok + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + std::string(1001, 'x'), Errc::too_large},
         Case{ok + "X: " + std::string(kMaxResponseHeader, 'x') + "\r\n\r\n", Errc::too_large},
         Case{"SSH-2.0-OpenSSH\r\n\r\n", Errc::protocol_error},
         Case{ok + "Content-Length: -1\r\n\r\n", Errc::protocol_error},
       }) {
    const auto response = answered(octets);
    ASSERT_FALSE(response) << octets.substr(0, 100);
    EXPECT_EQ(response.error().code, code) << octets.substr(0, 100) << response.error().message();
    EXPECT_EQ(response.error().fate, Fate::transient);
    EXPECT_THAT(response.error().message(), HasSubstr("127.0.0.1"));
  }
}

TEST_F(WebTest, TellsNothingToWhomItDoesNotTrust) {
  const auto handler = [](const std::string&) { return HttpsServer::answer("200 OK", "{}"); };
  const HttpsServer server(handler);
  const HttpsServer stranger(handler);
  const HttpsServer other_name(handler, "DNS:example.com");
  Request request;
  request.host = "127.0.0.1";
  request.port = stranger.port();
  auto tls = *net::TlsClient::make({server.ca_file(), "", ""});
  const auto untrusted = loop.run(fetch(resolver, tls, request, {}));
  ASSERT_FALSE(untrusted);
  EXPECT_EQ(untrusted.error().code, Errc::tls_failed);
  EXPECT_EQ(fetch_from(other_name).error().code, Errc::tls_failed);
  EXPECT_EQ(stranger.requests() + other_name.requests(), 0);
}

TEST_F(WebTest, EndsAtItsDeadline) {
  const test::Acceptor silent;
  Request request;
  request.host = "127.0.0.1";
  request.port = silent.port();
  const auto response =
    loop.run(fetch(resolver, net::TlsClient::make_without_authorities(), request, {50ms, 10}));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Errc::timed_out);
}

TEST_F(WebTest, SendsNoRequestThatHoldsAnother) {
  std::vector<Request> requests(5);
  for (auto& request : requests) request.host = "127.0.0.1";
  requests[0].host = "a\r\nb";
  requests[1].method = "GET x";
  requests[2].target = "/ HTTP/1.1\r\nX: y";
  requests[3].headers = {{"X", "secret\r\nY: z"}};
  requests[4].headers = {{"X: y\r\nZ", "secret"}};
  for (const auto& request : requests) {
    const auto response = loop.run(fetch(resolver, net::TlsClient::make_without_authorities(), request, {}));
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Errc::invalid_argument);
    EXPECT_EQ(response.error().fate, Fate::permanent);
    EXPECT_THAT(response.error().message(), Not(HasSubstr("secret")));
  }
}

std::string parsed(std::string_view url) {
  const auto request = parse_url(url);
  return request ? request->host + "|" + std::to_string(request->port) + "|" + request->target : "refused";
}

TEST(Url, IsHostPortAndPath) {
  EXPECT_EQ(parsed("https://login.example.com/a/token?x=1"), "login.example.com|443|/a/token?x=1");
  EXPECT_EQ(parsed("HTTPS://login.example.com"), "login.example.com|443|/");
  EXPECT_EQ(parsed("https://a.example:8443?x"), "a.example|8443|/?x");
  EXPECT_EQ(parsed("https://[2001:db8::1]/x"), "2001:db8::1|443|/x");
  EXPECT_EQ(parsed("https://[2001:db8::1]:8443/x"), "2001:db8::1|8443|/x");
}

TEST(Url, IsNothingElse) {
  for (const auto* url :
       {"", "http://a.example/", "https://", "https:///x", "https://:443/", "https://a.example:/",
        "https://a.example:0/", "https://a.example:65536/", "https://user:pw@a.example/", "https://a b/",
        "https://a.example/x y", "https://a.example/x#y", "https://a.example#y", "https://a.example/\r\nX: y",
        "https://2001:db8::1/"}) {
    EXPECT_EQ(parsed(url), "refused") << url;
  }
  EXPECT_THAT(parse_url("https://user:secret@a.example/").error().message(), Not(HasSubstr("secret")));
}

TEST_F(WebTest, GoesNowhereThatItMayNot) {
  const HttpsServer server([](const std::string&) { return HttpsServer::answer("200 OK", "{}"); });
  Request request;
  request.host = "127.0.0.1";
  request.port = server.port();
  request.may_connect = [](const IpAddress& address) { return !address.is_loopback(); };
  const auto response =
    loop.run(fetch(resolver, net::TlsClient::make_without_authorities(), std::move(request), {5s, 1000}));
  ASSERT_FALSE(response);
  EXPECT_THAT(response.error().context, HasSubstr("no address to connect to"));
}

}  // namespace
}  // namespace relay::web
