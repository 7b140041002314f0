#include "relay/dsn/report.hpp"

#include <gmock/gmock.h>
#include <map>

#include "relay/base/text.hpp"
#include "relay/dsn/text.hpp"

namespace relay::dsn {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

mail::Address address(std::string_view text) { return *mail::Address::parse(text, mail::Charset::utf8); }

// ---- reading reports, as a mail program does ----

using Fields = std::map<std::string, std::string>;  // names in lower case, values unfolded

struct Entity {
  Fields header;
  std::string body;
  std::vector<Entity> parts;
};

/// Header fields up to the first empty line; takes them off `text`.
Fields take_fields(std::string_view& text) {
  Fields fields;
  std::string last;
  while (!text.empty()) {
    const auto end = text.find("\r\n");
    const auto line = std::string(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    if (line.empty()) break;
    if (line.front() == ' ') {
      fields[last] += line;
      continue;
    }
    const auto colon = line.find(": ");
    EXPECT_NE(colon, std::string::npos) << "no field: " << line;
    last = lower(line.substr(0, colon));
    EXPECT_EQ(fields.count(last), 0U) << "twice: " << last;
    fields[last] = line.substr(std::min(colon + 2, line.size()));
  }
  return fields;
}

Entity parsed(std::string_view text) {
  Entity entity;
  entity.header = take_fields(text);
  entity.body = text;
  const auto type = entity.header["content-type"];
  const auto at = type.find("boundary=\"");
  if (at == std::string::npos) return entity;
  const auto boundary = type.substr(at + 10, type.rfind('"') - at - 10);
  const auto delimiter = "\r\n--" + boundary;
  auto rest = text.substr(std::min(text.find(delimiter), text.size()));
  while (rest.starts_with(delimiter + "\r\n")) {
    rest.remove_prefix(delimiter.size() + 2);
    const auto end = rest.find(delimiter);
    EXPECT_NE(end, std::string_view::npos) << "no delimiter behind a part";
    entity.parts.push_back(parsed(rest.substr(0, end)));
    rest.remove_prefix(std::min(end, rest.size()));
  }
  EXPECT_EQ(rest, delimiter + "--\r\n");
  return entity;
}

/// The groups of a delivery-status: the message's, then one for each recipient.
std::vector<Fields> groups(std::string_view body) {
  std::vector<Fields> all;
  while (!body.empty()) all.push_back(take_fields(body));
  return all;
}

void expect_lines(const std::string& text) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    ASSERT_NE(text[i], '\0');
    if (text[i] == '\r') ASSERT_TRUE(i + 1 < text.size() && text[i + 1] == '\n') << "bare CR at " << i;
    if (text[i] == '\n') ASSERT_TRUE(i > 0 && text[i - 1] == '\r') << "bare LF at " << i;
    length = text[i] == '\n' ? 0 : length + 1;
    ASSERT_LE(length, kMaxLine + 1) << "with its CR, at " << i;
  }
  ASSERT_THAT(text, ::testing::EndsWith("\r\n"));
}

// ---- what is reported ----

constexpr std::string_view kOriginal =
  "Received: from app\r\n\tby node1.example; date\r\nSubject: Invoice\r\n\r\nPlease pay.\r\n";

RecipientReport failed(std::string_view to = "b@example.net") {
  RecipientReport told;
  told.recipient = address(to);
  told.reply = {550, mail::EnhancedStatus{5, 1, 1}, "No such user here"};
  told.remote_mta = "mx.example.net";
  told.last_attempt = WallTime{milliseconds{1'767'268'860'000}};
  return told;
}

Report report(std::vector<RecipientReport> recipients = {failed()}) {
  Report made;
  made.id = "00000000000000000001";
  made.reporting_mta = "node1.example";
  made.to = address("marc@example.com");
  made.now = WallTime{milliseconds{1'767'268'900'000}};
  made.original.content = kOriginal;
  made.original.size = kOriginal.size();
  made.original.queue_id = "00000000000000000000";
  made.original.arrival = WallTime{milliseconds{1'767'268'800'000}};
  made.recipients = std::move(recipients);
  return made;
}

