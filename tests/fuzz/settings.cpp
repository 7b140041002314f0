/// config::load and print. Input: lines of environment, `SMTP_RELAY_HOSTNAME=a.example`, an empty line, then the JSON
/// file.

#include "relay/config/load.hpp"
#include "tests/fuzz/input.hpp"

namespace relay::config {
namespace {

using fuzz::require;

Sources sources_of(fuzz::InputView input) {
  Sources sources;
  sources.json_name = "relay.json";
  while (true) {
    const auto line = input.line();
    if (line.empty()) break;
    const auto equals = std::min(line.find('='), line.size());
    const auto value = line.substr(std::min(equals + 1, line.size()));
    if (line.find('\0') == line.npos)  // the environment's strings have none
      sources.environment.emplace(line.substr(0, equals), value);
  }
  if (!input.rest().empty()) sources.json = input.rest();
  return sources;
}

void check_faults(const Loaded& loaded) {
  for (const auto& fault : loaded.faults)
    require(fuzz::is_all_printable(fault.to_text()), "a fault is one line of a log");
}

/// What was loaded is the same behind a print, and as a change of the settings by default.
void check_good(const Settings& settings) {
  const auto text = print(settings);
  const auto again = load(Sources{text, "print", {}});
  require(again.faults.empty(), "what is printed can be loaded");
  require(print(again.settings) == text, "what is printed is loaded as it was");
  for (const auto reload : {Reload::live, Reload::restart})
    require(changed_keys(settings, again.settings, reload).empty(), "what is printed changes nothing");
  const auto merged = with_live_settings(load({}).settings, settings);
  require(changed_keys(settings, merged, Reload::live).empty(), "every live setting is taken over");
}

}  // namespace
}  // namespace relay::config

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace relay::config;
  const auto loaded = load(sources_of(relay::fuzz::InputView(data, size)));
  check_faults(loaded);
  if (loaded.faults.empty()) check_good(loaded.settings);
  return 0;
}
