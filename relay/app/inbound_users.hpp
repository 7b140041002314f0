#pragma once
/// From settings and files to the users who may log in.

#include <memory>
#include <string>

#include "relay/app/files.hpp"
#include "relay/base/log.hpp"
#include "relay/sasl/users.hpp"

namespace relay::app {

/// Keeps the users. A file that can't be used is logged, once, and the users of before stay.
///
/// Thread: the control thread.
class InboundUsers {
 public:
  /// Makes the key for strangers of files that hold none (sasl::Users): this process's own. Throws std::runtime_error when
  /// there is no randomness.
  /// @param log  outlives this
  explicit InboundUsers(log::Sink& log);

  /// Null when no file is named, or there has been no usable one yet. A file that is missing is none; one that is empty says
  /// that there is no user. The same ones as long as nothing changes.
  [[nodiscard]] std::shared_ptr<const sasl::Users> make(const config::Settings& settings, const Files& files);

 private:
  /// Says what is wrong with the file; what is in force stays.
  [[nodiscard]] std::shared_ptr<const sasl::Users> keep(const std::string& why);

  log::Sink& log_;
  sasl::Digest key_for_strangers_{};
  std::string source_;  // what was tried last: path, and text where there is one
  std::shared_ptr<const sasl::Users> in_force_;
};

}  // namespace relay::app
