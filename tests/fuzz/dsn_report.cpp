/// dsn: reports and classes of failures. Input: an octet of choices, lines with sender, recipient, ORCPT, reply (`|`
/// joins its lines), host and ENVID, then the original.

#include <algorithm>
#include <string>
#include <vector>

#include "relay/dsn/classify.hpp"
#include "relay/dsn/report.hpp"
#include "tests/fuzz/input.hpp"

namespace relay::dsn {
namespace {

using fuzz::require;

constexpr std::size_t kMaxLine = 998;  // RFC 5322 section 2.1.1
constexpr std::size_t kMaxReturned = 1000;

mail::Address address(std::string_view text) {
  return mail::Address::parse(text, mail::Charset::utf8)
    .value_or(*mail::Address::parse("somebody@example.org"));
}

mail::Reply reply(std::string_view text, Action action) {
  mail::Reply reply;
  reply.code = action == Action::failed ? 550 : action == Action::delayed ? 450 : 250;
  reply.status = mail::EnhancedStatus::parse_prefix(text);
  reply.text = text;
  std::replace(reply.text.begin(), reply.text.end(), '|', '\n');
  return reply;
}

/// For two recipients: the one that is given, and one that all is well with.
Report report_of(fuzz::InputView input) {
  const unsigned choices = input.octet();
  Report report;
  report.id = "1";
  report.reporting_mta = "relay.example.org";
  report.max_returned = kMaxReturned;
  report.to = address(input.line());
  RecipientReport told;
  told.action = static_cast<Action>(choices % 4);
  told.recipient = address(input.line());
  told.original_recipient = input.line();
  told.reply = reply(input.line(), told.action);
  told.stage = static_cast<smtp::Stage>(choices / 4 % 4 + static_cast<unsigned>(smtp::Stage::mail));
  told.remote_mta = input.line();
  report.original.envelope_id = input.line();
  report.original.ret = (choices & 16U) != 0 ? mail::Ret::headers : mail::Ret::full;
  report.original.content = input.rest();
  report.original.size = input.rest().size() + (choices >> 5U & 1U);
  report.recipients = {told, {.recipient = address("other@example.org"), .action = Action::delivered}};
  return report;
}

/// Without line ends.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find("\r\n"), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  return lines;
}

void check_lines(std::string_view text) {
  require(fuzz::has_only_crlf(text) && text.find('\0') == text.npos, "lines end in CRLF and hold no NUL");
  require(text.empty() || text.ends_with("\r\n"), "the last line is ended");
  for (const auto line : lines_of(text)) require(line.size() <= kMaxLine, "a line has at most 998 octets");
}

using Lines = std::vector<std::string_view>;
using Line = Lines::const_iterator;

/// From `begin` up to an empty line: fields and their folds. How many there are.
std::size_t check_fields(Line& begin, Line end) {
  std::size_t fields = 0;
  for (; begin != end && !begin->empty(); ++begin) {
    if (begin->starts_with(' ')) continue;
    ++fields;
    const auto name = begin->substr(0, begin->find(": "));
    const bool is_name =
      std::all_of(name.begin(), name.end(), [](char c) { return is_alnum(c) || c == '-'; });
    require(is_name && name.size() < 30, "a field has a name");
  }
  if (begin != end) ++begin;
  return fields;
}

/// RFC 3464 section 2.1: fields of the message, then those of each recipient.
void check_status(Line begin, Line end, std::size_t recipients) {
  std::size_t groups = 0;
  for (; begin != end; ++groups) require(check_fields(begin, end) >= 2, "a group of fields is not empty");
  require(groups == 1 + recipients, "nobody adds a recipient");
}

std::string boundary_of(std::string_view message) {
  constexpr std::string_view kStart = "boundary=\"";
  const auto rest = message.substr(message.find(kStart) + kStart.size());
  return std::string(rest.substr(0, rest.find('"')));
}

void check_parts(std::string_view message, std::size_t recipients, bool has_content) {
  const auto lines = lines_of(message);
  auto at = lines.begin();
  require(check_fields(at, lines.end()) == 9, "nobody adds a field");
  const auto delimiter = "--" + boundary_of(message);
  const auto last = std::find(at, lines.end(), delimiter + "--");
  require(last == std::prev(lines.end()), "the report ends at its end");
  std::size_t parts = 0;
  for (at = std::find(at, last, delimiter); at != last; ++parts) {
    auto part = std::next(at);
    at = std::find(part, last, delimiter);
    require(check_fields(part, at) == 3, "a part has three fields");
    // The last line end belongs to the delimiter.
    if (parts == 1) check_status(part, std::prev(at), recipients);
  }
  require(parts == (has_content ? 3U : 2U), "nobody adds a part");
}

}  // namespace
}  // namespace relay::dsn

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay::dsn;
  const auto report = report_of(relay::fuzz::InputView(data, size));
  const auto message = make_report(report);
  check_lines(message);
  check_parts(message, report.recipients.size(), !report.original.content.empty());
  const auto header = message.substr(0, message.find("\r\n\r\n"));
  require(relay::mail::is_utf8(header), "a header is text");
  require(needs_smtputf8(report) || relay::mail::is_ascii(header), "a header is ASCII without SMTPUTF8");
  check_lines(clean_lines(report.original.content, " "));
  const auto& told = report.recipients.front();
  require(!to_label(classify({told.reply, told.stage})).empty(), "every failure has a class");
  return 0;
}
