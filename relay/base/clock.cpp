#include "relay/base/clock.hpp"

#include <array>
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

/// With zeroes before it. Not printf: every message has several times in it.
void append_padded(std::string& out, std::int64_t number, std::size_t digits) {
  const auto text = std::to_string(number);
  if (text.size() < digits) out.append(digits - text.size(), '0');
  out += text;
}

void append_time(std::string& out, const Civil& at) {
  append_padded(out, at.time.hours().count(), 2);
  out += ':';
  append_padded(out, at.time.minutes().count(), 2);
  out += ':';
  append_padded(out, at.time.seconds().count(), 2);
}

}  // namespace

std::string to_rfc3339(WallTime time) {
  const auto at = civil(time);
  std::string text;
  text.reserve(24);
  append_padded(text, static_cast<int>(at.date.year()), 4);
  text += '-';
  append_padded(text, static_cast<unsigned>(at.date.month()), 2);
  text += '-';
  append_padded(text, static_cast<unsigned>(at.date.day()), 2);
  text += 'T';
  append_time(text, at);
  text += '.';
  append_padded(text, at.time.subseconds().count(), 3);
  text += 'Z';
  return text;
}

std::string to_rfc5322(WallTime time) {
  const auto at = civil(time);
  std::string text;
  text.reserve(32);
  text.append(kDays[at.weekday.c_encoding()]).append(", ");
  text.append(std::to_string(static_cast<unsigned>(at.date.day()))) += ' ';
  text.append(kMonths[static_cast<unsigned>(at.date.month()) - 1]) += ' ';
  append_padded(text, static_cast<int>(at.date.year()), 4);
  text += ' ';
  append_time(text, at);
  text += " +0000";
  return text;
}

}  // namespace relay
