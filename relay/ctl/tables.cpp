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
    if (message.at("state") == "waiting" && recipient.at("state") != "waiting") continue;  // settled before
    text += (text.empty() ? "" : ",") + recipient.at("address").get<std::string>();
  }
  return text;
}

/// Why it is still here.
std::string reason_of(const ordered_json& message) {
  if (message.at("state") == "waiting") return message.value("last", "");
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

std::string status_text(const ordered_json& status) {
  const auto number = [&](const char* key) { return std::to_string(status.at(key).get<std::uint64_t>()); };
  std::string text = status.at("ready").get<bool>()
                       ? "ready\n"
                       : "not ready: " + status.at("reason").get<std::string>() + "\n";
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
