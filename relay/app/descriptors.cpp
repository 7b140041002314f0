#include "relay/app/descriptors.hpp"

#include <sys/resource.h>

namespace relay::app {
namespace {

/// The spool's tables and logs (max_open_files of relay/spool/database.cpp), listeners, loops, pages and name lookups.
constexpr std::uint64_t kOwn = 512;

}  // namespace

void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
}

std::uint64_t descriptor_limit() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

std::optional<log::Record> warn_of_descriptors(const config::Settings& settings, std::uint64_t limit) {
  const auto needed = settings.max_connections + settings.delivery_connections_total + kOwn;
  if (limit >= needed) return std::nullopt;
  return log::warning("few_descriptors")
    .with("limit", limit)
    .with("needed", needed)
    .with(
      "message",
      "connections may take the descriptors that the spool needs, which then refuses mail and starts anew: "
      "raise the limit "
      "of open files (LimitNOFILE of the container runtime), or lower max_connections or "
      "delivery_connections_total"
    );
}

}  // namespace relay::app
