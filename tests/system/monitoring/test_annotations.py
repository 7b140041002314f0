"""What people read when an alert fires: its annotations, as Prometheus fills them in."""

import monitoring
import pytest
import yaml
from prometheus import Prometheus
from waiting import wait_until

RULES = monitoring.rules()
# Those of the metrics; and of a pod, or of a process without Kubernetes.
OWN = {"class": "blocklisted", "code": "403", "resource": "pods", "object": "mail/edge", "destination": "smarthost/primary",
       "name": "smtp-relay-operator"}
LABELS = OWN | {"pod": "edge-smtp-relay-x7k2p", "node": "node1", "namespace": "mail", "relay": "edge",
                "daemonset": "edge-smtp-relay"}
PLAIN = OWN | {"instance": "relay.example.org:9090"}


def labelled(labels):
    expression = "vector(90)"
    for key, value in labels.items():
        expression = f'label_replace({expression}, "{key}", "{value}", "", "")'
    return expression


@pytest.fixture(scope="module")
def fired(tmp_path_factory):
    """{(alert, labelled in full): annotations}: each fires at once, for both."""
    folder = tmp_path_factory.mktemp("annotations")
    rules = [{**rule, "for": "0s", "expr": f'{labelled(LABELS)} or {labelled(PLAIN)}'} for rule in RULES.values()]
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    with Prometheus(folder, rules=[file]) as prometheus:
        wait_until(lambda: len(prometheus.api("alerts")["alerts"]) == 2 * len(rules), 30, "all fire")
        return {(alert["labels"]["alertname"], "pod" in alert["labels"]): alert["annotations"]
                for alert in prometheus.api("alerts")["alerts"]}


@pytest.mark.parametrize("in_full", [True, False], ids=["pod", "process"])
@pytest.mark.parametrize("name", RULES)
def test_annotations_read_as_sentences(fired, name, in_full):
    annotations = fired[name, in_full]
    for text in annotations.values():
        assert text and not any(sign in text for sign in ("error expanding", "<no value>", "%!", "{{", "  ")), text
    assert annotations["description"].endswith(".") and not annotations["summary"].endswith(".")
    assert len(annotations["summary"]) < 120, annotations["summary"]


@pytest.mark.parametrize("name", RULES)
def test_a_summary_says_where(fired, name):
    summary = fired[name, True]["summary"]
    assert any(LABELS[label] in summary for label in ("pod", "node", "namespace")), summary
