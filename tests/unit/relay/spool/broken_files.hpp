#pragma once
/// Open files of this process that fail as a bad disk does: each read and write is an error, until mended.

#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace relay::test {

/// Puts `other`, a folder, in the place of each descriptor that is open on a file of `folder` with this extension:
/// reads give EISDIR, writes EBADF; or another file, as /dev/full.
class BrokenFiles {
 public:
  BrokenFiles(const std::string& folder, const std::string& extension, const std::string& other = "/") {
    instead_ = open(other.c_str(), (other == "/" ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code failed;
      const auto target = std::filesystem::read_symlink(entry.path(), failed);
      if (failed || target.parent_path() != folder || target.extension() != extension) continue;
      const int number = std::stoi(entry.path().filename());
      broken_.push_back({number, fcntl(number, F_DUPFD_CLOEXEC, 0)});
      dup2(instead_, number);
    }
    EXPECT_FALSE(broken_.empty()) << "no file is open to be broken";
  }
  ~BrokenFiles() { mend(); }
  BrokenFiles(const BrokenFiles&) = delete;
  BrokenFiles& operator=(const BrokenFiles&) = delete;

  void mend() {
    for (const auto& [number, copy] : broken_) {
      // The database may have closed it meanwhile, and have another file under its number.
      if (is_same_file(number, instead_)) dup2(copy, number);
      close(copy);
    }
    broken_.clear();
    if (instead_ >= 0) close(std::exchange(instead_, -1));
  }

 private:
  static bool is_same_file(int a, int b) {
    struct stat of_a{};
    struct stat of_b{};
    return fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
  }

  struct Broken {
    int number;
    int copy;
  };
  int instead_ = -1;
  std::vector<Broken> broken_;
};

}  // namespace relay::test
