#include "operator/app/options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "relay/base/text.hpp"
#include "relay/base/units.hpp"

namespace op::app {
namespace {

using relay::milliseconds;

constexpr const char* kDescription =
  "Turns SmtpRelay resources into relay pods on every node, and keeps them so.\n"
  "In a pod it uses its ServiceAccount; elsewhere give --kubeconfig.";

/// Wrong values that only our own types can tell.
struct BadValue {
  std::string text;
};

milliseconds duration(const std::string& flag, const std::string& text) {
  const auto value = relay::parse_duration(text);
  if (!value) throw BadValue{flag + ": " + value.error().context};
  return *value;
}

relay::Endpoint endpoint(const std::string& flag, const std::string& text) {
  const auto value = relay::Endpoint::parse(text);
  if (!value) throw BadValue{flag + ": " + value.error().context};
  return *value;
}

/// It ends the name of the Lease, and is the value of a label.
constexpr std::size_t kLongestId = 40;

/// @return  what is wrong, for CLI11
std::string fault_of_id(const std::string& text) {
  const auto is_inner = [](char c) { return relay::is_digit(c) || (c >= 'a' && c <= 'z') || c == '-'; };
  const bool is_good = !text.empty() && text.size() <= kLongestId && text.front() != '-' &&
                       text.back() != '-' && std::all_of(text.begin(), text.end(), is_inner);
  return is_good ? "" : "'" + text + "': an id has small letters, digits and inner hyphens, at most 40";
}

void take_all_namespaces(std::vector<std::string>& namespaces) {
  for (const auto& name : namespaces) {
    if (name.empty()) throw BadValue{"--namespaces: an empty name"};
  }
  if (std::find(namespaces.begin(), namespaces.end(), "*") == namespaces.end()) return;
  if (namespaces.size() > 1) throw BadValue{"--namespaces: * stands alone"};
  namespaces = {""};
}

/// `release=prometheus,team=mail`, of a flag; the API server judges what labels may be.
nlohmann::json labels(const std::string& flag, const std::vector<std::string>& pairs) {
  auto made = nlohmann::json::object();
  for (const auto& pair : pairs) {
    const auto sign = pair.find('=');
    if (sign == std::string::npos || sign == 0) throw BadValue{flag + ": '" + pair + "' is not key=value"};
    made[pair.substr(0, sign)] = pair.substr(sign + 1);
  }
  return made;
}

/// Flags as text, and how they become options.
class CommandLine {
 public:
  CommandLine() {
    options_.defaults = {"ghcr.io/buildinglink/email/smtp:" SMTP_RELAY_VERSION, "/var/lib/smtp-relay"};
    app_.set_version_flag("--version", std::string("smtp-relay-operator ") + SMTP_RELAY_VERSION);
    add_flags();
    add_election_flags();
  }

  void parse(int argc, const char* const* argv) { app_.parse(argc, argv); }
  [[nodiscard]] int explain(const CLI::ParseError& error) const { return app_.exit(error) == 0 ? 0 : 2; }

  [[nodiscard]] Options options() const {
    auto made = options_;
    const auto lease = duration("--lease-duration", lease_);
    made.election.lease_duration = std::chrono::floor<relay::seconds>(lease);
    made.election.renew_deadline = duration("--renew-deadline", renew_);
    made.election.retry_period = duration("--retry-period", retry_);
    made.resync = duration("--resync", resync_);
    made.health_address = endpoint("--health-addr", health_);
    made.metrics_address = endpoint("--metrics-addr", metrics_);
    made.defaults.pod_monitor_labels = labels("--pod-monitor-labels", pod_monitor_labels_);
    made.defaults.rule_labels = labels("--rule-labels", rule_labels_);
    made.log_level = is_verbose_ ? relay::log::Level::debug : relay::log::Level::info;
    if (made.leader_elect) {
      if (const auto fault = fault_of(made.election)) throw BadValue{*fault};
    }
    if (!made.defaults.spool_root.starts_with('/')) throw BadValue{"--spool-root must be an absolute path"};
    take_all_namespaces(made.namespaces);
    if (made.resync < relay::seconds{1}) throw BadValue{"--resync must be at least 1s"};
    return made;
  }

