#include "relay/smtp/extensions.hpp"

#include <string>

#include "relay/sasl/server.hpp"

namespace relay::smtp {

Reply helo_reply(std::string_view hostname) { return Reply{250, std::nullopt, std::string(hostname)}; }

Reply ehlo_reply(std::string_view hostname, const Extensions& extensions) {
  auto text = std::string(hostname) + "\nPIPELINING\nSIZE " +
              std::to_string(extensions.max_message_size.count) +
              "\n8BITMIME\nENHANCEDSTATUSCODES\nDSN\nSMTPUTF8\nCHUNKING\nBINARYMIME";
  if (extensions.requiretls) text += "\nREQUIRETLS";
  if (extensions.starttls) text += "\nSTARTTLS";
  if (extensions.auth) text += "\nAUTH " + std::string(sasl::kServerMechanisms);
  return Reply{250, std::nullopt, std::move(text)};
}

}  // namespace relay::smtp
