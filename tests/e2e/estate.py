"""The relay `edge` of the local cluster: its resource, its pods, and the world back in order for each test.

The operator comes from hack/deploy. `edge` takes mail on port 25 of every node, from the cluster's own network and
from pods; the load balancer says who its client is; mail goes to the smarthost with the Secret's credentials. What comes
from signing.DOMAIN is signed, reports to senders too.
"""

import contextlib
import json
import pathlib
import re
import subprocess
import time
import urllib.request

import cluster
import signing
import smarthost
from cluster import ADDRESS, NODES, get, kubectl
from sink_store import Store
from waiting import wait_until

NAMESPACE = "mail"
NAME = "edge"
SELECTOR = f"app.kubernetes.io/name=smtp-relay,app.kubernetes.io/instance={NAME}"
OPERATOR = "smtp-relay-operator"
CHILDREN = {"daemonset": "edge-smtp-relay", "configmap": "edge-smtp-relay", "serviceaccount": "edge-smtp-relay",
            "service": "edge-smtp-relay"}
SMARTHOST = f"smarthost.{cluster.DOMAIN}"
BALANCER = ADDRESS["lb"]
CLIENT = ADDRESS["client"]
SINK = Store(cluster.DATA / "peers/sink/mail")
QUICK_TEST = ("HELO 1\nMAIL FROM: marc@buildinglink.com\nRCPT TO: codemarc@gmail.com\nDATA\n"
              "Subject: A Test\nThis is just a test\n.\nQUIT\n")
TO_SMARTHOST = {"name": "primary", "host": SMARTHOST, "port": 587,
                "tls": {"mode": "Required", "caRef": {"configMap": "smarthost-ca"}}}
# Where mail goes while the smarthost is away; it asks for no credentials. A connection to it that is there is used for
# as many messages as it may have, also when the smarthost is back.
TO_STANDBY = {"name": "standby", "host": f"sink.{cluster.DOMAIN}", "port": 587, "priority": 20, "limits": {"messagesPerConnection": 2},
              "tls": {"mode": "Required", "caRef": {"configMap": "smarthost-ca"}}}
# The disk of the machine that tests may be as full as it likes.
SPOOL = {"minFreePercent": 0}
# With the authorities that it does not need: a volume less would be another pod template, and new pods.
TO_SINK = {"name": "primary", "host": f"sink.{cluster.DOMAIN}", "port": 25,
           "tls": {"mode": "None", "caRef": {"configMap": "smarthost-ca"}}}


def spec(**changes):
    return {
        # Pods too, so that a client that the node's network hides is refused for being hidden, not for being unknown.
        "access": {"allowedNetworks": ["10.1.40.0/24", "10.140.0.0/16"]},
        "network": {"proxyProtocol": {"trustedNetworks": [BALANCER + "/32"]}},
        "smarthosts": [TO_SMARTHOST],
        "passwdClientSecretRef": {"name": "smarthost"},
        "retry": {"initialDelay": "1s", "mxInitialDelay": "1s", "maxDelay": "5s"},
        "dkim": [{"domain": signing.DOMAIN, "selector": signing.SELECTOR, "secretRef": {"name": "dkim"}}],
        "bounces": {"from": f"postmaster@{signing.DOMAIN}"},
        # The load balancer's probe notices within two seconds.
        "drain": {"lameDuck": "5s", "sessionTimeout": "10s"},
        "spool": SPOOL,
        **changes,
    }


def relay(**changes):
    return {"apiVersion": "smtp.buildinglink.com/v1alpha1", "kind": "SmtpRelay",
            "metadata": {"name": NAME, "namespace": NAMESPACE}, "spec": spec(**changes)}


def secret(user, password):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "smarthost", "namespace": NAMESPACE},
            "stringData": {"passwd.client": f"# the only host with credentials\n{SMARTHOST}:{user}:{password}\n"}}


def authority():
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "smarthost-ca", "namespace": NAMESPACE},
            "data": {"ca.crt": cluster.CA.read_text()}}


def apply(**changes):
    cluster.apply(relay(**changes))


