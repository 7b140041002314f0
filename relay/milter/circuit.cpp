#include "relay/milter/circuit.hpp"

#include <algorithm>

namespace relay::milter {

bool Circuit::may_ask(SteadyTime now) {
  if (!is_open()) return true;
  if (now < next_) return false;
  is_tried_ = true;
  next_ = now + pause_;
  return true;
}

void Circuit::failed(SteadyTime now) {
  if (is_open() && !is_tried_) return;  // it was under way when the others failed
  pause_ = is_tried_ ? std::min(pause_ * 2, kLongestPause) : kFirstPause;
  if (!is_open()) ++failures_;
  is_tried_ = false;
  next_ = now + pause_;
}

}  // namespace relay::milter
