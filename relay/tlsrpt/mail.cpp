#include <algorithm>
#include <limits>
#include <new>
#include <zlib.h>

#include "relay/base/text.hpp"
#include "relay/tlsrpt/report.hpp"

namespace relay::tlsrpt {
namespace {

/// Holds an underscore and an equals sign side by side, which neither base64 nor our own text does.
constexpr std::string_view kBoundary = "=_tls-report";
constexpr std::size_t kBase64Line = 76;  // RFC 2045 section 6.8
constexpr int kGzipWindow = 15 + 16;     // zlib.h: the largest window, with a gzip header
constexpr int kMemoryLevel = 8;          // zlib.h: the default

std::string base64_lines(std::string_view octets) {
  const auto text = base64(octets);
  std::string lines;
  for (std::size_t i = 0; i < text.size(); i += kBase64Line) lines += text.substr(i, kBase64Line) + "\r\n";
  return lines;
}

std::string header(const MailHead& mail, const ReportHead& head) {
  const auto id = "<" + report_id(head) + ">";
  return "From: <" + mail.from.to_text() + ">\r\n" +          //
         "To: <" + mail.to.to_text() + ">\r\n" +              //
         "Date: " + to_rfc5322(mail.date) + "\r\n" +          //
         "Message-ID: " + id + "\r\n" +                       //
         "Subject: Report Domain: " + head.domain + "\r\n" +  // the folded form of section 5.3
         " Submitter: " + head.submitter + "\r\n" +           //
         " Report-ID: " + id + "\r\n" +                       //
         "TLS-Report-Domain: " + head.domain + "\r\n" +       //
         "TLS-Report-Submitter: " + head.submitter + "\r\n" +
         "Auto-Submitted: auto-generated\r\n"
         "MIME-Version: 1.0\r\n"
         "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n"
         " boundary=\"" +
         std::string(kBoundary) + "\"\r\n";
}

std::string text_part(const ReportHead& head) {
  return "Content-Type: text/plain; charset=us-ascii\r\n"
         "Content-Transfer-Encoding: 7bit\r\n"
         "\r\n"
         "This is an aggregate report about TLS on SMTP connections (RFC 8460).\r\n"
         "\r\n"
         "To the domain: " +
         head.domain + "\r\n" + "Submitted by: " + head.submitter + "\r\n" +
         "Day (UTC): " + to_rfc3339(head.day).substr(0, 10) + "\r\n";
}

std::string report_part(const ReportHead& head, std::string_view report) {
  return "Content-Type: application/tlsrpt+gzip\r\n"
         "Content-Transfer-Encoding: base64\r\n"
         "Content-Disposition: attachment;\r\n"
         " filename=\"" +
         file_name(head) +
         "\"\r\n"
         "\r\n" +
         base64_lines(gzip(report));
}

}  // namespace

std::string gzip(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(
        &stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY
      ) != Z_OK)
    throw std::bad_alloc();
  std::string out(deflateBound(&stream, text.size()), '\0');
  // zlib counts in 32 bits; a report is bounded by the tally's 32 MiB.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(std::min<std::size_t>(text.size(), std::numeric_limits<uInt>::max()));
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(std::min<std::size_t>(out.size(), std::numeric_limits<uInt>::max()));
  const int result = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) throw std::bad_alloc();
  return out;
}

std::string make_mail(const MailHead& mail, const ReportHead& head, std::string_view report) {
  const auto delimiter = "--" + std::string(kBoundary);
  return header(mail, head) + "\r\n" + delimiter + "\r\n" + text_part(head) + "\r\n" + delimiter + "\r\n" +
         report_part(head, report) + "\r\n" + delimiter + "--\r\n";
}

}  // namespace relay::tlsrpt
