#include "relay/spool/marks.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace relay::spool {
namespace {

void sync_file(const std::string& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file < 0) return;
  (void)fsync(file);
  (void)close(file);
}

}  // namespace

std::string repair_mark(const std::string& path) { return path + "/repair-wanted"; }
std::string walk_mark(const std::string& path) { return path + "/walk-wanted"; }

bool is_marked(const std::string& mark) { return access(mark.c_str(), F_OK) == 0; }

void leave_mark(const std::string& folder, const std::string& mark) {
  sync_file(mark, O_WRONLY | O_CREAT);
  sync_folder(folder);
}

void remove_mark(const std::string& mark) { (void)unlink(mark.c_str()); }

void sync_folder(const std::string& folder) { sync_file(folder, O_RDONLY | O_DIRECTORY); }

}  // namespace relay::spool
