#include "operator/runtime/http_endpoint.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace op::runtime {
namespace {

using ::testing::HasSubstr;

std::uint16_t free_port() {
  const int probe = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address);
  socklen_t length = sizeof address;
  getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length);
  close(probe);
  return ntohs(address.sin_port);
}

std::string ask(std::uint16_t port, const std::string& request) {
  const int connection = socket(AF_INET, SOCK_STREAM, 0);
  const timeval limit{1, 0};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    (void)send(connection, request.data(), request.size(), MSG_NOSIGNAL);
    char octets[4096];
    for (auto count = recv(connection, octets, sizeof octets, 0); count > 0;
         count = recv(connection, octets, sizeof octets, 0))
      answer.append(octets, static_cast<std::size_t>(count));
  }
  close(connection);
  return answer;
}

std::string get(std::uint16_t port, const std::string& path) {
  return ask(port, "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
}

TEST(HttpEndpoint, AnswersItsPathsAndNoOthers) {
  const auto port = free_port();
  HttpEndpoint endpoint(
    {"127.0.0.1", port}, {{"/readyz", [] { return HttpReply{503, "waiting\n"}; }},
                          {"/metrics", [] { return HttpReply{200, "x 1\n", "text/plain; version=0.0.4"}; }}}
  );
  ASSERT_TRUE(endpoint.open());
  EXPECT_THAT(get(port, "/readyz"), ::testing::AllOf(HasSubstr("HTTP/1.1 503"), HasSubstr("waiting\n")));
  EXPECT_THAT(
    get(port, "/metrics"),
    ::testing::AllOf(HasSubstr("HTTP/1.1 200"), HasSubstr("version=0.0.4"), HasSubstr("x 1\n"))
  );
  EXPECT_THAT(get(port, "/other"), HasSubstr("HTTP/1.1 404"));
}

TEST(HttpEndpoint, SurvivesClientsThatSpeakNonsense) {
  const auto port = free_port();
  HttpEndpoint endpoint({"127.0.0.1", port}, {{"/healthz", [] { return HttpReply{200, "ok\n"}; }}});
  ASSERT_TRUE(endpoint.open());
  for (const std::string nonsense :
       {"\r\n\r\n", "GET\r\n\r\n", "PUT /healthz HTTP/1.1\r\nContent-Length: x\r\nConnection: close\r\n\r\n",
        "\x16\x03\x01\x02"})
    (void)ask(port, nonsense + "\r\n\r\n");
  EXPECT_THAT(get(port, "/healthz"), HasSubstr("ok\n"));
}

TEST(HttpEndpoint, SaysWhichAddressItCannotHave) {
  const auto port = free_port();
  HttpEndpoint first({"127.0.0.1", port}, {});
  ASSERT_TRUE(first.open());
  const int taken = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(taken, reinterpret_cast<sockaddr*>(&address), sizeof address);
  listen(taken, 1);
  socklen_t length = sizeof address;
  getsockname(taken, reinterpret_cast<sockaddr*>(&address), &length);
  HttpEndpoint second({"127.0.0.1", ntohs(address.sin_port)}, {});
  const auto opened = second.open();
  close(taken);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().context, HasSubstr("cannot listen on 127.0.0.1:"));
}

}  // namespace
}  // namespace op::runtime
