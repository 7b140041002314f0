#include "operator/resources/receive_settings.hpp"

#include "relay/base/text.hpp"

namespace op::resources {

OrderedJson milters(const api::Spec& spec) {
  OrderedJson list;
  for (const auto& milter : spec.milters) {
    list.push_back(
      {{"name", milter.name},
       {"host", milter.host},
       {"port", milter.port},
       {"on_failure", relay::lower(milter.on_failure)},
       {"connect_timeout", milter.connect_timeout},
       {"command_timeout", milter.command_timeout},
       {"message_timeout", milter.message_timeout}}
    );
  }
  return list;
}

}  // namespace op::resources
