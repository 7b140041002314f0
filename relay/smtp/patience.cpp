#include "relay/smtp/patience.hpp"

#include <algorithm>

namespace relay::smtp {

void Patience::wait(milliseconds waited, bool is_within_line) {
  if (is_within_line) line_time_ -= waited;
  fruitless_ += waited;
}

milliseconds Patience::time_left() const {
  return std::min(line_time_, kFruitlessTimes * idle_timeout_ - fruitless_);
}

void Patience::begin_anew() {
  errors_ = 0;
  junk_ = 0;
  fruitless_ = milliseconds{0};
}

}  // namespace relay::smtp
