"""A relay, an operator and a Prometheus that scrapes both, for all tests of this folder."""

import json
import pathlib
import sys

import pytest

# The operator's world is that of its own tests.
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "operator"))

import world as operator_world  # noqa: E402
from control_plane import ControlPlane  # noqa: E402
from prometheus import Prometheus, pod  # noqa: E402
from raw_sink import RawSink  # noqa: E402
from relay import Client, Relay, patiently  # noqa: E402
from scripted_milter import ScriptedMilter  # noqa: E402


def pod_of(name, port, instance, node="node1", namespace="mail"):
    """A pod as it would be if the process on this port ran in it; `instance`: the SmtpRelay's name, or the release's."""
    return pod({
        "metadata": {"namespace": namespace, "name": f"{instance}-{name}-1",
                     "labels": {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": instance},
                     "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": str(port),
                                     "prometheus.io/path": "/metrics"}},
        "spec": {"nodeName": node, "containers": [{"ports": [{"containerPort": 2525}, {"containerPort": port}]}]},
        "status": {"podIP": "127.0.0.1"}})


def send_some(relay):
    """Mail that is delivered, that fails, that waits; and a recipient that is refused."""
    with Client(relay.smtp_port) as client:
        for _ in range(20):
            client.send()
        client.send(recipients=["bad@example.net"])
        client.send(recipients=["later@example.net"])
        assert client.say("MAIL FROM:<a@example.com>", 250)
        assert client.say("RCPT TO:<b@[192.0.2.1]>").startswith("5"), "an address literal is refused"
    patiently(lambda: relay.metric('recipients_total{result="delivered"}') >= 21 and
              relay.metric('recipients_total{result="failed"}') == 1 and relay.metric("queue_messages") == 1, 30,
              "all but one message are settled, and the report of the one that failed")


@pytest.fixture(scope="session")
def mail(tmp_path_factory):
    """A control plane, with the definition and the operator's rights."""
    plane = ControlPlane(tmp_path_factory.mktemp("plane"))
    try:
        plane.start()
        operator_world.install(plane)
        mail = operator_world.Mail(plane, tmp_path_factory.mktemp("operator"))
        yield mail
        mail.stop_operators()
    finally:
        plane.stop()


@pytest.fixture(scope="session")
def relay(tmp_path_factory):
    """What its next hop puts off stays so while the tests last."""
    folder = tmp_path_factory.mktemp("relay")
    faults = ["rcpt=bad@:*:reply:550 5.1.1 no such user", "rcpt=later@:*:reply:451 4.7.1 greylisted, come again"]
    with RawSink(folder / "sink", specs=faults) as sink, ScriptedMilter() as milter:
        with Relay(folder, smarthost=f"127.0.0.1:{sink.port}", retry_initial_delay="10m", retry_max_delay="10m",
                   milters=json.dumps([milter.settings()])) as relay:
            yield relay


@pytest.fixture(scope="session")
def prometheus(mail, relay, tmp_path_factory):
    """It scrapes both, and has seen them at work."""
    operator = mail.operator()
    pods = [pod_of("smtp-relay", relay.http_port, "edge"),
            pod_of("smtp-relay-operator", operator.metrics_port, "smtp-relay-operator", "node2")]
    with Prometheus(tmp_path_factory.mktemp("prometheus"), pods) as prometheus:
        # A rate wants to have seen what was before.
        prometheus.wait_for_data(["smtp_relay_build_info", "controller_runtime_max_concurrent_reconciles"])
        send_some(relay)
        mail.apply()
        mail.wait_for_children()
        mail.roll_out(1, 1)  # until then a reconcile only asks to be called again
        settled = relay.metric('messages_settled_total{result="delivered"}')
        prometheus.wait_for_data([f'smtp_relay_messages_settled_total{{result="delivered"}} >= {settled}',
                                  'increase(controller_runtime_reconcile_total{result="success"}[5m]) > 0'])
        yield prometheus
