#include <CLI/CLI.hpp>
#include <iostream>

#include "relay/app/app.hpp"
#include "relay/app/descriptors.hpp"
#include "relay/app/host_facts.hpp"
#include "relay/app/version.hpp"
#include "relay/base/private_memory.hpp"
#include "relay/metrics/exposition.hpp"

extern char** environ;

namespace {

using namespace relay;

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

int report(const std::vector<config::Fault>& faults) {
  for (const auto& fault : faults) std::cerr << fault.to_text() << "\n";
  if (!faults.empty())
    std::cerr << faults.size() << (faults.size() == 1 ? " fault" : " faults")
              << "; docs/configuration.md lists every setting\n";
  return faults.empty() ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) try {
  keep_memory_private();
  CLI::App cli{"smtp-relay: accepts mail, keeps it durably, hands it to a smarthost"};
  app::ConfigSource source;
  bool checks = false;
  bool prints = false;
  bool prints_reference = false;
  bool prints_metrics = false;
  cli.add_option("--config", source.file, "JSON file of settings; SMTP_RELAY_* variables win over it")
    ->type_name("FILE");
  cli.add_flag(
    "--check-config", checks, "Report every fault of the settings and exit: 0 when there is none, else 2"
  );
  cli.add_flag("--print-config", prints, "Print the settings in force as JSON and exit");
  cli.add_flag(
    "--print-reference", prints_reference,
    "Print the reference of all settings (docs/configuration.md) and exit"
  );
  cli.add_flag("--print-metrics", prints_metrics, "Print the page of all metrics (docs/metrics.md) and exit");
  cli.set_version_flag("--version", std::string("smtp-relay ") + app::kVersion);
  cli.footer(
    "docs/configuration.md lists every setting. Exit code 1: could not start; 2: faults in the settings; 75: "
    "wants to be "
    "started anew, since its spool met a full disk that has space again, or no descriptor was left for it."
  );
  CLI11_PARSE(cli, argc, argv);
  if (prints_reference) return std::cout << config::reference_page(), 0;
  if (prints_metrics) return std::cout << metrics::metrics_page(), 0;

  source.environment = environment();
  auto loaded = app::load_config(source);
  auto& settings = loaded.settings;
  if (settings.hostname.empty())
    settings.hostname = settings.node_name.empty() ? app::machine_name() : settings.node_name;
  if (prints) std::cout << config::print(settings);
  if (const int faults = report(loaded.faults); faults != 0 || checks || prints) return faults;
  app::raise_descriptor_limit();
  return app::run(source, settings);
} catch (const std::exception& exception) {
  std::cerr << "smtp-relay: " << exception.what() << "\n";
  return 1;
}
