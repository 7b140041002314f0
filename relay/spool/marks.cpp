#include "relay/spool/marks.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace relay::spool {
namespace {

bool open_and_sync(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool is_synced = fsync(file) == 0;
  (void)close(file);
  return is_synced;
}

}  // namespace

std::string repair_mark(const std::string& path) { return path + "/repair-wanted"; }
std::string walk_mark(const std::string& path) { return path + "/walk-wanted"; }

bool is_marked(const std::string& mark) { return access(mark.c_str(), F_OK) == 0; }

void leave_mark(const std::string& folder, const std::string& mark) {
  (void)open_and_sync(mark, O_WRONLY | O_CREAT);
  sync_folder(folder);
}

void remove_mark(const std::string& mark) { (void)unlink(mark.c_str()); }

bool sync_file(const std::string& path) { return open_and_sync(path, O_RDONLY); }

void sync_folder(const std::string& folder) { (void)open_and_sync(folder, O_RDONLY | O_DIRECTORY); }

}  // namespace relay::spool
