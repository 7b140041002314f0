#include "relay/config/values.hpp"

#include "relay/mail/address.hpp"

namespace relay::config {

bool is_label(std::string_view text) {
  const auto is_hyphen_at_an_end = text.starts_with('-') || text.ends_with('-');
  return !text.empty() && text.size() <= 63 && !is_hyphen_at_an_end &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '-'; });
}

/// Postmaster alone and address literals are addresses for mail that comes in, and nothing that others could answer.
Result<void> check_address(std::string_view text) {
  const auto address = mail::Address::parse(text);
  if (!address) return tl::unexpected(address.error());
  if (!is_host_name(address->domain())) return permanent(Errc::invalid_argument, "its domain is not a name");
  return {};
}

Result<queue::Rate> parse_rate(std::string_view text) {
  const auto slash = text.find('/');
  const auto count = parse_number(text.substr(0, slash));
  if (slash == std::string_view::npos || !count || *count == 0)
    return permanent(Errc::invalid_argument, "not a rate such as 100/1m");
  auto per = parse_duration(text.substr(slash + 1));
  if (!per) return tl::unexpected(std::move(per.error()));
  if (*per < milliseconds{1}) return permanent(Errc::invalid_argument, "no time behind the slash");
  return queue::Rate{*count, *per};
}

std::string to_text(const queue::Rate& rate) { return std::to_string(rate.count) + "/" + to_text(rate.per); }

}  // namespace relay::config
