# The operator's modules, in the order of their arrows. Of the relay they may use base, sasl and config only.

module(operator/api PURE DEPENDS relay/base LIBRARIES nlohmann_json::nlohmann_json)
module(operator/kube DEPENDS relay/base
  LIBRARIES nlohmann_json::nlohmann_json cpprestsdk::cpprest OpenSSL::SSL PkgConfig::YAML)
module(operator/runtime DEPENDS operator/kube LIBRARIES prometheus-cpp::core)
# The headers of cpprestsdk use Asio's old names.
target_compile_options(operator_kube PRIVATE -UBOOST_ASIO_NO_DEPRECATED)
target_compile_options(operator_runtime PRIVATE -UBOOST_ASIO_NO_DEPRECATED)
module(operator/resources PURE DEPENDS operator/api relay/config LIBRARIES OpenSSL::Crypto PkgConfig::YAML)
# The alerts and the dashboard of the chart, as text within the program.
set(monitoring_files charts/smtp-relay-operator/files)
file(READ ${monitoring_files}/alerts/relay.yaml RELAY_ALERTS)
file(READ ${monitoring_files}/dashboards/relay.json RELAY_DASHBOARD)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
  ${monitoring_files}/alerts/relay.yaml ${monitoring_files}/dashboards/relay.json)
configure_file(operator/resources/monitoring_files.cpp.in generated/monitoring_files.cpp @ONLY)
target_sources(operator_resources PRIVATE ${CMAKE_BINARY_DIR}/generated/monitoring_files.cpp)
module(operator/relay DEPENDS operator/runtime operator/resources relay/sasl)
module(operator/app DEPENDS operator/relay)
target_compile_definitions(operator_app PUBLIC SMTP_RELAY_VERSION="${PROJECT_VERSION}")
program(smtp-relay-operator operator/app)
