#pragma once
/// What smtp::DataDecoder is to make of what follows DATA: the rule in a few lines, over all of it at once.

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "relay/smtp/data_decoder.hpp"

namespace relay::test {

struct DecodedData {
  std::string content;
  std::size_t taken = 0;  // octets, the end of data included
  bool is_done = false;
  bool met_bare_line_ending = false;
  std::uint64_t longest_line = 0;
  friend bool operator==(const DecodedData&, const DecodedData&) = default;
};

/// A CR that the input ends with is not judged: nobody knows what follows it.
inline DecodedData data_reference(std::string_view input, smtp::LineEnding ending) {
  const bool lf = ending == smtp::LineEnding::lf_or_crlf;
  DecodedData result;
  bool at_line_start = true;
  std::uint64_t line = 0;
  std::size_t i = 0;
  const auto at = [&](std::string_view text) { return input.substr(i).starts_with(text); };
  const auto end_line = [&](std::size_t octets, bool is_true_end) {
    result.content += "\r\n";
    result.met_bare_line_ending = result.met_bare_line_ending || !is_true_end;
    at_line_start = is_true_end;
    line = 0;
    i += octets;
  };
  while (i < input.size()) {
    if (at_line_start && (at(".\r\n") || (lf && at(".\n")))) {
      result.taken = i + (at(".\n") ? 2 : 3);
      result.is_done = true;
      return result;
    }
    if (at_line_start && at(".")) ++i;
    at_line_start = false;
    if (i == input.size() || (at("\r") && i + 1 == input.size())) break;
    if (at("\r\n")) {
      end_line(2, true);
    } else if (at("\r") || at("\n")) {
      end_line(1, lf && at("\n"));
    } else {
      result.content += input[i++];
      result.longest_line = std::max(result.longest_line, ++line);
    }
  }
  result.taken = input.size();
  return result;
}

}  // namespace relay::test
