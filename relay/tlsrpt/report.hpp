#pragma once
/// One domain's report of one day, as JSON and as mail (RFC 8460 section 4 and 5).

#include <string>
#include <string_view>
#include <vector>

#include "relay/base/clock.hpp"
#include "relay/mail/address.hpp"
#include "relay/tlsrpt/tally.hpp"

namespace relay::tlsrpt {

struct ReportHead {
  std::string organization;  ///< `organization-name`, UTF-8
  std::string contact;       ///< `contact-info`: a mail address
  std::string submitter;     ///< our domain: it signs the mail (section 3)
  std::string domain;        ///< whose report it is
  Day day{};
  /// Sets the reports of several nodes for the same domain and day apart: letters, digits, `-`; at least one.
  std::string unique;
};

/// `20260131.example.net.node-1@relay.example.com`: the same for each attempt to deliver a report.
[[nodiscard]] std::string report_id(const ReportHead& head);
/// Section 5.1: `relay.example.com!example.net!1769817600!1769903999!node-1.json.gz`
[[nodiscard]] std::string file_name(const ReportHead& head);

/// The JSON of section 4.4, for the whole day 00:00:00 to 23:59:59 UTC. Octets that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string make_report(const ReportHead& head, const std::vector<PolicyTally>& tallies);

/// RFC 1952, without a time or name, so that the same text gives the same octets. Throws std::bad_alloc when
/// zlib finds no memory. Of what a POST sends: application/tlsrpt+gzip (section 5.4).
[[nodiscard]] std::string gzip(std::string_view text);

struct MailHead {
  mail::Address from;
  mail::Address to;  ///< of the record's `mailto:`
  WallTime date;
};

/// A whole message with CRLF line ends of at most 998 octets each: multipart/report with a text for people and
/// the report as an attachment (section 5.3). Its Message-ID is the report's id.
/// @param report  what make_report() gave for the same head
[[nodiscard]] std::string make_mail(const MailHead& mail, const ReportHead& head, std::string_view report);

}  // namespace relay::tlsrpt
