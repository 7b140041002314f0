#include "relay/app/hidden_sources.hpp"

#include <filesystem>
#include <utility>

#include "relay/app/text_file.hpp"
#include "relay/config/hidden_sources.hpp"

namespace relay::app {
namespace {

std::string kept_path(const config::Settings& settings) { return settings.spool_path + "/hidden_sources"; }

std::string to_text(const Networks& networks) {
  std::string text;
  for (const auto& network : networks) text += network.to_text() + "\n";
  return text;
}

/// The folder of the list is there: somebody means to give one. Without it the relay runs where nobody does.
bool is_expected(const config::Settings& settings) {
  std::error_code ignored;
  const std::filesystem::path path(settings.hidden_sources_file);
  return !path.empty() && std::filesystem::is_directory(path.parent_path(), ignored);
}

log::Record warning(const config::Settings& settings) {
  return log::warning("hidden_sources").with("path", settings.hidden_sources_file);
}

}  // namespace

const Networks& HiddenSources::follow(const config::Settings& settings, const Files& files) {
  const auto& text = text_of(files, settings.hidden_sources_file);
  const bool is_first = !std::exchange(has_begun_, true);
  if (is_first && config::parse_hidden_sources(text).networks.empty()) begin(settings);
  if (text == text_) return in_force_;
  text_ = text;
  auto parsed = config::parse_hidden_sources(text);
  if (!parsed.complaints.empty()) {
    log_.write(warning(settings).with("faults", parsed.complaints).with("message", "these lines are left out")
    );
  }
  if (parsed.networks.empty()) return in_force_;
  in_force_ = std::move(parsed.networks);
  keep(settings);
  return in_force_;
}

/// The list says nothing at the start.
void HiddenSources::begin(const config::Settings& settings) {
  if (settings.hidden_sources_file.empty()) return;
  if (const auto kept = read_text(kept_path(settings)))
    in_force_ = config::parse_hidden_sources(*kept).networks;
  if (!in_force_.empty()) {
    log_.write(warning(settings)
                 .with("networks", in_force_.size())
                 .with("message", "the list is missing or empty: the one that was read last is in force"));
  } else if (is_expected(settings)) {
    log_.write(warning(settings).with(
      "message",
      "the list is missing or empty, and none was read before: until there is one, only addresses in the "
      "settings "
      "are known to hide clients"
    ));
  }
}

void HiddenSources::keep(const config::Settings& settings) {
  const auto kept = write_text(kept_path(settings), to_text(in_force_));
  if (kept) return;
  log_.write(warning(settings)
               .with("error", kept.error().context)
               .with("message", "the list is in force, and will not outlive a restart without its file"));
}

}  // namespace relay::app
