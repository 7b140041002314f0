#pragma once
/// Settings with rules, for tests of what they decide.

#include <fstream>
#include <gtest/gtest.h>
#include <string>

#include "tests/support/folder.hpp"

namespace relay::ctl {

class RuleFile : public ::testing::Test {
 protected:
  /// @param more  settings before the others, each with its comma
  void settings(const std::string& rules, const std::string& more = "") const {
    std::ofstream(settings_file
    ) << "{"
      << more
      << R"("allowed_networks": ["10.0.0.0/8"], "smarthosts": [{"name": "primary", "host": "smtp.test",
             "recipient_domains": ["only.test"]}], "policies": [)"
      << rules << "]}";
  }

  test::Folder folder;
  const std::string settings_file = folder.path("relay.json");
};

}  // namespace relay::ctl
