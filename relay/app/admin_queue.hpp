#pragma once
/// Pages of the admin interface that are about messages.

#include <nlohmann/json.hpp>

#include "relay/app/pages.hpp"

namespace relay::app {

/// Octets that are no UTF-8 become U+FFFD.
[[nodiscard]] http::Response json_response(const nlohmann::ordered_json& document, unsigned status = 200);
/// `{"error": what}`: one sentence that says what to do.
[[nodiscard]] http::Response problem(unsigned status, std::string_view what);

// Each is asked for by one operation of the table in admin_pages.cpp. What reads the spool does so on a worker;
// memory is one page of at most 1,000 messages, or some 2 MiB of content, a request.

[[nodiscard]] net::Awaitable<http::Response> list_page(
  Subject& subject, engine::Engine& engine, const http::Request& request
);
[[nodiscard]] net::Awaitable<http::Response> trace_page(
  Subject& subject, engine::Engine& engine, const http::Request& request
);
[[nodiscard]] net::Awaitable<http::Response> export_page(
  Subject& subject, engine::Engine& engine, const http::Request& request
);
[[nodiscard]] net::Awaitable<http::Response> import_page(
  Subject& subject, engine::Engine& engine, const http::Request& request
);
[[nodiscard]] net::Awaitable<http::Response> change_queue(
  engine::Engine& engine, engine::QueueAction action, const std::string& body
);

template <engine::QueueAction action>
[[nodiscard]] net::Awaitable<http::Response> change_page(
  Subject& /*subject*/, engine::Engine& engine, const http::Request& request
) {
  return change_queue(engine, action, request.body);
}

/// A destination as a person names it: `smarthost/NAME`, or `mx/DOMAIN` in any case. Errors: invalid_argument. Pure.
[[nodiscard]] Result<route::Destination> parse_destination(std::string_view text);

/// Reads a change's body. Errors: invalid_argument. Pure.
[[nodiscard]] Result<engine::Change> parse_change(engine::QueueAction action, const std::string& body);

}  // namespace relay::app
