#include "relay/net/resolver.hpp"

#include <fstream>
#include <thread>

#include "tests/support/folder.hpp"
#include "tests/support/loop.hpp"
#include "tests/support/peer.hpp"

namespace relay::net {
namespace {

using namespace std::chrono_literals;

/// A name server in a few lines: answers A for names that it knows, no AAAA, and denies the rest.
class NameServer {
 public:
  NameServer() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    // resolv.conf names no port, so an address of its own on port 53 is needed: any in 127.0.0.0/8 will do.
    for (int i = 0; i < 50 && !is_bound_; ++i) {
      host_ = "127.99." + std::to_string(getpid() % 200 + 1) + "." + std::to_string(i + 1);
      auto address = test::Peer::loopback(53);
      inet_pton(AF_INET, host_.c_str(), &address.sin_addr);
      is_bound_ = bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    thread_ = std::thread([this] { serve(); });
  }
  ~NameServer() {
    is_stopped_ = true;
    thread_.join();
    close(fd_);
  }
  [[nodiscard]] bool is_bound() const { return is_bound_; }
  [[nodiscard]] const std::string& host() const { return host_; }

 private:
  void serve() {
    while (!is_stopped_) {
      pollfd waiting{fd_, POLLIN, 0};
      if (poll(&waiting, 1, 50) != 1) continue;
      sockaddr_in client{};
      socklen_t size = sizeof client;
      char query[512];
      const auto length = recvfrom(fd_, query, sizeof query, 0, reinterpret_cast<sockaddr*>(&client), &size);
      if (length < 12) continue;
      const auto answer = answer_to(std::string(query, static_cast<std::size_t>(length)));
      sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&client), size);
    }
  }
  /// RFC 1035 section 4.1: header, the question as it came, and for `smarthost.mail.test` an address.
  static std::string answer_to(const std::string& query) {
    std::string name;
    std::size_t at = 12;
    while (at < query.size() && query[at] != 0) {
      const auto length = static_cast<std::size_t>(query[at]);
      name += query.substr(at + 1, length) + ".";
      at += length + 1;
    }
    const bool is_a = query[at + 2] == 1;
    const bool is_known = name == "smarthost.mail.test.";
    const auto question = query.substr(12, at + 5 - 12);
    const std::string flags = std::string("\x81", 1) + (is_known ? '\x80' : '\x83');
    std::string answer = query.substr(0, 2) + flags + std::string("\0\1", 2) +
                         (is_known && is_a ? std::string("\0\1", 2) : std::string("\0\0", 2)) +
                         std::string(4, '\0') + question;
    if (is_known && is_a) answer += std::string("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\1\x28\x28", 16);
    return answer;
  }

  int fd_;
  bool is_bound_ = false;
  std::string host_;
  std::atomic<bool> is_stopped_{false};
  std::thread thread_;
};

class ResolverTest : public ::testing::Test {
 protected:
  void TearDown() override { loop.thread.stop(); }
  ResolverFiles files(const std::string& resolv_conf, const std::string& hosts) {
    std::ofstream(folder.path("resolv.conf")) << resolv_conf;
    std::ofstream(folder.path("hosts")) << hosts;
    return {folder.path("resolv.conf"), folder.path("hosts")};
  }
  static std::string text(const Result<std::vector<IpAddress>>& found) {
    if (!found) return std::string(name(found.error().code));
    std::string text;
    for (const auto& address : *found) text += (text.empty() ? "" : " ") + address.to_text();
    return text;
  }

  test::Folder folder;
  test::Loop loop;
};

TEST_F(ResolverTest, ReturnsAnAddressAsItIs) {
  Resolver resolver(loop.thread.context(), files("", ""));
  EXPECT_EQ(text(loop.run(resolver.lookup("10.1.40.40", 5s))), "10.1.40.40");
  EXPECT_EQ(text(loop.run(resolver.lookup("2001:db8::1", 5s))), "2001:db8::1");
}

TEST_F(ResolverTest, HonoursTheHostsFile) {
  Resolver resolver(
    loop.thread.context(), files("", "192.0.2.7 smarthost smarthost.example\n2001:db8::7 smarthost.example\n")
  );
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost.example", 5s))), "192.0.2.7 2001:db8::7");
}

TEST_F(ResolverTest, AsksTheNodesResolversAlsoForPrivateNames) {
  const NameServer server;
  ASSERT_TRUE(server.is_bound());
  Resolver resolver(
    loop.thread.context(), files("nameserver " + server.host() + "\nsearch mail.test\noptions ndots:1\n", "")
  );
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost.mail.test", 10s))), "10.1.40.40")
    << "libunbound denies .test by itself";
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost", 10s))), "10.1.40.40") << "by the search list";
  EXPECT_EQ(text(loop.run(resolver.lookup("nobody.mail.test", 10s))), "name_not_found");
}

TEST_F(ResolverTest, TakesUpChangedFiles) {
  Resolver resolver(loop.thread.context(), files("", "192.0.2.7 smarthost.example\n"));
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost.example", 5s))), "192.0.2.7");
  (void)files("", "192.0.2.8 smarthost.example\n# longer than before\n");
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost.example", 5s))), "192.0.2.8");
}

TEST_F(ResolverTest, GivesUpAtTheDeadline) {
  // A resolver that never answers: nobody listens there, and UDP tells nobody.
  test::Folder silent;
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  auto address = test::Peer::loopback(53);
  inet_pton(AF_INET, "127.98.1.1", &address.sin_addr);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  Resolver resolver(loop.thread.context(), files("nameserver 127.98.1.1\n", ""));
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost.example", 300ms))), "timed_out");
  EXPECT_EQ(text(loop.run(resolver.lookup("smarthost.example", 300ms))), "timed_out")
    << "and is of use afterwards";
  close(fd);
}

}  // namespace
}  // namespace relay::net
