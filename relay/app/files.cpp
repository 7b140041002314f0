#include "relay/app/files.hpp"

#include "relay/app/text_file.hpp"

namespace relay::app {
namespace {

std::vector<std::string> paths_of(const config::Settings& settings) {
  std::vector<std::string> paths{settings.passwd_client,     settings.mx_ca,
                                 settings.log_redaction_key, settings.tls_certificate_file,
                                 settings.tls_key_file,      settings.hidden_sources_file,
                                 settings.auth_users_file};
  for (const auto& smarthost : config::all_smarthosts(settings)) {
    for (const auto* path :
         {&smarthost.ca, &smarthost.client_certificate, &smarthost.client_key, &smarthost.username_file,
          &smarthost.password_file, &smarthost.client_id_file, &smarthost.client_secret_file,
          &smarthost.refresh_token_file})
      paths.push_back(*path);
  }
  for (const auto& key : settings.dkim) paths.push_back(key.key);
  return paths;
}

}  // namespace

Result<Files> read_files(const config::Settings& settings) {
  Files files;
  for (const auto& path : paths_of(settings)) {
    if (path.empty() || files.contains(path)) continue;
    auto text = read_if_there(path);
    if (!text) return tl::unexpected(std::move(text.error()));
    if (*text) files.emplace(path, std::move(**text));
  }
  return files;
}

const std::string& text_of(const Files& files, const std::string& path) {
  static const std::string kNothing;
  const auto found = files.find(path);
  return found == files.end() ? kNothing : found->second;
}

std::string word_of(const Files& files, const std::string& path) {
  auto text = text_of(files, path);
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

}  // namespace relay::app
