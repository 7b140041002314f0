#include "relay/dkim/rule.hpp"

#include <algorithm>
#include <array>

#include "relay/base/network.hpp"
#include "relay/base/text.hpp"

namespace relay::dkim {
namespace {

/// With it a line of `h=` stays below 78 characters.
constexpr std::size_t kMaxFieldName = 70;
/// Of a name in the DNS, RFC 1035 section 2.3.4, without the root's dot.
constexpr std::size_t kMaxDnsName = 253;
constexpr std::string_view kBetween = "._domainkey.";

/// Every hop adds, removes or judges these.
constexpr std::array<std::string_view, 4> kChanging{
  "Received", "Return-Path", "DKIM-Signature", "Authentication-Results"
};

bool is_field_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxFieldName &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_alnum(c) || c == '-' || c == '_'; });
}

bool is_changing(std::string_view name) {
  return std::any_of(kChanging.begin(), kChanging.end(), [&](auto other) {
    return equals_ignoring_case(name, other);
  });
}

bool is_below(std::string_view domain, std::string_view parent) {
  return domain.size() > parent.size() + 1 && domain[domain.size() - parent.size() - 1] == '.' &&
         equals_ignoring_case(domain.substr(domain.size() - parent.size()), parent);
}

bool is_pattern(std::string_view sender) {
  if (sender == "*") return true;
  if (sender.starts_with("*.")) sender.remove_prefix(2);
  return is_host_name(sender);
}

bool matches(std::string_view pattern, std::string_view domain) {
  if (pattern == "*") return true;
  if (pattern.starts_with("*.")) return is_below(domain, pattern.substr(2));
  return equals_ignoring_case(domain, pattern);
}

tl::unexpected<Error> invalid(std::string_view what, std::string_view value, std::string_view why) {
  return permanent(
    Errc::invalid_argument,
    "DKIM " + std::string(what) + " `" + printable(value, kMaxDnsName) + "`: " + std::string(why)
  );
}

Result<void> check_names(const std::vector<std::string>& names, std::string_view what, bool may_end_in_star) {
  for (std::string_view name : names) {
    const auto whole = name;
    if (may_end_in_star && name.ends_with('*')) name.remove_suffix(1);
    if (!is_field_name(name)) return invalid(what, whole, "not a name of a header field");
    if (is_changing(whole)) return invalid(what, whole, "changes on its way");
  }
  return {};
}

}  // namespace

std::vector<std::string> default_headers() {
  return {
    "From",
    "Sender",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "To",
    "Cc",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-ID",
    "Content-Description",
    "In-Reply-To",
    "References",
    "List-*"
  };
}

std::vector<std::string> default_oversigned() {
  return {"From", "To", "Cc", "Subject", "Date", "Reply-To", "Message-ID", "MIME-Version", "Content-Type"};
}

Result<void> check(const Rule& rule) {
  if (!is_host_name(rule.domain)) return invalid("domain", rule.domain, "not a domain");
  if (!is_host_name(rule.selector)) return invalid("selector", rule.selector, "not a selector");
  if (rule.selector.size() + kBetween.size() + rule.domain.size() > kMaxDnsName) {
    return invalid("selector", rule.selector, "too long for the DNS together with its domain");
  }
  if (!rule.key) return invalid("selector", rule.selector, "has no key");
  for (const auto& sender : rule.senders) {
    if (!is_pattern(sender)) return invalid("sender", sender, "not a domain, `*.` and a domain, or `*`");
  }
  if (rule.expires && *rule.expires < seconds(1)) {
    return invalid("selector", rule.selector, "signatures that expire at once");
  }
  const auto headers = check_names(rule.headers, "header", true);
  return headers ? check_names(rule.oversigned, "oversigned header", false) : headers;
}

bool is_for(const Rule& rule, std::string_view domain) {
  if (rule.senders.empty()) {
    return equals_ignoring_case(domain, rule.domain) || is_below(domain, rule.domain);
  }
  return std::any_of(rule.senders.begin(), rule.senders.end(), [&](const auto& pattern) {
    return matches(pattern, domain);
  });
}

bool is_signable(std::string_view name) { return is_field_name(name) && !is_changing(name); }

}  // namespace relay::dkim
