#include "relay/app/admin_queue.hpp"

#include <algorithm>

#include "relay/base/text.hpp"
#include "relay/engine/trace.hpp"
#include "relay/net/completion.hpp"
#include "relay/route/route_table.hpp"

namespace relay::app {
namespace {

using engine::Change;
using engine::QueueAction;
using http::query_value;
using http::Request;
using http::Response;
using net::Awaitable;
using nlohmann::ordered_json;

using Answer = std::function<void(Response)>;

constexpr std::size_t kDefaultPage = 100;
constexpr std::size_t kMaxStreamName = 64;

unsigned status_of(Errc code) {
  switch (code) {
    case Errc::invalid_argument: return 400;
    case Errc::not_found: return 404;
    case Errc::conflict: return 409;
    case Errc::too_large: return 413;
    case Errc::corrupt: return 500;
    default: return 503;
  }
}

Response problem(const Error& error) { return app::problem(status_of(error.code), error.context); }

Response response_of(const Result<ordered_json>& made) {
  return made ? json_response(*made) : problem(made.error());
}

/// Runs what blocks for the spool.
Awaitable<Response> on_worker(engine::Engine& engine, std::function<Response()> make) {
  std::function<void(Answer)> start = [&engine, make = std::move(make)](Answer answer) {
    net::asio::post(engine.workers(), [make, answer = std::move(answer)] { answer(make()); });
  };
  return net::answered_by<Response>(std::move(start));
}

Awaitable<Response> at_once(Response response) { co_return response; }

Result<engine::Selection> selection_of(const std::function<std::string(const char*)>& value) {
  engine::Selection selection;
  if (const auto text = value("destination"); !text.empty()) {
    auto destination = parse_destination(text);
    if (!destination) return tl::unexpected(std::move(destination.error()));
    selection.destination = std::move(destination->name);
  }
  if (const auto text = value("id"); !text.empty()) {
    const auto id = QueueId::parse(text);
    if (!id)
      return permanent(Errc::invalid_argument, "`id` must be a queue id of 20 characters, as lists show it");
    selection.id = *id;
  }
  selection.sender = value("sender");
  selection.recipient = value("recipient");
  selection.state = value("state");
  const auto& state = selection.state;
  if (!state.empty() && state != "waiting" && state != "held" && state != "captured" && state != "failed")
    return permanent(Errc::invalid_argument, "`state` must be waiting, held, captured or failed");
  return selection;
}

Result<engine::Selection> selection_of(const Request& request) {
  return selection_of([&](const char* name) { return query_value(request.query, name); });
}

}  // namespace

Awaitable<Response> list_page(Subject& /*subject*/, engine::Engine& engine, const Request& request) {
  const auto selection = selection_of(request);
  if (!selection) return at_once(problem(selection.error()));
  const auto limit = parse_number(query_value(request.query, "limit")).value_or(kDefaultPage);
  const auto cursor = query_value(request.query, "after");
  return on_worker(engine, [&engine, selection = *selection, cursor, limit] {
    return response_of(engine::list_queue(engine.store(), selection, cursor, limit));
  });
}

Awaitable<Response> trace_page(Subject& subject, engine::Engine& engine, const Request& request) {
  const auto selection = selection_of(request);
  if (!selection) return at_once(problem(selection.error()));
  engine::TraceQuery query{selection->id, query_value(request.query, "message_id"), selection->recipient};
  if (query.is_empty())
    return at_once(app::problem(400, "name the message by `id`, `message_id` or `recipient`"));
  const auto cursor = query_value(request.query, "after");
  return on_worker(engine, [&subject, &engine, query = std::move(query), cursor] {
    const auto routes = engine.context().limits.limits()->routes;
    return response_of(engine::trace(engine.store(), *routes, subject.journal, query, cursor));
  });
}

Awaitable<Response> export_page(Subject& /*subject*/, engine::Engine& engine, const Request& request) {
  const auto place = query_value(request.query, "place");
  const auto from = parse_number(query_value(request.query, "from")).value_or(0);
  const auto names = query_value(request.query, "held");
  std::optional<std::vector<std::string>> held;
  if (names == "none") held.emplace();
  else if (!names.empty()) {
    const auto each = split(names, ',');
    held.emplace(each.begin(), each.end());
  }
  return on_worker(engine, [&engine, place, from, held = std::move(held)] {
    const auto page = engine::export_page(engine.store(), place, static_cast<std::uint32_t>(from), held);
    if (!page) return problem(page.error());
    return json_response(
      {{"lines", page->lines}, {"next", page->next ? ordered_json(*page->next) : ordered_json()}}
    );
  });
}

Awaitable<Response> import_page(Subject& /*subject*/, engine::Engine& engine, const Request& request) {
  const auto stream = query_value(request.query, "stream");
  if (stream.empty() || stream.size() > kMaxStreamName)
    return at_once(app::problem(400, "`stream` must name this import: up to 64 characters of your choice"));
  const engine::ImportOptions options{query_value(request.query, "hold") == "1"};
  std::function<void(Answer)> start = [&engine, stream, options, body = request.body](Answer answer) {
    engine.imports().take(stream, body, options, [answer](const Result<ordered_json>& taken) {
      answer(response_of(taken));
    });
  };
  return net::answered_by<Response>(std::move(start));
}

Result<route::Destination> parse_destination(std::string_view text) {
  const auto slash = std::min(text.find('/'), text.size());
  const auto kind = text.substr(0, slash);
  const auto name = text.substr(std::min(slash + 1, text.size()));
  const bool is_mx = kind == "mx";
  // Neither a lane nor what would end the name within a key of the spool.
  const bool is_name =
    !name.empty() && name.find_first_of(std::string_view("; \0", 3)) == std::string_view::npos;
  if (!is_name || !(is_mx || kind == "smarthost"))
    return permanent(
      Errc::invalid_argument,
      "`destination` must be one, as GET /v1/destinations names it: smarthost/NAME or mx/DOMAIN"
    );
  return is_mx ? route::mx_destination(name) : route::Destination{std::string(text)};
}

Result<Change> parse_change(QueueAction action, const std::string& body) {
  const auto invalid = [](std::string what) { return permanent(Errc::invalid_argument, std::move(what)); };
  const auto fields = ordered_json::parse(body.empty() ? "{}" : body, nullptr, false);
  if (!fields.is_object()) return invalid("the body must be a JSON object");
  Change change;
  change.action = action;
  try {
    auto selection = selection_of([&](const char* name) { return fields.value(name, std::string()); });
    if (!selection) return tl::unexpected(std::move(selection.error()));
    change.selection = std::move(*selection);
    change.places = fields.value("places", std::vector<std::string>());
    change.cursor = fields.value("after", std::string());
    change.limit = fields.value("limit", change.limit);
    change.by = printable(fields.value("by", change.by), 100);
    change.reason = printable(fields.value("reason", std::string()), 400);
    change.is_reported = fields.value("report_to_sender", false);
    const bool names_some =
      !change.selection.selects_all() || !change.selection.state.empty() || !change.places.empty();
    if (!names_some && !fields.value("all", false))
      return invalid(
        "name messages by id, sender, recipient, destination, state or places, or say \"all\": true"
      );
  } catch (const nlohmann::json::exception& exception) {
    return invalid(std::string("a field of the body has the wrong type: ") + exception.what());
  }
  return change;
}

namespace {

/// A destination's mail, or all mail, is retried in one go: the hop's own backoff ends too.
bool is_hurry(const Change& change) {
  const auto& selection = change.selection;
  return change.action == QueueAction::retry && !selection.id && selection.sender.empty() &&
         selection.recipient.empty() && change.places.empty() &&
         (selection.state.empty() || selection.state == "waiting");
}

/// Whether mail waits for it; what can't be read may be mail.
bool has_mail(const spool::Store& store, const route::Destination& destination) {
  return std::any_of(queue::kLanes.begin(), queue::kLanes.end(), [&](queue::Lane lane) {
    const auto page =
      store.due(queue::QueueName{destination, lane}.to_key(), std::nullopt, WallTime::max(), 1);
    return !page || !page->items.empty() || !page->damaged.empty();
  });
}

Awaitable<Response> hurry(engine::Engine& engine, const std::string& destination) {
  return on_worker(engine, [&engine, to = route::Destination{destination}] {
    const bool is_all = to.name.empty();
    if (is_all) engine.dispatcher().hurry_all();
    else engine.dispatcher().hurry(to);
    // Nobody counts what became due; that there was nothing is worth a word: the name may be wrong.
    const bool had_some = is_all || has_mail(engine.store(), to);
    return json_response(
      {{"changed", had_some ? ordered_json() : ordered_json(0)},
       {"in_flight", 0},
       {"unchanged", 0},
       {"next", ""}}
    );
  });
}

}  // namespace

Awaitable<Response> change_queue(engine::Engine& engine, QueueAction action, const std::string& body) {
  auto change = parse_change(action, body);
  if (!change) return at_once(problem(change.error()));
  if (is_hurry(*change)) return hurry(engine, change->selection.destination);
  std::function<void(Answer)> start = [&engine, change = std::move(*change)](Answer answer) {
    engine.control().change(change, [answer](const Result<engine::Changed>& changed) {
      if (!changed) return answer(problem(changed.error()));
      answer(json_response(
        {{"changed", changed->changed},
         {"in_flight", changed->in_flight},
         {"unchanged", changed->unchanged},
         {"next", changed->next}}
      ));
    });
  };
  return net::answered_by<Response>(std::move(start));
}

}  // namespace relay::app
