#include "relay/config/values.hpp"

#include "relay/mail/address.hpp"

namespace relay::config {

bool is_label(std::string_view text) {
  const auto is_hyphen_at_an_end = text.starts_with('-') || text.ends_with('-');
  return !text.empty() && text.size() <= 63 && !is_hyphen_at_an_end &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '-'; });
}

bool is_glob(std::string_view text) {
  return !text.empty() && text.size() <= kMaxGlob &&
         std::none_of(text.begin(), text.end(), [](char c) { return (c >= 0 && c <= ' ') || c == '\x7F'; });
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

Result<queue::Factor> parse_factor(std::string_view text) {
  const auto point = text.find('.');
  const auto whole = parse_number(text.substr(0, point));
  std::string decimals(point == std::string_view::npos ? "0" : text.substr(point + 1));
  if (decimals.size() == 1) decimals += '0';
  const auto hundredths = parse_number(decimals);
  // More than that stands for nothing here, and would not fit.
  const bool is_good = whole && *whole <= 1'000'000 && hundredths && decimals.size() == 2;
  if (!is_good) return permanent(Errc::invalid_argument, "not a factor such as 2 or 1.5");
  return queue::Factor{static_cast<std::uint32_t>(*whole * 100 + *hundredths)};
}

std::string to_text(queue::Factor factor) {
  auto text = std::to_string(factor.hundredths / 100);
  const auto rest = factor.hundredths % 100;
  if (rest == 0) return text;
  text += '.' + std::to_string(rest / 10);
  return rest % 10 == 0 ? text : text + std::to_string(rest % 10);
}

std::string to_text(const queue::Rate& rate) { return std::to_string(rate.count) + "/" + to_text(rate.per); }

}  // namespace relay::config
