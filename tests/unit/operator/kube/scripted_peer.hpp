#pragma once
/// An HTTP server on loopback that does exactly what a test tells it: also what no server should.

#include <arpa/inet.h>
#include <array>
#include <atomic>
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
struct AwaitGo {
  const std::atomic<bool>* may_go;  ///< the test's; outlives the peer
};
}  // namespace peer
using PeerStep = std::variant<peer::TakeRequest, peer::Send, peer::Pause, peer::AwaitClose, peer::AwaitGo>;
using Conversation = std::vector<PeerStep>;

/// False: the test is over.
inline bool readable(int socket, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd waiting{socket, POLLIN, 0};
    if (poll(&waiting, 1, 20) > 0) return true;
  }
  return false;
}

inline bool is_whole(const std::string& request) {
  const auto end = request.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const auto header = request.find("Content-Length:");
  const auto length = header == std::string::npos ? 0 : std::stoul(request.substr(header + 15));
  return request.size() >= end + 4 + length;
}

/// Empty when the client has gone.
inline std::string take_request(int connection, const std::stop_token& stop) {
  std::string request;
  while (!is_whole(request)) {
    char octets[4096];
    if (!readable(connection, stop)) return {};
    const auto count = recv(connection, octets, sizeof octets, 0);
    if (count <= 0) return {};
    request.append(octets, static_cast<std::size_t>(count));
  }
  return request;
}

/// Connections that wait for a Listener.
inline constexpr int kBacklog = 8;

/// A port of loopback.
class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    listen(socket_, kBacklog);
    socklen_t length = sizeof address;
    getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  ~Listener() { close(socket_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int socket() const { return socket_; }
  /// A connection, to be closed by the caller; -1: the test is over.
  [[nodiscard]] int next(const std::stop_token& stop) const {
    return readable(socket_, stop) ? accept(socket_, nullptr, nullptr) : -1;
  }

 private:
  int socket_ = -1;
  int port_ = 0;
};

/// A port at which connections are begun and never made: the queue of those that wait is full, and nobody takes them.
class FullListener {
 public:
  FullListener() {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    getsockname(listener_.socket(), reinterpret_cast<sockaddr*>(&address), &length);
    for (auto& waiting : waiting_) {
      waiting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      connect(waiting, reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
  }
  ~FullListener() {
    for (const int waiting : waiting_) close(waiting);
  }
  FullListener(const FullListener&) = delete;
  FullListener& operator=(const FullListener&) = delete;

  [[nodiscard]] std::string url() const { return listener_.url(); }

 private:
  Listener listener_;
  std::array<int, 2 * kBacklog> waiting_{};
};

inline std::string http_answer(int status, const std::string& body, const std::string& headers = "") {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

class ScriptedPeer {
 public:
  /// One conversation a connection, one connection at a time.
  explicit ScriptedPeer(std::vector<Conversation> conversations) {
    thread_ = std::jthread([this, todo = std::move(conversations)](const std::stop_token& stop) {
      serve(todo, stop);
    });
  }
  ~ScriptedPeer() { thread_ = {}; }
  ScriptedPeer(const ScriptedPeer&) = delete;
  ScriptedPeer& operator=(const ScriptedPeer&) = delete;

  [[nodiscard]] std::string url() const { return listener_.url(); }
  /// What came, a request an entry.
  [[nodiscard]] std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve(const std::vector<Conversation>& conversations, const std::stop_token& stop) {
    for (const auto& conversation : conversations) {
      const int connection = listener_.next(stop);
      if (connection < 0) return;
      for (const auto& step : conversation) {
        if (!std::visit([&](const auto& what) { return act(connection, what, stop); }, step)) break;
      }
      close(connection);
    }
  }

  bool act(int connection, const peer::TakeRequest&, const std::stop_token& stop) {
    auto request = take_request(connection, stop);
    if (request.empty()) return false;
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

  static bool act(int, const peer::AwaitGo& await, const std::stop_token& stop) {
    while (!*await.may_go && !stop.stop_requested())
      std::this_thread::sleep_for(std::chrono::milliseconds{1});
    return *await.may_go;
  }

  Listener listener_;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::jthread thread_;
};

/// Serves any number of connections at a time, and says which request of its connection each one is: 1, 2 and so on.
class CountingPeer {
 public:
  /// @param most  from so many requests on a connection is closed without an answer; 0: never
  explicit CountingPeer(int most = 0)
      : most_(most), thread_([this](const std::stop_token& stop) { serve(stop); }) {}
  CountingPeer(const CountingPeer&) = delete;
  CountingPeer& operator=(const CountingPeer&) = delete;
  ~CountingPeer() { thread_ = {}; }

  [[nodiscard]] std::string url() const { return listener_.url(); }
  [[nodiscard]] int requests() const { return requests_; }
  /// Connections that were closed without an answer.
  [[nodiscard]] int cuts() const { return cuts_; }

 private:
  void serve(const std::stop_token& stop) {
    std::vector<std::jthread> all;
    for (int connection = listener_.next(stop); connection >= 0; connection = listener_.next(stop))
      all.emplace_back([this, connection](const std::stop_token& ended) { converse(connection, ended); });
  }
  void converse(int connection, const std::stop_token& stop) {
    for (int count = 1; !take_request(connection, stop).empty(); ++count) {
      ++requests_;
      if (count == most_) {
        ++cuts_;
        break;
      }
      const auto answer = http_answer(200, std::to_string(count));
      if (send(connection, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) break;
    }
    close(connection);
  }

  int most_;
  Listener listener_;
  std::atomic<int> requests_{0};
  std::atomic<int> cuts_{0};
  std::jthread thread_;
};

inline std::string chunk(const std::string& octets) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx\r\n", octets.size());
  return size + octets + "\r\n";
}
inline const std::string kStreamHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

}  // namespace op::kube
