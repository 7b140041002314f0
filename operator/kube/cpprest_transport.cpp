#include "operator/kube/cpprest_transport.hpp"

#include <boost/asio/ssl.hpp>
#include <condition_variable>
#include <cpprest/http_client.h>
#include <cpprest/producerconsumerstream.h>
#include <cstdlib>
#include <mutex>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pplx/threadpool.h>

#include "relay/base/text.hpp"

namespace op::kube {
namespace {

using relay::Errc;
using relay::Result;
namespace http = web::http;
namespace ssl = boost::asio::ssl;

/// Octets of the body of a refused stream that are read.
constexpr std::size_t kMaxRefusal = 1U << 20U;
/// For what was cancelled to end. It takes milliseconds; of the time to stop, 10 s, this may be lost for each client.
constexpr milliseconds kFarewell = seconds{2};

/// A value that another thread brings. Stays alive through its shared_ptr when the one who waits has given up.
template <class Value>
class Slot {
 public:
  /// The first value counts.
  void put(Result<Value> value) {
    const std::lock_guard lock(mutex_);
    if (!value_) value_ = std::move(value);
    ready_.notify_all();
  }
  Result<Value> take(milliseconds limit) {
    std::unique_lock lock(mutex_);
    if (!ready_.wait_for(lock, limit, [&] { return value_.has_value(); }))
      return relay::transient(Errc::timed_out, "no answer within " + relay::to_text(limit));
    return std::move(*value_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::optional<Result<Value>> value_;
};

/// What cpprestsdk still works on, also when nobody waits for it any more. Lives as long as the last of it.
class InFlight : public std::enable_shared_from_this<InFlight> {
 public:
  /// Of one thing: it is done when the last copy goes.
  [[nodiscard]] std::shared_ptr<void> mark() {
    const std::lock_guard lock(mutex_);
    ++count_;
    return {nullptr, [all = shared_from_this()](std::nullptr_t) { all->drop(); }};
  }
  void wait_until(std::chrono::steady_clock::time_point limit) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, limit, [&] { return count_ == 0; });
  }

