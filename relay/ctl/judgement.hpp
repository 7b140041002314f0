#pragma once
/// What becomes of the mail for one recipient, and how that is put into words.

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "relay/ctl/rulebook.hpp"
#include "relay/policy/rules.hpp"

namespace relay::ctl {

/// What the mode does with accepted mail for a recipient.
enum class ModeDoes : std::uint8_t {
  nothing,  ///< it is Deliver, or a rule keeps or throws away the mail
  let_out,
  send_elsewhere,
  keep_in
};

struct Judgement {
  std::string refused{};  ///< by what is asked before the rules, in words; empty: they are asked
  std::vector<policy::Finding> looked{};
  policy::Decision decision{};
  ModeDoes mode = ModeDoes::nothing;
};

/// As sessions do: what it is, the mode, and the rules. Who may relay was asked before.
/// @param facts  with the recipient
[[nodiscard]] Judgement judge_recipient(const Rulebook& book, const policy::Facts& facts);

/// @param open  said where what is not known yet decides
[[nodiscard]] std::string fate_of(
  const Rulebook& book, const policy::Facts& facts, const Judgement& judgement, std::string_view open
);
/// What rules that go on do to accepted mail, behind the name of each; a limit is not told: it depends on the count.
[[nodiscard]] std::string deeds_of(
  const Rulebook& book, const policy::Facts& facts, const Judgement& judgement
);
/// What the mode does; empty for nothing.
[[nodiscard]] std::string words_of(const policy::Guard& guard, ModeDoes does);

/// Name and action of a rule, as the columns that a line begins with.
void write_rule(const policy::Rule& rule, std::ostream& out);
/// A line for each rule that was looked at, and what becomes of the mail.
void write_judgement(
  const Rulebook& book, const policy::Facts& facts, const Judgement& judgement, std::string_view open,
  std::ostream& out
);

}  // namespace relay::ctl