 private:
  void add_flags() {
    app_
      .add_option(
        "--kubeconfig", options_.kubeconfig, "File that says where the API server is and who we are"
      )
      ->envname("KUBECONFIG");
    app_
      .add_option(
        "--namespaces", options_.namespaces,
        "Namespaces to watch, with commas between them, or * for all; default: our own"
      )
      ->delimiter(',');
    app_
      .add_option(
        "--controller-id", options_.defaults.controller_id,
        "Serve only SmtpRelays with this value of the label smtp.buildinglink.com/controller-id; default: "
        "those without the label"
      )
      ->check(CLI::Validator(fault_of_id, "ID", "id"));
    app_.add_flag(
      "--preflight", options_.is_preflight,
      "Print a table of the rights that are needed; exit code 0: all are there, 1: some are missing, 3: "
      "could not ask"
    );
    app_.add_option("--relay-image", options_.defaults.relay_image, "Image of relays that name none")
      ->capture_default_str();
    app_
      .add_option("--spool-root", options_.defaults.spool_root, "Folder on the nodes that holds all spools")
      ->capture_default_str();
    app_
      .add_option(
        "--pod-monitor-labels", pod_monitor_labels_,
        "Labels of relays' PodMonitors, key=value with commas between them: what Prometheus selects them by"
      )
      ->delimiter(',');
    app_.add_option("--rule-labels", rule_labels_, "The same of their PrometheusRules")->delimiter(',');
    app_.add_option("--qps", options_.qps, "Writes a second to the API server")
      ->check(CLI::Range(0.1, 10000.0))
      ->capture_default_str();
    app_.add_option("--burst", options_.burst, "Writes at once behind a quiet time")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
    app_.add_option("--concurrency", options_.concurrency, "Resources worked on at a time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
    app_.add_option("--health-addr", health_, "Where /healthz and /readyz are answered")
      ->capture_default_str();
    app_.add_option("--metrics-addr", metrics_, "Where /metrics is answered")->capture_default_str();
    app_.add_option("--resync", resync_, "Look at every resource this often, whatever happened")
      ->capture_default_str();
    app_.add_flag("--debug", is_verbose_, "Log debug records too");
  }

  void add_election_flags() {
    app_.add_flag(
      "--leader-elect,!--no-leader-elect", options_.leader_elect,
      "Write only while holding the Lease (default)"
    );
    app_
      .add_option("--lease-duration", lease_, "A lease not renewed for this long is anyone's; whole seconds")
      ->capture_default_str();
    app_.add_option("--renew-deadline", renew_, "Stop leading when renewal failed for this long")
      ->capture_default_str();
    app_.add_option("--retry-period", retry_, "Pause between renewals, and between looks at another's lease")
      ->capture_default_str();
  }

  CLI::App app_{kDescription, "smtp-relay-operator"};
  Options options_;
  std::string health_ = "0.0.0.0:8081";
  std::string metrics_ = "0.0.0.0:8080";
  std::vector<std::string> pod_monitor_labels_;
  std::vector<std::string> rule_labels_;
  std::string resync_ = "10h";
  std::string lease_ = "15s";
  std::string renew_ = "10s";
  std::string retry_ = "2s";
  bool is_verbose_ = false;
};

}  // namespace

Parsed parse_command_line(int argc, const char* const* argv) {
  CommandLine command_line;
  try {
    command_line.parse(argc, argv);
    return {command_line.options(), 0};
  } catch (const CLI::ParseError& error) {
    return {std::nullopt, command_line.explain(error)};
  } catch (const BadValue& bad) {
    std::cerr << "smtp-relay-operator: " << bad.text << "\nRun with --help for more information.\n";
    return {std::nullopt, 2};
  }
}

}  // namespace op::app
