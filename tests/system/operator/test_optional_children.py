"""Children without which mail flows all the same: PodMonitor, PrometheusRule, dashboard, NetworkPolicy."""

import json

import monitoring_kinds
import pytest
import world
import yaml
from monitoring_kinds import path
from processes import ROOT
from waiting import stays_true, wait_until

NAME = "edge-smtp-relay"
MONITOR, RULE = path("podmonitors", name=NAME), path("prometheusrules", name=NAME)
POLICIES = f"/apis/networking.k8s.io/v1/namespaces/{world.NAMESPACE}/networkpolicies"
POLICY = f"{POLICIES}/{NAME}"
BOARD = f"{world.CORE}/configmaps/{NAME}-dashboard"
ROLE = "/apis/rbac.authorization.k8s.io/v1/namespaces/mail/roles/smtp-relay-operator"
# It looks for kinds every 15 s, for a right that is missing within a minute, and again 30 s behind what failed first.
NOTICED = 60


@pytest.fixture
def mail(mail):
    """Without the Prometheus operator's kinds, before and after."""
    monitoring_kinds.remove(mail.api)
    yield mail
    mail.stop_operators()
    monitoring_kinds.remove(mail.api)
    for policy in mail.api.get(POLICIES)["items"]:
        mail.api.delete(f"{POLICIES}/{policy['metadata']['name']}")


def golden(kind):
    return yaml.safe_load((ROOT / f"tests/golden/minimal.{kind}.yaml").read_text())


def wait_for(mail, path, seconds=NOTICED):
    return wait_until(lambda: mail.api.find(path), seconds, f"{path} is there")


def progressing(mail):
    return mail.condition("Progressing")[2]


def test_monitoring_comes_with_its_kinds_and_is_kept_so(mail):
    operator = mail.operator("operator-a", "--pod-monitor-labels", "release=prometheus", "--rule-labels=team=mail,on=call")
    mail.apply()
    mail.wait_for_children()
    assert "metrics" not in progressing(mail), "nothing is missed"
    monitoring_kinds.install(mail.api)
    monitor, rule = wait_for(mail, MONITOR), wait_for(mail, RULE)
    assert monitor["spec"] == golden("pod-monitor")["spec"]
    assert rule["spec"] == golden("prometheus-rule")["spec"]
    for made, labels in ((monitor, {"release": "prometheus"}), (rule, {"team": "mail", "on": "call"})):
        assert labels.items() <= made["metadata"]["labels"].items()
        assert made["metadata"]["ownerReferences"][0]["uid"] == mail.relay()["metadata"]["uid"]

    for each in (MONITOR, RULE):
        mail.api.delete(each)
        wait_for(mail, each, 5)
    mail.api.patch(MONITOR, {"spec": {"jobLabel": "other"}})
    mail.api.patch(RULE, {"spec": {"groups": [{"name": "theirs", "rules": []}]}})
    wait_until(lambda: mail.api.get(MONITOR)["spec"] == monitor["spec"] and mail.api.get(RULE)["spec"] == rule["spec"], 5,
               "what somebody changed is as before")

    versions = [mail.api.get(each)["metadata"]["resourceVersion"] for each in (MONITOR, RULE)]
    writes = len(mail.writes(told=True))
    stays_true(lambda: [mail.api.get(each)["metadata"]["resourceVersion"] for each in (MONITOR, RULE)] == versions, 5,
               "they move no more", every=1)
    assert len(mail.writes(told=True)) == writes, "nothing is written at rest"

    mail.apply(metrics={"podMonitor": "Never", "rules": "Never"})
    wait_until(lambda: mail.api.find(MONITOR) is None and mail.api.find(RULE) is None, 10, "both are removed")
    assert not [line for line in operator.http(operator.metrics_port, "/metrics")[1].splitlines()
                if line.startswith('rest_client_requests_total{code="403')], "the chart's rights are enough"


def test_kinds_that_go_leave_a_healthy_operator_and_come_back(mail):
    monitoring_kinds.install(mail.api)
    operator = mail.operator()
    mail.apply()
    wait_for(mail, MONITOR)
    wait_for(mail, RULE)
    monitoring_kinds.remove(mail.api)
    gone = [("podmonitors",), ("prometheusrules",)]
    wait_until(lambda: [(each["resource"],) for each in operator.records("kind_absent")] == gone, NOTICED, "it notices")
    assert operator.http(operator.health_port, "/healthz")[0] == 200
    said = len(operator.records())
    # The relay may be looked at once more, for the wish that failed meanwhile.
    stays_true(lambda: len(operator.records()) <= said + 4 and operator.http(operator.health_port, "/healthz")[0] == 200, 20,
               "it is at rest", every=2)
    wait_until(lambda: "metrics" not in progressing(mail), 40, "nothing is missed")
    mail.apply(limits={"maxMessageSize": "7Mi"})
    wait_until(lambda: "7Mi" in mail.settings(), 10, "it goes on")
    monitoring_kinds.install(mail.api)
    wait_for(mail, MONITOR)
    wait_for(mail, RULE)


