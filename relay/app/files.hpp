#pragma once
/// Files that the settings name: credentials, certificates, keys.

#include <map>
#include <string>

#include "relay/config/settings.hpp"

namespace relay::app {

/// Texts by path. A file that is missing has none.
using Files = std::map<std::string, std::string>;

/// Every file that the settings name, as it is now. Blocks for the disk. Errors as read_text(): without its
/// credentials a hop would be sent mail that it refuses for good.
[[nodiscard]] Result<Files> read_files(const config::Settings& settings);

/// The text of a file; empty when it is missing, and when nothing named it.
[[nodiscard]] const std::string& text_of(const Files& files, const std::string& path);
/// The same without the line end that editors leave: a password, an id.
[[nodiscard]] std::string word_of(const Files& files, const std::string& path);

}  // namespace relay::app
