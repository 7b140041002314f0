#include "relay/base/clock.hpp"

#include <array>
#include <cstdio>
#include <string_view>

namespace relay {
namespace {

constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Civil {
  std::chrono::year_month_day date;
  std::chrono::weekday weekday;
  std::chrono::hh_mm_ss<milliseconds> time;
};

Civil civil(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  return {std::chrono::year_month_day{day}, std::chrono::weekday{day}, std::chrono::hh_mm_ss{time - day}};
}

}  // namespace

std::string to_rfc3339(WallTime time) {
  const auto at = civil(time);
  std::array<char, 40> text{};
  std::snprintf(
    text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(at.date.year()),
    static_cast<unsigned>(at.date.month()), static_cast<unsigned>(at.date.day()),
    static_cast<int>(at.time.hours().count()), static_cast<int>(at.time.minutes().count()),
    static_cast<int>(at.time.seconds().count()), static_cast<int>(at.time.subseconds().count())
  );
  return text.data();
}

std::string to_rfc5322(WallTime time) {
  const auto at = civil(time);
  std::array<char, 48> text{};
  std::snprintf(
    text.data(), text.size(), "%s, %u %s %04d %02d:%02d:%02d +0000", kDays[at.weekday.c_encoding()].data(),
    static_cast<unsigned>(at.date.day()), kMonths[static_cast<unsigned>(at.date.month()) - 1].data(),
    static_cast<int>(at.date.year()), static_cast<int>(at.time.hours().count()),
    static_cast<int>(at.time.minutes().count()), static_cast<int>(at.time.seconds().count())
  );
  return text.data();
}

}  // namespace relay
