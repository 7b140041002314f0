#pragma once
/// Which messages a command is about, as options and as the admin interface takes it.

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>

namespace relay::ctl {

struct Selection {
  std::string id;
  std::string sender;
  std::string recipient;
  std::string destination;
  std::string state;
  bool is_all = false;

  [[nodiscard]] bool is_empty() const {
    return id.empty() && sender.empty() && recipient.empty() && destination.empty() && state.empty();
  }
  /// `&id=...&sender=...`, encoded; empty when all are asked for.
  [[nodiscard]] std::string to_query() const;
  [[nodiscard]] nlohmann::ordered_json to_json() const;
};

/// Adds `[ID]`, `--sender`, `--recipient`, `--destination`, `--state` and, for what changes messages, `--all`.
void add_options(CLI::App& command, Selection& selection, bool has_all);

}  // namespace relay::ctl
