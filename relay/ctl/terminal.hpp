#pragma once
/// Passwords that are typed.

#include <string>
#include <string_view>

#include "relay/base/result.hpp"

namespace relay::ctl {

[[nodiscard]] bool is_terminal(int descriptor);

/// Writes `prompt` and reads a line, of which the terminal shows nothing. Empty where the input ends.
///
/// A signal that ends or stops the process (Ctrl-C) does so behind that, when the terminal is again as it was. Where it does
/// not, the question is asked again. Blocks. Not from two threads at a time.
///
/// @param in   a terminal's descriptor
/// @param out  a descriptor, for the prompt
/// Errors: unavailable (permanent): the terminal does not do it.
[[nodiscard]] Result<std::string> ask_quietly(int in, int out, std::string_view prompt);

/// The same, twice. Errors besides: invalid_argument (permanent): the two differ.
[[nodiscard]] Result<std::string> ask_password(int in, int out);

}  // namespace relay::ctl
