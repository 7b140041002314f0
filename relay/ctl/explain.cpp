#include "relay/ctl/explain.hpp"

#include <fstream>
#include <istream>
#include <ostream>
#include <utility>

#include "relay/base/text.hpp"
#include "relay/ctl/judgement.hpp"
#include "relay/ctl/replay.hpp"
#include "relay/ctl/rulebook.hpp"
#include "relay/policy/header_fields.hpp"

namespace relay::ctl {
namespace {

policy::HeaderFields fields_of(const std::vector<std::string>& header, std::vector<std::string> names) {
  policy::HeaderFields fields(std::move(names));
  for (const auto& field : header) fields.feed(field + "\r\n");
  fields.finish();
  return fields;
}

std::vector<std::string> names_of(const std::vector<std::string>& header) {
  std::vector<std::string> names;
  for (const auto& field : header) names.push_back(std::string(trimmed(field.substr(0, field.find(':')))));
  return names;
}

/// All but the header. They live as long as what they are made of.
Result<policy::Facts> facts_of(
  const ExplainRequest& request, const Rulebook& book, const IpAddress& client, const mail::Address& sender
) {
  policy::Facts facts;
  facts.client = client;
  facts.user = request.user;
  if (!request.listener.empty()) facts.listener = request.listener;
  if (!knows_listener(book, facts.listener))
    return permanent(Errc::invalid_argument, "the settings know no listener '" + request.listener + "'");
  facts.helo = request.helo;
  facts.tls = request.has_tls;
  facts.sender = &sender;
  if (request.size) {
    const auto size = parse_octets(*request.size);
    if (!size) return tl::unexpected(size.error());
    facts.size = size->count;
  }
  return facts;
}

/// What refuses all of the mail, whatever rules say.
void write_refusals(
  const ExplainRequest& request, const Rulebook& book, const policy::Facts& facts, std::ostream& out
) {
  if (const auto refused = refusal_of_client(book, facts); !refused.empty())
    out << "client " << facts.client.to_text() << ": " << refused << "\n";
  if (const auto refused = refusal_of_sender(book, facts); !refused.empty())
    out << "sender <" << facts.sender->to_text() << ">: " << refused << "\n";
  const auto from = fields_of(request.headers, {"From"});
  if (const auto refusal = policy::refuse_from(book.bindings, who_sends(book, facts), from))
    out << "header: " << kWhateverRulesSay << ": " << refusal->to_line() << "\n";
}

/// The stages of a transaction, with the facts that come with each.
Result<void> explain_one(const ExplainRequest& request, const Rulebook& book, std::ostream& out) {
  const auto client = IpAddress::parse(request.client);
  if (!client) return tl::unexpected(client.error());
  const auto sender = parse_sender(request.sender);
  if (!sender) return tl::unexpected(sender.error());
  auto facts = facts_of(request, book, *client, *sender);
  if (!facts) return tl::unexpected(facts.error());
  const auto header = fields_of(request.headers, names_of(request.headers));
  if (!request.headers.empty()) facts->header = &header;
  write_refusals(request, book, *facts, out);
  for (const auto& text : request.recipients) {
    const auto recipient = mail::Address::parse(text, mail::Charset::utf8);
    if (!recipient) return tl::unexpected(recipient.error());
    facts->recipient = &*recipient;
    out << recipient->to_text() << ":\n";
    write_judgement(
      book, *facts, judge_recipient(book, *facts), "decided at the end of data; name --size and --header", out
    );
  }
  return {};
}

Result<void> explain_log(
  const ExplainRequest& request, const Rulebook& book, std::istream& in, std::ostream& out
) {
  const auto detail = request.is_verbose ? Detail::findings : Detail::deeds;
  if (request.replay_file == "-") {
    replay(book, detail, in, out);
    return {};
  }
  std::ifstream file(request.replay_file);
  if (!file) return permanent(Errc::not_found, "cannot read the log in " + request.replay_file);
  replay(book, detail, file, out);
  return {};
}

}  // namespace

Result<void> explain(const ExplainRequest& request, std::istream& in, std::ostream& out) {
  const auto book = read_rulebook(request.settings_file, request.environment);
  if (!book) return tl::unexpected(book.error());
  if (!request.replay_file.empty()) return explain_log(request, *book, in, out);
  if (request.client.empty() || request.recipients.empty())
    return permanent(Errc::invalid_argument, "name --client and --to, or --replay");
  return explain_one(request, *book, out);
}

}  // namespace relay::ctl
