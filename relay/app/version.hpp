#pragma once

namespace relay::app {

inline constexpr const char* kVersion = SMTP_RELAY_VERSION;

}  // namespace relay::app
