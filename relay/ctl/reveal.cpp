#include "relay/ctl/reveal.hpp"

#include <fstream>
#include <iterator>

#include "relay/redaction/tokens.hpp"

namespace relay::ctl {

Result<void> reveal(const RevealRequest& request, std::istream& in, std::ostream& out) {
  std::ifstream file(request.key_file);
  const std::string key{std::istreambuf_iterator<char>(file), {}};
  if (key.empty())
    return permanent(Errc::not_found, "cannot read a key in " + request.key_file + ", or the file is empty");
  const auto tokens = redaction::Tokens::make(key);
  if (!tokens) return tl::unexpected(tokens.error());
  if (!request.tokens.empty() && request.tokens != std::vector<std::string>{"-"}) {
    for (const auto& text : request.tokens) out << redaction::reveal(text, **tokens) << "\n";
    return {};
  }
  // A line at a time, so that it can stand behind one that never ends (`kubectl logs -f`).
  for (std::string line; std::getline(in, line);) out << redaction::reveal(line, **tokens) << std::endl;
  return {};
}

}  // namespace relay::ctl
