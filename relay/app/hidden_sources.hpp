#pragma once
/// The file that says which addresses of a cluster hide clients.

#include <string>

#include "relay/app/files.hpp"
#include "relay/base/log.hpp"
#include "relay/base/network.hpp"

namespace relay::app {

/// Keeps what was read of `hidden_sources_file`. A text with nothing in it, as of a file that is missing, changes nothing:
/// addresses that hide clients do not begin to stand for one because somebody removed a list. Nor because the relay was
/// started anew meanwhile: the last list is kept as `hidden_sources` in the spool folder, and stands in for one that says
/// nothing at the start, which is logged. A line that can't be read is logged, once for each text, and costs no other line.
///
/// Thread: the control thread. Blocks for the disk.
class HiddenSources {
 public:
  /// @param log  outlives this
  explicit HiddenSources(log::Sink& log) : log_(log) {}

  /// Those in force; the reference holds until the next call. That a list could not be kept is logged, and nothing else.
  [[nodiscard]] const Networks& follow(const config::Settings& settings, const Files& files);

 private:
  void begin(const config::Settings& settings);
  void keep(const config::Settings& settings);

  log::Sink& log_;
  bool has_begun_ = false;
  std::string text_;  // what was read last
  Networks in_force_;
};

}  // namespace relay::app
