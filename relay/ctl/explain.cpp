#include "relay/ctl/explain.hpp"

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <istream>
#include <nlohmann/json.hpp>
#include <ostream>

#include "relay/base/text.hpp"
#include "relay/config/guard.hpp"
#include "relay/config/hidden_sources.hpp"
#include "relay/config/load.hpp"
#include "relay/config/policy_rules.hpp"
#include "relay/config/sender_bindings.hpp"
#include "relay/policy/relay_access.hpp"
#include "relay/route/route_table.hpp"

namespace relay::ctl {
namespace {

using nlohmann::json;
using policy::Action;
using policy::Answer;

/// What decides in a relay with these settings.
struct Rulebook {
  policy::RelayAccess access;
  policy::Rules rules;
  policy::SenderBindings bindings;
  route::RouteTable routes;
  bool has_users = false;  ///< who may log in
  policy::Guard guard{};
  std::vector<config::Listener> listeners{};
};

const config::Listener* listener_of(const Rulebook& book, std::string_view name) {
  const auto at = std::find_if(book.listeners.begin(), book.listeners.end(), [&](const auto& one) {
    return one.name == name;
  });
  return at == book.listeners.end() ? nullptr : &*at;
}

/// Who has not logged in, as sessions of that listener judge it.
std::optional<mail::Reply> refuse_client(
  const Rulebook& book, std::string_view listener, const IpAddress& client
) {
  auto access = book.access;
  const auto* own = listener_of(book, listener);
  if (own != nullptr && !own->allowed_networks.empty()) access.allowed = own->allowed_networks;
  auto refusal = policy::refuse_client(access, client);
  if (!refusal && own != nullptr && own->auth == config::ListenerAuth::required)
    refusal = mail::Reply{530, mail::EnhancedStatus{5, 7, 0}, "Authentication required"};
  return refusal;
}

Result<config::Settings> read_settings(const ExplainRequest& request) {
  std::ifstream file(request.settings_file);
  if (!file) return permanent(Errc::not_found, "cannot read the settings in " + request.settings_file);
  std::string text(std::istreambuf_iterator<char>(file), {});
  auto loaded = config::load({std::move(text), request.settings_file, request.environment});
  if (loaded.faults.empty()) return std::move(loaded.settings);
  std::string faults;
  for (const auto& fault : loaded.faults) faults += (faults.empty() ? "" : "; ") + fault.to_text();
  return permanent(Errc::invalid_argument, faults);
}

/// As the relay reads it, as far as it is seen from here: a file that is missing adds none.
Networks listed_sources(const config::Settings& settings) {
  std::ifstream file(settings.hidden_sources_file);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  return config::parse_hidden_sources(text).networks;
}

Rulebook rulebook_of(const config::Settings& settings) {
  policy::RelayAccess access{settings.allowed_networks, {}};
  Networks hidden;
  const auto listed = listed_sources(settings);
  for (const auto* networks :
       {&settings.hidden_sources, &settings.proxy_trusted, &settings.host_addresses, &listed})
    hidden.insert(hidden.end(), networks->begin(), networks->end());
  access.hidden = hidden;
  std::vector<route::SmarthostRule> smarthosts;
  for (const auto& each : config::all_smarthosts(settings)) {
    smarthosts.push_back({each.name, each.priority, each.weight, each.recipient_domains, each.sender_domains}
    );
  }
  return {
    std::move(access),
    config::policy_rules(settings),
    config::sender_bindings(settings),
    route::RouteTable(smarthosts),
    !settings.auth_users_file.empty(),
    config::guard_of(settings),
    settings.listeners
  };
}

Result<mail::Address> parse_address(const std::string& text) {
  if (text.empty() || text == "<>") return mail::Address();
  return mail::Address::parse(text, mail::Charset::utf8);
}

std::string destination_of(
  const Rulebook& book, const policy::Rule* rule, const mail::Address& sender, const mail::Address& recipient
) {
  mail::Envelope envelope;
  envelope.reverse_path = sender;
  envelope.recipients = {recipient};
  if (rule != nullptr && rule->action == Action::redirect) envelope.recipients = {rule->redirect_to};
  if (rule != nullptr && rule->action == Action::route) envelope.smarthosts = {rule->smarthost};
  return book.routes.route(envelope, 0).name;
}

/// What becomes of a recipient's mail, in words.
/// @param goes_on  a rule matches that decides nothing
std::string fate_of(
  const Rulebook& book, const policy::Rule* rule, const mail::Address& sender, const mail::Address& recipient,
  bool goes_on
) {
  const auto way = " by " + destination_of(book, rule, sender, recipient);
  if (rule == nullptr)
    return std::string(goes_on ? "accepted, no rule decides;" : "accepted, no rule matches;") + way;
  const auto by = " (rule " + rule->name + ")";
  switch (rule->action) {
    case Action::accept: return "accepted" + by + ";" + way;
    case Action::reject:
    case Action::defer: return "refused" + by + ": " + rule->reply.to_line();
    case Action::discard: return "thrown away" + by;
    case Action::hold: return "on hold" + by + "; released it goes" + way;
    case Action::redirect: return "redirected to " + rule->redirect_to.to_text() + by + ";" + way;
    case Action::route: return "accepted" + by + ";" + way;
    // They decide nothing.
    case Action::limit:
    case Action::add_header:
    case Action::remove_header:
    case Action::rewrite_sender:
    case Action::set_priority:
    case Action::copy: break;
  }
  return {};
}

/// What a rule does that matches and lets the others go on; nothing for one that decides.
std::string deed_of(const policy::Rule& rule) {
  switch (rule.action) {
    case Action::limit: return "; depends on the count, above it: " + rule.reply.to_line();
    case Action::add_header: return "; adds " + rule.field_name + ": " + rule.field_value;
    case Action::remove_header: return "; removes " + rule.field_name;
    case Action::rewrite_sender:
      return "; the sender becomes " + rule.new_sender.to_text() + (rule.rewrites_from ? ", From too" : "");
    case Action::set_priority:
      return rule.priority == mail::Priority::bulk ? "; others' mail goes first" : "; goes before bulk";
    case Action::copy: return "; a copy goes to " + rule.copy_to.to_text();
    case Action::accept:
    case Action::reject:
    case Action::defer:
    case Action::discard:
    case Action::hold:
    case Action::redirect:
    case Action::route: break;
  }
  return {};
}

/// What the mode does with accepted mail for a recipient; empty in production.
std::string mode_of(const policy::Guard& guard, const policy::Rule* rule, const mail::Address& recipient) {
  if (guard.mode == policy::Mode::deliver) return {};
  const bool is_kept_by_rule =
    rule != nullptr && (rule->action == Action::discard || rule->action == Action::hold);
  if (is_kept_by_rule) return {};
  const bool is_redirected = rule != nullptr && rule->action == Action::redirect;
  if (policy::lets_out(guard, is_redirected ? rule->redirect_to : recipient))
    return "mode " + std::string(policy::to_text(guard.mode)) + " lets it out";
  if (guard.mode == policy::Mode::redirect)
    return "mode redirect sends it to " + guard.redirect_to.to_text() + " instead";
  return policy::why_captured(guard);
}

std::string words_of(const policy::Rule& rule, const policy::Finding& finding) {
  switch (finding.answer) {
    case Answer::no: return "no: " + std::string(finding.condition) + " does not match";
    case Answer::unknown:
      return "not known yet: " + std::string(finding.condition) +
             (policy::always_goes_on(rule.action) ? "; rules go on" : "; rules behind it do not speak before"
             );
    case Answer::yes: return "yes" + deed_of(rule);
  }
  return {};
}

/// What a message of this sender goes by, once a rule has given it another one.
mail::Address sender_after(
  const policy::Rules& rules, const std::vector<policy::Finding>& looked, const mail::Address& sender
) {
  auto after = sender;
  for (std::size_t i = 0; i < looked.size() && !sender.is_null(); ++i) {
    if (rules[i].action == Action::rewrite_sender && looked[i].answer == Answer::yes)
      after = rules[i].new_sender;
  }
  return after;
}

std::string column(Action action) {
  const std::string text(policy::to_text(action));
  return text + std::string(text.size() < 10 ? 10 - text.size() : 1, ' ');
}

/// Whether one matches that decides nothing.
bool go_on(
  const policy::Rules& rules, const std::vector<policy::Finding>& looked, const policy::Rule* decided
) {
  for (std::size_t i = 0; i < looked.size(); ++i) {
    if (looked[i].answer == Answer::yes && &rules[i] != decided) return true;
  }
  return false;
}

void write_findings(
  const policy::Rules& rules, const std::vector<policy::Finding>& looked, std::ostream& out
) {
  for (std::size_t i = 0; i < looked.size(); ++i) {
    out << "  " << std::left << std::setw(24) << rules[i].name << column(rules[i].action)
        << words_of(rules[i], looked[i]) << "\n";
  }
}

/// The stages of a transaction, with the facts that come with each.
Result<void> explain_one(const ExplainRequest& request, const Rulebook& book, std::ostream& out) {
  policy::Facts facts;
  const auto client = IpAddress::parse(request.client);
  if (!client) return tl::unexpected(client.error());
  const auto sender = parse_address(request.sender);
  if (!sender) return tl::unexpected(sender.error());
  std::vector<std::string> names;
  std::string header_text;
  for (const auto& field : request.headers) {
    names.push_back(std::string(trimmed(field.substr(0, field.find(':')))));
    header_text += field + "\r\n";
  }
  policy::HeaderFields header(names);
  header.feed(header_text);
  header.finish();
  facts.client = *client;
  facts.user = request.user;
  if (!request.listener.empty()) facts.listener = request.listener;
  if (facts.listener != mail::kMainListener && listener_of(book, facts.listener) == nullptr)
    return permanent(Errc::invalid_argument, "the settings know no listener '" + request.listener + "'");
  facts.helo = request.helo;
  facts.tls = request.has_tls;
  facts.sender = &*sender;
  if (!request.headers.empty()) facts.header = &header;
  if (request.size) {
    const auto size = parse_octets(*request.size);
    if (!size) return tl::unexpected(size.error());
    facts.size = size->count;
  }
  if (const auto refusal = refuse_client(book, facts.listener, *client); refusal && request.user.empty())
    out << "client " << client->to_text() << ": refused whatever rules say"
        << (book.has_users ? ", unless it logs in: " : ": ") << refusal->to_line() << "\n";
  const policy::Sending who{*client, policy::hides_clients(book.access, *client), request.user};
  if (const auto refusal = policy::refuse_sender(book.bindings, who, *sender))
    out << "sender <" << sender->to_text() << ">: refused whatever rules say: " << refusal->to_line() << "\n";
  policy::HeaderFields from({"From"});
  from.feed(header_text);
  from.finish();
  if (const auto refusal = policy::refuse_from(book.bindings, who, from))
    out << "header: refused whatever rules say: " << refusal->to_line() << "\n";
  for (const auto& text : request.recipients) {
    const auto recipient = mail::Address::parse(text, mail::Charset::utf8);
    if (!recipient) return tl::unexpected(recipient.error());
    facts.recipient = &*recipient;
    if (const auto refusal = policy::refuse_recipient(*recipient)) {
      out << recipient->to_text() << ":\n  => refused whatever rules say: " << refusal->to_line() << "\n";
      continue;
    }
    if (const auto refusal = policy::refuse_recipient(book.guard, *recipient)) {
      out << recipient->to_text() << ":\n  => refused by the mode: " << refusal->to_line() << "\n";
      continue;
    }
    std::vector<policy::Finding> looked;
    const auto decision = policy::decide(book.rules, facts, &looked);
    out << recipient->to_text() << ":\n";
    write_findings(book.rules, looked, out);
    out << "  => "
        << (decision.is_final ? fate_of(
                                  book, decision.rule, sender_after(book.rules, looked, *sender), *recipient,
                                  go_on(book.rules, looked, decision.rule)
                                )
                              : std::string("decided at the end of data; name --size and --header"))
        << "\n";
    const bool is_refused = policy::refusal_of(decision).has_value();
    const auto mode = is_refused ? std::string() : mode_of(book.guard, decision.rule, *recipient);
    if (!mode.empty()) out << "  => " << mode << "\n";
  }
  return {};
}

/// A log's records, judged anew.
class Replay {
 public:
  Replay(const Rulebook& book, std::ostream& out) : book_(book), out_(out) {}

