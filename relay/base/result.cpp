#include "relay/base/result.hpp"

namespace relay {

std::string_view name(Errc code) {
  switch (code) {
    case Errc::invalid_argument: return "invalid_argument";
    case Errc::not_found: return "not_found";
    case Errc::too_large: return "too_large";
    case Errc::timed_out: return "timed_out";
    case Errc::connection_failed: return "connection_failed";
    case Errc::connection_lost: return "connection_lost";
    case Errc::name_not_found: return "name_not_found";
    case Errc::tls_failed: return "tls_failed";
    case Errc::not_permitted: return "not_permitted";
    case Errc::protocol_error: return "protocol_error";
    case Errc::storage_full: return "storage_full";
    case Errc::storage_failed: return "storage_failed";
    case Errc::corrupt: return "corrupt";
    case Errc::conflict: return "conflict";
    case Errc::cancelled: return "cancelled";
    case Errc::unavailable: return "unavailable";
  }
  return "unknown";
}

std::string_view name(Fate fate) {
  switch (fate) {
    case Fate::transient: return "transient";
    case Fate::permanent: return "permanent";
    case Fate::terminal: return "terminal";
  }
  return "unknown";
}

std::string Error::message() const {
  return context.empty() ? std::string(name(code)) : context + " (" + std::string(name(code)) + ")";
}

}  // namespace relay
