"""A control plane with many SmtpRelays, and what its audit log says of an operator."""

import collections
import concurrent.futures
import datetime
import http.client
import json
import pathlib
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "tests/system/operator")]

import world  # noqa: E402
from control_plane import ApiError, ControlPlane  # noqa: E402
from waiting import wait_until  # noqa: E402

WRITERS = 8  # connections that objects are made over
SELECTOR = {"bench.example/matches": "nothing"}
CHILDREN = ("serviceaccounts", "configmaps", "daemonsets", "services")
# All requests of the operators; of everybody else the writes.
AUDIT_POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, users: [operator-a, operator-b, scaffold]}
- {level: Metadata, verbs: [create, update, patch, delete, deletecollection]}
- {level: None}
"""


def relays_path(namespace):
    return f"/apis/smtp.buildinglink.com/v1alpha1/namespaces/{namespace}/smtprelays"


class Estate:
    """A control plane of its own, with the definition and the chart's rights in the namespace `mail`."""

    def __init__(self, folder):
        self.folder = folder
        self.plane = ControlPlane(folder / "plane", AUDIT_POLICY)
        self.api = self.plane.api
        self.audit = AuditLog(self.plane.audit_log)

    def __enter__(self):
        self.plane.pki.issue("scaffold", "/O=system:masters/CN=scaffold")
        try:
            self.plane.start()
            world.install(self.plane)
        except BaseException:
            self.plane.stop()
            raise
        return self

    def __exit__(self, *_):
        self.plane.stop()

    def create_namespace(self, name):
        self.api.create("/api/v1/namespaces", {"metadata": {"name": name}})

    def children(self, namespace):
        """How many there are of the kind of child of which there are the fewest."""
        def count(kind):
            group = "/apis/apps/v1" if kind == "daemonsets" else "/api/v1"
            found = self.api.get(f"{group}/namespaces/{namespace}/{kind}?limit=1")
            return len(found["items"]) + found["metadata"].get("remainingItemCount", 0)
        return min(count(kind) for kind in CHILDREN)

    def create_relays(self, names, namespace=world.NAMESPACE, **changes):
        """No node runs them, and no rollout of theirs stalls while we look."""
        quiet = {"nodeSelector": SELECTOR, "rollout": {"stallAfter": "24h"}, **changes}

        def body(name):
            made = world.relay(name, **quiet)
            made["metadata"]["namespace"] = namespace
            return made
        self.in_parallel("POST", [(relays_path(namespace), body(name)) for name in names])

    def create_secrets(self, count, octets, namespace=world.NAMESPACE):
        value = "x" * octets
        self.in_parallel("POST", [(f"/api/v1/namespaces/{namespace}/secrets",
                                   {"metadata": {"name": f"unrelated-{number}"}, "stringData": {"value": value}})
                                  for number in range(count)])

    def edit(self, name, value, namespace=world.NAMESPACE):
        """Changes the pod template of a relay, and so its DaemonSet."""
        self.api.patch(f"{relays_path(namespace)}/{name}", {"spec": {"podMetadata": {"labels": {"edit": value}}}})

    def in_parallel(self, method, requests):
        """[(path, body)], over connections that are kept; much faster than one after another."""
        local = threading.local()

        def send(request):
            if not hasattr(local, "session"):
                local.session = Session(self.plane)
            local.session.send(method, *request)
        with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
            for _ in pool.map(send, requests):
                pass


class Session:
    """A connection to the API server that is kept, as the administrator. For one thread."""

    def __init__(self, plane):
        plane.api.get("/version")  # makes the context
        self.connection = http.client.HTTPSConnection("127.0.0.1", plane.api_port, timeout=60, context=plane.api.context)

    def send(self, method, path, body):
        self.connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        response = self.connection.getresponse()
        text = response.read()
        if response.status >= 300:
            raise ApiError(response.status, json.loads(text or b"{}"))


def seconds_of(text):
    return datetime.datetime.fromisoformat(text).timestamp()


class Record:
    """What the audit log says of one request."""

    def __init__(self, said):
        reference = said.get("objectRef", {})
        self.user, self.verb, self.stage = said["user"]["username"], said["verb"], said["stage"]
        self.id = said["auditID"]
        self.resource, self.name = reference.get("resource", ""), reference.get("name", "")
        self.namespace, self.subresource = reference.get("namespace", ""), reference.get("subresource", "")
        self.code = said.get("responseStatus", {}).get("code", 0)
        self.came, self.ended = seconds_of(said["requestReceivedTimestamp"]), seconds_of(said["stageTimestamp"])

    def is_write(self):
        return self.verb in ("create", "update", "patch", "delete", "deletecollection") and not self.asks_for_rights()

    def asks_for_rights(self):
        return self.resource == "selfsubjectaccessreviews"

    def makes_child(self):
        return self.resource in CHILDREN and self.code == 201


class AuditLog:
    """Read as it grows: each record once."""

    def __init__(self, path):
        self.path, self.position, self.records = path, 0, []

    def refresh(self):
        """All records so far."""
        with self.path.open("rb") as file:
            file.seek(self.position)
            text = file.read()
        whole = text[:text.rfind(b"\n") + 1]
        self.position += len(whole)
        self.records += [Record(json.loads(line)) for line in whole.splitlines()]
        return self.records

    def mark(self):
        """Where of() begins to count."""
        return len(self.refresh())

    def of(self, user, since=0):
        return [record for record in self.refresh()[since:] if record.user == user]

    def traffic(self, user, since):
        """{"update leases": 30, ...}: requests that were answered."""
        return collections.Counter(f"{record.verb} {record.resource or 'others'}" for record in self.of(user, since)
                                   if record.stage == "ResponseComplete")

    def open_watches(self, user, since):
        """How many of the watches that were begun since go on."""
        watches = [record for record in self.of(user, since) if record.verb == "watch"]
        ended = {record.id for record in watches if record.stage != "ResponseStarted"}
        return len({record.id for record in watches} - ended)


def until(predicate, seconds, what, every=0.05):
    return wait_until(predicate, seconds, what, every)