std::vector<Fields> status_of(const Report& report) {
  return groups(parsed(make_report(report)).parts.at(1).body);
}

TEST(ReportMessage, IsAMultipartReportForPeopleAndProgramsCase133) {
  const auto text = make_report(report());
  expect_lines(text);
  auto message = parsed(text);
  EXPECT_EQ(message.header["from"], "Mail Delivery System <MAILER-DAEMON@node1.example>");
  EXPECT_EQ(message.header["to"], "<marc@example.com>");
  EXPECT_EQ(message.header["subject"], "Undelivered mail: returned to sender");
  EXPECT_EQ(message.header["date"], "Thu, 1 Jan 2026 12:01:40 +0000");
  EXPECT_EQ(message.header["message-id"], "<00000000000000000001.report@node1.example>");
  EXPECT_EQ(message.header["auto-submitted"], "auto-replied");
  EXPECT_EQ(message.header["mime-version"], "1.0");
  EXPECT_EQ(message.header["content-transfer-encoding"], "7bit");
  EXPECT_THAT(
    message.header["content-type"], StartsWith("multipart/report; report-type=delivery-status; boundary=")
  );
  ASSERT_EQ(message.parts.size(), 3U);
  EXPECT_EQ(message.parts[0].header["content-type"], "text/plain; charset=us-ascii");
  for (const auto* words :
       {"<b@example.net>", "mx.example.net answered: 550 5.1.1 No such user here", "Check"})
    EXPECT_THAT(message.parts[0].body, HasSubstr(words));

  EXPECT_EQ(message.parts[1].header["content-type"], "message/delivery-status");
  const auto fields = groups(message.parts[1].body);
  ASSERT_EQ(fields.size(), 2U);
  EXPECT_EQ(fields[0].at("reporting-mta"), "dns; node1.example");
  EXPECT_EQ(fields[0].at("arrival-date"), "Thu, 1 Jan 2026 12:00:00 +0000");
  EXPECT_EQ(fields[0].count("original-envelope-id"), 0U);
  EXPECT_EQ(fields[1].at("final-recipient"), "rfc822; b@example.net");
  EXPECT_EQ(fields[1].at("action"), "failed");
  EXPECT_EQ(fields[1].at("status"), "5.1.1");
  EXPECT_EQ(fields[1].at("remote-mta"), "dns; mx.example.net");
  EXPECT_EQ(fields[1].at("diagnostic-code"), "smtp; 550 5.1.1 No such user here");
  EXPECT_EQ(fields[1].at("last-attempt-date"), "Thu, 1 Jan 2026 12:01:00 +0000");

  EXPECT_EQ(message.parts[2].header["content-type"], "message/rfc822");
  EXPECT_EQ(message.parts[2].body, kOriginal);
}

TEST(ReportMessage, CarriesTheRequestBackDecodedCase134) {
  auto asked = report();
  asked.original.envelope_id = "QQ+2B1+3D";
  asked.recipients[0].original_recipient = "rfc822;user+2Bx@example.org";
  const auto fields = status_of(asked);
  EXPECT_EQ(fields.at(0).at("original-envelope-id"), "QQ+1=");
  EXPECT_EQ(fields.at(1).at("original-recipient"), "rfc822; user+x@example.org");
}

