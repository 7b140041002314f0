#pragma once
/// What names are looked up by: the files, and of /etc/resolv.conf what libunbound does not do itself, the
/// search list.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace relay::net {

struct ResolverFiles {
  std::string resolv_conf = "/etc/resolv.conf";
  std::string hosts = "/etc/hosts";
  /// Keys of the root, from Debian's dns-root-data. Missing: all below the root is insecure.
  std::string root_key = "/usr/share/dns/root.key";
  /// More files of DS or DNSKEY records as zone files write them, one a line, for private signed zones:
  /// `corp.example. IN DS 12345 13 2 49FD...`. One that can't be read stops lookups by domain.
  std::vector<std::string> trust_anchors{};
  /// Zones that the node's resolvers serve unsigned, though their public parent is signed.
  std::vector<std::string> unsigned_zones{};
  /// Whether lookups fail, instead of being insecure, when the resolvers withhold the keys of an anchor.
  bool is_dnssec_required = false;
};

struct SearchList {
  std::vector<std::string> domains;
  std::uint64_t ndots = 1;
};

/// Reads `search`, `domain` and `options ndots:N` (resolv.conf(5)); the last `search` or `domain` counts, N
/// is at most 15.
[[nodiscard]] SearchList parse_search_list(std::string_view resolv_conf);

/// The names to ask for in turn, each absolute, with its final dot. A name that ends in a dot is asked for as
/// it is; one with at least `ndots` dots first as it is, then with each domain behind it; others the other
/// way round.
[[nodiscard]] std::vector<std::string> candidates(std::string_view name, const SearchList& list);

}  // namespace relay::net
