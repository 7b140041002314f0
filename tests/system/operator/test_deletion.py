"""What becomes of the mail when an SmtpRelay is deleted. What kubelet would run, the test does: real relays on loopback."""

import datetime

import pytest
import world
from processes import Operator
from raw_sink import RawSink
from relay import Client, Relay
from waiting import stays_true, wait_until
from world import CORE, RELAYS

FINALIZER = "smtp.buildinglink.com/drain"
FORCE = "smtp.buildinglink.com/force-delete"
LATER = "end:*:reply:451 4.3.0 later"


class Node:
    """A relay pod that the API server shows as running on a node, and the relay in it."""

    def __init__(self, mail, number, sink):
        self.mail, self.name, self.address = mail, f"edge-{number}", f"127.8.25.{number}"
        folder = mail.folder / self.name
        folder.mkdir()
        self.annotations = folder / "annotations"
        self.annotations.write_text("")
        self.relay = Relay(folder, smarthost=f"127.0.0.1:{sink.port}", pod_annotations=self.annotations,
                           retry_initial_delay="1h", retry_max_delay="1h")
        self.relay.settings["http_listen"] += f",{self.address}:8025"
        self.relay.start()
        mail.pod(self.name, node=f"node-{number}")
        runs_at(mail, self.name, self.address)

    def send(self, count):
        with Client(self.relay.smtp_port) as client:
            for _ in range(count):
                client.send()

    def annotation(self, key):
        return self.mail.api.get(f"{CORE}/pods/{self.name}")["metadata"]["annotations"].get(f"smtp.buildinglink.com/{key}")

    def follow(self):
        """What kubelet does with annotations: it writes them to the pod's file."""
        pod = self.mail.api.get(f"{CORE}/pods/{self.name}")
        self.annotations.write_text("".join(f'{key}="{value}"\n' for key, value in pod["metadata"]["annotations"].items()))


def runs_at(mail, pod, address):
    """Ready at an address; returns when the operator has taken note."""
    node = mail.api.get(f"{CORE}/pods/{pod}")["spec"]["nodeName"]

    def degraded():
        return [each["node"] for each in mail.relay()["status"].get("degradedNodes", [])]
    wait_until(lambda: node in degraded(), 10, "the pod is known, and does not run yet")
    mail.pod_says(pod, None, phase="Running", podIP=address, podIPs=[{"ip": address}],
                  conditions=[{"type": "Ready", "status": "True"}])
    wait_until(lambda: node not in degraded(), 10, "it runs")


@pytest.fixture
def sink(tmp_path):
    with RawSink(tmp_path / "sink") as sink:
        yield sink


@pytest.fixture
def nodes(mail, sink):
    """Makes relays of nodes; ends them."""
    made = []

    def make(*numbers):
        made.extend(Node(mail, number, sink) for number in numbers)
        return made[-len(numbers):]
    yield make
    for node in made:
        node.relay.stop()


def drained_relay(mail, **drain):
    """An SmtpRelay that is to be drained, with its children."""
    mail.apply(spool={"type": "HostPath", "onDelete": "DrainThenDelete"},
               drain={"lameDuck": "0s", "flushTimeout": "10m", **drain})
    mail.wait_for_children()


def finalizers(mail):
    return mail.relay()["metadata"].get("finalizers", [])


def is_gone(mail):
    return mail.api.find(f"{RELAYS}/edge") is None


def test_the_finalizer_is_there_only_while_a_drain_is_wanted(mail):
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    assert finalizers(mail) == []
    mail.api.patch(f"{RELAYS}/edge", {"metadata": {"finalizers": ["example.com/theirs"]}})
    mail.api.patch(f"{RELAYS}/edge", {"spec": {"spool": {"onDelete": "DrainThenDelete"}}})
    wait_until(lambda: finalizers(mail) == ["example.com/theirs", FINALIZER], 10, "ours beside theirs")
    mail.api.patch(f"{RELAYS}/edge", {"metadata": {"finalizers": ["example.com/theirs"]}})
    wait_until(lambda: finalizers(mail) == ["example.com/theirs", FINALIZER], 10, "it is put back")
    mail.api.patch(f"{RELAYS}/edge", {"spec": {"managementState": "Paused", "spool": {"onDelete": "Retain"}}})
    wait_until(lambda: finalizers(mail) == ["example.com/theirs"], 10, "theirs alone, though all else is paused")
    writes = len(mail.writes())
    stays_true(lambda: len(mail.writes()) == writes, 2, "and then all is at rest")


def test_the_event_of_a_deletion_counts_what_waits_on_each_node(mail, nodes, sink):
    sink.faults.add(LATER)
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    full, empty = nodes(1, 2)
    full.send(3)
    mail.api.delete(f"{RELAYS}/edge")
    note = mail.wait_for_event("Warning", "SpoolRetained")
    assert note.startswith("deleted; 3 messages wait in /var/lib/smtp-relay/mail/edge, nodes node-1 (3), node-2 (0): "), note
    assert empty.annotation("retire") is None, "nobody asked for a drain"


def test_of_a_pod_that_does_not_answer_it_says_that_nothing_is_known(mail):
    mail.operator()
    mail.apply()
    mail.wait_for_children()
    mail.pod("edge-1", node="node-1")
    runs_at(mail, "edge-1", "127.8.25.99")  # where nobody listens
    mail.api.delete(f"{RELAYS}/edge")
    note = mail.wait_for_event("Warning", "SpoolRetained")
    assert "it is not known how many messages wait in /var/lib/smtp-relay/mail/edge, node node-1 (unknown)" in note


