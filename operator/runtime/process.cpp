#include "operator/runtime/process.hpp"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <malloc.h>
#include <thread>
#include <unistd.h>

#include "operator/kube/cpprest_transport.hpp"

namespace op::runtime {
namespace {

/// cpprestsdk's own threads: they only move octets.
constexpr unsigned kTransportThreads = 2;

std::string variable(const char* name) {
  const auto* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

relay::Result<kube::Access> access_of_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return relay::permanent(relay::Errc::not_found, "cannot read kubeconfig " + path);
  const std::string yaml{std::istreambuf_iterator<char>(file), {}};
  const auto slash = path.rfind('/');
  auto access = kube::parse_kubeconfig(yaml, slash == std::string::npos ? "." : path.substr(0, slash));
  if (!access) return relay::permanent(access.error().code, path + ": " + access.error().context);
  return access;
}

sigset_t stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

int await_signal() {
  const auto signals = stop_signals();
  int signal = 0;
  sigwait(&signals, &signal);
  // A second one ends the process at once.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  return signal;
}

}  // namespace

relay::Result<kube::Access> find_access(const std::string& kubeconfig) {
  auto access = kubeconfig.empty() ? kube::in_cluster_access(
                                       {{"KUBERNETES_SERVICE_HOST", variable("KUBERNETES_SERVICE_HOST")},
                                        {"KUBERNETES_SERVICE_PORT", variable("KUBERNETES_SERVICE_PORT")}},
                                       std::string(kube::kServiceAccountFolder)
                                     )
                                   : access_of_file(kubeconfig);
  if (!access) return access;
  if (const auto own = variable("POD_NAMESPACE"); !own.empty()) access->name_space = own;
  if (access->name_space.empty()) access->name_space = "default";
  return access;
}

void prepare_process(const kube::Access& access) {
  const auto signals = stop_signals();
  // In every thread, so that one of them can wait for them.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  // Some twenty threads, nearly all asleep: an arena of the heap for each would only hoard what long lists leave behind.
  mallopt(M_ARENA_MAX, 2);
  kube::prepare_cpprest(kTransportThreads, access);
}

relay::Result<void> run_until_signal(
  const std::function<relay::Result<void>(const std::stop_token&)>& work, relay::log::Sink& log
) {
  std::atomic<bool> has_ended{false};
  relay::Result<void> ended;
  std::jthread thread([&](const std::stop_token& stop) {
    ended = work(stop);
    if (stop.stop_requested()) return;
    has_ended = true;
    kill(getpid(), SIGTERM);  // wakes the one who waits below
  });
  const auto signal = await_signal();
  if (!has_ended) log.write(relay::log::info("stopping").with("signal", signal));
  thread.request_stop();
  thread.join();
  return ended;
}

}  // namespace op::runtime
