#pragma once
/// Policies on disk: one JSON file a domain, named after it.

#include <optional>
#include <string>
#include <vector>

#include "relay/sts/policy_state.hpp"

namespace relay::tlspolicy {

struct StoredPolicy {
  sts::Cached cached;
  WallTime used;  ///< when mail was last sent by it, as of when it was written: the file's own time
};

/// A file is written beside its place, synced, and moved there: it is the old one or the new one. Domains of more
/// than 240 octets have no file.
///
/// Blocks for the disk. Thread: any; one save() of a domain at a time.
class PolicyFolder {
 public:
  /// @param path       made when it is missing
  /// @param max_files  at least 1; behind it the least recently used go
  PolicyFolder(std::string path, std::size_t max_files) : path_(std::move(path)), max_files_(max_files) {}

  /// Nothing when there is no file. Errors: corrupt, storage_failed.
  [[nodiscard]] Result<std::optional<StoredPolicy>> load(const std::string& domain) const;
  /// Errors: storage_full, storage_failed; then the old file stays.
  [[nodiscard]] Result<void> save(const std::string& domain, const StoredPolicy& stored) const;
  void remove(const std::string& domain) const;
  [[nodiscard]] std::vector<std::string> domains() const;

 private:
  [[nodiscard]] std::string file(const std::string& domain) const;
  void trim() const;

  std::string path_;
  std::size_t max_files_;
};

}  // namespace relay::tlspolicy
