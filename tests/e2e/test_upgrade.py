"""Helm goes back to the previous version and forth again while mail flows: nothing is lost, and an operator alone restarts
no relay. hack/previous/images has given the nodes the previous images."""

import collections
import contextlib
import dataclasses
import json
import pathlib
import re
import time

import cluster
import estate
import previous
import pytest
import smarthost
from cluster import NODES, kubectl
from estate import BALANCER, NAMESPACE, OPERATOR
from traffic import Traffic
from waiting import stays_true, wait_until

CHART = cluster.ROOT / "charts/smtp-relay-operator"
# What an operator may write of a relay that it finds in order.
TOLD = {("smtprelays", "status"), ("events", "")}


@dataclasses.dataclass
class Installed:
    """What a release consists of."""

    chart: pathlib.Path
    operator: str  # image references
    relay: str


def helm(*arguments):
    return cluster.run(cluster.BUILD / "tools/bin/helm", *arguments, "--namespace", NAMESPACE, "--kubeconfig", cluster.KUBECONFIG,
                       timeout=180).stdout


def install(wanted):
    def image(value, reference):
        repository, _, tag = reference.rpartition(":")
        return ["--set", f"{value}.repository={repository},{value}.tag={tag}"]
    begun = time.monotonic()
    helm("upgrade", OPERATOR, wanted.chart, "--hide-notes", "--wait", "--timeout", "2m", *image("image", wanted.operator),
         *image("relayImage", wanted.relay))
    print(f"helm upgrade: {time.monotonic() - begun:.0f} s")


@pytest.fixture
def versions():
    """(previous, present); behind the test the present one is installed, as hack/deploy did."""
    previous.check_built()
    values = json.loads(helm("get", "values", OPERATOR, "--output", "json"))
    operator, relay = ("{repository}:{tag}".format(**values[name]) for name in ("image", "relayImage"))
    present = Installed(CHART, operator, relay)
    yield Installed(previous.CHART, previous.image("operator"), previous.image("relay")), present
    install(present)
    wait_until(lambda: images() == dict.fromkeys(NODES, present.relay), 180, "the present relays are back")
    estate.wait_until_ready()


def images():
    """{node: the relay's image} of pods that are ready."""
    return {node: pod["spec"]["containers"][0]["image"] for node, pod in estate.pods().items()
            if pod["status"]["containerStatuses"][0]["ready"]}


def daemon_set():
    return cluster.get("daemonset", "-n", NAMESPACE, estate.CHILDREN["daemonset"])


def change_operator(wanted):
    """Another chart and operator with the relays' image as it is: nothing happens to relays."""
    pods, before, since = estate.restarts(estate.pods()), daemon_set(), time.time()
    install(wanted)
    wait_until(lambda: image_of(estate.operator_pod()) == wanted.operator, 60, "the other operator runs alone")
    wait_until(estate.operator_has_looked, 60, "it has looked at the relay")

    def untouched():
        found = daemon_set()
        assert found["spec"] == before["spec"], "another pod template"
        assert found["metadata"]["generation"] == before["metadata"]["generation"]
        assert estate.restarts(estate.pods()) == pods
        written = {(write["resource"], write.get("subresource", "")) for write in estate.operator_writes(since)}
        assert written <= TOLD, written
        return True
    stays_true(untouched, 10, "no relay has noticed")
    estate.wait_until_ready()


def image_of(pod):
    return pod["spec"]["containers"][0]["image"]


def change_relays(wanted):
    """Another operator, and another image of the relays: node by node, and one at a time is away."""
    away, begun = set(), time.monotonic()
    install(wanted)

    def rolled():
        with contextlib.suppress(OSError):
            up = {node for node, status in cluster.load_balancer().items() if status == "UP"}
            away.add(len(NODES) - len(up))
        return images() == dict.fromkeys(NODES, wanted.relay)
    wait_until(rolled, 240, f"every node has {wanted.relay}")
    estate.wait_until_ready()
    assert max(away) <= 1, f"the load balancer missed {max(away)} nodes at a time"
    print(f"all relays replaced after {time.monotonic() - begun:.0f} s")


def check_custody(traffic):
    """Accepted = delivered + queued, message by message, in the midst of it: first is read where mail comes from."""
    accepted = {queue_id: subject for subject, _, queue_id in traffic.accepted()}
    queued = {message["queue_id"] for pod in estate.pods().values()
              for message in json.loads(estate.ctl(pod, "queue", "--json", "--limit", "10000"))}
    taken = at_smarthost()
    lost = {subject for queue_id, subject in accepted.items() if queue_id not in queued and subject not in taken}
    print(f"{len(accepted)} accepted, {len(queued)} queued, {len(taken)} at the smarthost")
    assert not lost, f"neither delivered nor queued: {sorted(lost)}"


def at_smarthost():
    """Subjects that Exim has taken: those in its own queue, by their recipients, and then those in the mailbox."""
    waiting = set()
    for file in (smarthost.FOLDER / "spool/exim4/input").rglob("*-H"):
        with contextlib.suppress(FileNotFoundError):
            waiting |= set(re.findall(r"^(upgrade-\d+)@", file.read_text(errors="replace"), re.M))
    return waiting | set(estate.subjects())


def stop_smarthost():
    """Returns of how many messages the relays can't know whether it has taken them: those they send again."""
    cluster.peer("stop", "smarthost")
    return estate.possible_duplicates()


def check_copies(traffic, unknown):
    """All arrive; twice only what the client sent again because a connection was lost, and what `unknown` counts."""
    wait_until(lambda: not estate.waiting() and traffic.subjects <= set(estate.subjects()), 180, "all of them in the mailbox")
    copies = collections.Counter(estate.subjects())
    assert set(copies) == traffic.subjects
    repeated = {subject for subject, attempts, _ in traffic.accepted() if int(attempts) > 1}
    twice = {subject for subject, count in copies.items() if count > 1}
    print(f"{len(copies)} sent and delivered, {len(repeated)} of them sent again by the client, {unknown:.0f} by relays; "
          f"{len(twice)} arrived twice")
    assert len(twice - repeated) <= unknown, f"duplicates that nobody can explain: {sorted(twice - repeated)}"


def test_versions_change_under_traffic_and_nothing_is_lost(versions):
    former, present = versions
    assert former.relay != present.relay and images() == dict.fromkeys(NODES, present.relay)
    with Traffic(BALANCER, 10_000, "upgrade", every=0.2) as traffic:
        wait_until(lambda: len(traffic.accepted()) >= 20, 60, "some messages")
        # All of it, back: queues of this version are the previous one's.
        unknown = stop_smarthost()
        change_relays(former)
        check_custody(traffic)
        assert estate.waiting() > 0, "mail waits in the spools"
        cluster.peer("start", "smarthost")
        # The operator alone, forth and back.
        for wanted in (present, former):
            change_operator(dataclasses.replace(wanted, relay=former.relay))
            check_custody(traffic)
        # All of it, forth.
        unknown += stop_smarthost()
        change_relays(present)
        check_custody(traffic)
        assert estate.waiting() > 0, "mail waits in the spools"
        cluster.peer("start", "smarthost")
        traffic.stop(120)
        check_copies(traffic, unknown + estate.possible_duplicates())
