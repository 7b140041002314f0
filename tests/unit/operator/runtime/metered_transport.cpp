#include "operator/runtime/metered_transport.hpp"

#include <gmock/gmock.h>
#include <thread>

#include "tests/unit/operator/kube/scripted_transport.hpp"

namespace op::runtime {
namespace {

using ::testing::HasSubstr;

/// Its headers come at once, its first octets half a second later.
class QuietStream : public kube::ScriptedTransport {
 public:
  relay::Result<kube::Response> stream(const kube::Request&, const kube::OnBytes& on_bytes, std::stop_token)
    override {
    on_bytes({});
    std::this_thread::sleep_for(milliseconds{500});
    on_bytes("late");
    return kube::Response{200, "", {}};
  }
};

class MeteredTransportTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string text() const { return metrics.to_text({}); }
  Metrics metrics{{"smtprelay", "lease", "smtp_relay_operator"}, 1, "h"};
};

TEST_F(MeteredTransportTest, CountsAnswersAndTheirAbsence) {
  kube::ScriptedTransport inner;
  inner.answers(404, "{}");
  MeteredTransport transport(inner, metrics);
  EXPECT_TRUE(transport.send({}, {}));
  EXPECT_FALSE(transport.send({}, {}));
  EXPECT_THAT(text(), HasSubstr(R"(rest_client_requests_total{code="404",host="h",method="GET"} 1)"));
  EXPECT_THAT(text(), HasSubstr(R"(rest_client_requests_total{code="<error>",host="h",method="GET"} 1)"));
}

TEST_F(MeteredTransportTest, MeasuresAStreamUntilItsHeaders) {
  QuietStream inner;
  MeteredTransport transport(inner, metrics);
  EXPECT_TRUE(transport.stream({}, [](std::string_view) { return true; }, {}));
  EXPECT_THAT(
    text(), HasSubstr(R"(rest_client_request_duration_seconds_bucket{host="h",verb="GET",le="0.25"} 1)")
  );
}

}  // namespace
}  // namespace op::runtime
