#pragma once
/// How many descriptors the process may have, and may need (decision 0107).

#include <cstdint>
#include <optional>

#include "relay/base/log.hpp"
#include "relay/config/settings.hpp"

namespace relay::app {

/// Raises the soft limit of open files to the hard one: some runtimes start a container with 1,024 of half a million.
/// Errors are ignored: what we have is what it was. Thread: main, before any other runs.
void raise_descriptor_limit();

/// The soft limit of open files. Thread: any.
[[nodiscard]] std::uint64_t descriptor_limit();

/// A warning where connections alone may take so many that files of the spool find none: nothing while the limit is enough.
[[nodiscard]] std::optional<log::Record> warn_of_descriptors(
  const config::Settings& settings, std::uint64_t limit
);

}  // namespace relay::app
