#include "relay/ctl/replay.hpp"

#include <algorithm>
#include <istream>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string_view>

#include "relay/ctl/judgement.hpp"

namespace relay::ctl {
namespace {

using nlohmann::json;
using policy::Action;
using policy::Answer;

constexpr std::string_view kOpen = "decided by its header, which a log does not tell";

std::string text_of(const json& record, const char* key) {
  const auto found = record.find(key);
  return found != record.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// Whose name stands there where rules gave the message another one.
const char* either(const json& record, const char* original, const char* key) {
  return record.contains(original) ? original : key;
}

/// The question that a reception is; it lives as long as that. Where the settings have no users nobody has logged in.
policy::Facts facts_of(const Rulebook& book, const Reception& reception) {
  policy::Facts facts;
  facts.client = reception.client;
  facts.user = book.has_users ? std::string_view(reception.user) : std::string_view();
  facts.listener = reception.listener;
  facts.helo = reception.helo;
  facts.tls = reception.has_tls;
  facts.sender = &reception.sender;
  facts.size = reception.size;
  return facts;
}

/// Of all recipients; empty: each is judged.
std::string refusal_of_session(const Rulebook& book, const policy::Facts& facts) {
  if (!knows_listener(book, facts.listener)) {
    return std::string(kWhateverRulesSay) + ": the settings know no listener '" +
           std::string(facts.listener) + "'";
  }
  auto refused = refusal_of_sender(book, facts);
  return refused.empty() ? refusal_of_client(book, facts) : refused;
}

bool moves(ModeDoes mode) { return mode == ModeDoes::keep_in || mode == ModeDoes::send_elsewhere; }

/// How often what was said.
class Tally {
 public:
  explicit Tally(const Rulebook& book) : book_(book) {}

  void count_message() { ++messages_; }

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

  void write(std::ostream& out) {
    out << "messages: " << messages_ << ", recipients: " << recipients_ << "\n";
    for (const auto& rule : book_.rules) {
      write_rule(rule, out);
      out << counts_[rule.name];
      if (rule.action == Action::limit) out << " counted; whether it refuses depends on how fast they come";
      out << "\n";
    }
    if (refused_ > 0) out << "  " << refused_ << " are refused whatever rules say\n";
    if (captured_ > 0) out << "  " << captured_ << " are kept in by the mode\n";
    if (elsewhere_ > 0) out << "  " << elsewhere_ << " go to another address by the mode\n";
    if (open_ > 0) out << "  " << open_ << " wait for their header, which a log does not tell\n";
    if (policy::cover_header(book_.bindings))
      out << "  From in the header, which sender bindings cover, is not judged: a log does not tell it\n";
  }

 private:
  const Rulebook& book_;
  std::uint64_t messages_ = 0;
  std::uint64_t recipients_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t captured_ = 0;   // by the mode
  std::uint64_t elsewhere_ = 0;  // sent there by the mode
  std::uint64_t open_ = 0;
  std::map<std::string, std::uint64_t> counts_;
};

void write_who(const policy::Facts& facts, const std::string& queue_id, std::ostream& out) {
  out << queue_id << " " << facts.client.to_text() << " <" << facts.sender->to_text() << "> <"
      << facts.recipient->to_text() << ">:";
}

/// A line where something is done.
void write_deeds(
  const Rulebook& book, const policy::Facts& facts, const Judgement& judgement, const std::string& queue_id,
  std::ostream& out
) {
  const auto* decided = judgement.decision.rule;
  const bool is_refused = !judgement.refused.empty() || policy::refusal_of(judgement.decision);
  const auto deeds = is_refused ? std::string() : deeds_of(book, facts, judgement);
  const bool is_decided = decided != nullptr && decided->action != Action::accept;
  if (!is_refused && !is_decided && deeds.empty() && !moves(judgement.mode)) return;
  write_who(facts, queue_id, out);
  out << " " << fate_of(book, facts, judgement, kOpen) << deeds;
  if (moves(judgement.mode)) out << "; " << words_of(book.guard, judgement.mode);
  out << "\n";
}

}  // namespace

std::optional<Reception> read_reception(const std::string& line) {
  const auto record = json::parse(line, nullptr, false);
  if (!record.is_object() || text_of(record, "event") != "reception") return std::nullopt;
  const auto client = IpAddress::parse(text_of(record, "client"));
  auto sender = parse_sender(text_of(record, either(record, "original_sender", "sender")));
  const auto recipients = record.find(either(record, "original_recipients", "recipients"));
  if (!client || !sender || recipients == record.end() || !recipients->is_array()) return std::nullopt;
  Reception reception;
  reception.queue_id = text_of(record, "queue_id");
  reception.client = *client;
  reception.user = text_of(record, "user");
  if (auto listener = text_of(record, "listener"); !listener.empty())
    reception.listener = std::move(listener);
  reception.helo = text_of(record, "helo");
  reception.has_tls = record.contains("tls_version");
  reception.sender = std::move(*sender);
  for (const auto& each : *recipients) {
    auto recipient =
      mail::Address::parse(each.is_string() ? each.get<std::string>() : "", mail::Charset::utf8);
    if (recipient) reception.recipients.push_back(std::move(*recipient));
  }
  if (const auto size = record.find("size"); size != record.end() && size->is_number_unsigned())
    reception.size = size->get<std::uint64_t>();
  return reception;
}

void replay(const Rulebook& book, Detail detail, std::istream& log, std::ostream& out) {
  Tally tally(book);
  for (std::string line; std::getline(log, line);) {
    const auto reception = read_reception(line);
    if (!reception) continue;
    tally.count_message();
    auto facts = facts_of(book, *reception);
    const auto refused = refusal_of_session(book, facts);
    for (const auto& recipient : reception->recipients) {
      facts.recipient = &recipient;
      const auto judgement = refused.empty() ? judge_recipient(book, facts) : Judgement{refused};
      tally.count(judgement);
      if (detail == Detail::findings) {
        write_who(facts, reception->queue_id, out);
        out << "\n";
        write_judgement(book, facts, judgement, kOpen, out);
      } else {
        write_deeds(book, facts, judgement, reception->queue_id, out);
      }
    }
  }
  tally.write(out);
}

}  // namespace relay::ctl
