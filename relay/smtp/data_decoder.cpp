#include "relay/smtp/data_decoder.hpp"

#include <algorithm>

namespace relay::smtp {

std::size_t DataDecoder::feed(std::string_view input, std::string& out) {
  out.reserve(out.size() + input.size());
  std::size_t taken = 0;
  std::size_t line_feed = 0;  // the next one from `taken` on, or the input's end
  while (taken < input.size() && state_ != State::done) {
    const bool is_in_text = state_ == State::text || (state_ == State::line_start && input[taken] != '.');
    if (is_in_text) {
      // Ordinary lines, or what has come of one, go through in one piece.
      if (line_feed <= taken) line_feed = std::min(input.find('\n', taken), input.size());
      const auto line = input.substr(taken, line_feed - taken);
      const auto run = line.substr(0, line.find('\r'));
      line_ += run.size();
      taken += run.size();
      if (line_feed < input.size() && taken + 1 == line_feed) {
        out.append(run.data(), run.size() + 2);  // its CRLF
        count_line(State::line_start);
        taken += 2;
        continue;
      }
      out.append(run);
      if (!run.empty()) state_ = State::text;
      if (taken == input.size()) break;
    }
    step(input[taken++], out);
  }
  longest_line_ = std::max(longest_line_, line_);
  return taken;
}

void DataDecoder::step(char c, std::string& out) {
  const bool lf_ends_line = line_ending_ == LineEnding::lf_or_crlf;
  switch (state_) {
    case State::line_start:
      if (c == '.') state_ = State::dot;
      else if (c == '\r') state_ = State::cr;
      else if (c == '\n') lf_ends_line ? end_line(out, State::line_start) : bare(out, State::text);
      else emit(c, out);
      return;
    case State::dot:  // the dot itself is dropped: it ends the data or was stuffed
      if (c == '\r') state_ = State::dot_cr;
      else if (c == '\n') lf_ends_line ? end_line(out, State::done) : bare(out, State::text);
      else emit(c, out);
      return;
    case State::dot_cr:
      if (c == '\n') {
        state_ = State::done;
        return;
      }
      bare(out, State::cr);
      if (c != '\r') emit(c, out);
      return;
    case State::text:
      if (c == '\r') state_ = State::cr;
      else if (c == '\n') lf_ends_line ? end_line(out, State::line_start) : bare(out, State::text);
      else emit(c, out);
      return;
    case State::cr:
      if (c == '\n') {
        end_line(out, State::line_start);
        return;
      }
      bare(out, State::cr);
      if (c != '\r') emit(c, out);
      return;
    case State::done: return;
  }
}

void DataDecoder::count_line(State next) {
  state_ = next;
  longest_line_ = std::max(longest_line_, line_);
  line_ = 0;
}

void DataDecoder::end_line(std::string& out, State next) {
  count_line(next);
  if (next != State::done) out.append("\r\n");
}

void DataDecoder::bare(std::string& out, State next) {
  met_bare_line_ending_ = true;
  end_line(out, next);
}

void DataDecoder::emit(char c, std::string& out) {
  out.push_back(c);
  ++line_;
  state_ = State::text;
}

void DotStuffer::feed(std::string_view content, std::string& out) {
  constexpr std::size_t kSomeDots = 32;
  out.reserve(out.size() + content.size() + kSomeDots);
  while (!content.empty()) {
    if (at_line_start_ && content.front() == '.') out.push_back('.');
    const auto end = content.find('\n');
    const auto line = content.substr(0, end == std::string_view::npos ? end : end + 1);
    out.append(line);
    at_line_start_ = end != std::string_view::npos;
    content.remove_prefix(line.size());
  }
}

}  // namespace relay::smtp