 private:
  void drop() {
    const std::lock_guard lock(mutex_);
    --count_;
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
};

/// cpprestsdk tells errors apart by their texts more than by their numbers.
Error error_of(const std::exception& thrown) {
  const std::string_view what = thrown.what();
  const auto* failed = dynamic_cast<const http::http_exception*>(&thrown);
  const auto is = [&](std::errc code) {
    return failed != nullptr && failed->error_code().value() == static_cast<int>(code);
  };
  auto code = Errc::connection_lost;
  if (is(std::errc::timed_out)) code = Errc::timed_out;
  else if (is(std::errc::operation_canceled)) code = Errc::cancelled;
  else if (what.starts_with("Error in SSL handshake")) code = Errc::tls_failed;
  else if (what.starts_with("Error resolving") || what.starts_with("Failed to resolve"))
    code = Errc::name_not_found;
  else if (what.starts_with("Failed to connect")) code = Errc::connection_failed;
  return {code, relay::Fate::transient, relay::printable(what, 200)};
}

template <class Value, class Made>
void put_from(const pplx::task<Made>& done, Slot<Value>& slot, const std::function<Value(Made)>& convert) {
  try {
    slot.put(convert(done.get()));
  } catch (const std::exception& thrown) {
    slot.put(tl::unexpected(error_of(thrown)));
  }
}

std::optional<std::uint64_t> retry_after(const http::http_response& response) {
  const auto found = response.headers().find("Retry-After");
  return found == response.headers().end() ? std::nullopt : relay::parse_number(found->second);
}

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const { X509_free(certificate); }
};

/// OpenSSL would ask for the password of encrypted PEM at the terminal, and wait.
int no_password(char*, int, int, void*) { return -1; }

/// The given authorities and no others: cpprestsdk has loaded the system's before it asks us.
void trust_only(ssl::context& context, const std::string& authority) {
  auto* store = X509_STORE_new();
  SSL_CTX_set_cert_store(context.native_handle(), store);  // takes it over
  // As Go does: what the kubeconfig names is trusted, be it an intermediate or the server's own certificate.
  X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
  const std::unique_ptr<BIO, FreeBio> pem(
    BIO_new_mem_buf(authority.data(), static_cast<int>(authority.size()))
  );
  while (const auto certificate =
           std::unique_ptr<X509, FreeCertificate>(PEM_read_bio_X509(pem.get(), nullptr, no_password, nullptr))
  )
    X509_STORE_add_cert(store, certificate.get());
  ERR_clear_error();  // the end of the text is reported as an error
}

/// Called for each new connection. Throws what makes the request fail.
void secure(ssl::context& context, const Credentials& credentials) {
  const auto tls = credentials.tls();
  if (!tls) throw std::runtime_error(tls.error().context);
  SSL_CTX_set_default_passwd_cb(context.native_handle(), no_password);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  if (!tls->authority.empty()) trust_only(context, tls->authority);
  if (tls->certificate.empty()) return;
  context.use_certificate_chain(boost::asio::buffer(tls->certificate));
  context.use_private_key(boost::asio::buffer(tls->key), ssl::context::pem);
}

http::client::http_client_config configuration(const Credentials& credentials, milliseconds idle) {
  http::client::http_client_config config;
  config.set_timeout(idle);
  // No API server redirects. Followed, a redirect would take the token to whoever it names, and make a read of a write.
  config.set_max_redirects(0);
  config.set_ssl_context_callback([&credentials](ssl::context& context) { secure(context, credentials); });
  return config;
}

/// A stream that can't be rewound: else cpprestsdk sends a write a second time by itself when a pooled connection
/// turns out to be closed, and by then the write may no longer be ours to do.
concurrency::streams::istream one_way_stream(const std::string& body) {
  concurrency::streams::producer_consumer_buffer<std::uint8_t> buffer;
  buffer.putn_nocopy(reinterpret_cast<const std::uint8_t*>(body.data()), body.size()).wait();
  buffer.close(std::ios_base::out).wait();
  return buffer.create_istream();
}

http::http_request to_cpprest(
  const Request& request, const std::string& token, const std::string& user_agent
) {
  http::http_request made{http::method(std::string(name(request.method)))};
  made.set_request_uri(request.target);
  made.headers().add("Accept", request.accept);
  made.headers().add("User-Agent", user_agent);
  if (!token.empty()) made.headers().add("Authorization", "Bearer " + token);
  if (!request.body.empty())
    made.set_body(one_way_stream(request.body), request.body.size(), request.content_type);
  return made;
}

/// Blocks for the first octet, then takes what is there. Empty at the end. Throws when the connection is lost.
std::string next_octets(concurrency::streams::streambuf<std::uint8_t>& body) {
  using Buffer = concurrency::streams::streambuf<std::uint8_t>;
  const auto first = body.bumpc().get();
  if (first == Buffer::traits::eof()) return {};
  std::string octets(1, static_cast<char>(first));
  const auto available = std::min<std::size_t>(body.in_avail(), 64U << 10U);
  octets.resize(1 + available);
  const auto count =
    available == 0 ? 0 : body.getn(reinterpret_cast<std::uint8_t*>(octets.data()) + 1, available).get();
  octets.resize(1 + count);
  return octets;
}

}  // namespace

void prepare_cpprest(unsigned threads, const Access& access) {
  crossplat::threadpool::initialize_with_threads(threads);
  if (access.authority.is_given()) setenv(X509_get_default_cert_file_env(), "/dev/null", 1);
}

struct CpprestTransport::Client {
  Client(const Credentials& credentials, milliseconds idle)
      : http(credentials.access().server, configuration(credentials, idle)) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  /// A task that waits in the queue of cpprestsdk's threads when the process ends is neither run nor freed.
  ~Client() {
    const auto limit = std::chrono::steady_clock::now() + kFarewell;
    in_flight->wait_until(limit);
    // Behind the tasks that the last ones have left in the queue.
    crossplat::threadpool::shared_instance().service().post([mark = in_flight->mark()] {});
    in_flight->wait_until(limit);
  }

