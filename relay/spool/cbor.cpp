#include "relay/spool/cbor.hpp"

#include "relay/spool/keys.hpp"

namespace relay::spool {

CborWriter& CborWriter::head(unsigned major, std::uint64_t argument) {
  const auto begin = [&](unsigned info) { out_ += static_cast<char>(major << 5U | info); };
  if (argument < 24) {
    begin(static_cast<unsigned>(argument));
    return *this;
  }
  // 24 to 27 say that 1, 2, 4 or 8 octets follow.
  unsigned power = 0;
  while (power < 3 && argument >> (8U << power) != 0) ++power;
  begin(24 + power);
  out_ += big_endian(argument, 1U << power);
  return *this;
}

}  // namespace relay::spool
