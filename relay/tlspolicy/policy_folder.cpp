#include "relay/tlspolicy/policy_folder.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/base/network.hpp"

namespace relay::tlspolicy {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kMaxNamed = 240;  // a file name has 255 octets, and these two may stand behind it:
constexpr std::string_view kSuffix = ".json";
constexpr std::string_view kNewSuffix = ".new";
constexpr std::size_t kMaxFileOctets = 4 * sts::kMaxPolicyOctets;

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  ~Descriptor() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

/// Of a call that failed just now.
tl::unexpected<Error> failed(const std::string& what) {
  const int error = errno;
  const auto code = error == ENOSPC || error == EDQUOT ? Errc::storage_full : Errc::storage_failed;
  return transient(code, what + ": " + std::strerror(error));
}

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const auto count = write(descriptor, text.data(), text.size());
    if (count < 0 && errno != EINTR) return false;
    if (count > 0) text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

/// False: it could not be read to its end, or has no end.
bool read_all(int descriptor, std::string& text) {
  char block[4096];
  while (text.size() <= kMaxFileOctets) {
    const auto count = read(descriptor, block, sizeof block);
    if (count == 0) return true;
    if (count < 0 && errno != EINTR) return false;
    if (count > 0) text.append(block, static_cast<std::size_t>(count));
  }
  errno = EFBIG;
  return false;
}

timespec to_timespec(WallTime time) {
  const auto whole = std::chrono::floor<seconds>(time);
  return {whole.time_since_epoch().count(), std::chrono::nanoseconds(time - whole).count()};
}

WallTime from_timespec(const timespec& time) {
  return WallTime{
    seconds{time.tv_sec} + std::chrono::duration_cast<milliseconds>(std::chrono::nanoseconds{time.tv_nsec})
  };
}

std::string to_json(const std::string& domain, const sts::Cached& cached) {
  return json{
    {"domain", domain},
    {"id", cached.id},
    {"fetched", cached.fetched.time_since_epoch().count()},
    {"policy", sts::to_text(cached.policy)},
  }
    .dump();
}

std::optional<sts::Cached> parse_json(const std::string& domain, const std::string& text) {
  const auto fields = json::parse(text, nullptr, false);
  if (!fields.is_object()) return std::nullopt;
  try {
    auto policy = sts::parse_policy(fields.at("policy").get<std::string>());
    if (!policy || fields.at("domain").get<std::string>() != domain) return std::nullopt;
    return sts::Cached{
      std::move(*policy), fields.at("id").get<std::string>(),
      WallTime{milliseconds{fields.at("fetched").get<std::int64_t>()}}
    };
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

std::string PolicyFolder::file(const std::string& domain) const {
  if (domain.size() > kMaxNamed || !is_host_name(domain)) return {};
  return path_ + "/" + domain + std::string(kSuffix);
}

Result<std::optional<StoredPolicy>> PolicyFolder::load(const std::string& domain) const {
  const auto path = file(domain);
  if (path.empty()) return std::nullopt;
  const Descriptor opened(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!opened.is_open() && errno == ENOENT) return std::nullopt;
  struct stat facts{};
  std::string text;
  if (!opened.is_open() || fstat(opened.get(), &facts) != 0 || !read_all(opened.get(), text))
    return failed("read " + path);
  auto cached = parse_json(domain, text);
  if (!cached) return permanent(Errc::corrupt, path + " holds no policy");
  return StoredPolicy{std::move(*cached), from_timespec(facts.st_mtim)};
}

Result<void> PolicyFolder::save(const std::string& domain, const StoredPolicy& stored) const {
  const auto path = file(domain);
  if (path.empty()) return {};
  std::error_code ignored;  // what is wrong with the folder, opening the file says
  fs::create_directories(path_, ignored);
  const bool is_new = access(path.c_str(), F_OK) != 0;
  const auto beside = path + std::string(kNewSuffix);
  {
    const Descriptor opened(open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)
    );
    const timespec times[2] = {to_timespec(stored.used), to_timespec(stored.used)};
    if (!opened.is_open() || !write_all(opened.get(), to_json(domain, stored.cached)) ||
        futimens(opened.get(), times) != 0 || fsync(opened.get()) != 0)
      return failed("write " + beside);
  }
  if (rename(beside.c_str(), path.c_str()) != 0) return failed("rename " + beside);
  const Descriptor folder(open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.is_open() || fsync(folder.get()) != 0) return failed("sync " + path_);
  if (is_new) trim();
  return {};
}

void PolicyFolder::remove(const std::string& domain) const {
  if (const auto path = file(domain); !path.empty()) (void)unlink(path.c_str());
}

std::vector<std::string> PolicyFolder::domains() const {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator at(path_, error), end; !error && at != end; at.increment(error)) {
    auto name = at->path().filename().string();
    if (!name.ends_with(kSuffix)) continue;
    name.resize(name.size() - kSuffix.size());
    if (!file(name).empty()) found.push_back(std::move(name));
  }
  return found;
}

void PolicyFolder::trim() const {
  const auto names = domains();
  if (names.size() <= max_files_) return;
  std::vector<std::pair<WallTime, std::string>> by_use;
  for (const auto& name : names) {
    struct stat facts{};
    if (stat(file(name).c_str(), &facts) == 0) by_use.emplace_back(from_timespec(facts.st_mtim), name);
  }
  if (by_use.size() <= max_files_) return;
  std::sort(by_use.begin(), by_use.end());
  by_use.resize(by_use.size() - max_files_);
  for (const auto& [used, name] : by_use) remove(name);
}

}  // namespace relay::tlspolicy
