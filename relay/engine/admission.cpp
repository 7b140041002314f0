#include "relay/engine/admission.hpp"

#include <algorithm>
#include <sys/statvfs.h>

#include "relay/smtp/reply.hpp"

namespace relay::engine {
namespace {

/// A load balancer should send mail elsewhere when 250 takes this long.
constexpr std::chrono::seconds kSlowWrite{10};

/// How long a read that failed speaks for the spool. What fails is tried again sooner, so that a failure that
/// lasts is said without a gap.
constexpr std::chrono::seconds kReadFailureStands{5};

/// The spool's log and tables are files. RocksDB takes one that it can't make for final (decision 0064).
constexpr std::uint64_t kFewInodes = 64;
/// What a start writes before it takes mail: the memtables of the log that it reads, at most about as much.
constexpr std::uint64_t kRoomForStart = 16ULL << 20U;

/// Space of deleted mail that may wait for RocksDB's own compactions; less when space is short.
constexpr std::uint64_t kIdleWaste = 512ULL << 20U;
constexpr std::uint64_t kLowWaste = 8ULL << 20U;
/// Between two rewrites of the spool.
constexpr std::chrono::minutes kReclaimInterval{1};
constexpr std::chrono::seconds kLowReclaimInterval{5};

}  // namespace

Admission::Admission(const Context& context, std::string spool_path)
    : context_(context), spool_path_(std::move(spool_path)) {}

std::optional<Error> Admission::obstacle() const {
  if (auto failure = context_.committer.failure()) return failure;
  if (auto failure = read_failure()) return failure;
  const auto limits = context_.limits.limits();
  if (is_low()) {
    return Error{
      Errc::storage_full, Fate::transient,
      "the spool's file system has " + std::to_string(free_percent_.load(std::memory_order_relaxed)) +
        " % free, below spool_min_free_percent " + std::to_string(limits->spool_min_free_percent)
    };
  }
  if (lacks_inodes_.load(std::memory_order_relaxed)) {
    return Error{
      Errc::storage_full, Fate::transient,
      "the spool's file system has fewer than " + std::to_string(kFewInodes) +
        " inodes left: remove files from it"
    };
  }
  const auto stored =
    waiting_octets_.load(std::memory_order_relaxed) + failed_octets_.load(std::memory_order_relaxed);
  if (stored >= limits->spool_max_size.count) {
    return Error{
      Errc::storage_full, Fate::transient,
      "waiting and failed mail has reached spool_max_size " + to_text(limits->spool_max_size)
    };
  }
  return std::nullopt;
}

void Admission::note_read_failure(const Error& error) {
  const std::scoped_lock lock(mutex_);
  if (read_failure_ && read_failure_->fate == Fate::terminal) return;
  read_failure_ = error;
  read_failure_until_ = context_.clock.clock().steady() + kReadFailureStands;
}

std::optional<Error> Admission::read_failure() const {
  const std::scoped_lock lock(mutex_);
  if (!read_failure_) return std::nullopt;
  const bool stands =
    read_failure_->fate == Fate::terminal || context_.clock.clock().steady() < read_failure_until_;
  return stands ? read_failure_ : std::nullopt;
}

bool Admission::is_low() const {
  return free_percent_.load(std::memory_order_relaxed) < context_.limits.limits()->spool_min_free_percent;
}

std::optional<mail::Reply> Admission::refuse_message() {
  const auto error = obstacle();
  if (!error) return std::nullopt;
  return smtp::reply_for(*error);
}

std::optional<std::string> Admission::unready_reason() const {
  if (const auto error = obstacle()) return error->context;
  const auto busy_for = context_.committer.busy_for();
  if (busy_for < kSlowWrite) return std::nullopt;
  return "a write to the spool has lasted " + to_text(std::chrono::duration_cast<milliseconds>(busy_for));
}

std::optional<std::string> Admission::restart_reason() const {
  if (!has_room_) return std::nullopt;
  const auto is_final = [](const std::optional<Error>& error) {
    return error && error->fate == Fate::terminal;
  };
  const auto written = context_.committer.failure();
  if (is_final(written) && written->code == Errc::storage_full) return written->context;
  const auto read = read_failure();
  return is_final(read) ? std::optional(read->context) : std::nullopt;
}

void Admission::look_at_disk() {
  struct statvfs status{};
  if (statvfs(spool_path_.c_str(), &status) != 0 || status.f_blocks == 0) return;
  // As df counts: what is reserved for root is neither free nor part of the whole.
  const auto free = static_cast<std::uint64_t>(status.f_bavail);
  const auto used = static_cast<std::uint64_t>(status.f_blocks - status.f_bfree);
  free_percent_.store(free + used == 0 ? 0 : free * 100 / (free + used), std::memory_order_relaxed);
  // A file system without a table of inodes says that it has none at all.
  lacks_inodes_.store(status.f_files != 0 && status.f_favail < kFewInodes, std::memory_order_relaxed);
  has_room_ = !is_low() && !lacks_inodes_ && free * status.f_frsize >= kRoomForStart;
  publish(metrics::Gauge::spool_free_octets, free * status.f_frsize);
}

void Admission::measure() {
  look_at_disk();
  const auto failure = context_.committer.failure();
  if (failure && failure->fate == Fate::transient) context_.committer.nudge();
  if (failure || !should_reclaim()) return;
  const auto now = context_.clock.clock().steady();
  if (now < next_reclaim_ || is_reclaiming_.exchange(true)) return;
  next_reclaim_ =
    now + (is_low() ? std::chrono::seconds{kLowReclaimInterval} : std::chrono::seconds{kReclaimInterval});
  net::asio::post(context_.workers, [this] {
    context_.store.reclaim();
    is_reclaiming_ = false;
  });
}

/// Whether more of the disk is taken than what is stored explains: then a rewrite is cheap and gives much.
bool Admission::should_reclaim() const {
  const auto stored =
    waiting_octets_.load(std::memory_order_relaxed) + failed_octets_.load(std::memory_order_relaxed);
  return context_.store.disk_octets() > 2 * stored + (is_low() ? kLowWaste : kIdleWaste);
}

void Admission::start_with(const spool::Usage& usage) {
  add_waiting(usage.messages, usage.octets);
  add_failed(usage.failed, usage.failed_octets);
}

void Admission::add_failed(std::uint64_t messages, std::uint64_t octets) {
  const std::scoped_lock lock(mutex_);
  publish(metrics::Gauge::failed_messages, failed_messages_ += messages);
  failed_octets_ += octets;
}

void Admission::remove_failed(std::uint64_t messages, std::uint64_t octets) {
  const std::scoped_lock lock(mutex_);
  publish(metrics::Gauge::failed_messages, failed_messages_ -= std::min(messages, failed_messages_.load()));
  failed_octets_ -= std::min(octets, failed_octets_.load());
}

void Admission::add_waiting(std::uint64_t messages, std::uint64_t octets) {
  const std::scoped_lock lock(mutex_);
  publish(metrics::Gauge::queue_messages, waiting_messages_ += messages);
  publish(metrics::Gauge::queue_octets, waiting_octets_ += octets);
}

/// Never below nothing: what was damaged at start was not counted, and a count that wraps would refuse all
/// mail.
void Admission::remove_waiting(std::uint64_t messages, std::uint64_t octets) {
  const std::scoped_lock lock(mutex_);
  publish(metrics::Gauge::queue_messages, waiting_messages_ -= std::min(messages, waiting_messages_.load()));
  publish(metrics::Gauge::queue_octets, waiting_octets_ -= std::min(octets, waiting_octets_.load()));
}

}  // namespace relay::engine
