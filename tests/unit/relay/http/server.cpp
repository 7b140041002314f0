#include "relay/http/server.hpp"

#include <gmock/gmock.h>

#include "tests/support/loop.hpp"
#include "tests/support/peer.hpp"
#include "tests/support/quiet_log.hpp"

namespace relay::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

net::Awaitable<Response> echo(Request request) {
  if (request.method == "POST") {
    Response stored{200, std::to_string(request.body.size()) + " " + request.body.substr(0, 10) + "\n"};
    co_return stored;
  }
  if (request.path == "/throw") throw std::runtime_error("the handler broke");
  Response response{
    request.path == "/health" ? 200U : 503U, request.method + " " + request.path + " " + request.query + "\n"
  };
  co_return response;
}

std::size_t limit(const Request& request) {
  return request.authorization == "Bearer x" ? 100'000 : kMaxRequest;
}

class ServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server = std::move(*Server::open(loop.thread.context(), {{"127.0.0.1", 0}}, echo, log, limit));
    net::ask(loop.thread, [this] { server->start(); });
  }
  void TearDown() override {
    net::ask(loop.thread, [this] { server->close(); });
    loop.thread.stop();
  }
  test::Peer client() { return test::Peer::connect(server->endpoints().front().port); }
  std::string ask(std::string_view request) {
    auto peer = client();
    peer.send(request);
    return peer.rest();
  }

  test::QuietLog log;
  test::Loop loop;
  std::unique_ptr<Server> server;
};

TEST_F(ServerTest, AnswersARequestLineWithoutAVersionAtOnce) {
  for (const auto* request : {"GET /health\r\n", "GET /health\n", "GET /health \r\n"}) {
    const auto answer = ask(request);
    EXPECT_THAT(answer, StartsWith("HTTP/1.0 200 OK\r\n")) << request;
    EXPECT_THAT(answer, EndsWith("\r\n\r\nGET /health \n")) << request;
  }
  EXPECT_THAT(ask("GET /other\r\n"), StartsWith("HTTP/1.0 503 "));
}

TEST_F(ServerTest, AnswersHttp10AndCloses) {
  const auto answer = ask("GET /health HTTP/1.0\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.0 200 OK\r\n"));
  EXPECT_THAT(answer, EndsWith("GET /health \n"));
}

TEST_F(ServerTest, KeepsHttp11Connections) {
  auto peer = client();
  for (int i = 0; i < 3; ++i) {
    peer.send("GET /health?probe=" + std::to_string(i) + " HTTP/1.1\r\nHost: node\r\n\r\n");
    EXPECT_THAT(
      peer.until("GET /health probe=" + std::to_string(i) + "\n"), StartsWith("HTTP/1.1 200 OK\r\n")
    );
  }
  peer.send("GET /health HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(peer.rest(), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ServerTest, TakesRequestsHoweverTheyAreCut) {
  auto peer = client();
  for (const char octet : std::string("GET /health HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n"))
    peer.send(std::string(1, octet));
  EXPECT_THAT(peer.rest(), HasSubstr("200 OK"));
}

TEST_F(ServerTest, TakesABodyAsLongAsItsSenderMay) {
  const auto post = [&](std::size_t size, const std::string& fields) {
    return ask(
      "POST /v1/x HTTP/1.1\r\nHost: node\r\nConnection: close\r\n" + fields +
      "Content-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'y')
    );
  };
  EXPECT_THAT(post(5, ""), EndsWith("\r\n\r\n5 yyyyy\n"));
  EXPECT_THAT(post(0, ""), EndsWith("\r\n\r\n0 \n"));
  EXPECT_THAT(post(90'000, "Authorization: Bearer x\r\n"), EndsWith("90000 yyyyyyyyyy\n"));
  EXPECT_THAT(post(90'000, ""), StartsWith("HTTP/1.0 413 "));
  EXPECT_THAT(post(200'000, "Authorization: Bearer x\r\n"), StartsWith("HTTP/1.0 413 "));
}

TEST_F(ServerTest, TakesAChunkedBodyAndBoundsItToo) {
  const auto head =
    "POST /v1/x HTTP/1.1\r\nHost: node\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_THAT(ask(std::string(head) + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), EndsWith("\r\n\r\n5 abcde\n"));
  EXPECT_THAT(
    ask(std::string(head) + "8000\r\n" + std::string(0x8000, 'y') + "\r\n0\r\n\r\n"),
    StartsWith("HTTP/1.0 413 ")
  );
}

TEST_F(ServerTest, AnswersAClientThatWaitsForLeaveToSend) {
  auto peer = client();
  peer.send(
    "POST /v1/x HTTP/1.1\r\nHost: node\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: "
    "3\r\n\r\n"
  );
  EXPECT_THAT(peer.until("\r\n\r\n"), StartsWith("HTTP/1.1 100 Continue"));
  peer.send("abc");
  EXPECT_THAT(peer.rest(), EndsWith("3 abc\n"));
}

TEST_F(ServerTest, AnswersPipelinedRequestsOneByOne) {
  const auto answer = ask(
    "POST /a HTTP/1.1\r\nHost: node\r\nContent-Length: 3\r\n\r\nabc"
    "GET /health HTTP/1.1\r\nHost: node\r\n\r\n"
    "GET /health HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n"
  );
  EXPECT_THAT(answer, HasSubstr("3 abc\n"));
  EXPECT_THAT(answer, EndsWith("GET /health \n"));
}

TEST_F(ServerTest, LeavesTheBodyOutForHead) {
  EXPECT_THAT(ask("HEAD /health HTTP/1.0\r\n\r\n"), Not(HasSubstr("HEAD /health")));
}

TEST_F(ServerTest, RefusesGarbageAndWhatIsTooLarge) {
  EXPECT_THAT(
    ask("\x16\x03\x01garbage without end\r\nmore of it HTTP/9\r\n\r\n"), StartsWith("HTTP/1.0 400 ")
  );
  EXPECT_THAT(ask("GET /" + std::string(40'000, 'x') + " HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.0 400 "));
  EXPECT_THAT(
    ask("GET / HTTP/1.1\r\nA: " + std::string(40'000, 'x') + "\r\n\r\n"), StartsWith("HTTP/1.0 400 ")
  );
}

TEST_F(ServerTest, AnswersAProbeHoweverManyConnectionsAreIdle) {
  std::vector<test::Peer> idle;
  for (std::size_t i = 0; i < kMaxConnections + 20; ++i) idle.push_back(client());
  EXPECT_THAT(ask("GET /health HTTP/1.0\r\n\r\n"), HasSubstr("200 OK"));
}

TEST_F(ServerTest, OutlivesAHandlerThatThrows) {
  EXPECT_EQ(ask("GET /throw HTTP/1.0\r\n\r\n"), "");
  // The connection closes before its coroutine has ended.
  test::eventually([&] { return log.records("exception").size() == 1; }, "the record");
  EXPECT_THAT(ask("GET /health HTTP/1.0\r\n\r\n"), HasSubstr("200 OK"));
}

TEST(QueryValue, IsTakenByName) {
  EXPECT_EQ(query_value("limit=10&after=w:abc=", "after"), "w:abc=");
  EXPECT_EQ(query_value("limit=10", "after"), "");
  EXPECT_EQ(query_value("", "after"), "");
  EXPECT_EQ(query_value("sender=a%40b.test%3c&x=%4", "sender"), "a@b.test<");
  EXPECT_EQ(query_value("x=100%&y=%zz%4", "x") + query_value("y=%zz%4", "y"), "100%%zz%4");
}

}  // namespace
}  // namespace relay::http
