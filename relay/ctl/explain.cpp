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

bool knows_listener(const Rulebook& book, std::string_view name) {
  return name == mail::kMainListener || listener_of(book, name) != nullptr;
}

policy::Sending who_sends(const Rulebook& book, const policy::Facts& facts) {
  return {facts.client, policy::hides_clients(book.access, facts.client), std::string(*facts.user)};
}

constexpr std::string_view kWhateverRulesSay = "refused whatever rules say";

/// Whether the client may relay, as sessions of its listener judge it; empty where it may. Where the settings have no users
/// nobody has logged in, whatever a log says.
std::string refusal_of_client(const Rulebook& book, const policy::Facts& facts) {
  const bool has_logged_in = book.has_users && !facts.user->empty();
  if (has_logged_in) return {};
  const auto* own = listener_of(book, facts.listener);
  const bool has_networks = own != nullptr && !own->allowed_networks.empty();
  auto refusal = has_networks
                   ? policy::refuse_client({own->allowed_networks, book.access.hidden}, facts.client)
                   : policy::refuse_client(book.access, facts.client);
  if (!refusal && own != nullptr && own->auth == config::ListenerAuth::required)
    refusal = mail::Reply{530, mail::EnhancedStatus{5, 7, 0}, "Authentication required"};
  if (!refusal) return {};
  return std::string(kWhateverRulesSay) + (book.has_users ? ", unless it logs in: " : ": ") +
         refusal->to_line();
}

std::string refusal_of_sender(const Rulebook& book, const policy::Facts& facts) {
  const auto refusal = policy::refuse_sender(book.bindings, who_sends(book, facts), *facts.sender);
  return refusal ? std::string(kWhateverRulesSay) + ": " + refusal->to_line() : std::string();
}

