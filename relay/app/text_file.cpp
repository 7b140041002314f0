#include "relay/app/text_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace relay::app {

Result<std::optional<std::string>> read_if_there(const std::string& path) {
  if (path.empty()) return std::nullopt;
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return std::nullopt;
  std::string text;
  char block[4096];
  ssize_t count = file < 0 ? -1 : 1;
  while (count > 0 || (count < 0 && file >= 0 && errno == EINTR)) {
    count = read(file, block, sizeof block);
    if (count > 0) text.append(block, static_cast<std::size_t>(count));
  }
  const int failed = count < 0 ? errno : 0;
  if (file >= 0) close(file);
  if (failed != 0) return transient(Errc::unavailable, "read " + path + ": " + std::strerror(failed));
  return text;
}

Result<std::string> read_text(const std::string& path) {
  auto text = read_if_there(path);
  if (!text) return tl::unexpected(std::move(text.error()));
  return std::move(*text).value_or(std::string{});
}

Result<void> write_text(const std::string& path, std::string_view text) {
  const auto beside = path + ".new";
  const int file = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool is_written = file >= 0;
  while (is_written && !text.empty()) {
    const auto count = write(file, text.data(), text.size());
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
    else is_written = count < 0 && errno == EINTR;
  }
  is_written = is_written && fsync(file) == 0;
  int failed = errno;
  if (file >= 0 && close(file) != 0 && is_written) {
    is_written = false;
    failed = errno;
  }
  if (is_written && std::rename(beside.c_str(), path.c_str()) == 0) return {};
  if (is_written) failed = errno;
  return transient(Errc::storage_failed, "write " + path + ": " + std::strerror(failed));
}

}  // namespace relay::app
