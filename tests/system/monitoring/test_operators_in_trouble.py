"""As test_troubles.py, with operators: each is in a namespace of its own as far as Prometheus knows."""

import contextlib

import monitoring
import pytest
from conftest import pod_of
from processes import Proxy
from prometheus import Prometheus
from waiting import wait_until

RULES = monitoring.rules()
# {namespace: what is true of its operators}
TROUBLES = {
    "calm": [],
    "neighbours": [],
    "cut": ["SmtpRelayOperatorApiErrors", "SmtpRelayOperatorNoLeader"],
    "dead": ["SmtpRelayOperatorDown"],
    "twins": ["SmtpRelayOperatorTwoLeaders"],
}


@pytest.fixture(scope="module")
def troubled(mail, tmp_path_factory):
    with contextlib.closing(Proxy(mail.plane.api_port)) as proxy:
        # Only one of those that want the Lease has it; the rest lead without.
        operators = {"calm": [mail.operator()],
                     "neighbours": [mail.operator("operator-a", "--no-leader-elect", f"--controller-id={id}") for id in ("a", "b")],
                     "cut": [mail.operator(port=proxy.port)],
                     "dead": [mail.operator("operator-a", "--no-leader-elect")],
                     "twins": [mail.operator("operator-a", "--no-leader-elect") for _ in range(2)]}
        pods = [pod_of("smtp-relay-operator", operator.metrics_port, f"{namespace}-{number}", namespace=namespace)
                for namespace, some in operators.items() for number, operator in enumerate(some)]
        with Prometheus(tmp_path_factory.mktemp("operators"), pods) as prometheus:
            wait_until(lambda: prometheus.query("count(count_over_time(controller_runtime_active_workers[1m]) > 1)") ==
                       [({}, len(pods))], 30, "each is scraped twice")
            wait_until(operators["calm"][0].is_leading, 30, "the first one leads")
            proxy.cut()
            operators["dead"][0].kill()
            yield prometheus
        for operator in (operator for some in operators.values() for operator in some):
            operator.kill()


def namespaces_of(prometheus, alert):
    return {labels["namespace"] for labels, _ in prometheus.query(RULES[alert]["expr"])}


@pytest.mark.parametrize("namespace, alert", [(namespace, alert) for namespace, alerts in TROUBLES.items() for alert in alerts])
def test_an_alert_sees_the_trouble(troubled, namespace, alert):
    wait_until(lambda: namespace in namespaces_of(troubled, alert), 60, f"{alert} is true of {namespace}")


@pytest.mark.parametrize("alert", sorted({alert for alerts in TROUBLES.values() for alert in alerts}))
def test_an_alert_is_true_of_nobody_else(troubled, alert):
    assert namespaces_of(troubled, alert) <= {namespace for namespace, alerts in TROUBLES.items() if alert in alerts}


def test_none_is_true_of_an_operator_in_order(troubled):
    """Nor of two whose ids keep them apart."""
    assert [(alert, name) for alert in RULES if "Operator" in alert for name in sorted(namespaces_of(troubled, alert))
            if not TROUBLES[name]] == []
