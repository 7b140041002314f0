#include "relay/smtp/reply.hpp"

#include <algorithm>

#include "relay/base/text.hpp"

namespace relay::smtp {

std::string to_wire(const Reply& reply) {
  std::string prefix = std::to_string(reply.code);
  const std::string status = reply.status ? reply.status->to_text() + " " : "";
  std::string wire;
  std::string_view rest = reply.text;
  while (true) {
    const auto end = rest.find('\n');
    const bool is_last = end == std::string_view::npos;
    const auto head = prefix + (is_last ? ' ' : '-') + status;
    wire += head;
    wire += printable(rest.substr(0, end), kMaxReplyLine - 2 - head.size());
    wire += "\r\n";
    if (is_last) return wire;
    rest.remove_prefix(end + 1);
  }
}

Reply reply_for(const Error& error) {
  if (error.code == Errc::storage_full)
    return reply(452, {4, 3, 1}, "Insufficient system storage, try again later");
  if (error.code == Errc::too_large) return reply(552, {5, 3, 4}, "Message too large");
  return reply(451, {4, 3, 0}, "Message not stored, try again later");
}

}  // namespace relay::smtp
