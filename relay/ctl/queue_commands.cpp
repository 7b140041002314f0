#include "relay/ctl/queue_commands.hpp"

#include <iostream>
#include <map>
#include <set>
#include <unistd.h>

#include "relay/base/queue_id.hpp"
#include "relay/base/units.hpp"
#include "relay/ctl/tables.hpp"

namespace relay::ctl {
namespace {

using nlohmann::ordered_json;

/// Beyond it they are only said to be more.
constexpr std::size_t kCounted = 1'000'000;

/// Visits pages of a list until `visit` says false.
template <class Visit>
Result<void> for_each_page(const AdminInterface& admin, const std::string& target, Visit visit) {
  std::string cursor;
  do {
    const auto page = request(admin, "GET", target + "&after=" + encoded(cursor));
    if (!page) return tl::unexpected(page.error());
    if (!visit(page->at("messages"))) return {};
    cursor = page->at("next").get<std::string>();
  } while (!cursor.empty());
  return {};
}

/// Distinct messages.
Result<std::size_t> count(const AdminInterface& admin, const Selection& selection) {
  std::set<std::string> ids;
  auto counted =
    for_each_page(admin, "/v1/queue?limit=1000" + selection.to_query(), [&](const ordered_json& page) {
      for (const auto& message : page) ids.insert(message.at("queue_id").get<std::string>());
      return ids.size() < kCounted;
    });
  if (!counted) return tl::unexpected(counted.error());
  return ids.size();
}

/// Nothing: go on.
std::optional<int> ask_before_deleting(const AdminInterface& admin, const Order& order) {
  if (order.is_confirmed || !order.selection.id.empty()) return std::nullopt;
  const auto messages = count(admin, order.selection);
  if (!messages) return complain(messages.error());
  if (*messages <= 1) return std::nullopt;
  if (isatty(STDIN_FILENO) == 0) {
    std::cerr << "relayctl: this would delete " << *messages << " messages: say --yes if that is meant\n";
    return kWrongUsage;
  }
  std::cerr << "Delete " << *messages << " messages for good? [y/N] ";
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return std::nullopt;
  std::cerr << "Nothing was deleted.\n";
  return kFailed;
}

std::string past_tense(const std::string& action) {
  static const std::map<std::string, std::string> kPast{
    {"hold", "held"}, {"release", "released"}, {"retry", "due now"}, {"delete", "deleted"}
  };
  return kPast.at(action);
}

void take_counts(const ordered_json& answer, Changed& changed) {
  changed.is_hurried = answer.at("changed").is_null();
  if (!changed.is_hurried) changed.changed += answer.at("changed").get<std::uint64_t>();
  changed.in_flight += answer.at("in_flight").get<std::uint64_t>();
  changed.unchanged += answer.at("unchanged").get<std::uint64_t>();
}

int tell(const Order& order, const Changed& changed) {
  if (changed.is_hurried) {
    std::cout << "All of that mail is due now.\n";
    return kDone;
  }
  std::cout << changed.changed << " messages " << past_tense(order.action) << "\n";
  const bool comes_later = order.action == "hold" || order.action == "delete";
  if (changed.in_flight > 0) {
    std::cout << changed.in_flight << " are being sent right now"
              << (comes_later ? ": what is not delivered follows\n" : "\n");
  }
  if (changed.unchanged > 0) std::cout << changed.unchanged << " were gone or could not be changed\n";
  return changed.changed + (comes_later ? changed.in_flight : 0) > 0 ? kDone : kNothing;
}

/// A message comes once with its events and again with each of its places.
void merge(std::map<std::string, std::size_t>& seen, ordered_json& messages, ordered_json message) {
  const auto id = message.at("queue_id").get<std::string>();
  const auto [at, is_new] = seen.emplace(id, messages.size());
  if (is_new) return messages.push_back(std::move(message));
  auto& known = messages[at->second];
  for (auto& [key, value] : message.items()) {
    if (key == "places" && known.contains("places")) {
      for (auto& place : value) known["places"].push_back(place);
    } else {
      known[key] = value;
    }
  }
}

}  // namespace

int complain(const Error& error) {
  std::cerr << "relayctl: " << error.context << "\n";
  return kFailed;
}

Progress::Progress() : is_terminal_(isatty(STDERR_FILENO) != 0) {}
Progress::~Progress() {
  if (is_shown_) std::cerr << "\r\x1b[K" << std::flush;
}
void Progress::show(const std::string& text) {
  if (!is_terminal_) return;
  is_shown_ = true;
  std::cerr << "\r\x1b[K" << text << std::flush;
}

int list_queue(const AdminInterface& admin, const Selection& selection, std::size_t limit, bool as_json) {
  auto messages = ordered_json::array();
  bool has_more = false;
  const auto page_size = std::to_string(std::clamp<std::size_t>(limit, 1, 500));
  const auto target = "/v1/queue?limit=" + page_size + selection.to_query();
  // Reads on until one more is found: a list that was cut must not look whole.
  const auto listed = for_each_page(admin, target, [&](const ordered_json& page) {
    for (const auto& message : page) {
      if (messages.size() < limit) messages.push_back(message);
      else has_more = true;
    }
    return !has_more;
  });
  if (!listed) return complain(listed.error());
  if (has_more) std::cerr << "There are more than these " << limit << ": say --limit\n";
  if (as_json) {
    std::cout << messages.dump(2) << "\n";
    return kDone;
  }
  // Mail that waits for a next hop that is down has no reply of its own: the destination's failure is its
  // reason.
  const auto status = request(admin, "GET", "/v1/status");
  std::cout << queue_table(messages) << (status ? failing_destinations(*status) : "");
  return kDone;
}

Result<Changed> change_all(const AdminInterface& admin, const std::string& action, ordered_json body) {
  Changed changed;
  Progress progress;
  body["limit"] = 500;
  std::string cursor;
  do {
    body["after"] = cursor;
    const auto answer = request(admin, "POST", "/v1/queue/" + action, body.dump());
    if (!answer) return tl::unexpected(answer.error());
    take_counts(*answer, changed);
    cursor = answer->at("next").get<std::string>();
    progress.show(std::to_string(changed.changed) + " " + past_tense(action) + " ...");
  } while (!cursor.empty());
  return changed;
}

int change_queue(const AdminInterface& admin, const Order& order) {
  if (order.selection.is_empty() && !order.selection.is_all) {
    std::cerr
      << "relayctl: name messages by id, --sender, --recipient, --destination or --state, or say --all\n";
    return kWrongUsage;
  }
  if (order.action == "delete") {
    if (const auto end = ask_before_deleting(admin, order)) return *end;
  }
  auto body = order.selection.to_json();
  if (!order.reason.empty()) body["reason"] = order.reason;
  if (const char* user = std::getenv("SUDO_USER"); user != nullptr) body["by"] = user;
  else if (const char* login = std::getenv("USER"); login != nullptr) body["by"] = login;
  if (order.is_reported) body["report_to_sender"] = true;
  const auto changed = change_all(admin, order.action, std::move(body));
  if (!changed) return complain(changed.error());
  return tell(order, *changed);
}

int show_destinations(const AdminInterface& admin, std::size_t limit, bool as_json) {
  const auto answer = request(admin, "GET", "/v1/destinations?limit=" + std::to_string(limit));
  if (!answer) return complain(answer.error());
  const auto& list = answer->at("destinations");
  std::cout << (as_json ? list.dump(2) + "\n" : destinations_table(list));
  return kDone;
}

int change_destination(
  const AdminInterface& admin, const std::string& action, const std::string& destination,
  const std::string& duration
) {
  ordered_json body{{"destination", destination}};
  if (!duration.empty()) {
    const auto parsed = parse_duration(duration);
    if (!parsed || parsed->count() < 1000) {
      std::cerr << "relayctl: '" << duration << "' is no duration of a second or more, such as 30m or 1h\n";
      return kWrongUsage;
    }
    body["seconds"] = static_cast<std::uint64_t>(parsed->count() / 1000);
  }
  const auto answer = request(admin, "POST", "/v1/destinations/" + action, body.dump());
  if (!answer) return complain(answer.error());
  if (action == "unsuspend") std::cout << "Mail for " << destination << " is sent again.\n";
  else
    std::cout << "No mail for " << destination << " is begun "
              << (duration.empty() ? "until unsuspend or a restart.\n"
                                   : "for " + duration + ", or until a restart.\n");
  return kDone;
}

int show_trace(const AdminInterface& admin, TraceRequest request_, bool as_json) {
  auto& [what, id, message_id, recipient] = request_;
  if (!what.empty()) {
    const bool is_message_id = what.front() == '<' || what.starts_with("%3C");
    if (QueueId::parse(what)) id = what;
    else (is_message_id ? message_id : recipient) = what;
  }
  std::string target = "/v1/trace?";
  if (!id.empty()) target += "id=" + encoded(id);
  else if (!message_id.empty()) target += "message_id=" + encoded(message_id);
  else if (!recipient.empty()) target += "recipient=" + encoded(recipient);
  auto messages = ordered_json::array();
  std::map<std::string, std::size_t> seen;
  Progress progress;
  const auto traced = for_each_page(admin, target, [&](const ordered_json& page) {
    for (const auto& message : page) merge(seen, messages, message);
    progress.show(std::to_string(messages.size()) + " found ...");
    return true;
  });
  if (!traced) return complain(traced.error());
  if (as_json) std::cout << messages.dump(2) << "\n";
  else if (messages.empty())
    std::cout << "Nothing is known of such a message: it is not in the queue, and what the relay "
                 "remembers of the last 20,000 events does not name it. Its log may.\n";
  else
    for (const auto& message : messages) std::cout << trace_text(message) << "\n";
  return messages.empty() ? kNothing : kDone;
}

}  // namespace relay::ctl
