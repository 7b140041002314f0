#pragma once
/// NAME      app -- the program smtp-relay-operator: command line, wiring, signals
/// USES      everything below
/// FAILURES  a command line that can't be: exit 2; an API server that can't be reached is waited for

#include <optional>
#include <string>
#include <vector>

#include "operator/relay/plan.hpp"
#include "operator/runtime/leader_election.hpp"
#include "relay/base/log.hpp"
#include "relay/base/network.hpp"

namespace op::app {

struct Options {
  std::string kubeconfig;
  std::vector<std::string> namespaces;  ///< none: our own; one that is empty: all
  bool is_preflight = false;            ///< say which rights are missing, and end
  smtp_relay::Defaults defaults;
  bool leader_elect = true;
  runtime::ElectionOptions election;  ///< identity is set by main
  double qps = 50;
  unsigned burst = 100;
  unsigned concurrency = 4;
  relay::Endpoint health_address;
  relay::Endpoint metrics_address;
  relay::milliseconds resync = std::chrono::hours{10};
  relay::log::Level log_level = relay::log::Level::info;
};

/// The options, or the exit code with which to end at once: what was wrong, or the help, has been printed.
struct Parsed {
  std::optional<Options> options;
  int exit_code = 0;
};
[[nodiscard]] Parsed parse_command_line(int argc, const char* const* argv);

}  // namespace op::app