def put_in_force(**changes):
    """Applies the resource and waits until every relay has read what the operator made of it. Returns the seconds."""
    before = readings()
    settings = rendered()
    begun = time.monotonic()
    apply(**changes)

    def has_read(pod):
        file, count = before.get(uid_of(pod), ("", -1))
        present = settings_file(pod)
        # A file that is as it was has been read before: the node may have missed what was there in between.
        return json.loads(present) in rendered_settings() and (present == file or reloads(pod) > count)

    def is_in_force():
        found = resource()
        assert found["status"]["observedGeneration"] == found["metadata"]["generation"], found["status"]
        present = pods()
        late = [] if rendered() == settings else [node for node, pod in present.items() if not has_read(pod)]
        assert len(present) == len(NODES) and not late, f"{sorted(present)} are there, {late} have not read them"
        return True
    # Long enough for pods that are replaced one by one, where the change asks for that.
    wait_until(is_in_force, 150, "the relays use the present settings")
    return time.monotonic() - begun


def readings():
    """{uid: (settings, reloads)} of the pods that answer; one that does not is new, and will read what there is."""
    found = {}
    for pod in pods().values():
        with contextlib.suppress(OSError, LookupError, cluster.Failed):
            found[uid_of(pod)] = (settings_file(pod), reloads(pod))
    return found


def settings_file(pod):
    """What the pod's relay reads, as kubelet has written it."""
    return kubectl("-n", NAMESPACE, "exec", pod["metadata"]["name"], "-c", "relay", "--", "cat",
                   "/etc/smtp-relay/config/relay.json")


def rendered_settings():
    return [json.loads(text) for text in get("configmap", "-n", NAMESPACE, CHILDREN["configmap"])["data"].values()]


def rendered():
    """The relay's settings as the operator wrote them."""
    return kubectl("-n", NAMESPACE, "get", "configmap", CHILDREN["configmap"], "--ignore-not-found", "-o", "jsonpath={.data}")


def in_order():
    """Brings everything back to where each test starts. What is so already is left alone."""
    for name in ("dns", "lb", "smarthost", "sink"):
        cluster.peer("start", name)
    if json.loads(kubectl("-n", NAMESPACE, "get", "deployment", OPERATOR, "-o", "json"))["spec"]["replicas"] != 1:
        kubectl("-n", NAMESPACE, "scale", f"deployment/{OPERATOR}", "--replicas=1")
    user, password = smarthost.credentials()
    for manifest in (authority(), secret(user, password), signing.secret(NAMESPACE)):
        cluster.apply(manifest)
    put_in_force()
    wait_until_ready()
    wait_until(lambda: not waiting(), 60, "nothing waits")
    smarthost.clear()
    SINK.clear()


def resource():
    return get("smr", "-n", NAMESPACE, NAME)


def condition(kind):
    found = [each for each in resource().get("status", {}).get("conditions", []) if each["type"] == kind]
    return found[0] if found else {"status": "", "reason": "", "message": ""}


def wait_until_ready(seconds=120):
    """Every node takes mail, by the present spec, and the load balancer knows."""
    def ready():
        found = resource()
        status = found.get("status", {})
        assert status.get("observedGeneration") == found["metadata"]["generation"], status
        assert status.get("availableNodes") == status.get("updatedNodes") == len(NODES), status
        assert condition("Ready")["status"] == "True", condition("Ready")
        assert set(cluster.load_balancer().values()) == {"UP"}, cluster.load_balancer()
        return True
    wait_until(ready, seconds, "every relay is ready and behind the load balancer", every=0.5)


def told(reason, text):
    """The notes of the resource's Events with this reason that hold the text."""
    found = get("events.events.k8s.io", "-n", NAMESPACE)
    return [event["note"] for event in found if event["reason"] == reason and text in event["note"]
            and event["regarding"].get("name") == NAME]


# ---- pods ----

def pods():
    """{node: pod} of the relays that are not on their way out."""
    return {cluster.node_of(pod): pod for pod in cluster.pods(NAMESPACE, SELECTOR)}


def names(found):
    return {node: pod["metadata"]["name"] for node, pod in found.items()}


