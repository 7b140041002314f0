# The operator's modules, in the order of their arrows. Of the relay they may use base and config only.

module(operator/api PURE DEPENDS relay/base LIBRARIES nlohmann_json::nlohmann_json)
module(operator/kube DEPENDS relay/base
  LIBRARIES nlohmann_json::nlohmann_json cpprestsdk::cpprest OpenSSL::SSL PkgConfig::YAML)
module(operator/runtime DEPENDS operator/kube LIBRARIES prometheus-cpp::core)
# The headers of cpprestsdk use Asio's old names.
target_compile_options(operator_kube PRIVATE -UBOOST_ASIO_NO_DEPRECATED)
target_compile_options(operator_runtime PRIVATE -UBOOST_ASIO_NO_DEPRECATED)
module(operator/resources PURE DEPENDS operator/api relay/config LIBRARIES OpenSSL::Crypto)
module(operator/relay DEPENDS operator/runtime operator/resources)
module(operator/app DEPENDS operator/relay)
target_compile_definitions(operator_app PUBLIC SMTP_RELAY_VERSION="${PROJECT_VERSION}")
program(smtp-relay-operator operator/app)
