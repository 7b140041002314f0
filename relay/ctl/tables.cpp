#include "relay/ctl/tables.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "relay/base/text.hpp"

namespace relay::ctl {
namespace {

using nlohmann::ordered_json;
using Row = std::vector<std::string>;

constexpr std::size_t kMaxCell = 60;
constexpr std::size_t kMaxLine = 400;

/// Columns as wide as their widest cell. What peers and senders wrote is made printable: a table goes to a
/// terminal.
std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], std::min(row[i].size(), kMaxCell));
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      auto cell = printable(row[i], kMaxCell);
      if (i + 1 < row.size()) cell.resize(widths[i] + 2, ' ');
      line += cell;
    }
    text += line + "\n";
  }
  return text;
}

std::string recipients_of(const ordered_json& message) {
  std::string text;
  for (const auto& recipient : message.at("recipients")) {
    if (message.at("state") != "failed" && recipient.at("state") != "waiting") continue;  // settled before
    text += (text.empty() ? "" : ",") + recipient.at("address").get<std::string>();
  }
  return text;
}

/// Why it is still here.
std::string reason_of(const ordered_json& message) {
  if (message.at("state") != "failed") return message.value("last", "");
  for (const auto& recipient : message.at("recipients")) {
    if (recipient.at("state") == "failed") return recipient.at("reply").get<std::string>();
  }
  return "";
}

}  // namespace

std::string queue_table(const ordered_json& messages) {
  if (messages.empty()) return "The queue is empty.\n";
  std::vector<Row> rows{
    {"QUEUE ID", "STATE", "SIZE", "ARRIVAL", "NEXT ATTEMPT", "TRIES", "SENDER", "RECIPIENTS", "REASON"}
  };
  for (const auto& message : messages) {
    const auto sender = message.at("sender").get<std::string>();
    rows.push_back(
      {message.at("queue_id").get<std::string>(), message.at("state").get<std::string>(),
       std::to_string(message.at("size").get<std::uint64_t>()), message.at("arrival").get<std::string>(),
       message.value("due", "-"),
       message.contains("attempts") ? std::to_string(message.at("attempts").get<std::uint64_t>()) : "-",
       sender.empty() ? "<>" : sender, recipients_of(message), reason_of(message)}
    );
  }
  return table(rows);
}

namespace {

/// A member as text; empty when it is not there.
std::string text_of(const ordered_json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (!found->is_array()) return found->dump();
  std::string text;
  for (const auto& entry : *found)
    text += (text.empty() ? "" : ",") + (entry.is_string() ? entry.get<std::string>() : entry.dump());
  return text;
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

/// What of an event is worth a line, in this order.
std::string event_line(const ordered_json& event) {
  static constexpr std::array kShown{"recipient", "recipients",  "client",     "host",
                                     "address",   "destination", "message_id", "reply",
                                     "by",        "reason",      "report_id",  "error"};
  auto text = text_of(event, "time") + "  " + text_of(event, "event");
  for (const auto* key : kShown) {
    const bool is_known = std::string_view(key) == "recipients" && event.contains("recipient");
    if (const auto value = text_of(event, key); !value.empty() && !is_known)
      text += std::string(" ") + key + "=" + value;
  }
  return "    " + printable(text, kMaxLine) + "\n";
}

}  // namespace

std::string destinations_table(const ordered_json& destinations) {
  if (destinations.empty()) return "Nothing waits in memory for any destination.\n";
  std::vector<Row> rows{
    {"DESTINATION", "WAITING*", "BULK*", "IN FLIGHT", "CONNECTIONS", "WINDOW", "OLDEST", "STATE"}
  };
  for (const auto& one : destinations) {
    std::string state = one.value("is_suspended", false) ? "suspended" : "active";
    if (const auto wait = text_of(one, "next_attempt_in_seconds"); !wait.empty())
      state = "backs off, " + wait + " s";
    if (one.value("is_suspended", false)) state = "suspended";
    rows.push_back(
      {text_of(one, "destination"), text_of(one, "waiting_in_memory"), text_of(one, "bulk_waiting_in_memory"),
       text_of(one, "in_flight"), text_of(one, "connections_ready"), text_of(one, "concurrency_window"),
       or_dash(text_of(one, "oldest_arrival")), state}
    );
  }
  auto text = table(rows) + "* in memory; more may wait on disk\n";
  for (const auto& one : destinations) {
    if (const auto failure = text_of(one, "last_failure"); !failure.empty())
      text += text_of(one, "destination") + ": " + printable(failure, kMaxLine) + "\n";
  }
  return text;
}

std::string trace_text(const ordered_json& message) {
  auto text = text_of(message, "queue_id") + "  " + text_of(message, "state") + "\n";
  const auto line = [&](const char* label, const std::string& value) {
    if (!value.empty()) text += "  " + std::string(label) + ": " + printable(value, kMaxLine) + "\n";
  };
  line("Message-ID", text_of(message, "message_id"));
  if (message.contains("sender")) line("from", or_dash(text_of(message, "sender")));
  if (message.contains("size")) {
    line(
      "arrived", text_of(message, "arrival") + " from " + text_of(message, "client") + " (" +
                   text_of(message, "helo") + "), " + text_of(message, "size") + " octets"
    );
  }
  line("failed at", text_of(message, "failed_at"));
  line("error", text_of(message, "error"));
  for (const auto& recipient : message.value("recipients", ordered_json::array())) {
    auto state = text_of(recipient, "address") + " " + text_of(recipient, "state");
    if (recipient.contains("reply")) {
      state += " at " + text_of(recipient, "at") + " by " + or_dash(text_of(recipient, "hop")) + ": " +
               text_of(recipient, "reply");
    }
    line("to", state);
  }
  for (const auto& place : message.value("places", ordered_json::array())) {
    line(
      "waits", text_of(place, "state") + " for " + text_of(place, "destination") + " (" +
                 text_of(place, "lane") + "), due " + text_of(place, "due") + ", tries " +
                 text_of(place, "attempts") +
                 (text_of(place, "last").empty() ? "" : ", last: " + text_of(place, "last"))
    );
  }
  if (message.contains("events")) text += "  events:\n";
  for (const auto& event : message.value("events", ordered_json::array())) text += event_line(event);
  return text;
}

std::string status_text(const ordered_json& status) {
  const auto number = [&](const char* key) { return std::to_string(status.at(key).get<std::uint64_t>()); };
  std::string text = status.at("ready").get<bool>()
                       ? "ready\n"
                       : "not ready: " + status.at("reason").get<std::string>() + "\n";
  const auto mode = status.value("mode", "deliver");  // an older relay has none
  if (mode != "deliver") text += "mode " + mode + ": not all mail that is accepted leaves by itself\n";
  text += number("waiting") + " messages wait (" + number("waiting_bytes") + " octets), " +
          number("in_flight") + " in flight, " + number("failed") + " kept as failed\n";
  return text + failing_destinations(status);
}

std::string failing_destinations(const ordered_json& status) {
  std::string text;
  for (const auto& destination : status.at("destinations")) {
    const auto failure = destination.at("last_failure").get<std::string>();
    if (failure.empty()) continue;
    text += "Mail for " + destination.at("destination").get<std::string>() + " waits";
    if (destination.at("next_attempt_in_seconds").is_number()) {
      text += ", next attempt in " +
              std::to_string(destination.at("next_attempt_in_seconds").get<std::int64_t>()) + " s";
    }
    text += ": " + printable(failure, 400) + "\n";
  }
  return text;
}

}  // namespace relay::ctl