  void take(const std::string& line) {
    const auto record = json::parse(line, nullptr, false);
    if (!record.is_object() || text_of(record, "event") != "reception") return;
    const auto client = IpAddress::parse(text_of(record, "client"));
    const auto sender = parse_address(text_of(record, "sender"));
    const auto recipients = record.find("recipients");
    if (!client || !sender || recipients == record.end() || !recipients->is_array()) return;
    ++messages_;
    const auto helo = text_of(record, "helo");
    policy::Facts facts;
    facts.client = *client;
    const auto user = text_of(record, "user");
    facts.user = user;
    const auto listener = text_of(record, "listener");
    if (!listener.empty()) facts.listener = listener;
    facts.helo = helo;
    facts.tls = record.contains("tls_version");
    facts.sender = &*sender;
    if (const auto size = record.find("size"); size != record.end() && size->is_number_unsigned())
      facts.size = size->get<std::uint64_t>();
    for (const auto& each : *recipients) {
      const auto recipient =
        mail::Address::parse(each.is_string() ? each.get<std::string>() : "", mail::Charset::utf8);
      if (recipient) judge(facts, *recipient, text_of(record, "queue_id"));
    }
  }

  void end() {
    out_ << "messages: " << messages_ << ", recipients: " << recipients_ << "\n";
    for (const auto& rule : book_.rules)
      out_ << "  " << std::left << std::setw(24) << rule.name << column(rule.action) << counts_[rule.name]
           << (rule.action == Action::limit ? " counted; whether it refuses depends on how fast they come"
                                            : "")
           << "\n";
    if (refused_ > 0) out_ << "  " << refused_ << " are refused whatever rules say\n";
    if (open_ > 0) out_ << "  " << open_ << " wait for their header, which a log does not tell\n";
  }

