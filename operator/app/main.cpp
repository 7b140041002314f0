#include <atomic>
#include <csignal>
#include <iostream>
#include <malloc.h>
#include <thread>
#include <unistd.h>

#include "operator/app/operator.hpp"

namespace {

using namespace op;

/// cpprestsdk's own threads: they only move octets.
constexpr unsigned kTransportThreads = 2;

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

/// Blocked in every thread, so that one of them can wait for them.
void hold_signals() {
  const auto signals = stop_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int await_signal() {
  const auto signals = stop_signals();
  int signal = 0;
  sigwait(&signals, &signal);
  // A second one ends the process at once.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  return signal;
}

int run(const app::Options& options) {
  auto access = app::find_access(options);
  if (!access) {
    std::cerr << "smtp-relay-operator: " << access.error().context << "\n";
    return 2;
  }
  kube::prepare_cpprest(kTransportThreads, *access);
  const runtime::BootClock clock;
  relay::log::StdoutSink log(clock, options.log_level);
  app::Operator all(options, std::move(*access), clock, log);
  if (options.is_preflight) return all.preflight({});
  log.write(relay::log::info("start")
              .with("version", SMTP_RELAY_VERSION)
              .with("relay_image", options.defaults.relay_image));
  std::atomic<bool> could_start{true};
  relay::Result<void> ended;
  std::jthread work([&](std::stop_token stop) {
    ended = all.run(stop);
    if (stop.stop_requested()) return;
    could_start = false;
    kill(getpid(), SIGTERM);  // wakes the one who waits below
  });
  const auto signal = await_signal();
  if (could_start) log.write(relay::log::info("stopping").with("signal", signal));
  work.request_stop();
  work.join();
  if (ended) {
    log.write(relay::log::info("stopped"));
    return 0;
  }
  std::cerr << "smtp-relay-operator: " << ended.error().context << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto parsed = op::app::parse_command_line(argc, argv);
  if (!parsed.options) return parsed.exit_code;
  hold_signals();
  // Some twenty threads, nearly all asleep: an arena of the heap for each would only hoard what long lists leave behind.
  mallopt(M_ARENA_MAX, 2);
  try {
    return run(*parsed.options);
  } catch (const std::exception& error) {
    std::cerr << "smtp-relay-operator: " << error.what() << "\n";
    return 1;
  }
}
