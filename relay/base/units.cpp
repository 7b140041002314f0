#include "relay/base/units.hpp"

#include <array>
#include <limits>

#include "relay/base/text.hpp"

namespace relay {
namespace {

struct SizeUnit {
  std::string_view suffix;
  std::uint64_t factor;
};
constexpr std::array kSizeUnits{
  SizeUnit{"Ti", 1ULL << 40U},      SizeUnit{"Gi", 1ULL << 30U},
  SizeUnit{"Mi", 1ULL << 20U},      SizeUnit{"Ki", 1ULL << 10U},
  SizeUnit{"T", 1'000'000'000'000}, SizeUnit{"G", 1'000'000'000},
  SizeUnit{"M", 1'000'000},         SizeUnit{"k", 1'000},
};

struct TimeUnit {
  std::string_view suffix;
  std::uint64_t in_milliseconds;
};
constexpr std::array kTimeUnits{
  TimeUnit{"h", 3'600'000}, TimeUnit{"m", 60'000}, TimeUnit{"s", 1'000}, TimeUnit{"ms", 1}
};
constexpr std::uint64_t kLongest = 10ULL * 366 * 24 * 3'600'000;

tl::unexpected<Error> not_a_size(std::string_view text) {
  return permanent(
    Errc::invalid_argument, "'" + printable(text, 40) + "' is not a size such as 25Mi or 26214400"
  );
}
tl::unexpected<Error> not_a_duration(std::string_view text) {
  return permanent(Errc::invalid_argument, "'" + printable(text, 40) + "' is not a duration such as 1m30s");
}

}  // namespace

Result<Octets> parse_octets(std::string_view text) {
  std::string_view digits = text;
  std::uint64_t factor = 1;
  for (const auto& unit : kSizeUnits) {
    if (!digits.ends_with(unit.suffix)) continue;
    digits.remove_suffix(unit.suffix.size());
    factor = unit.factor;
    break;
  }
  const auto count = parse_number(digits);
  if (!count || *count > std::numeric_limits<std::uint64_t>::max() / factor) return not_a_size(text);
  return Octets{*count * factor};
}

std::string to_text(Octets octets) {
  for (const auto& unit : kSizeUnits) {
    if (unit.suffix.size() == 2 && octets.count >= unit.factor && octets.count % unit.factor == 0)
      return std::to_string(octets.count / unit.factor) + std::string(unit.suffix);
  }
  return std::to_string(octets.count);
}

Result<milliseconds> parse_duration(std::string_view text) {
  if (text == "0") return milliseconds{0};
  std::uint64_t total = 0;
  std::size_t next_unit = 0;
  std::string_view rest = text;
  if (rest.empty()) return not_a_duration(text);
  while (!rest.empty()) {
    const auto digits = rest.substr(0, rest.find_first_not_of("0123456789"));
    const auto count = parse_number(digits);
    rest.remove_prefix(digits.size());
    const auto suffix = rest.substr(0, rest.find_first_of("0123456789"));
    rest.remove_prefix(suffix.size());
    while (next_unit < kTimeUnits.size() && kTimeUnits[next_unit].suffix != suffix) ++next_unit;
    if (!count || *count > kLongest || next_unit == kTimeUnits.size()) return not_a_duration(text);
    total += *count * kTimeUnits[next_unit++].in_milliseconds;
    if (total > kLongest) return not_a_duration(text);
  }
  return milliseconds{static_cast<milliseconds::rep>(total)};
}

std::string to_text(milliseconds duration) {
  auto left = duration.count() > 0 ? static_cast<std::uint64_t>(duration.count()) : 0;
  std::string out;
  for (const auto& unit : kTimeUnits) {
    if (left >= unit.in_milliseconds)
      out += std::to_string(left / unit.in_milliseconds) + std::string(unit.suffix);
    left %= unit.in_milliseconds;
  }
  return out.empty() ? "0s" : out;
}

}  // namespace relay
