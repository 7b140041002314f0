"""What the tests do in the namespace `mail`."""

import copy
import json
import subprocess

from control_plane import ROOT, TOOLS, ApiError
from processes import Operator
from waiting import wait_until

NAMESPACE = "mail"
# Users with the rights of the chart.
OPERATORS = ("operator-a", "operator-b", "operator-c")
CRD = ROOT / "crds/smtp.buildinglink.com_smtprelays.yaml"
CHART = ROOT / "charts/smtp-relay-operator"
RELAYS = f"/apis/smtp.buildinglink.com/v1alpha1/namespaces/{NAMESPACE}/smtprelays"
CORE = f"/api/v1/namespaces/{NAMESPACE}"
DAEMON_SETS = f"/apis/apps/v1/namespaces/{NAMESPACE}/daemonsets"
NETWORK_POLICIES = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"
EVENTS = f"/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events"
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
# Where the children of a relay named `edge` are.
CHILDREN = {
    "DaemonSet": f"{DAEMON_SETS}/edge-smtp-relay",
    "ConfigMap": f"{CORE}/configmaps/edge-smtp-relay",
    "ServiceAccount": f"{CORE}/serviceaccounts/edge-smtp-relay",
    "Service": f"{CORE}/services/edge-smtp-relay",
}
MINIMAL = {"access": {"allowedNetworks": ["10.20.0.0/16"]}, "smarthosts": [{"name": "primary", "host": "smtp.test"}]}