TEST(ReportMessage, TellsOfDelaysAndDeliveriesToo) {
  auto delayed = failed("c@example.net");
  delayed.action = Action::delayed;
  delayed.reply = {451, std::nullopt, "later"};
  delayed.will_retry_until = WallTime{milliseconds{1'767'700'800'000}};
  auto relayed = failed("d@example.net");
  relayed.action = Action::relayed;
  relayed.reply = {250, mail::EnhancedStatus{2, 0, 0}, "queued"};
  auto delivered = relayed;
  delivered.action = Action::delivered;
  const auto several = report({delayed, relayed, delivered});
  auto message = parsed(make_report(several));
  EXPECT_EQ(message.header["subject"], "Delayed mail: still being tried");
  EXPECT_THAT(message.parts[0].body, HasSubstr("It will be tried again until Tue, 6 Jan 2026"));
  EXPECT_THAT(message.parts[0].body, Not(HasSubstr("not delivered")));
  const auto fields = status_of(several);
  EXPECT_EQ(fields.at(1).at("action"), "delayed");
  EXPECT_EQ(fields.at(1).at("status"), "4.0.0");
  EXPECT_EQ(fields.at(1).at("will-retry-until"), "Tue, 6 Jan 2026 12:00:00 +0000");
  EXPECT_EQ(fields.at(2).at("action"), "relayed");
  EXPECT_EQ(fields.at(2).count("will-retry-until"), 0U);
  EXPECT_EQ(fields.at(3).at("action"), "delivered");
  EXPECT_EQ(parsed(make_report(report({relayed}))).header["subject"], "Relayed mail: passed on");
  EXPECT_EQ(
    parsed(make_report(report({delivered, failed()}))).header["subject"],
    "Undelivered mail: returned to sender"
  );
}

TEST(ReportMessage, SaysWhatWeFoundOurselvesAsOurs) {
  auto own = failed();
  own.remote_mta.clear();
  own.reply = {554, mail::EnhancedStatus{5, 4, 7}, "Not delivered within 5 days"};
  const auto fields = status_of(report({own})).at(1);
  EXPECT_EQ(fields.count("remote-mta"), 0U);
  EXPECT_EQ(fields.at("diagnostic-code"), "x-smtp-relay; 554 5.4.7 Not delivered within 5 days");
  EXPECT_EQ(fields.at("status"), "5.4.7");
}

// ---- what is returned ----

std::string returned_type(const Report& report) {
  auto message = parsed(make_report(report));
  return message.parts.size() < 3 ? "nothing" : message.parts[2].header["content-type"];
}

TEST(Returned, IsTheHeaderOnlyWhereThatIsAskedOrNothingFailedCase134) {
  auto asked = report();
  for (const auto ret : {mail::Ret::unset, mail::Ret::full}) {
    asked.original.ret = ret;
    EXPECT_EQ(returned_type(asked), "message/rfc822");
  }
  asked.original.ret = mail::Ret::headers;
  EXPECT_EQ(returned_type(asked), "text/rfc822-headers");
  EXPECT_EQ(parsed(make_report(asked)).parts[2].body, kOriginal.substr(0, kOriginal.find("\r\n\r\n") + 2));
  asked.original.ret = mail::Ret::full;
  for (const auto action : {Action::delayed, Action::delivered, Action::relayed}) {
    asked.recipients[0].action = action;
    EXPECT_EQ(returned_type(asked), "text/rfc822-headers");
  }
  asked.original.content = {};
  EXPECT_EQ(returned_type(asked), "nothing");
}

