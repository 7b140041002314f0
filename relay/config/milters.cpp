/// The table of fields behind `milters`.

#include "relay/config/object_tables.hpp"
#include "relay/config/values.hpp"

namespace relay::config {
namespace {

#define FIELD_ACCESS(member, check) check, get<&O::member>
using O = Milter;

const std::array kFields{
  Field<O>{
    {"name", Shape::text, "letters, digits and hyphens", "", "Its name, in logs."},
    true,
    FIELD_ACCESS(name, label<&O::name>)
  },
  Field<O>{
    {"host", Shape::text, "a host name or an IP address", "",
     "Looked up as A and AAAA. What is said to it is in the clear: keep it in a network of your own."},
    true,
    [](O& object, std::string_view text) {
      return checked<&O::host>(object, text, [](const std::string& host) {
        return is_host_name(host) || IpAddress::parse(host).has_value();
      });
    },
    get<&O::host>
  },
  Field<O>{
    {"port", Shape::number, "1 to 65535", "", "Its TCP port."},
    true,
    FIELD_ACCESS(port, (range<&O::port, 1ULL, 65'535ULL>))
  },
  Field<O>{
    {"on_failure", Shape::text, "defer, accept or reject", "defer",
     "A message that it could not be asked about, or whose answer can't be followed: `defer` 451 4.7.1, `reject` 550 "
     "5.7.1, `accept` goes on without it."},
    false,
    FIELD_ACCESS(on_failure, any<&O::on_failure>)
  },
  Field<O>{
    {"connect_timeout", Shape::text, "1s to 10s", "5s", "For its lookup and the connection."},
    false,
    FIELD_ACCESS(connect_timeout, (lasting<&O::connect_timeout, kSecond, 10 * kSecond>))
  },
  Field<O>{
    {"command_timeout", Shape::text, "1s to 1m", "15s", "For each answer before the end of the message."},
    false,
    FIELD_ACCESS(command_timeout, (lasting<&O::command_timeout, kSecond, kMinute>))
  },
  Field<O>{
    {"message_timeout", Shape::text, "1s to 2m", "1m",
     "For all of it behind the connection, whatever progress it reports."},
    false,
    FIELD_ACCESS(message_timeout, (lasting<&O::message_timeout, kSecond, 2 * kMinute>))
  },
};
#undef FIELD_ACCESS

}  // namespace

template <>
std::span<const Field<Milter>> fields_of<Milter>() {
  return kFields;
}

std::string wrong_with(const Milter&) { return {}; }

}  // namespace relay::config
