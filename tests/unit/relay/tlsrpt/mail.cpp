#include <gtest/gtest.h>
#include <zlib.h>

#include "relay/base/text.hpp"
#include "relay/tlsrpt/report.hpp"

namespace relay::tlsrpt {
namespace {

std::string gunzip(const std::string& octets, std::size_t expected) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string text(expected + 1, '\0');
  std::string in = octets;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

std::string mail_with(const std::string& report, const std::string& domain = "example.net") {
  const ReportHead head{
    "Example Org", "tls@example.org", "relay.example.org", domain, Day{std::chrono::days{20'484}}, "node-1"
  };
  const MailHead mail{
    *mail::Address::parse("tlsrpt@example.org"), *mail::Address::parse("reports@example.net"),
    Day{std::chrono::days{20'485}}
  };
  return make_mail(mail, head, report);
}

std::string without(std::string text, std::string_view unwanted) {
  for (auto at = text.find(unwanted); at != std::string::npos; at = text.find(unwanted))
    text.erase(at, unwanted.size());
  return text;
}

TEST(Gzip, IsUndoneByGunzip) {
  std::string noise;
  for (unsigned i = 0; i < 100'000; ++i) noise += static_cast<char>(i * i * 2'654'435'761U >> 24U);
  for (const auto& text : {std::string{}, std::string("{}"), std::string(1'000'000, 'x'), noise})
    EXPECT_EQ(gunzip(gzip(text), text.size()), text);
}

TEST(TlsReportMail, HasTheFieldsOfSection53) {
  const auto mail = mail_with("{}");
  EXPECT_TRUE(
    mail.starts_with("From: <tlsrpt@example.org>\r\n"
                     "To: <reports@example.net>\r\n"
                     "Date: Sun, 1 Feb 2026 00:00:00 +0000\r\n"
                     "Message-ID: <20260131.example.net.node-1@relay.example.org>\r\n"
                     "Subject: Report Domain: example.net\r\n"
                     " Submitter: relay.example.org\r\n"
                     " Report-ID: <20260131.example.net.node-1@relay.example.org>\r\n"
                     "TLS-Report-Domain: example.net\r\n"
                     "TLS-Report-Submitter: relay.example.org\r\n"
                     "Auto-Submitted: auto-generated\r\n"
                     "MIME-Version: 1.0\r\n"
                     "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n"
                     " boundary=\"=_tls-report\"\r\n"
                     "\r\n"
                     "--=_tls-report\r\n"
                     "Content-Type: text/plain; charset=us-ascii\r\n")
  ) << mail;
  EXPECT_NE(mail.find("Day (UTC): 2026-01-31\r\n"), std::string::npos);
  EXPECT_TRUE(mail.ends_with("\r\n--=_tls-report--\r\n"));
}

TEST(TlsReportMail, CarriesTheReport) {
  std::string report = "{\"x\":\"";
  for (int i = 0; i < 5000; ++i) report += std::to_string(i * 7919);
  report += "\"}";
  const auto mail = mail_with(report);
  const auto part = mail.find("Content-Type: application/tlsrpt+gzip\r\n");
  ASSERT_NE(part, std::string::npos);
  const auto begin = mail.find("\r\n\r\n", part) + 4;
  const auto body = mail.substr(begin, mail.find("\r\n--=_tls-report--", begin) - begin);
  const auto octets = parse_base64(without(body, "\r\n"));
  ASSERT_TRUE(octets);
  EXPECT_EQ(gunzip(*octets, report.size()), report);
}

TEST(TlsReportMail, HasOnlyShortLinesThatEndWithCrlf) {
  std::string domain = "a.example";
  while (domain.size() < 240) domain.insert(0, "label.");
  const auto mail = mail_with(std::string(10'000, 'x'), domain);
  std::size_t begin = 0;
  while (begin < mail.size()) {
    const auto end = mail.find("\r\n", begin);
    ASSERT_NE(end, std::string::npos);
    const auto line = mail.substr(begin, end - begin);
    EXPECT_LE(line.size(), 998U);
    EXPECT_EQ(line.find_first_of("\r\n"), std::string::npos);
    begin = end + 2;
  }
}

}  // namespace
}  // namespace relay::tlsrpt
