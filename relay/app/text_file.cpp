#include "relay/app/text_file.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace relay::app {

Result<std::string> read_text(const std::string& path) {
  if (path.empty()) return std::string{};
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return std::string{};
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

}  // namespace relay::app