def test_a_relay_that_is_to_be_drained_goes_when_its_mail_has_gone(mail, nodes, sink):
    sink.faults.add(LATER)
    mail.operator()
    drained_relay(mail)
    both = nodes(1, 2)
    both[0].send(2)
    mail.api.delete(f"{RELAYS}/edge")
    mail.wait_for_condition("Progressing", "True", "Draining")
    wait_until(lambda: "2 messages on 1 of 2 nodes remain" in mail.condition("Progressing")[2], 10, "the count is told")
    assert mail.condition("Ready")[:2] == ("False", "Draining")
    wait_until(lambda: all(node.annotation("retire") == "true" for node in both), 10, "the pods are told")
    for node in both:
        node.follow()
    wait_until(lambda: both[1].relay.get("/health")[0] == 503, 10, "the relays retire")
    stays_true(lambda: not is_gone(mail), 3, "mail holds it")
    sink.faults.clear()
    wait_until(lambda: is_gone(mail), 40, "it goes with its mail")
    assert len([each for each in sink.store.messages() if each.accepted]) == 2
    assert "0 messages wait in /var/lib/smtp-relay/mail/edge" in mail.wait_for_event("Normal", "Drained")
    assert not [reason for _, reason, _ in mail.events() if reason == "SpoolRetained"]


def test_an_operator_that_starts_in_the_middle_of_a_drain_keeps_its_deadline(mail, nodes, sink):
    sink.faults.add(LATER)
    first = mail.operator("operator-a", "--no-leader-elect")
    drained_relay(mail, flushTimeout="8s")
    node, = nodes(1)
    node.send(1)
    mail.api.delete(f"{RELAYS}/edge")
    mail.wait_for_condition("Progressing", "True", "Draining")
    first.kill()
    began = datetime.datetime.fromisoformat(mail.relay()["metadata"]["deletionTimestamp"].rstrip("Z"))
    mail.operator("operator-a", "--no-leader-elect")
    wait_until(lambda: is_gone(mail), 30, "the time is up")
    note = mail.wait_for_event("Warning", "SpoolRetained")
    end = (began + datetime.timedelta(seconds=8)).isoformat() + "Z"
    assert note.startswith("deleted, not drained: the time for it (drain.lameDuck and drain.flushTimeout) was over at "
                           f"{end}; "), note
    assert "1 message waits in /var/lib/smtp-relay/mail/edge, node node-1 (1)" in note


def test_an_annotation_ends_a_drain_at_once(mail):
    mail.operator()
    drained_relay(mail)
    mail.pod("edge-1", node="node-1")
    runs_at(mail, "edge-1", "127.8.25.99")
    mail.api.delete(f"{RELAYS}/edge")
    mail.wait_for_condition("Progressing", "True", "Draining")
    wait_until(lambda: "1 node has not answered (node-1: 127.8.25.99:8025: " in mail.condition("Progressing")[2], 10,
               "it says which node it waits for")
    mail.api.patch(f"{RELAYS}/edge", {"metadata": {"annotations": {FORCE: "true"}}})
    wait_until(lambda: is_gone(mail), 10, "it waits for nobody")
    assert f"not drained: the annotation {FORCE} did not let it wait" in mail.wait_for_event("Warning", "SpoolRetained")


def test_a_namespace_that_is_deleted_is_not_held_up(mail, plane):
    """The server's namespace stays Terminating here: there is no controller that would empty it."""
    plane.kubectl("create", "namespace", "leaving")
    relays = "/apis/smtp.buildinglink.com/v1alpha1/namespaces/leaving/smtprelays"
    body = world.relay(spool={"type": "HostPath", "onDelete": "DrainThenDelete"})
    body["metadata"]["namespace"] = "leaving"
    operator = Operator("leaving", plane.kubeconfig("admin"), mail.folder, "--namespaces", "leaving", "--no-leader-elect")
    mail.operators.append(operator)
    operator.start()
    plane.api.create(relays, body)
    wait_until(lambda: plane.api.get(f"{relays}/edge")["metadata"].get("finalizers") == [FINALIZER], 10, "it is held")
    wait_until(lambda: plane.api.find("/apis/apps/v1/namespaces/leaving/daemonsets/edge-smtp-relay"), 10, "its DaemonSet")
    plane.kubectl("delete", "namespace", "leaving", "--wait=false")
    plane.api.delete(f"{relays}/edge")
    wait_until(lambda: plane.api.find(f"{relays}/edge") is None, 10, "it goes with its namespace")
    record, = wait_until(lambda: operator.records("farewell"), 5, "no Event can be made there, so the log tells")
    assert record["reason"] == "SpoolRetained" and "its namespace is being deleted" in record["message"], record


def test_without_the_right_to_hold_it_a_relay_is_served_and_says_so(mail, plane):
    role = "/apis/rbac.authorization.k8s.io/v1/namespaces/mail/roles/smtp-relay-operator"
    rules = plane.api.get(role)["rules"]
    poorer = [dict(rule, verbs=[verb for verb in rule["verbs"] if verb != "patch"]) if rule["resources"] == ["smtprelays"] else rule
              for rule in rules]
    try:
        plane.api.patch(role, {"rules": poorer})
        mail.operator()
        drained_relay(mail)
        wait_until(lambda: "a deletion will not wait for the mail" in mail.condition("Progressing")[2], 10, "it says so")
        assert finalizers(mail) == []
        mail.api.delete(f"{RELAYS}/edge")
        wait_until(lambda: is_gone(mail), 5, "and nothing holds it")
    finally:
        plane.api.patch(role, {"rules": rules})
