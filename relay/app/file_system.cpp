#include "relay/app/file_system.hpp"

#include <algorithm>
#include <array>
#include <linux/magic.h>
#include <string_view>
#include <sys/vfs.h>

namespace relay::app {
namespace {

constexpr std::string_view kMemory =
  "it is memory: a power cut, and the pod's end, lose all mail that was taken";
constexpr std::string_view kContainer = "it is the container's own: all mail that was taken goes with it";
constexpr std::string_view kAway =
  "a sync, and the lock that keeps two relays apart, are worth what its server makes of them";

struct Kind {
  std::uint32_t type;
  std::string_view name;
  std::string_view meaning;
};

constexpr std::uint32_t kCifs = 0xFF534D42;
constexpr std::uint32_t kSmb2 = 0xFE534D42;

constexpr std::array kKinds{
  Kind{TMPFS_MAGIC, "tmpfs", kMemory},
  Kind{RAMFS_MAGIC, "ramfs", kMemory},
  Kind{OVERLAYFS_SUPER_MAGIC, "overlay", kContainer},
  Kind{NFS_SUPER_MAGIC, "nfs", kAway},
  Kind{kCifs, "cifs", kAway},
  Kind{kSmb2, "smb", kAway},
  Kind{V9FS_MAGIC, "9p", kAway},
  Kind{FUSE_SUPER_MAGIC, "fuse", kAway},
};

}  // namespace

std::optional<log::Record> warn_of_file_system(const std::string& path, std::uint32_t type) {
  const auto* const kind =
    std::find_if(kKinds.begin(), kKinds.end(), [type](const Kind& each) { return each.type == type; });
  if (kind == kKinds.end()) return std::nullopt;
  return log::warning("spool_file_system")
    .with("spool", path)
    .with("file_system", kind->name)
    .with("message", std::string(kind->meaning) + ": use a disk of the node (docs/spool.md)");
}

std::optional<log::Record> warn_of_file_system(const std::string& path) {
  struct statfs status{};
  if (statfs(path.c_str(), &status) != 0) return std::nullopt;  // opening fails with words of its own
  return warn_of_file_system(path, static_cast<std::uint32_t>(status.f_type));
}

}  // namespace relay::app
