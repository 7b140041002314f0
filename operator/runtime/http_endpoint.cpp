#include "operator/runtime/http_endpoint.hpp"

#include <cpprest/http_listener.h>

namespace op::runtime {

namespace http = web::http;

struct HttpEndpoint::Listener {
  Listener(const relay::Endpoint& address, Routes paths)
      : routes(std::move(paths)), http("http://" + address.to_text() + "/") {
    http.support(http::methods::GET, [this](const http::http_request& request) { answer(request); });
  }

  void answer(const http::http_request& request) const {
    const auto found = routes.find(request.relative_uri().path());
    const auto reply =
      found == routes.end() ? HttpReply{http::status_codes::NotFound, "not found\n"} : found->second();
    http::http_response response(static_cast<http::status_code>(reply.status));
    response.set_body(reply.body, reply.content_type);
    // A client that has gone before its answer is no failure of ours.
    request.reply(response).then([](const pplx::task<void>& sent) {
      try {
        sent.get();
      } catch (const std::exception&) {
        return;
      }
    });
  }

  Routes routes;
  web::http::experimental::listener::http_listener http;
};

HttpEndpoint::HttpEndpoint(relay::Endpoint address, Routes routes)
    : address_(std::move(address)), listener_(std::make_unique<Listener>(address_, std::move(routes))) {}

HttpEndpoint::~HttpEndpoint() {
  try {
    listener_->http.close().wait();
  } catch (const std::exception&) {
    // Closing what never opened.
    return;
  }
}

relay::Result<void> HttpEndpoint::open() {
  try {
    listener_->http.open().wait();
    return {};
  } catch (const std::exception& error) {
    return relay::permanent(
      relay::Errc::connection_failed, "cannot listen on " + address_.to_text() + ": " + error.what()
    );
  }
}

}  // namespace op::runtime
