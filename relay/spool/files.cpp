#include "relay/spool/files.hpp"

#include <algorithm>
#include <fstream>
#include <utility>

#include "relay/spool/marks.hpp"

namespace relay::spool {
namespace {

namespace fs = std::filesystem;

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<void> write_part(const std::string& part, const std::string& octets) {
  std::ofstream file(part, std::ios::binary | std::ios::trunc);
  file << octets;
  file.flush();
  if (!file) return tl::unexpected(failed_at("write", part));
  if (!sync_file(part)) return tl::unexpected(failed_at("sync", part));
  return {};
}

}  // namespace

Error failed_at(const std::string& what, const std::string& path) {
  return {Errc::storage_failed, Fate::terminal, what + " " + path};
}

Result<std::vector<fs::path>> files_with(const std::string& path, std::string_view extension) {
  std::vector<fs::path> found;
  std::error_code failed;
  for (fs::directory_iterator at(path, failed), end; !failed && at != end; at.increment(failed)) {
    const auto& file = at->path();
    if (file.extension() == extension && is_number(file.stem().string())) found.push_back(file);
  }
  if (failed) return tl::unexpected(failed_at("list", path));
  std::sort(found.begin(), found.end(), [](const fs::path& one, const fs::path& other) {
    const auto a = one.filename().string(), b = other.filename().string();
    return std::pair(a.size(), a) < std::pair(b.size(), b);
  });
  return found;
}

Result<std::string> octets_of(const fs::path& path) {
  std::error_code failed;
  const auto size = fs::file_size(path, failed);
  if (failed) return tl::unexpected(failed_at("read", path.string()));
  std::string octets(size, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(octets.data(), static_cast<std::streamsize>(size));
  const bool is_all = file && file.peek() == std::ifstream::traits_type::eof() && !file.bad();
  if (!is_all) return tl::unexpected(failed_at("read", path.string()));
  return octets;
}

Result<void> replace_file(const fs::path& path, const std::string& octets) {
  const auto part = path.string() + ".part";
  std::error_code failed;
  if (auto written = write_part(part, octets); !written) {
    fs::remove(part, failed);  // the disk may be full
    return written;
  }
  fs::rename(part, path, failed);
  if (failed) return tl::unexpected(failed_at("rename", part));
  sync_folder(path.parent_path());
  return {};
}

}  // namespace relay::spool
