#pragma once
/// From a JSON file and the environment to Settings, and back to text.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/config/reference.hpp"

namespace relay::config {

/// One thing wrong with a configuration.
struct Fault {
  std::string
    where;  ///< `relay.json: smarthost_tls`, `environment: SMTP_RELAY_SMARTHOST_TLS`, or the keys concerned
  std::string what;  ///< `'maybe' is not accepted (not one of the words); accepted: none, opportunistic, ...`
  [[nodiscard]] std::string to_text() const { return where + ": " + what; }
};

struct Loaded {
  Settings settings;
  std::vector<Fault> faults;  ///< none: the settings may be used
};

struct Sources {
  std::optional<std::string> json;                 ///< the text of the file, when there is one
  std::string json_name;                           ///< how to call it in faults
  std::map<std::string, std::string> environment;  ///< only names that begin with SMTP_RELAY_ are looked at
};

/// Reads defaults, then the file, then the environment; then checks what concerns several settings. All
/// faults at once.
[[nodiscard]] Loaded load(const Sources& sources);

/// The settings as a JSON object of the shapes that load() reads, one key a line.
[[nodiscard]] std::string print(const Settings& settings);

/// Keys whose values differ and that reload in this way.
[[nodiscard]] std::vector<std::string> changed_keys(
  const Settings& before, const Settings& after, Reload reload
);

/// `before` with every live setting of `after`.
[[nodiscard]] Settings with_live_settings(const Settings& before, const Settings& after);

}  // namespace relay::config
