#include "relay/dsn/report.hpp"

#include <algorithm>
#include <array>

#include "relay/base/text.hpp"
#include "relay/dsn/classify.hpp"
#include "relay/dsn/text.hpp"

namespace relay::dsn {
namespace {

using mail::Charset;

constexpr std::size_t kMaxReplyShown = 1000;
constexpr std::size_t kMaxId = 40;

struct ActionFacts {
  Action action;
  std::string_view subject;
  std::string_view happened;  // to a recipient
  unsigned status_class;      // RFC 3463 section 3.1, where the reply names none that fits
};
/// The one that stands first gives a report of several its subject.
constexpr std::array kActions{
  ActionFacts{Action::failed, "Undelivered mail: returned to sender", "The message was not delivered.", 5},
  ActionFacts{Action::delayed, "Delayed mail: still being tried", "The message is delayed.", 4},
  ActionFacts{
    Action::relayed, "Relayed mail: passed on",
    "The message was passed on to a system that may not tell you when it is delivered.", 2
  },
  ActionFacts{Action::delivered, "Delivered mail", "The message was delivered.", 2},
};

const ActionFacts& facts(Action action) {
  return *std::find_if(kActions.begin(), kActions.end(), [&](const auto& candidate) {
    return candidate.action == action;
  });
}

struct Part {
  std::string header;
  std::string body;
};

bool reports(const Report& report, Action action) {
  const auto& all = report.recipients;
  return std::any_of(all.begin(), all.end(), [&](const auto& told) { return told.action == action; });
}

std::string_view transfer_encoding(std::string_view body) {
  return mail::is_ascii(body) ? "Content-Transfer-Encoding: 7bit\r\n" : "Content-Transfer-Encoding: 8bit\r\n";
}

/// A host name as others may have written it: one word.
std::string host(std::string_view name) {
  auto text = printable(name, mail::kMaxDomain);
  std::replace(text.begin(), text.end(), ' ', '?');
  return text.empty() ? "unknown" : text;
}

std::string token(std::string_view id) {
  std::string out(id.substr(0, kMaxId));
  std::replace_if(out.begin(), out.end(), [](char c) { return !is_alnum(c); }, '0');
  return out.empty() ? "0" : out;
}

std::string reply_line(const mail::Reply& reply) { return printable(reply.to_line(), kMaxReplyShown); }

// ---- for people ----

std::string what_to_do(const RecipientReport& told) {
  if (told.action == Action::failed) return std::string(advice(classify({told.reply, told.stage})));
  if (told.action != Action::delayed) return {};
  const std::string until =
    told.will_retry_until ? " until " + to_rfc5322(*told.will_retry_until) : std::string();
  return "It will be tried again" + until + ". You need not do anything.";
}

std::string told_to_people(const RecipientReport& told) {
  constexpr std::string_view kIndent = "    ";
  const auto paragraph = [&](std::string_view text) {
    return text.empty() ? std::string() : wrapped(text, kIndent, kIndent);
  };
  std::string text = "<" + told.recipient.to_text() + ">\r\n";
  text += paragraph(facts(told.action).happened);
  if (told.reply.code != 0) {
    const auto speaker = told.remote_mta.empty() ? "The reason: " : host(told.remote_mta) + " answered: ";
    text += paragraph(speaker + reply_line(told.reply));
  }
  return text + paragraph(what_to_do(told)) + "\r\n";
}

Part explanation(const Report& report) {
  Part part;
  part.body = wrapped("This is the mail relay at " + host(report.reporting_mta) + ".", "", "") + "\r\n";
  part.body += wrapped(
    "This is what became of your message of " + to_rfc5322(report.original.arrival) +
      ". Below stands what mail programs need to know, and what is returned of the message.",
    "", ""
  );
  part.body += "\r\n";
  for (const auto& told : report.recipients) part.body += told_to_people(told);
  part.header = "Content-Description: Explanation\r\nContent-Type: text/plain; charset=";
  part.header += mail::is_ascii(part.body) ? "us-ascii\r\n" : "utf-8\r\n";
  part.header += transfer_encoding(part.body);
  return part;
}

// ---- for programs: RFC 3464 ----

std::string status(const RecipientReport& told) {
  const auto wanted = facts(told.action).status_class;
  const auto& given = told.reply.status;
  // A failure may end a row of transient ones: then their status tells more.
  const bool fits =
    given && (given->status_class == wanted || (told.action == Action::failed && given->status_class == 4));
  return fits ? given->to_text() : std::to_string(wanted) + ".0.0";
}

std::string diagnostic(const RecipientReport& told) {
  if (told.reply.code == 0) return {};
  return (told.remote_mta.empty() ? "x-smtp-relay; " : "smtp; ") + reply_line(told.reply);
}

std::string recipient_fields(const RecipientReport& told, Charset charset) {
  std::string fields =
    unfolded_field("Original-Recipient", original_recipient(told.original_recipient, charset));
  fields += unfolded_field("Final-Recipient", typed_address(told.recipient, charset));
  fields += field("Action", name(told.action));
  fields += field("Status", status(told));
  if (!told.remote_mta.empty()) fields += field("Remote-MTA", "dns; " + host(told.remote_mta));
  fields += field("Diagnostic-Code", diagnostic(told));
  if (told.last_attempt) fields += field("Last-Attempt-Date", to_rfc5322(*told.last_attempt));
  if (told.action == Action::delayed && told.will_retry_until)
    fields += field("Will-Retry-Until", to_rfc5322(*told.will_retry_until));
  return fields;
}

Part delivery_status(const Report& report, Charset charset) {
  Part part;
  const auto& id = report.original.envelope_id;
  part.body = field("Original-Envelope-Id", mail::decode_xtext(id).value_or(printable(id, kMaxReplyShown)));
  part.body += field("Reporting-MTA", "dns; " + host(report.reporting_mta));
  part.body += field("X-Queue-Id", printable(report.original.queue_id, kMaxId));
  part.body += field("Arrival-Date", to_rfc5322(report.original.arrival));
  for (const auto& told : report.recipients) part.body += "\r\n" + recipient_fields(told, charset);
  part.header = "Content-Description: Delivery status\r\nContent-Type: message/";
  part.header += charset == Charset::utf8 ? "global-delivery-status\r\n" : "delivery-status\r\n";
  part.header += transfer_encoding(part.body);
  return part;
}

// ---- what is returned ----

/// The header's octets, its last line end included, the empty line not.
std::string_view header_of(std::string_view content) {
  if (content.starts_with("\r\n")) return {};
  const auto end = content.find("\r\n\r\n");
  return end == std::string_view::npos ? content : content.substr(0, end + 2);
}

/// At most `limit` octets, cut behind a line end where there is one.
std::string_view cut(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  const auto end = text.substr(0, limit).rfind('\n');
  return text.substr(0, end == std::string_view::npos ? limit : end + 1);
}

bool returns_all(const Report& report) {
  const auto& original = report.original;
  return reports(report, Action::failed) && original.ret != mail::Ret::headers &&
         original.content.size() >= original.size && original.content.size() <= report.max_returned;
}

std::optional<Part> returned(const Report& report) {
  const auto content = report.original.content;
  if (content.empty()) return std::nullopt;
  const bool is_whole = returns_all(report);
  const auto header = header_of(content);
  const bool is_global = !mail::is_ascii(header) && mail::is_utf8(header);
  Part part;
  part.body = header.empty() ? "" : clean_lines(cut(header, report.max_returned), " ");
  if (is_whole) part.body += clean_lines(content.substr(header.size()), "");
  part.header = is_whole ? "Content-Description: Undelivered message\r\nContent-Type: "
                         : "Content-Description: Header of the message\r\nContent-Type: ";
  if (is_whole) part.header += is_global ? "message/global\r\n" : "message/rfc822\r\n";
  else part.header += is_global ? "message/global-headers\r\n" : "text/rfc822-headers\r\n";
  part.header += transfer_encoding(part.body);
  return part;
}

// ---- the whole ----

/// A boundary whose delimiter line stands in no part, whoever wrote what is in them.
std::string unused_boundary(std::string_view id, const std::vector<Part>& parts) {
  for (unsigned attempt = 0;; ++attempt) {
    auto boundary = "=_" + token(id) + "_" + std::to_string(attempt);
    const auto delimiter = "--" + boundary;
    const bool is_used = std::any_of(parts.begin(), parts.end(), [&](const Part& part) {
      return part.body.find(delimiter) != std::string::npos;
    });
    if (!is_used) return boundary;
  }
}

std::string_view subject(const Report& report) {
  const auto first = std::find_if(kActions.begin(), kActions.end(), [&](const auto& candidate) {
    return reports(report, candidate.action);
  });
  return first == kActions.end() ? kActions.front().subject : first->subject;
}

std::string message_header(const Report& report, std::string_view boundary, bool is_ascii) {
  const auto us = host(report.reporting_mta);
  const auto from = report.from.is_null() ? "MAILER-DAEMON@" + us : report.from.to_text();
  std::string header = unfolded_field("From", "Mail Delivery System <" + from + ">");
  header += unfolded_field("To", "<" + report.to.to_text() + ">");
  header += field("Subject", subject(report));
  header += field("Date", to_rfc5322(report.now));
  header += field("Message-ID", "<" + token(report.id) + ".report@" + us + ">");
  header += "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n";
  header += "Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"";
  header += std::string(boundary) + "\"\r\n";
  return header + (is_ascii ? "Content-Transfer-Encoding: 7bit\r\n" : "Content-Transfer-Encoding: 8bit\r\n");
}

}  // namespace

bool needs_smtputf8(const Report& report) { return !report.to.is_ascii() || !report.from.is_ascii(); }

std::string make_report(const Report& report) {
  const auto charset = report.to.is_ascii() ? Charset::ascii : Charset::utf8;
  std::vector<Part> parts{explanation(report), delivery_status(report, charset)};
  if (auto part = returned(report)) parts.push_back(std::move(*part));
  const bool is_ascii =
    std::all_of(parts.begin(), parts.end(), [](const Part& part) { return mail::is_ascii(part.body); });
  const auto boundary = unused_boundary(report.id, parts);
  auto message =
    message_header(report, boundary, is_ascii) + "\r\nThis is a delivery report in MIME format.\r\n";
  for (const auto& part : parts) message += "\r\n--" + boundary + "\r\n" + part.header + "\r\n" + part.body;
  return message + "\r\n--" + boundary + "--\r\n";
}

std::string clean_lines(std::string_view text, std::string_view continuation) {
  // Room for a character of UTF-8 that is not to be torn.
  constexpr std::size_t kSoftLimit = kMaxLine - 4;
  std::string out;
  std::size_t length = 0;
  const auto end_line = [&] {
    out += "\r\n";
    length = 0;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\r' || c == '\n') {
      if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
      end_line();
      continue;
    }
    const bool is_inside_character = (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
    if (length >= kMaxLine || (length >= kSoftLimit && !is_inside_character)) {
      end_line();
      out += continuation;
      length = continuation.size();
    }
    out += c == '\0' ? '?' : c;
    ++length;
  }
  if (length > 0) end_line();
  return out;
}

}  // namespace relay::dsn