def install(plane):
    """The definition, the namespace, and the rights of the chart for the users of OPERATORS."""
    plane.kubectl("apply", "--server-side", "-f", CRD)
    plane.kubectl("create", "namespace", NAMESPACE)
    # Established is not enough: its storage comes a moment later.
    wait_until(lambda: plane.kubectl("get", "smr", "-n", NAMESPACE, check=False).startswith("No resources"), 30,
               "SmtpRelays can be listed")
    for manifest in chart(plane):
        if manifest["kind"] not in ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"):
            continue
        if manifest["kind"].endswith("Binding"):
            manifest["subjects"] += [{"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
                                     for name in OPERATORS]
        plane.kubectl("apply", "-f", "-", input=json.dumps(manifest))


def chart(plane, *options):
    """The chart's objects with its default values and these options."""
    command = [TOOLS / "helm", "template", "smtp-relay-operator", CHART, "--namespace", NAMESPACE,
               "--kube-version", "1.34.0", *options]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    text = plane.kubectl("create", "--dry-run=client", "-o", "json", "-f", "-", input=done.stdout)
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        item, end = decoder.raw_decode(text)
        found += item["items"] if item["kind"] == "List" else [item]
        text = text[end:]
    return found


class Mail:
    def __init__(self, plane, folder):
        self.plane, self.api, self.folder = plane, plane.api, folder
        self.operators = []
        self.before = {user: len(plane.writes(user)) for user in OPERATORS}

    # ---- operators ----

    def operator(self, name="operator-a", *flags, port=None):
        """A running operator as one of OPERATORS, or as the administrator."""
        token = "operator-b-token" if name == "operator-b" else None
        operator = Operator(name, self.plane.kubeconfig(name, port, token), self.folder, *flags)
        self.operators.append(operator)
        return operator.start()

    def stop_operators(self):
        for operator in self.operators:
            if operator.process is not None:
                operator.kill()

    def clear(self):
        """Removes what tests leave. There is no garbage collector here: children too."""
        for path in (RELAYS, DAEMON_SETS, f"{CORE}/configmaps", f"{CORE}/serviceaccounts", f"{CORE}/services", f"{CORE}/secrets",
                     f"{CORE}/pods", NETWORK_POLICIES, EVENTS, LEASES):
            for item in self.api.get(path)["items"]:
                try:
                    if item["metadata"].get("finalizers"):
                        self.api.patch(f"{path}/{item['metadata']['name']}", {"metadata": {"finalizers": None}})
                    self.api.request("DELETE", f"{path}/{item['metadata']['name']}", {"gracePeriodSeconds": 0})
                except ApiError as error:
                    if error.code != 404:
                        raise

    # ---- objects ----

    def apply(self, name="edge", **changes):
        """Creates or replaces an SmtpRelay: the minimal spec with these fields."""
        body = relay(name, **changes)
        live = self.api.find(f"{RELAYS}/{name}")
        if live is None:
            return self.api.create(RELAYS, body)
        while True:
            body["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
            try:
                return self.api.request("PUT", f"{RELAYS}/{name}", body)
            except ApiError as error:
                if error.code != 409:  # the operator was faster, with a status
                    raise
            live = self.api.get(f"{RELAYS}/{name}")

    def relay(self, name="edge"):
        return self.api.get(f"{RELAYS}/{name}")

    def secret(self, name, kind="Opaque", **entries):
        return self.api.create(f"{CORE}/secrets", {"metadata": {"name": name}, "type": kind, "stringData": entries})

    def config_map(self, name, **entries):
        return self.api.create(f"{CORE}/configmaps", {"metadata": {"name": name}, "data": entries})

    def child(self, kind):
        return self.api.find(CHILDREN[kind])

    def settings_key(self):
        """Which of the ConfigMap's settings the pods of the present template read."""
        return self.child("DaemonSet")["spec"]["template"]["metadata"]["annotations"]["smtp.buildinglink.com/settings"]

    def settings(self):
        return self.child("ConfigMap")["data"][self.settings_key()]

    def roll_out(self, updated, desired):
        """What the DaemonSet controller would say of the present template."""
        self.api.patch(CHILDREN["DaemonSet"] + "/status", {"status": {
            "observedGeneration": self.child("DaemonSet")["metadata"]["generation"], "numberMisscheduled": 0,
            "desiredNumberScheduled": desired, "currentNumberScheduled": desired, "numberReady": desired,
            "updatedNumberScheduled": updated, "numberAvailable": desired}})

    def pod(self, name, node=None):
        """A pod as the DaemonSet controller would make it; nothing runs it."""
        owner = self.child("DaemonSet")
        template = copy.deepcopy(owner["spec"]["template"])
        if node:
            template["spec"]["nodeName"] = node
        return self.api.create(f"{CORE}/pods", {
            "metadata": {"name": name, **template["metadata"], "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "DaemonSet", "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}]},
            "spec": template["spec"]})

    def events(self, name="edge"):
        """[(type, reason, note)] of what was told of a relay, in the order in which it began."""
        found = [event for event in self.api.get(EVENTS)["items"]
                 if event["regarding"]["kind"] == "SmtpRelay" and event["regarding"]["name"] == name]
        found.sort(key=lambda event: event["eventTime"])
        return [(event["type"], event["reason"], event["note"]) for event in found]

    def pod_says(self, name, node, **status):
        """What kubelet or the scheduler would say of a pod."""
        path = f"{CORE}/pods/{name}"
        if node and not self.api.get(path)["spec"].get("nodeName"):
            self.api.create(f"{path}/binding", {"metadata": {"name": name}, "target": {"kind": "Node", "name": node}})
        self.api.patch(f"{path}/status", {"status": status})

    # ---- waiting ----

    def condition(self, kind, name="edge"):
        """(status, reason, message), or three times nothing."""
        for each in self.relay(name).get("status", {}).get("conditions", []):
            if each["type"] == kind:
                return each["status"], each["reason"], each["message"]
        return None, None, ""

    def wait_for_condition(self, kind, status, reason, name="edge", seconds=10):
        wait_until(lambda: self.condition(kind, name)[:2] == (status, reason), seconds,
                   f"{kind}={status} {reason}; now {self.condition(kind, name)}")
        return self.condition(kind, name)[2]

    def wait_for_event(self, kind, reason, name="edge", seconds=10):
        """Its note."""
        return wait_until(lambda: [note for *head, note in self.events(name) if head == [kind, reason]], seconds,
                          f"{kind} {reason} is told")[-1]

    def wait_for_children(self):
        wait_until(lambda: all(self.child(kind) for kind in CHILDREN), 10, "all children exist")
        self.wait_for_condition("ConfigValid", "True", "Accepted")

    def writes(self, user="operator-a", told=False):
        """The audit records of a user's writes in this test, but for those to its Lease, and to Events unless `told`."""
        return [write for write in self.plane.writes(user)[self.before[user]:]
                if told or write["objectRef"]["resource"] != "events"]

    def versions(self):
        """resourceVersions of everything in the namespace but the Lease."""
        found = {}
        for path in (RELAYS, DAEMON_SETS, f"{CORE}/configmaps", f"{CORE}/serviceaccounts", f"{CORE}/services", f"{CORE}/secrets",
                     f"{CORE}/pods"):
            for item in self.api.get(path)["items"]:
                found[f"{path}/{item['metadata']['name']}"] = item["metadata"]["resourceVersion"]
        return found


def relay(name="edge", **changes):
    return {"apiVersion": "smtp.buildinglink.com/v1alpha1", "kind": "SmtpRelay",
            "metadata": {"name": name, "namespace": NAMESPACE}, "spec": {**copy.deepcopy(MINIMAL), **changes}}
