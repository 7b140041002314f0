#include "relay/app/file_system.hpp"

#include <gtest/gtest.h>
#include <linux/magic.h>

namespace relay::app {
namespace {

TEST(FileSystem, OfTheSpoolIsWarnedOfWhereASyncIsWorthLessCase107) {
  for (const std::uint32_t type : std::initializer_list<std::uint32_t>{
         TMPFS_MAGIC, OVERLAYFS_SUPER_MAGIC, NFS_SUPER_MAGIC, FUSE_SUPER_MAGIC, V9FS_MAGIC
       })
    EXPECT_TRUE(warn_of_file_system("/spool", type)) << type;
}

TEST(FileSystem, OfALocalDiskIsNoMatterCase107) {
  for (const std::uint32_t type :
       std::initializer_list<std::uint32_t>{EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC})
    EXPECT_FALSE(warn_of_file_system("/spool", type)) << type;
}

TEST(FileSystem, OfAFolderIsAskedForCase107) {
  EXPECT_FALSE(warn_of_file_system("/nowhere"));
  EXPECT_FALSE(warn_of_file_system("/proc"));
}

}  // namespace
}  // namespace relay::app
