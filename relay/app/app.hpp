#pragma once
/// The relay's life: start, control, stop.

#include <memory>
#include <string>
#include <vector>

#include "relay/app/front.hpp"
#include "relay/app/live.hpp"
#include "relay/app/pages.hpp"

namespace relay::app {

/// Where settings come from, to read them again when they change.
struct ConfigSource {
  std::string file;  ///< empty: none
  std::map<std::string, std::string> environment;
};
/// Reads the file and applies the environment. A file that cannot be read is a fault. Blocks for the disk.
[[nodiscard]] config::Loaded load_config(const ConfigSource& source);

/// Runs the relay until SIGTERM or SIGINT. Returns the process's exit code. Thread: main's.
///
/// Start: loops, health pages, then the spool (waiting for a predecessor that holds it), then mail. Control,
/// once a second: changed files are read and put in force, drain requests followed, the disk measured. Stop:
/// /health turns 503 at once; behind the lame-duck time new connections get 421 and sessions finish their
/// transaction; when all are done or session_drain_timeout has passed, mail that can be tried at once is delivered on
/// for flush_timeout at most; deliveries in progress finish, in what is left of both times; then connections close, the
/// spool is synced, and the process ends. A second signal skips the waiting.
[[nodiscard]] int run(const ConfigSource& source, const config::Settings& settings);

}  // namespace relay::app
