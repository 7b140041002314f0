#include "relay/ctl/transfer_commands.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <sys/stat.h>
#include <unistd.h>
#include <unordered_map>
#include <unordered_set>

namespace relay::ctl {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kGroup = 100;          // messages between two syncs
constexpr std::size_t kMaxHeldQuery = 4096;  // octets of a request's line
constexpr std::size_t kPiece = 1U << 20U;    // octets of lines a request
constexpr std::size_t kMaxLine = 3U << 19U;  // what the relay takes at once, less a piece's worth

Error failed(const std::string& what) {
  return {Errc::storage_failed, Fate::permanent, what + ": " + std::strerror(errno)};
}

Result<void> sync_folder_of(const std::string& path) {
  const auto folder = std::filesystem::absolute(path).parent_path().string();
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return tl::unexpected(failed("cannot open " + folder));
  const bool is_synced = fsync(file) == 0;
  const auto error = failed("cannot sync " + folder);
  (void)::close(file);
  if (!is_synced) return tl::unexpected(error);
  return {};
}

/// The file that is written.
class Output {
 public:
  static Result<Output> open(const ExportOrder& order) {
    int file = STDOUT_FILENO;
    if (!order.file.empty()) {
      file = ::open(order.file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
      if (file < 0) return tl::unexpected(failed("cannot make " + order.file));
    }
    struct stat status{};
    const bool is_file = fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    if (order.is_removed && !is_file)
      return permanent(Errc::invalid_argument, "--remove needs a file: write to one with --output FILE");
    // Messages are deleted here once the file is synced: its name must outlive a power cut, too.
    if (order.is_removed && !order.file.empty()) {
      if (auto synced = sync_folder_of(order.file); !synced) return tl::unexpected(std::move(synced.error()));
    }
    return Output(file);
  }
  Result<void> write(std::string_view text) const {
    while (!text.empty()) {
      const auto written = ::write(file_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return tl::unexpected(failed("cannot write"));
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }
  [[nodiscard]] Result<void> sync() const {
    if (fsync(file_) == 0) return {};
    return tl::unexpected(failed("cannot sync the file"));
  }

 private:
  explicit Output(int file) : file_(file) {}
  int file_;
};

/// One export under way.
class Export {
 public:
  Export(const AdminInterface& admin, const ExportOrder& order, const Output& output)
      : admin_(admin), order_(order), output_(output) {}

  Result<void> run() {
    auto selection = order_.selection;
    if (order_.is_removed) {
      if (auto held = hold(selection); !held) return held;
    }
    auto taken = for_each(selection, [this](const ordered_json& message) { return take(message); });
    return taken ? finish_group() : taken;
  }

  [[nodiscard]] std::uint64_t written() const { return written_; }
  [[nodiscard]] std::uint64_t left() const { return left_; }
  /// Written, and not deleted here: somebody changed them meanwhile.
  [[nodiscard]] std::uint64_t twofold() const { return twofold_; }
  /// Not written, and not deleted: a record of them does not verify.
  [[nodiscard]] std::uint64_t damaged() const { return damaged_; }

 private:
  template <class Visit>
  Result<void> for_each(const Selection& selection, Visit visit) const {
    std::string cursor;
    do {
      const auto page =
        request(admin_, "GET", "/v1/queue?limit=500" + selection.to_query() + "&after=" + encoded(cursor));
      if (!page) return tl::unexpected(page.error());
      for (const auto& message : page->at("messages")) {
        if (auto visited = visit(message); !visited) return visited;
      }
      cursor = page->at("next").get<std::string>();
    } while (!cursor.empty());
    return {};
  }

  /// What waited is found as held from then on, apart from what was held before: that is to be on hold there, too.
  Result<void> hold(Selection& selection) {
    if (selection.state == "held" || selection.state == "captured" || selection.state == "failed") return {};
    auto before = selection;
    before.state = "held";
    before.destination.clear();  // others of a message's recipients stand elsewhere
    held_before_.emplace();
    auto noted = for_each(before, [this](const ordered_json& message) {
      const auto place = message.at("place").get<std::string>();
      auto& places = (*held_before_)[message.at("queue_id").get<std::string>()];
      places += (places.empty() ? "" : ",") + place;
      if (order_.selection.state == "waiting") others_.insert(place);
      return Result<void>{};
    });
    if (!noted) return noted;
    if (selection.state == "waiting") {
      selection.state.clear();
      takes_failed_ = false;
    }
    auto body = order_.selection.to_json();
    body["reason"] = "export";
    auto changed = change_all(admin_, "hold", std::move(body));
    if (!changed) return tl::unexpected(changed.error());
    return {};
  }

  Result<void> take(const ordered_json& message) {
    const auto id = message.at("queue_id").get<std::string>();
    const auto place = message.at("place").get<std::string>();
    if (others_.contains(place) || (!takes_failed_ && message.at("state") == "failed")) return {};
    if (!seen_.insert(id).second) return {};
    // What waits still is in flight: it could be delivered behind our back.
    if (order_.is_removed && message.at("state") == "waiting") {
      ++left_;
      return {};
    }
    auto is_whole = copy(id, place);
    if (!is_whole && is_damaged(is_whole.error())) {
      std::cerr << "relayctl: " << id << " is left out: " << is_whole.error().context << "\n";
      ++damaged_;
      return {};
    }
    if (!is_whole) return tl::unexpected(is_whole.error());
    if (!*is_whole) {
      ++left_;
      return {};
    }
    progress_.show(std::to_string(++written_) + " written ...");
    group_.push_back(place);
    return group_.size() >= kGroup ? finish_group() : Result<void>{};
  }

  /// One that cannot be read must not keep the others from where they are needed.
  static bool is_damaged(const Error& error) { return error.code == Errc::corrupt; }

  /// Tells the relay what of a message was on hold before we held the rest. Where that does not fit into a request, all of it
  /// counts as on hold: nothing is let go by mistake.
  [[nodiscard]] std::string held_query(const std::string& id) const {
    if (!held_before_) return {};
    const auto found = held_before_->find(id);
    const auto places = found == held_before_->end() ? "none" : encoded(found->second);
    return places.size() > kMaxHeldQuery ? std::string() : "&held=" + places;
  }

  /// False when the message left the queue meanwhile. What was written of one that is not whole is marked so.
  Result<bool> copy(const std::string& id, const std::string& place) {
    std::string from = "0";
    while (true) {
      const auto held = from == "0" ? held_query(id) : std::string();
      const auto page = request(admin_, "GET", "/v1/export?place=" + encoded(place) + held + "&from=" + from);
      const bool is_gone = !page && page.error().code == Errc::not_found;
      if (!page && from != "0" && (is_gone || is_damaged(page.error()))) {
        if (auto written = output_.write(ordered_json{{"abandoned", id}}.dump() + "\n"); !written)
          return tl::unexpected(written.error());
      }
      if (is_gone) return false;
      if (!page) return tl::unexpected(page.error());
      if (auto written = output_.write(page->at("lines").get<std::string>()); !written)
        return tl::unexpected(written.error());
      if (page->at("next").is_null()) return true;
      from = page->at("next").dump();
    }
  }

  /// Deletes here what is safe there.
  Result<void> finish_group() {
    const auto places = std::exchange(group_, {});
    if (!order_.is_removed || places.empty()) return {};
    if (auto synced = output_.sync(); !synced) return synced;
    const ordered_json body{
      {"places", places}, {"reason", "exported" + (order_.file.empty() ? "" : " to " + order_.file)}
    };
    const auto deleted = request(admin_, "POST", "/v1/queue/delete", body.dump());
    if (!deleted) return tl::unexpected(deleted.error());
    twofold_ += deleted->at("unchanged").get<std::uint64_t>();
    return {};
  }

  const AdminInterface& admin_;
  const ExportOrder& order_;
  const Output& output_;
  Progress progress_;
  std::unordered_set<std::string> others_;  // places that were held before, and are not asked for
  /// Places of each message, with commas between them; nothing: we hold nothing.
  std::optional<std::unordered_map<std::string, std::string>> held_before_;
  bool takes_failed_ = true;
  std::unordered_set<std::string> seen_;  // a message is listed once for each of its destinations
  std::vector<std::string> group_;
  std::uint64_t written_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t twofold_ = 0;
  std::uint64_t damaged_ = 0;
};

/// One import under way.
class Import {
 public:
  Import(const AdminInterface& admin, const ImportOrder& order)
      : admin_(admin), order_(order), stream_(std::to_string(std::random_device{}())) {}

  Result<void> run(std::istream& input) {
    std::string line;
    while (std::getline(input, line)) {
      if (line.size() > kMaxLine)
        return permanent(Errc::invalid_argument, "a line is too long: this is no export");
      if (auto taken = take(line); !taken) return taken;
    }
    // A file that can't be read to its end looks like one that ends.
    if (input.bad()) return tl::unexpected(failed("cannot read on"));
    if (auto sent = send(); !sent) return sent;
    if (is_inside_) return permanent(Errc::invalid_argument, "the file ends within a message");
    return {};
  }

  [[nodiscard]] std::uint64_t done() const { return done_; }
  [[nodiscard]] std::uint64_t imported() const { return imported_; }

 private:
  Result<void> take(const std::string& line) {
    // Cheap marks suffice to count: the relay checks each line.
    if (line.starts_with(R"({"message")")) is_inside_ = true;
    const bool is_end = line.starts_with(R"({"end")");
    if (is_end || line.starts_with(R"({"abandoned")")) is_inside_ = false;
    if (skipped_ < order_.skip) {
      if (is_end) ++skipped_;
      return {};
    }
    if (is_end) ++ends_;
    piece_ += line + "\n";
    return piece_.size() >= kPiece / 2 ? send() : Result<void>{};
  }

  Result<void> send() {
    if (piece_.empty()) return {};
    const auto target = "/v1/import?stream=" + stream_ + (order_.is_held ? "&hold=1" : "");
    const auto answer = request(admin_, "POST", target, piece_);
    if (!answer) return tl::unexpected(answer.error());
    imported_ += answer->at("imported").size();
    done_ += std::exchange(ends_, 0);
    piece_.clear();
    progress_.show(std::to_string(imported_) + " imported ...");
    return {};
  }

  const AdminInterface& admin_;
  const ImportOrder& order_;
  std::string stream_;
  Progress progress_;
  std::string piece_;
  bool is_inside_ = false;
  std::uint64_t skipped_ = 0;
  std::uint64_t ends_ = 0;  // in piece_
  std::uint64_t done_ = 0;  // messages that the relay has answered for
  std::uint64_t imported_ = 0;
};

}  // namespace

int export_queue(const AdminInterface& admin, const ExportOrder& order) {
  if (order.is_removed && order.selection.is_empty() && !order.selection.is_all) {
    std::cerr << "relayctl: --remove wants a selection, or --all\n";
    return kWrongUsage;
  }
  const auto output = Output::open(order);
  if (!output) return complain(output.error());
  std::uint64_t written = 0;
  std::uint64_t left = 0;
  std::uint64_t twofold = 0;
  std::uint64_t damaged = 0;
  Result<void> result;
  {
    Export transfer(admin, order, *output);
    result = transfer.run();
    written = transfer.written();
    left = transfer.left();
    twofold = transfer.twofold();
    damaged = transfer.damaged();
  }
  if (result) result = order.file.empty() ? Result<void>{} : output->sync();
  if (!result) {
    std::cerr << "relayctl: stopped behind " << written
              << " whole messages; what follows them in the file does not "
              << "count"
              << (order.is_removed ? ", and what is not deleted is on hold: `relayctl queue release`" : "")
              << "\n";
    return complain(result.error());
  }
  std::cerr << written << " messages written" << (order.is_removed ? " and deleted here" : "") << "\n";
  if (left > 0)
    std::cerr << left
              << (order.is_removed ? " are being sent right now: run this again\n"
                                   : " left the queue meanwhile\n");
  if (twofold > 0)
    std::cerr
      << twofold
      << " of them are still here: somebody changed them meanwhile, and both relays may deliver them\n";
  if (damaged > 0) {
    std::cerr << damaged << " are damaged and stay here"
              << (order.is_removed ? ", on hold: a release lets the relay set them aside\n" : "\n");
    return kFailed;
  }
  return written > 0 ? kDone : kNothing;
}

int import_queue(const AdminInterface& admin, const ImportOrder& order) {
  std::ifstream file;
  if (!order.file.empty()) {
    file.open(order.file);
    if (!file) return complain(failed("cannot read " + order.file));
  }
  std::uint64_t done = 0;
  std::uint64_t imported = 0;
  Result<void> result;
  {
    Import transfer(admin, order);
    result = transfer.run(order.file.empty() ? std::cin : file);
    done = transfer.done() + order.skip;
    imported = transfer.imported();
  }
  std::cerr << imported << " messages imported\n";
  if (result) return imported > 0 ? kDone : kNothing;
  std::cerr << "relayctl: to go on with the same file once the cause is gone, say --skip " << done << "\n";
  return complain(result.error());
}

}  // namespace relay::ctl
