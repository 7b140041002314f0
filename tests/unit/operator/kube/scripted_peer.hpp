#pragma once
/// An HTTP server on loopback that does exactly what a test tells it: also what no server should.

#include <arpa/inet.h>
#include <chrono>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

namespace op::kube {

/// What the peer does on one connection, step by step; at the end of the steps it closes.
namespace peer {
struct TakeRequest {};  ///< reads until a whole request has come
struct Send {
  std::string octets;
};
struct Pause {
  std::chrono::milliseconds time;
};
struct AwaitClose {};  ///< until the client has gone
}  // namespace peer
using PeerStep = std::variant<peer::TakeRequest, peer::Send, peer::Pause, peer::AwaitClose>;
using Conversation = std::vector<PeerStep>;

class ScriptedPeer {
 public:
  /// One conversation a connection, one connection at a time.
  explicit ScriptedPeer(std::vector<Conversation> conversations) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(listener_, 8);
    socklen_t length = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this, todo = std::move(conversations)](const std::stop_token& stop) {
      serve(todo, stop);
    });
  }
  ~ScriptedPeer() {
    thread_ = {};
    close(listener_);
  }
  ScriptedPeer(const ScriptedPeer&) = delete;
  ScriptedPeer& operator=(const ScriptedPeer&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  /// What came, a request an entry.
  [[nodiscard]] std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  static bool readable(int socket, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd waiting{socket, POLLIN, 0};
      if (poll(&waiting, 1, 20) > 0) return true;
    }
    return false;
  }

  void serve(const std::vector<Conversation>& conversations, const std::stop_token& stop) {
    for (const auto& conversation : conversations) {
      if (!readable(listener_, stop)) return;
      const int connection = accept(listener_, nullptr, nullptr);
      for (const auto& step : conversation) {
        if (!std::visit([&](const auto& what) { return act(connection, what, stop); }, step)) break;
      }
      close(connection);
    }
  }

  bool act(int connection, const peer::TakeRequest&, const std::stop_token& stop) {
    std::string request;
    while (!is_whole(request)) {
      char octets[4096];
      if (!readable(connection, stop)) return false;
      const auto count = recv(connection, octets, sizeof octets, 0);
      if (count <= 0) return false;
      request.append(octets, static_cast<std::size_t>(count));
    }
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
    return true;
  }
  static bool act(int connection, const peer::Send& send, const std::stop_token&) {
    return ::send(connection, send.octets.data(), send.octets.size(), MSG_NOSIGNAL) >= 0;
  }
  static bool act(int, const peer::Pause& pause, const std::stop_token& stop) {
    const auto end = std::chrono::steady_clock::now() + pause.time;
    while (std::chrono::steady_clock::now() < end && !stop.stop_requested())
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    return true;
  }
  static bool act(int connection, const peer::AwaitClose&, const std::stop_token& stop) {
    char octet = 0;
    return readable(connection, stop) && recv(connection, &octet, 1, 0) > 0;
  }

  static bool is_whole(const std::string& request) {
    const auto end = request.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    const auto header = request.find("Content-Length:");
    const auto length = header == std::string::npos ? 0 : std::stoul(request.substr(header + 15));
    return request.size() >= end + 4 + length;
  }

  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::jthread thread_;
};

inline std::string http_answer(int status, const std::string& body, const std::string& headers = "") {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline std::string chunk(const std::string& octets) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", octets.size());
  return size + octets + "\r\n";
}
inline const std::string kStreamHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

}  // namespace op::kube