def restarts(found):
    return {node: (pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"])
            for node, pod in found.items()}


def metrics(pod):
    """The text of a relay's or operator's /metrics; pods can be reached from the machine."""
    port = 9090 if "relay" in [each["name"] for each in pod["spec"]["containers"]] else 8080
    with urllib.request.urlopen(f"http://{pod['status']['podIP']}:{port}/metrics", timeout=5) as answer:
        return answer.read().decode()


def metric(pod, series):
    found = re.search(rf"^{re.escape(series)} (\S+)$", metrics(pod), re.M)
    assert found, f"there is no series {series}"
    return float(found[1])


def reloads(pod):
    return metric(pod, 'smtp_relay_config_reloads_total{result="applied"}')


def uid_of(pod):
    return pod["metadata"]["uid"]


def waiting():
    """Messages that wait, on all nodes."""
    return sum(metric(pod, "smtp_relay_queue_messages") for pod in pods().values())


def possible_duplicates():
    """Messages that a next hop may have taken without our knowing, since the pods started."""
    return sum(metric(pod, 'smtp_relay_possible_duplicates_total{side="out"}') for pod in pods().values())


def everything_that_is_told():
    """(place, text) of all where no secret may stand."""
    for node, pod in pods().items():
        yield f"the log of {node}", logs(pod)
        yield f"the metrics of {node}", metrics(pod)
        yield f"what relayctl says on {node}", ctl(pod, "status", "--json") + ctl(pod, "queue", "--json")
    yield "the operator's log", kubectl("-n", NAMESPACE, "logs", f"deployment/{OPERATOR}")
    yield "the operator's metrics", metrics(operator_pod())
    yield "the resource and what was made of it", kubectl(
        "-n", NAMESPACE, "get", "smr,daemonset,pod,configmap,service,serviceaccount,lease", "-o", "yaml")
    yield "the events", kubectl("-n", NAMESPACE, "get", "events", "-o", "yaml")


def logs(pod):
    return kubectl("-n", NAMESPACE, "logs", pod["metadata"]["name"], "-c", "relay")


def records(pod, event):
    lines = [json.loads(line) for line in logs(pod).splitlines()]
    return [line for line in lines if line["event"] == event]


def ctl(pod, *arguments):
    return kubectl("-n", NAMESPACE, "exec", pod["metadata"]["name"], "-c", "relay", "--", "relayctl", *arguments)


def process_of(pod, program="/usr/bin/smtp-relay"):
    """A pod's process on this machine, found by its cgroup."""
    uid = pod["metadata"]["uid"]
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            is_it = (entry / "cmdline").read_bytes().startswith(program.encode() + b"\0")
            groups = (entry / "cgroup").read_text()
        except OSError:
            continue
        if is_it and (uid in groups or uid.replace("-", "_") in groups):
            return int(entry.name)
    raise LookupError(f"no process of the pod {pod['metadata']['name']}")


# ---- operator ----

def operator_pod():
    found = cluster.pods(NAMESPACE, f"app.kubernetes.io/name={OPERATOR}")
    assert len(found) == 1, found
    return found[0]


def operator_has_looked():
    """Whether it has reconciled a relay since it started."""
    series = 'controller_runtime_reconcile_total{{controller="smtprelay",result="{}"}}'
    return any(metric(operator_pod(), series.format(result)) >= 1 for result in ("success", "requeue_after"))


def operator_writes(since):
    """What the operator wrote since a time of time.time(), its Lease and questions for its rights aside."""
    others = ("leases", "selfsubjectaccessreviews")
    return [write for write in cluster.writes(f"{NAMESPACE}:{OPERATOR}", since) if write.get("resource") not in others]


# ---- mail ----

def envelopes():
    return [(each.sender, each.recipient) for each in smarthost.deliveries()]


def subjects():
    """Subjects in the mailbox, one for each copy."""
    return [str(each.message["Subject"]) for each in smarthost.deliveries()]


def submit(sender, *recipients, subject, host=BALANCER):
    """Sends one message; returns its queue id."""
    answer = say(host, 25, "EHLO client.mail.test", f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{each}>" for each in recipients),
                 "DATA", f"From: {sender}", f"Subject: {subject}", "", f"Message {subject}.", ".", "QUIT")
    taken = re.search(r"^250 2\.0\.0 OK queued as (\S+)$", answer, re.M)
    assert taken, answer
    return taken[1]


def say(host, port, *lines, source="client"):
    """A dialogue by netcat, all at once, with CRLF; returns what was answered."""
    text = "".join(line + "\r\n" for line in lines)
    return cluster.inside(source, "nc.openbsd", "-w", "20", host, port, input=text).stdout.replace("\r\n", "\n")


def converse(source, host, *lines, port=25):
    """A dialogue that waits for each reply; returns their last lines, the greeting's first."""
    command = cluster.inside_command(source, "nc.openbsd", "-w", "20", host, port)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
        replies = [reply_of(peer)]
        for line in lines:
            peer.stdin.write(line + "\r\n")
            peer.stdin.flush()
            replies.append(reply_of(peer))
        peer.stdin.close()
        peer.kill()
    return replies


def reply_of(peer):
    while (line := peer.stdout.readline())[3:4] == "-":
        pass
    return line.rstrip()