 private:
  static std::string text_of(const json& record, const char* key) {
    const auto found = record.find(key);
    return found != record.end() && found->is_string() ? found->get<std::string>() : std::string();
  }

  void judge(policy::Facts facts, const mail::Address& recipient, const std::string& queue_id) {
    ++recipients_;
    facts.recipient = &recipient;
    if (const auto refusal = policy::refuse_recipient(recipient)) {
      ++refused_;
      return write(facts, recipient, queue_id, "refused whatever rules say: " + refusal->to_line());
    }
    const policy::Sending who{
      facts.client, policy::hides_clients(book_.access, facts.client), std::string(*facts.user)
    };
    if (const auto refusal = policy::refuse_sender(book_.bindings, who, *facts.sender)) {
      ++refused_;
      return write(facts, recipient, queue_id, "refused whatever rules say: " + refusal->to_line());
    }
    std::vector<policy::Finding> looked;
    const auto decision = policy::decide(book_.rules, facts, &looked);
    for (std::size_t i = 0; i < looked.size(); ++i) {
      if (looked[i].answer == Answer::yes && &book_.rules[i] != decision.rule) ++counts_[book_.rules[i].name];
    }
    if (!decision.is_final) ++open_;
    if (decision.rule == nullptr) return;
    ++counts_[decision.rule->name];
    if (decision.rule->action == Action::accept) return;
    write(
      facts, recipient, queue_id,
      fate_of(book_, decision.rule, sender_after(book_.rules, looked, *facts.sender), recipient, false)
    );
  }

