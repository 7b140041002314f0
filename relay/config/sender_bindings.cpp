#include "relay/config/sender_bindings.hpp"

#include "relay/config/object_tables.hpp"
#include "relay/config/values.hpp"

namespace relay::config {
namespace {

#define FIELD_ACCESS(member, check) check, get<&O::member>
using O = SenderBinding;

const std::array kFields{
  Field<O>{
    {"name", Shape::text, "letters, digits and hyphens", "", "Its name."},
    true,
    FIELD_ACCESS(name, label<&O::name>)
  },
  Field<O>{
    {"users", Shape::list, kGlobs, "",
     "Names that clients logged in with; these clients or those of `clients`."},
    false,
    FIELD_ACCESS(users, globs<&O::users>)
  },
  Field<O>{
    {"clients", Shape::list, "networks such as 10.0.0.0/8, or nothing", "",
     "Networks that clients are in, logged in or not. An address that hides clients must be listed alone."},
    false,
    FIELD_ACCESS(clients, any<&O::clients>)
  },
  Field<O>{
    {"senders", Shape::list, kGlobs, "",
     "Of the envelope: with an `@` of the address, without one of the domain."},
    true,
    FIELD_ACCESS(senders, globs<&O::senders>)
  },
  Field<O>{
    {"header_from", Shape::text, "on or off", "off",
     "Whether From in the header is bound too; it is judged at the end of data."},
    false,
    FIELD_ACCESS(header_from, any<&O::header_from>)
  },
};
#undef FIELD_ACCESS

}  // namespace

template <>
std::span<const Field<SenderBinding>> fields_of<SenderBinding>() {
  return kFields;
}

std::string wrong_with(const SenderBinding& binding) {
  if (binding.users.empty() && binding.clients.empty()) return "needs users or clients";
  if (binding.senders.empty()) return "needs senders";
  return {};
}

policy::SenderBindings sender_bindings(const Settings& settings) {
  policy::SenderBindings bindings;
  for (const auto& from : settings.sender_bindings)
    bindings.push_back({from.name, from.users, from.clients, from.senders, from.header_from == Switch::on});
  return bindings;
}

}  // namespace relay::config
