#pragma once
/// The tables of fields behind settings that are lists of objects.

#include "relay/config/objects.hpp"
#include "relay/config/settings.hpp"

namespace relay::config {

/// Rules in `policies`: each is looked at for each recipient, up to three times.
inline constexpr std::size_t kMaxPolicies = 128;
/// Entries in `sender_bindings`: each is looked at for each sender.
inline constexpr std::size_t kMaxSenderBindings = 64;

/// Of `listeners`: each is a socket on each shard.
inline constexpr std::size_t kMaxListeners = 8;

/// Entries of `milters`: all of them together answer before a client gives up (RFC 5321 section 4.5.3.2.6: 10 minutes).
inline constexpr std::size_t kMaxMilters = 4;

template <class Object>
[[nodiscard]] std::span<const Field<Object>> fields_of();
template <>
[[nodiscard]] std::span<const Field<Listener>> fields_of<Listener>();
template <>
[[nodiscard]] std::span<const Field<Smarthost>> fields_of<Smarthost>();
template <>
[[nodiscard]] std::span<const Field<DkimKey>> fields_of<DkimKey>();
template <>
[[nodiscard]] std::span<const Field<DestinationRule>> fields_of<DestinationRule>();
template <>
[[nodiscard]] std::span<const Field<Provider>> fields_of<Provider>();
template <>
[[nodiscard]] std::span<const Field<Source>> fields_of<Source>();
template <>
[[nodiscard]] std::span<const Field<PolicyRule>> fields_of<PolicyRule>();
template <>
[[nodiscard]] std::span<const Field<SenderBinding>> fields_of<SenderBinding>();
template <>
[[nodiscard]] std::span<const Field<Milter>> fields_of<Milter>();

/// What concerns several fields of one object: what is wrong, or nothing.
[[nodiscard]] std::string wrong_with(const Listener& listener);
[[nodiscard]] std::string wrong_with(const Smarthost& smarthost);
[[nodiscard]] std::string wrong_with(const DkimKey& key);
[[nodiscard]] std::string wrong_with(const DestinationRule& rule);
[[nodiscard]] std::string wrong_with(const Provider& provider);
[[nodiscard]] std::string wrong_with(const Source& source);
[[nodiscard]] std::string wrong_with(const PolicyRule& rule);
[[nodiscard]] std::string wrong_with(const SenderBinding& binding);
[[nodiscard]] std::string wrong_with(const Milter& milter);

/// For the reference page.
template <class Object>
std::vector<FieldDoc> docs_of() {
  std::vector<FieldDoc> docs;
  for (const auto& field : fields_of<Object>()) docs.push_back(field.doc);
  return docs;
}

/// A row's access to a member that is a list of objects.
template <auto Member>
Result<void> set_objects(Settings& settings, std::string_view text) {
  using List = std::decay_t<decltype(settings.*Member)>;
  using Object = typename List::value_type;
  auto read = read_objects(fields_of<Object>(), text);
  if (!read) return tl::unexpected(std::move(read.error()));
  std::string faults;
  for (std::size_t i = 0; i < read->size(); ++i) {
    if (const auto wrong = wrong_with((*read)[i]); !wrong.empty())
      faults += (faults.empty() ? "[" : "; [") + std::to_string(i) + "]: " + wrong;
  }
  if (!faults.empty()) return permanent(Errc::invalid_argument, std::move(faults));
  settings.*Member = std::move(*read);
  return {};
}

template <auto Member>
std::string get_objects(const Settings& settings) {
  using Object = typename std::decay_t<decltype(settings.*Member)>::value_type;
  return write_objects(fields_of<Object>(), settings.*Member);
}

}  // namespace relay::config
