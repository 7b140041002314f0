#pragma once
/// Small GET answers over HTTP: probes and metrics. IPv4 only, as cpprestsdk's listener is.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "relay/base/network.hpp"

namespace op::runtime {

struct HttpReply {
  unsigned status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

/// Answers GET on fixed paths; 404 on others. Answers come from threads of cpprestsdk's, so routes must not block.
class HttpEndpoint {
 public:
  using Routes = std::map<std::string, std::function<HttpReply()>>;

  HttpEndpoint(relay::Endpoint address, Routes routes);
  ~HttpEndpoint();
  HttpEndpoint(const HttpEndpoint&) = delete;
  HttpEndpoint& operator=(const HttpEndpoint&) = delete;

  /// Errors: Errc::connection_failed, permanent, when the address can't be bound.
  [[nodiscard]] relay::Result<void> open();

 private:
  struct Listener;
  relay::Endpoint address_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace op::runtime
