#pragma once
/// The settings table: one row a setting.

#include <span>
#include <string>
#include <string_view>

#include "relay/base/result.hpp"
#include "relay/config/objects.hpp"
#include "relay/config/settings.hpp"

namespace relay::config {

enum class Reload : std::uint8_t {
  live,     ///< a changed value is in force at once, for new sessions and deliveries
  restart,  ///< a changed value waits for the next start
};

struct Setting {
  std::string_view key;  ///< in relay.json; lower case with underscores
  Shape shape;
  std::string_view accepted;       ///< what is accepted, in words
  std::string_view default_value;  ///< as text, read by `set` like any other
  Reload reload;
  std::string_view meaning;  ///< one sentence for the reference page
  /// Reads text into its member. Errors: what is wrong with the text; the member is then unchanged.
  Result<void> (*set)(Settings& settings, std::string_view text);
  /// The member as text that `set` reads back.
  std::string (*get)(const Settings& settings);
  /// Of Shape::objects: the fields of each object.
  std::vector<FieldDoc> (*fields)() = nullptr;

  /// `SMTP_RELAY_` and the key in upper case.
  [[nodiscard]] std::string environment_name() const;
};

/// All rows, in the order of the reference page. Lives for ever.
[[nodiscard]] std::span<const Setting> settings_table();

/// The row with this key, or null.
[[nodiscard]] const Setting* find_setting(std::string_view key);

/// docs/configuration.md.
[[nodiscard]] std::string reference_page();

}  // namespace relay::config
