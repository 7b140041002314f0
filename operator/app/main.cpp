#include <iostream>

#include "operator/app/operator.hpp"
#include "operator/runtime/process.hpp"
#include "relay/base/private_memory.hpp"

namespace {

using namespace op;

/// Of the log. The relay's number of them would take a fifth of all memory that this process has.
constexpr std::size_t kWaitingLines = 1024;

int fail(const std::string& why, int exit_code) {
  std::cerr << "smtp-relay-operator: " << why << "\n";
  return exit_code;
}

int run(const app::Options& options) {
  auto access = runtime::find_access(options.kubeconfig);
  if (!access) return fail(access.error().context, 2);
  runtime::prepare_process(*access);
  const runtime::BootClock clock;
  relay::log::StdoutSink log(clock, options.log_level, kWaitingLines);
  app::Operator all(options, std::move(*access), clock, log);
  if (options.is_preflight) return all.preflight({});
  log.write(relay::log::info("start")
              .with("version", SMTP_RELAY_VERSION)
              .with("relay_image", options.defaults.relay_image));
  const auto ended = runtime::run_until_signal([&](const auto& stop) { return all.run(stop); }, log);
  if (!ended) return fail(ended.error().context, 1);
  log.write(relay::log::info("stopped"));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    relay::keep_memory_private();
    const auto parsed = op::app::parse_command_line(argc, argv);
    if (!parsed.options) return parsed.exit_code;
    return run(*parsed.options);
  } catch (const std::exception& error) {
    return fail(error.what(), 1);
  }
}
