#pragma once
/// An admin interface that answers as a test wants it.

// clang-format off
#include <utility>  // Asio 1.74's awaitable.hpp uses std::exchange without it
// clang-format on
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fstream>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "relay/ctl/admin_client.hpp"
#include "tests/support/folder.hpp"

namespace relay::ctl {

/// On a port and a thread of its own; one request a connection.
class AdminPeer {
 public:
  struct Asked {
    std::string operation;  ///< `GET /v1/queue?limit=1`
    std::string body;
  };
  struct Said {
    unsigned status = 200;
    nlohmann::ordered_json document;
  };
  using Answer = std::function<Said(const Asked&)>;

  explicit AdminPeer(Answer answer) : answer_(std::move(answer)), thread_([this] { serve(); }) {
    std::ofstream(folder_.path("admin.token")) << "token";
  }
  ~AdminPeer() {
    is_over_ = true;
    tcp::socket waker(context_);
    boost::system::error_code ignored;
    waker.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }
  AdminPeer(const AdminPeer&) = delete;
  AdminPeer& operator=(const AdminPeer&) = delete;

  [[nodiscard]] AdminInterface interface() const {
    return {{"127.0.0.1", acceptor_.local_endpoint().port()}, folder_.path("admin.token")};
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_.path(name); }
  /// Operations so far that begin so.
  [[nodiscard]] std::vector<Asked> asked(const std::string& beginning) const {
    const std::scoped_lock lock(mutex_);
    std::vector<Asked> found;
    for (const auto& one : asked_) {
      if (one.operation.starts_with(beginning)) found.push_back(one);
    }
    return found;
  }

 private:
  using tcp = boost::asio::ip::tcp;

  void serve() {
    namespace http = boost::beast::http;
    while (true) {
      tcp::socket socket(context_);
      acceptor_.accept(socket);
      if (is_over_) return;
      boost::system::error_code ec;
      boost::beast::flat_buffer buffer;
      http::request<http::string_body> request;
      http::read(socket, buffer, request, ec);
      if (ec) continue;
      const Asked asked{
        std::string(request.method_string()) + " " + std::string(request.target()), request.body()
      };
      {
        const std::scoped_lock lock(mutex_);
        asked_.push_back(asked);
      }
      const auto said = answer_(asked);
      http::response<http::string_body> response{
        static_cast<http::status>(said.status), 11, said.document.dump()
      };
      response.prepare_payload();
      http::write(socket, response, ec);
    }
  }

  test::Folder folder_;
  Answer answer_;
  std::atomic<bool> is_over_{false};
  boost::asio::io_context context_;
  tcp::acceptor acceptor_{context_, tcp::endpoint{boost::asio::ip::address_v4::loopback(), 0}};
  mutable std::mutex mutex_;
  std::vector<Asked> asked_;  // under mutex_
  std::thread thread_;        // last: it uses all the others
};

/// A page of a list.
inline AdminPeer::Said page_of(nlohmann::ordered_json messages) {
  return {200, {{"messages", std::move(messages)}, {"next", ""}}};
}
/// A message as lists show it.
inline nlohmann::ordered_json listed(const std::string& id, const std::string& state) {
  return {
    {"queue_id", id},
    {"place", state.substr(0, 1) + ":" + id},
    {"state", state},
    {"size", 1},
    {"arrival", "2026-11-25T00:00:00.000Z"},
    {"sender", "a@example.com"},
    {"recipients", nlohmann::ordered_json::array()}
  };
}

}  // namespace relay::ctl
