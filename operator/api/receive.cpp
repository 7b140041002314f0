#include "operator/api/receive.hpp"

#include "operator/api/fields.hpp"

namespace op::api {

Milter parse_milter(const Fields& from) {
  Milter milter;
  from.read("name", milter.name);
  from.read("host", milter.host);
  from.read("port", milter.port);
  from.read("onFailure", milter.on_failure);
  from.read("connectTimeout", milter.connect_timeout);
  from.read("commandTimeout", milter.command_timeout);
  from.read("messageTimeout", milter.message_timeout);
  return milter;
}

}  // namespace op::api
