#include "relay/app/app.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "relay/app/process.hpp"

namespace relay::app {

config::Loaded load_config(const ConfigSource& source) {
  config::Sources sources{std::nullopt, source.file, source.environment};
  if (source.file.empty()) return config::load(sources);
  std::ifstream file(source.file);
  if (!file) {
    auto loaded = config::load(sources);
    loaded.faults.push_back({source.file, std::string("cannot be read: ") + std::strerror(errno)});
    return loaded;
  }
  sources.json = std::string(std::istreambuf_iterator<char>(file), {});
  return config::load(sources);
}

int run(const ConfigSource& source, const config::Settings& settings) {
  Process process(source, settings);
  return process.run();
}

}  // namespace relay::app
