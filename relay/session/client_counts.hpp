#pragma once
/// How many connections each client has, over all shards.

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "relay/base/network.hpp"

namespace relay::session {

/// The first address of what is one client: an IPv4 address, or the /64 of an IPv6 one, since whoever has one address there
/// has them all. All link-local addresses of a node's links are in one /64 (RFC 4291 section 2.5.6), and each of them is a
/// client of its own; the same one on two links is one.
[[nodiscard]] IpAddress client_of(const IpAddress& address);

/// Clients, see client_of(), without a connection take no memory. Thread: any.
class ClientCounts {
 public:
  /// A connection that counts while this lives. The counts outlive it.
  class Place {
   public:
    Place(Place&& from) noexcept : counts_(std::exchange(from.counts_, nullptr)), client_(from.client_) {}
    Place& operator=(Place&& from) noexcept {
      std::swap(counts_, from.counts_);
      std::swap(client_, from.client_);
      return *this;
    }
    ~Place() {
      if (counts_ != nullptr) counts_->leave(client_);
    }

   private:
    friend class ClientCounts;
    Place(ClientCounts& counts, const IpAddress& client) : counts_(&counts), client_(client) {}
    ClientCounts* counts_;
    IpAddress client_;
  };

  /// Counts one more connection; nothing when the client has `limit` of them.
  [[nodiscard]] std::optional<Place> enter(const IpAddress& address, std::size_t limit);
  /// Clients that have a connection.
  [[nodiscard]] std::size_t clients() const;

 private:
  void leave(const IpAddress& client);

  mutable std::mutex mutex_;
  std::map<IpAddress, std::size_t> connections_;  // under mutex_; of a client, by its first address
};

}  // namespace relay::session