def test_a_kind_that_is_insisted_on_is_missed_and_holds_no_mail_back(mail):
    mail.operator()
    mail.apply(metrics={"rules": "Always"})
    mail.wait_for_children()
    note = mail.wait_for_event("Warning", "OptionalChildMissing", seconds=30)
    assert "spec.metrics.rules" in note and "no kind PrometheusRule" in note and "say Auto" in note
    assert note in progressing(mail)
    mail.roll_out(3, 3)
    mail.wait_for_condition("Ready", "True", "AllNodesAvailable")
    monitoring_kinds.install(mail.api, "prometheusrules")
    wait_for(mail, RULE)
    wait_until(lambda: "spec.metrics" not in progressing(mail), 10, "it is missed no more")


def test_what_is_refused_holds_no_mail_back(mail):
    """Without rights on PodMonitors, and with another's PrometheusRule of that name."""
    monitoring_kinds.install(mail.api)
    mail.api.create(path("prometheusrules"), {
        "apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule", "spec": {"groups": []},
        "metadata": {"name": NAME, "labels": {"app.kubernetes.io/managed-by": "Helm"}}})
    rules = mail.api.get(ROLE)["rules"]
    try:
        mail.api.patch(ROLE, {"rules": [rule for rule in rules if rule["resources"] != ["podmonitors"]]})
        operator = mail.operator()
        mail.apply(metrics={"podMonitor": "Always"})
        mail.wait_for_children()
        wait_until(lambda: "spec.metrics.podMonitor: no right to" in progressing(mail)
                   and "managed by Helm" in progressing(mail), 30, f"both are told: {progressing(mail)}")
        assert "spec.metrics.podMonitor: no right to" in mail.wait_for_condition("Degraded", "True", "OptionalChildMissing")
        mail.apply()
        wait_until(lambda: "spec.metrics.podMonitor" not in progressing(mail), 30,
                   f"nobody insists on it: {progressing(mail)}")
        assert operator.http(operator.health_port, "/readyz")[0] == 200
        mail.roll_out(3, 3)
        mail.wait_for_condition("Ready", "True", "AllNodesAvailable")
        assert mail.api.get(RULE)["spec"] == {"groups": []}, "what is another's is left alone"
        missing = {(each["verb"], each["resource"]) for each in operator.records("right_missing")}
        assert ("create", "podmonitors.monitoring.coreos.com") in missing
    finally:
        mail.api.patch(ROLE, {"rules": rules})
    wait_for(mail, MONITOR)
    mail.api.delete(RULE)
    mail.apply(limits={"maxMessageSize": "7Mi"})  # an edit does not wait for the next try
    wait_until(lambda: (mail.api.find(RULE) or {"spec": {}})["spec"] == golden("prometheus-rule")["spec"], NOTICED,
               "the name is free")
    wait_until(lambda: "spec.metrics" not in progressing(mail), 40, "nothing is missed")


def test_a_dashboard_of_its_own_is_there_on_request_and_kept_so(mail):
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    assert mail.api.find(BOARD) is None
    mail.apply(metrics={"dashboard": "Always"})
    made = wait_for(mail, BOARD, 10)
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(made["data"]["smtp-relay.mail.edge.json"])["title"] == "SMTP relay mail/edge"
    mail.api.patch(BOARD, {"data": {"smtp-relay.mail.edge.json": "{}", "more": "x"}})
    wait_until(lambda: mail.api.get(BOARD)["data"] == made["data"], 5, "it is as before")
    mail.apply()
    wait_until(lambda: mail.api.find(BOARD) is None, 10, "it is removed")
    assert mail.child("ConfigMap"), "the settings stay"


def test_a_network_policy_is_there_on_request_and_kept_so(mail):
    operator = mail.operator()
    mail.apply()
    mail.wait_for_children()
    assert mail.api.find(POLICY) is None
    mail.apply(networkPolicy="Managed", smarthosts=[{"name": "primary", "host": "smtp.test", "port": 2587}])
    made = wait_for(mail, POLICY, 10)
    assert {"protocol": "TCP", "port": 2587} in made["spec"]["egress"][0]["ports"]
    assert {"ipBlock": {"cidr": "10.20.0.0/16"}} in made["spec"]["ingress"][0]["from"]
    mail.api.patch(POLICY, {"spec": {"egress": []}})
    wait_until(lambda: mail.api.get(POLICY)["spec"] == made["spec"], 10, "it is as before")
    # What nobody wants any more goes too when it was said while no operator ran.
    assert operator.stop() == 0
    mail.apply()
    operator = mail.operator()
    wait_until(lambda: mail.api.find(POLICY) is None, NOTICED, "it is removed")
    assert not [each for each in mail.writes() if "dryRun" in each["requestURI"]], "all that the server fills in is stated"


@pytest.mark.parametrize("name", sorted(each.name for kind in ("pod-monitor", "prometheus-rule")
                                        for each in (ROOT / "tests/golden").glob(f"*.{kind}.yaml")))
def test_the_server_stores_the_golden_objects_as_they_are(mail, name):
    monitoring_kinds.install(mail.api)
    file = ROOT / "tests/golden" / name
    wanted = yaml.safe_load(file.read_text())
    stored = json.loads(mail.plane.kubectl("create", "--dry-run=server", "--validate=strict", "-o", "json", "-f", file))
    assert stored["spec"] == wanted["spec"]
    assert stored["metadata"]["labels"] == wanted["metadata"]["labels"]