std::string refusal_of_recipient(const Rulebook& book, const mail::Address& recipient) {
  if (const auto refusal = policy::refuse_recipient(recipient))
    return std::string(kWhateverRulesSay) + ": " + refusal->to_line();
  if (const auto refusal = policy::refuse_recipient(book.guard, recipient))
    return "refused by the mode: " + refusal->to_line();
  return {};
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

/// What a rule does that matches and lets the others go on; empty for one that decides.
std::string deed_of(const policy::Rule& rule) {
  switch (rule.action) {
    case Action::limit: return "depends on the count, above it: " + rule.reply.to_line();
    case Action::add_header: return "adds " + rule.field_name + ": " + rule.field_value;
    case Action::remove_header: return "removes " + rule.field_name;
    case Action::rewrite_sender:
      return "the sender becomes " + rule.new_sender.to_text() + (rule.rewrites_from ? ", From too" : "");
    case Action::set_priority:
      return rule.priority == mail::Priority::bulk ? "others' mail goes first" : "goes before bulk";
    case Action::copy: return "a copy goes to " + rule.copy_to.to_text();
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

/// What the mode does with accepted mail for a recipient.
enum class ModeDoes : std::uint8_t {
  nothing,  ///< it is Deliver, or a rule keeps or throws away the mail
  let_out,
  send_elsewhere,
  keep_in
};

ModeDoes mode_of(const policy::Guard& guard, const policy::Rule* rule, const mail::Address& recipient) {
  if (guard.mode == policy::Mode::deliver) return ModeDoes::nothing;
  const bool is_kept_by_rule =
    rule != nullptr && (rule->action == Action::discard || rule->action == Action::hold);
  if (is_kept_by_rule) return ModeDoes::nothing;
  const bool is_redirected = rule != nullptr && rule->action == Action::redirect;
  if (policy::lets_out(guard, is_redirected ? rule->redirect_to : recipient)) return ModeDoes::let_out;
  return guard.mode == policy::Mode::redirect ? ModeDoes::send_elsewhere : ModeDoes::keep_in;
}

std::string words_of(const policy::Guard& guard, ModeDoes does) {
  switch (does) {
    case ModeDoes::nothing: return {};
    case ModeDoes::let_out: return "mode " + std::string(policy::to_text(guard.mode)) + " lets it out";
    case ModeDoes::send_elsewhere:
      return "mode redirect sends it to " + guard.redirect_to.to_text() + " instead";
    case ModeDoes::keep_in: return policy::why_captured(guard);
  }
  return {};
}

std::string words_of(const policy::Rule& rule, const policy::Finding& finding) {
  switch (finding.answer) {
    case Answer::no: return "no: " + std::string(finding.condition) + " does not match";
    case Answer::unknown:
      return "not known yet: " + std::string(finding.condition) +
             (policy::always_goes_on(rule.action) ? "; rules go on" : "; rules behind it do not speak before"
             );
    case Answer::yes: {
      const auto deed = deed_of(rule);
      return deed.empty() ? "yes" : "yes; " + deed;
    }
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

/// What is said of one recipient.
struct Judgement {
  std::string refused{};  ///< by what is asked before the rules, in words; empty: they are asked
  std::vector<policy::Finding> looked{};
  policy::Decision decision{};
  ModeDoes mode = ModeDoes::nothing;
};

/// @param facts  with the recipient
Judgement judge_recipient(const Rulebook& book, const policy::Facts& facts) {
  Judgement judgement;
  judgement.refused = refusal_of_recipient(book, *facts.recipient);
  if (!judgement.refused.empty()) return judgement;
  judgement.decision = policy::decide(book.rules, facts, &judgement.looked);
  if (!policy::refusal_of(judgement.decision))
    judgement.mode = mode_of(book.guard, judgement.decision.rule, *facts.recipient);
  return judgement;
}

/// @param open  said where what is not known yet decides
std::string fate_of(
  const Rulebook& book, const policy::Facts& facts, const Judgement& judgement, std::string_view open
) {
  if (!judgement.refused.empty()) return judgement.refused;
  const auto& [rule, is_final] = judgement.decision;
  if (!is_final) return std::string(open);
  const auto sender = sender_after(book.rules, judgement.looked, *facts.sender);
  return fate_of(book, rule, sender, *facts.recipient, go_on(book.rules, judgement.looked, rule));
}

void write_judgement(
  const Rulebook& book, const policy::Facts& facts, const Judgement& judgement, std::string_view open,
  std::ostream& out
) {
  write_findings(book.rules, judgement.looked, out);
  out << "  => " << fate_of(book, facts, judgement, open) << "\n";
  const auto mode = words_of(book.guard, judgement.mode);
  if (!mode.empty()) out << "  => " << mode << "\n";
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
  if (!knows_listener(book, facts.listener))
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
  if (const auto refused = refusal_of_client(book, facts); !refused.empty())
    out << "client " << client->to_text() << ": " << refused << "\n";
  if (const auto refused = refusal_of_sender(book, facts); !refused.empty())
    out << "sender <" << sender->to_text() << ">: " << refused << "\n";
  policy::HeaderFields from({"From"});
  from.feed(header_text);
  from.finish();
  if (const auto refusal = policy::refuse_from(book.bindings, who_sends(book, facts), from))
    out << "header: " << kWhateverRulesSay << ": " << refusal->to_line() << "\n";
  for (const auto& text : request.recipients) {
    const auto recipient = mail::Address::parse(text, mail::Charset::utf8);
    if (!recipient) return tl::unexpected(recipient.error());
    facts.recipient = &*recipient;
    out << recipient->to_text() << ":\n";
    write_judgement(
      book, facts, judge_recipient(book, facts), "decided at the end of data; name --size and --header", out
    );
  }
  return {};
}

/// What a rule that goes on does to accepted mail, behind the name of each; a limit is not told: it depends on the count.
/// @param decided  null: nothing did
std::string deeds_of(
  const Rulebook& book, const policy::Facts& facts, const Judgement& judgement, const policy::Rule* decided
) {
  const bool is_gone = decided != nullptr && decided->action == Action::discard;
  std::string deeds;
  for (std::size_t i = 0; i < judgement.looked.size(); ++i) {
    const auto& rule = book.rules[i];
    if (judgement.looked[i].answer != Answer::yes || !policy::always_goes_on(rule.action)) continue;
    if (is_gone && rule.action != Action::copy) continue;
    if (rule.action == Action::rewrite_sender && facts.sender->is_null()) continue;
    deeds += "; " + rule.name + ": " + deed_of(rule);
  }
  return deeds;
}

/// A log's records, judged anew.
class Replay {
 public:
  Replay(const Rulebook& book, bool is_verbose, std::ostream& out)
      : book_(book), is_verbose_(is_verbose), out_(out) {}

  void take(const std::string& line) {
    const auto record = json::parse(line, nullptr, false);
    if (!record.is_object() || text_of(record, "event") != "reception") return;
    const auto client = IpAddress::parse(text_of(record, "client"));
    const auto sender =
      parse_address(text_of(record, record.contains("original_sender") ? "original_sender" : "sender"));
    const auto recipients =
      record.find(record.contains("original_recipients") ? "original_recipients" : "recipients");
    if (!client || !sender || recipients == record.end() || !recipients->is_array()) return;
    ++messages_;
    const auto helo = text_of(record, "helo");
    policy::Facts facts;
    facts.client = *client;
    const auto user = book_.has_users ? text_of(record, "user") : std::string();
    facts.user = user;
    const auto listener = text_of(record, "listener");
    if (!listener.empty()) facts.listener = listener;
    facts.helo = helo;
    facts.tls = record.contains("tls_version");
    facts.sender = &*sender;
    if (const auto size = record.find("size"); size != record.end() && size->is_number_unsigned())
      facts.size = size->get<std::uint64_t>();
    const auto refused = refusal_of_session(facts);
    for (const auto& each : *recipients) {
      const auto recipient =
        mail::Address::parse(each.is_string() ? each.get<std::string>() : "", mail::Charset::utf8);
      if (!recipient) continue;
      facts.recipient = &*recipient;
      const auto judgement = refused.empty() ? judge_recipient(book_, facts) : Judgement{refused};
      count(judgement);
      write(facts, judgement, text_of(record, "queue_id"));
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
    if (captured_ > 0) out_ << "  " << captured_ << " are kept in by the mode\n";
    if (elsewhere_ > 0) out_ << "  " << elsewhere_ << " go to another address by the mode\n";
    if (open_ > 0) out_ << "  " << open_ << " wait for their header, which a log does not tell\n";
    if (policy::cover_header(book_.bindings))
      out_ << "  From in the header, which sender bindings cover, is not judged: a log does not tell it\n";
  }

 private:
  static std::string text_of(const json& record, const char* key) {
    const auto found = record.find(key);
    return found != record.end() && found->is_string() ? found->get<std::string>() : std::string();
  }

  /// Of all recipients; empty: each is judged.
  [[nodiscard]] std::string refusal_of_session(const policy::Facts& facts) const {
    if (!knows_listener(book_, facts.listener)) {
      return std::string(kWhateverRulesSay) + ": the settings know no listener '" +
             std::string(facts.listener) + "'";
    }
    auto refused = refusal_of_sender(book_, facts);
    return refused.empty() ? refusal_of_client(book_, facts) : refused;
  }

  void count(const Judgement& judgement) {
    ++recipients_;
    if (!judgement.refused.empty()) ++refused_;
    if (judgement.mode == ModeDoes::keep_in) ++captured_;
    if (judgement.mode == ModeDoes::send_elsewhere) ++elsewhere_;
    if (!judgement.decision.is_final) ++open_;
    const auto* decided = judgement.decision.rule;
    for (std::size_t i = 0; i < judgement.looked.size(); ++i) {
      const auto& rule = book_.rules[i];
      if (judgement.looked[i].answer == Answer::yes || &rule == decided) ++counts_[rule.name];
    }
  }

  void write(const policy::Facts& facts, const Judgement& judgement, const std::string& queue_id) {
    constexpr std::string_view kOpen = "decided by its header, which a log does not tell";
    if (is_verbose_) {
      write_who(facts, queue_id);
      out_ << "\n";
      return write_judgement(book_, facts, judgement, kOpen, out_);
    }
    const auto* decided = judgement.decision.rule;
    const bool is_refused = !judgement.refused.empty() || policy::refusal_of(judgement.decision);
    const auto deeds = is_refused ? std::string() : deeds_of(book_, facts, judgement, decided);
    const bool has_moved = judgement.mode == ModeDoes::keep_in || judgement.mode == ModeDoes::send_elsewhere;
    const bool is_decided = decided != nullptr && decided->action != Action::accept;
    if (!is_refused && !is_decided && deeds.empty() && !has_moved) return;
    write_who(facts, queue_id);
    out_ << " " << fate_of(book_, facts, judgement, kOpen) << deeds;
    if (has_moved) out_ << "; " << words_of(book_.guard, judgement.mode);
    out_ << "\n";
  }

  void write_who(const policy::Facts& facts, const std::string& queue_id) {
    out_ << queue_id << " " << facts.client.to_text() << " <" << facts.sender->to_text() << "> <"
         << facts.recipient->to_text() << ">:";
  }

  const Rulebook& book_;
  bool is_verbose_;
  std::ostream& out_;
  std::uint64_t messages_ = 0;
  std::uint64_t recipients_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t captured_ = 0;   // by the mode
  std::uint64_t elsewhere_ = 0;  // sent there by the mode
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
  Replay replay(book, request.is_verbose, out);
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