  pplx::task<http::http_response> begin(http::http_request request, const pplx::cancellation_token& cancel) {
    // cpprestsdk keeps this with the request, and the request until nothing happens to it or its answer's body any more.
    request.set_progress_handler([mark = in_flight->mark(
                                  )](http::message_direction::direction, utility::size64_t) {});
    return http.request(std::move(request), cancel);
  }

  /// Waits for what has begun; it ends when `stop` is requested or `cancel` is.
  template <class Value, class Made>
  Result<Value> exchange(
    pplx::task<Made> task, pplx::cancellation_token_source cancel, const std::function<Value(Made)>& convert,
    milliseconds limit, const std::stop_token& stop
  ) {
    const auto slot = std::make_shared<Slot<Value>>();
    task.then([slot, convert, mark = in_flight->mark()](const pplx::task<Made>& done) {
      put_from<Value, Made>(done, *slot, convert);
    });
    const std::stop_callback on_stop(stop, [&] {
      slot->put(relay::transient(Errc::cancelled, "stopped"));
      cancel.cancel();
    });
    auto result = slot->take(limit);
    if (!result) cancel.cancel();
    return result;
  }

  const std::shared_ptr<InFlight> in_flight = std::make_shared<InFlight>();
  web::http::client::http_client http;
};

CpprestTransport::CpprestTransport(Credentials& credentials, CpprestOptions options)
    : credentials_(credentials),
      user_agent_(std::move(options.user_agent)),
      client_(std::make_unique<Client>(credentials, options.idle)) {}

CpprestTransport::~CpprestTransport() = default;

Result<Response> CpprestTransport::send(const Request& request, std::stop_token stop) {
  if (stop.stop_requested()) return relay::transient(Errc::cancelled, "stopped");
  pplx::cancellation_token_source cancel;
  using Body = std::vector<unsigned char>;
  using Whole = std::pair<http::http_response, Body>;
  auto whole = client_->begin(to_cpprest(request, credentials_.token(), user_agent_), cancel.get_token())
                 .then([](http::http_response response) {
                   return response.extract_vector().then([response](Body body) {
                     return Whole{response, std::move(body)};
                   });
                 });
  auto result = client_->exchange<Response, Whole>(
    std::move(whole), cancel,
    [](Whole both) {
      return Response{
        both.first.status_code(), {both.second.begin(), both.second.end()}, retry_after(both.first)
      };
    },
    request.deadline, stop
  );
  if (result && result->status == http::status_codes::Unauthorized) credentials_.forget_token();
  return result;
}

Result<Response> CpprestTransport::stream(
  const Request& request, const OnBytes& on_bytes, std::stop_token stop
) {
  if (stop.stop_requested()) return relay::transient(Errc::cancelled, "stopped");
  pplx::cancellation_token_source cancel;
  auto opened = client_->exchange<http::http_response, http::http_response>(
    client_->begin(to_cpprest(request, credentials_.token(), user_agent_), cancel.get_token()), cancel,
    [](http::http_response response) { return response; }, request.deadline, stop
  );
  if (!opened) return tl::unexpected(opened.error());
  if (opened->status_code() == http::status_codes::Unauthorized) credentials_.forget_token();
  const bool is_streamed = opened->status_code() == http::status_codes::OK;
  Response result{opened->status_code(), {}, retry_after(*opened)};
  const std::stop_callback on_stop(stop, [&] { cancel.cancel(); });
  if (is_streamed && !on_bytes({})) {
    cancel.cancel();
    return result;
  }
  try {
    auto body = opened->body().streambuf();
    for (auto octets = next_octets(body); !octets.empty(); octets = next_octets(body)) {
      if (!is_streamed) result.body += octets;
      const bool wants_more = is_streamed ? on_bytes(octets) : result.body.size() < kMaxRefusal;
      if (wants_more) continue;
      cancel.cancel();
      break;
    }
  } catch (const std::exception& thrown) {
    cancel.cancel();
    return tl::unexpected(error_of(thrown));
  }
  return result;
}

}  // namespace op::kube