TEST(Returned, IsCappedCase134) {
  auto large = report();
  const auto content = std::string(kOriginal) + std::string(60'000, 'x') + "\r\n";
  large.original.content = content;
  large.original.size = content.size();
  EXPECT_EQ(returned_type(large), "text/rfc822-headers");
  EXPECT_LT(make_report(large).size(), 5'000U);
  std::string many;
  for (int i = 0; i < 10'000; ++i) many += "X-Field-" + std::to_string(i) + ": value\r\n";
  large.original.content = many;
  EXPECT_LE(parsed(make_report(large)).parts[2].body.size(), 50'000U);
  EXPECT_THAT(parsed(make_report(large)).parts[2].body, ::testing::EndsWith(": value\r\n"));
  large.original.content = kOriginal;
  large.original.size = 1'000'000;  // only its beginning was read
  EXPECT_EQ(returned_type(large), "text/rfc822-headers");
}

TEST(Returned, KeepsEightBitContentAndSaysSo) {
  auto eight = report();
  eight.original.content = "Subject: x\r\n\r\n\xff\xfe\r\n";
  eight.original.size = eight.original.content.size();
  auto message = parsed(make_report(eight));
  EXPECT_EQ(message.header["content-transfer-encoding"], "8bit");
  EXPECT_EQ(message.parts[2].header["content-transfer-encoding"], "8bit");
  EXPECT_EQ(message.parts[0].header["content-transfer-encoding"], "7bit");
  eight.original.content = "Subject: \xc3\xbc\r\n\r\nx\r\n";
  EXPECT_EQ(returned_type(eight), "message/global");
  eight.original.ret = mail::Ret::headers;
  EXPECT_EQ(returned_type(eight), "message/global-headers");
}

TEST(CleanLines, EndEveryLineAndCutLongOnes) {
  EXPECT_EQ(clean_lines("a\rb\nc\r\nd", " "), "a\r\nb\r\nc\r\nd\r\n");
  EXPECT_EQ(clean_lines(std::string_view("n\0l", 3), ""), "n?l\r\n");
  EXPECT_EQ(clean_lines("", ""), "");
  std::string wide;
  for (int i = 0; i < 5000; ++i) wide += "\xe2\x82\xac";
  const auto lines = clean_lines(wide, " ");
  expect_lines(lines);
  EXPECT_TRUE(mail::is_utf8(lines));
  for (std::size_t at = lines.find('\n'); at + 1 < lines.size(); at = lines.find('\n', at + 1))
    EXPECT_EQ(lines.substr(at + 1, 4), " \xe2\x82\xac") << "no character is torn";
}

// ---- hostile values ----

TEST(ReportMessage, IsBrokenByNothingThatARemoteSystemSaysCase133) {
  const std::vector<std::string> texts{
    "no\r\nBcc: victim@example.org\r\n\r\nforged",
    "two\nlines",
    std::string("nul\0l", 5),
    "\xff\xfe\x80",
    std::string(5000, 'x'),
    "--=_00000000000000000001_0--",
    "\r\n--=_00000000000000000001_0\r\n",
    ""
  };
  for (const auto& text : texts) {
    auto hostile = failed();
    hostile.reply = {550, std::nullopt, text};
    hostile.remote_mta = text;
    hostile.original_recipient = "rfc822;" + text;
    auto made = report({hostile, failed("c@example.net")});
    made.original.envelope_id = text;
    made.original.queue_id = text;
    made.id = text;
    made.reporting_mta = text;
    const auto message = make_report(made);
    expect_lines(message);
    EXPECT_TRUE(mail::is_ascii(message));
    auto entity = parsed(message);
    EXPECT_EQ(entity.header.count("bcc"), 0U) << text;
    ASSERT_EQ(entity.parts.size(), 3U) << text;
    const auto fields = groups(entity.parts[1].body);
    ASSERT_EQ(fields.size(), 3U) << text;
    EXPECT_EQ(fields[1].count("bcc"), 0U);
    EXPECT_EQ(fields[1].at("status"), "5.0.0");
    EXPECT_EQ(fields[2].at("final-recipient"), "rfc822; c@example.net");
  }
}

TEST(ReportMessage, HasABoundaryThatTheOriginalDoesNotHoldCase133) {
  auto hostile = report();
  std::string content = "A: b\r\n\r\n";
  for (int i = 0; i < 20; ++i) content += "--=_00000000000000000001_" + std::to_string(i) + "--\r\n";
  hostile.original.content = content;
  hostile.original.size = content.size();
  const auto message = parsed(make_report(hostile));
  ASSERT_EQ(message.parts.size(), 3U);
  EXPECT_EQ(message.parts[2].body, content);
}

TEST(ReportMessage, TakesAnyOriginalCase133) {
  const std::vector<std::string> contents{
    "\r\n",
    "no header",
    std::string(200'000, 'x'),
    "A: " + std::string(40'000, 'y') + "\r\n\r\nz",
    "\n\n\n",
    "\r",
    std::string("\0\0", 2),
    " folded: first\r\n",
    "A: b\r\n\r\n\r\n.\r\n"
  };
  for (const auto& content : contents) {
    for (const auto ret : {mail::Ret::full, mail::Ret::headers}) {
      auto made = report();
      made.original.content = content;
      made.original.size = content.size();
      made.original.ret = ret;
      const auto message = make_report(made);
      expect_lines(message);
      EXPECT_EQ(parsed(message).parts.size(), 3U);
    }
  }
}

TEST(ReportMessage, KeepsTheSpacesOfAQuotedLocalPart) {
  auto quoted = report({failed(R"("a  b"@example.net)")});
  quoted.to = address(R"("x  y"@example.com)");
  EXPECT_EQ(parsed(make_report(quoted)).header["to"], R"(<"x  y"@example.com>)");
  EXPECT_EQ(status_of(quoted).at(1).at("final-recipient"), R"(rfc822; "a  b"@example.net)");
}

// ---- beyond ASCII ----

TEST(ReportMessage, WritesAddressesBeyondAsciiWithEscapesToAnAsciiSenderCase051) {
  auto told = failed("\xc3\xbc+x@b\xc3\xbc.example");
  told.reply = {553, mail::EnhancedStatus{5, 6, 7}, "The next hop does not take addresses in UTF-8"};
  told.original_recipient = "utf-8;\xc3\xbc@example.org";
  const auto made = report({told});
  EXPECT_FALSE(needs_smtputf8(made)) << "or it could not go where the message could not";
  auto message = parsed(make_report(made));
  EXPECT_EQ(message.parts[1].header["content-type"], "message/delivery-status");
  const auto fields = groups(message.parts[1].body).at(1);
  EXPECT_EQ(fields.at("final-recipient"), "utf-8; \\x{FC}\\x{2B}x@b\\x{FC}.example");
  EXPECT_EQ(fields.at("original-recipient"), "utf-8; \\x{FC}@example.org");
  EXPECT_EQ(message.parts[0].header["content-type"], "text/plain; charset=utf-8");
  EXPECT_THAT(message.parts[0].body, HasSubstr("<\xc3\xbc+x@b\xc3\xbc.example>"));
}

TEST(ReportMessage, WritesThemAsTheyAreToASenderBeyondAsciiCase051) {
  auto made = report({failed("\xc3\xbc@example.net")});
  made.to = address("\xc3\xa4@example.com");
  EXPECT_TRUE(needs_smtputf8(made));
  auto message = parsed(make_report(made));
  EXPECT_EQ(message.header["to"], "<\xc3\xa4@example.com>");
  EXPECT_EQ(message.header["content-transfer-encoding"], "8bit");
  EXPECT_EQ(message.parts[1].header["content-type"], "message/global-delivery-status");
  EXPECT_EQ(groups(message.parts[1].body).at(1).at("final-recipient"), "utf-8; \xc3\xbc@example.net");
}

TEST(ReportMessage, HoldsItsLinesForTheLongestAddresses) {
  std::string local;
  for (int i = 0; i < 31; ++i) local += "++";
  std::string domain;
  for (int i = 0; i < 90; ++i) domain += (i % 30 == 29 ? "." : "\xc3\xbc");
  auto told = failed(local + "\xc3\xbc@" + domain + "d");
  told.original_recipient = "utf-8;";
  for (int i = 0; i < 240; ++i) told.original_recipient += "\xc3\xbc";
  const auto text = make_report(report({told}));
  expect_lines(text);
  EXPECT_EQ(groups(parsed(text).parts.at(1).body).size(), 2U);
}

}  // namespace
}  // namespace relay::dsn
