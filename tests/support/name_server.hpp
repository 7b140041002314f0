#pragma once
/// A name server in a few lines, unsigned, over UDP, on an address of its own.

#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <map>
#include <mutex>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "relay/base/text.hpp"
#include "tests/support/peer.hpp"

namespace relay::test {

/// `host` as wire format without compression; "" and "." are the root.
inline std::string wire_name(const std::string& host) {
  std::string wire;
  for (std::size_t at = 0; at < host.size();) {
    const auto dot = std::min(host.find('.', at), host.size());
    if (dot > at) wire += static_cast<char>(dot - at) + host.substr(at, dot - at);
    at = dot + 1;
  }
  return wire + '\0';
}
inline std::string octets16(std::size_t value) {
  return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
}
inline std::string mx_rdata(std::size_t preference, const std::string& host) {
  return octets16(preference) + wire_name(host);
}

/// Answers what it was told, names absent with NXDOMAIN, types absent with no data. A CNAME is given alone: who
/// asks follows it. Thread: add() and the rest from any.
class NameServer {
 public:
  NameServer() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    // resolv.conf names no port, so an address of its own on port 53 is needed: any in 127.0.0.0/8 will do.
    for (int i = 0; i < 50 && !is_bound_; ++i) {
      host_ = "127.99." + std::to_string(getpid() % 200 + 1) + "." + std::to_string(i + 1);
      auto address = Peer::loopback(53);
      inet_pton(AF_INET, host_.c_str(), &address.sin_addr);
      is_bound_ = bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    thread_ = std::thread([this] { serve(); });
  }
  ~NameServer() {
    is_stopped_ = true;
    thread_.join();
    close(fd_);
  }
  NameServer(const NameServer&) = delete;
  NameServer& operator=(const NameServer&) = delete;
  [[nodiscard]] bool is_bound() const { return is_bound_; }
  [[nodiscard]] const std::string& host() const { return host_; }

  /// @param name  lower case, without its final dot
  NameServer& add(const std::string& name, int type, const std::string& rdata) {
    const std::lock_guard lock(mutex_);
    names_[name].records[type].push_back(rdata);
    return *this;
  }
  /// The RRSIG that goes with the records of `type`; see signed_zone.hpp.
  void sign(const std::string& name, int type, const std::string& rrsig) {
    const std::lock_guard lock(mutex_);
    names_[name].signatures[type] = rrsig;
  }
  /// All questions for `name` are answered with this rcode from now on; below 0: not at all.
  void fail(const std::string& name, int rcode) {
    const std::lock_guard lock(mutex_);
    names_[name].rcode = rcode;
  }
  void fail_type(const std::string& name, int type, int rcode) {
    const std::lock_guard lock(mutex_);
    names_[name].rcodes[type] = rcode;
  }
  void set_ttl(std::uint8_t seconds) { ttl_ = seconds; }
  /// Questions so far.
  [[nodiscard]] int asked() const { return asked_; }

 private:
  static constexpr int kCname = 5;
  static constexpr int kRrsig = 46;
  static constexpr int kNxdomain = 3;
  struct Name {
    std::map<int, std::vector<std::string>> records;
    std::map<int, std::string> signatures;
    int rcode = 0;
    std::map<int, int> rcodes;
  };

  void serve() {
    while (!is_stopped_) {
      pollfd waiting{fd_, POLLIN, 0};
      if (poll(&waiting, 1, 50) != 1) continue;
      sockaddr_in client{};
      socklen_t size = sizeof client;
      char query[512];
      const auto length = recvfrom(fd_, query, sizeof query, 0, reinterpret_cast<sockaddr*>(&client), &size);
      if (length < 12) continue;
      ++asked_;
      const auto answer = answer_to(std::string(query, static_cast<std::size_t>(length)));
      if (!answer.empty())
        sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<const sockaddr*>(&client), size);
    }
  }

  /// RFC 1035 section 4.1: header, the question as it came, the records with its name as a pointer.
  std::string answer_to(const std::string& query) {
    std::string name;
    std::size_t at = 12;
    while (at < query.size() && query[at] != 0) {
      const auto length = static_cast<std::size_t>(query[at]);
      name += (name.empty() ? "" : ".") + query.substr(at + 1, length);
      at += length + 1;
    }
    name = lower(name);
    const int type = static_cast<std::uint8_t>(query[at + 1]) << 8 | static_cast<std::uint8_t>(query[at + 2]);
    const std::lock_guard lock(mutex_);
    const auto found = names_.find(name);
    int rcode = found == names_.end() ? kNxdomain : found->second.rcode;
    std::string records;
    std::size_t count = 0;
    if (found != names_.end()) {
      auto& known = found->second;
      if (known.rcodes.contains(type)) rcode = known.rcodes[type];
      const int given = known.records.contains(type) ? type : kCname;
      if (rcode == 0 && known.records.contains(given)) {
        auto all = known.records[given];
        const bool is_signed = known.signatures.contains(given);
        if (is_signed) all.push_back(known.signatures[given]);
        for (const auto& rdata : all) {
          const int shown = is_signed && ++count == all.size() ? kRrsig : given;
          records += std::string("\xc0\x0c", 2) + octets16(static_cast<std::size_t>(shown)) +
                     std::string("\0\1\0\0\0", 5) + static_cast<char>(ttl_.load()) + octets16(rdata.size()) +
                     rdata;
        }
        count = all.size();
      }
    }
    if (rcode < 0) return {};
    return query.substr(0, 2) + '\x81' + static_cast<char>(0x80 | rcode) + octets16(1) + octets16(count) +
           std::string(4, '\0') + query.substr(12, at + 5 - 12) + records;
  }

  int fd_;
  bool is_bound_ = false;
  std::string host_;
  std::mutex mutex_;
  std::map<std::string, Name> names_;
  std::atomic<std::uint8_t> ttl_{60};
  std::atomic<int> asked_{0};
  std::atomic<bool> is_stopped_{false};
  std::thread thread_;
};

}  // namespace relay::test