  void write(
    const policy::Facts& facts, const mail::Address& recipient, const std::string& queue_id,
    const std::string& fate
  ) {
    out_ << queue_id << " " << facts.client.to_text() << " <" << facts.sender->to_text() << "> <"
         << recipient.to_text() << ">: " << fate << "\n";
  }

  const Rulebook& book_;
  std::ostream& out_;
  std::uint64_t messages_ = 0;
  std::uint64_t recipients_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t open_ = 0;
  std::map<std::string, std::uint64_t> counts_;
};

Result<void> explain_log(
  const ExplainRequest& request, const Rulebook& book, std::istream& in, std::ostream& out
) {
  std::ifstream file;
  if (request.replay_file != "-") {
    file.open(request.replay_file);
    if (!file) return permanent(Errc::not_found, "cannot read the log in " + request.replay_file);
  }
  std::istream& lines = request.replay_file == "-" ? in : file;
  Replay replay(book, out);
  for (std::string line; std::getline(lines, line);) replay.take(line);
  replay.end();
  return {};
}

}  // namespace

Result<void> explain(const ExplainRequest& request, std::istream& in, std::ostream& out) {
  const auto settings = read_settings(request);
  if (!settings) return tl::unexpected(settings.error());
  const auto book = rulebook_of(*settings);
  if (!request.replay_file.empty()) return explain_log(request, book, in, out);
  if (request.client.empty() || request.recipients.empty())
    return permanent(Errc::invalid_argument, "name --client and --to, or --replay");
  return explain_one(request, book, out);
}

}  // namespace relay::ctl
