#pragma once
/// A plain blocking socket for tests: the other end of what is tested. Every wait ends within ten seconds.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace relay::test {

inline constexpr int kPeerTimeoutMs = 10'000;

class Peer {
 public:
  static Peer connect(std::uint16_t port) {
    Peer peer(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = loopback(port);
    EXPECT_EQ(::connect(peer.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return peer;
  }

  explicit Peer(int fd) : fd_(fd) {}
  ~Peer() { close(); }
  Peer(Peer&& other) noexcept : fd_(std::exchange(other.fd_, -1)), received_(std::move(other.received_)) {}
  Peer& operator=(Peer&&) = delete;

  void send(std::string_view octets) {
    while (!octets.empty()) {
      const auto count = ::send(fd_, octets.data(), octets.size(), MSG_NOSIGNAL);
      if (count <= 0) return;  // the other side is gone: the test will see it
      octets.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  /// What came up to and with `mark`; a failure, and what there is, when it does not come.
  std::string until(std::string_view mark) {
    while (true) {
      const auto at = received_.find(mark);
      if (at != std::string::npos) {
        auto taken = received_.substr(0, at + mark.size());
        received_.erase(0, taken.size());
        return taken;
      }
      if (!receive()) {
        ADD_FAILURE() << "'" << mark << "' did not come, but: " << received_;
        return std::exchange(received_, {});
      }
    }
  }
  /// One line without its end.
  std::string line() {
    auto text = until("\n");
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text;
  }
  /// The last line of a reply.
  std::string reply() {
    auto text = line();
    while (text.size() > 3 && text[3] == '-') text = line();
    return text;
  }
  /// All that comes until the other side closes.
  std::string rest() {
    while (receive()) {}
    return std::exchange(received_, {});
  }
  [[nodiscard]] int fd() const { return fd_; }
  void half_close() { shutdown(fd_, SHUT_WR); }
  /// Ends the connection with RST.
  void reset() {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

 private:
  /// False at the end, or when nothing came in time.
  bool receive() {
    pollfd waiting{fd_, POLLIN, 0};
    if (poll(&waiting, 1, kPeerTimeoutMs) != 1) {
      ADD_FAILURE() << "nothing came within " << kPeerTimeoutMs << " ms; so far: " << received_;
      return false;
    }
    char buffer[4096];
    const auto count = recv(fd_, buffer, sizeof buffer, 0);
    if (count <= 0) return false;
    received_.append(buffer, static_cast<std::size_t>(count));
    return true;
  }

  int fd_;
  std::string received_;
};

/// A listening socket on a free loopback port.
class Acceptor {
 public:
  Acceptor() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    auto address = Peer::loopback(0);
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(fd_, 64), 0);
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~Acceptor() { close(); }
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  Peer accept() {
    pollfd waiting{fd_, POLLIN, 0};
    if (poll(&waiting, 1, kPeerTimeoutMs) != 1) ADD_FAILURE() << "nobody connected";
    return Peer(::accept(fd_, nullptr, nullptr));
  }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

}  // namespace relay::test
