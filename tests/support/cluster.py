"""The local cluster of hack/cluster, seen from a test: kubectl, its hosts, peers and control plane."""

import json
import os
import pathlib
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD", ROOT / "build"))
DATA = BUILD / "cluster"
KUBECONFIG = DATA / "kubeconfig"
CA = DATA / "pki" / "ca.crt"
DOMAIN = "mail.test"
LOAD_BALANCER_SOCKET = "/run/smtp-relay-cluster/lb.sock"


def _hosts():
    lines = (line.split("#")[0].split() for line in (ROOT / "hack/cluster/hosts").read_text().splitlines())
    return {parts[1]: parts[0] for parts in lines if parts}


ADDRESS = _hosts()
NODES = [name for name in ADDRESS if name.startswith("node")]


class Failed(subprocess.SubprocessError):
    """A command ended with an error; the message holds what it wrote."""


def run(*command, input=None, timeout=120, check=True):
    """Runs a command and returns it with its output as text."""
    command = [str(part) for part in command]
    done = subprocess.run(command, input=input, timeout=timeout, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}{done.stdout}")
    return done


def inside(host, *command, **options):
    """Runs a command on one of the hosts; the third-party programs of hack/peers are on its PATH."""
    return run(*inside_command(host, *command), **options)


def inside_command(host, *command):
    """The same as a list, for subprocess.Popen."""
    return [str(part) for part in (ROOT / "hack/cluster/in", host, ROOT / "hack/peers/run", *command)]


def kubectl(*arguments, **options):
    return run(ROOT / "hack/cluster/kubectl", *arguments, **options).stdout


def get(kind, *arguments):
    """An object, or a list's items, as Python values: get("pod", "-n", "mail", "-l", "app=x")."""
    found = json.loads(kubectl("get", kind, *arguments, "-o", "json"))
    return found["items"] if "items" in found else found


def apply(manifest):
    """Applies a manifest: text, or Python values."""
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    return kubectl("apply", "-f", "-", input=text)


def peer(verb, name, *options):
    """start, stop, restart or status of dns, lb, smarthost or sink; options are the program's."""
    extra = ["--", *options] if options else []
    return run(ROOT / "hack/cluster/peer", verb, name, *extra, check=verb != "status")


def control(verb, name):
    """start, stop, restart or status of etcd, apiserver, controller-manager or scheduler."""
    return run(ROOT / "hack/cluster/control", verb, name, check=verb != "status")


def kubelet(verb, node):
    """start, stop, restart or status of a node's kubelet; its containers run on without it."""
    return run(ROOT / "hack/cluster/kubelet", verb, node, check=verb != "status")


def network_of(host):
    """The file of its network namespace: see namespaces.py."""
    return pathlib.Path("/run/netns", f"smtp-relay-{host}")


def pods(namespace, selector):
    """The pods that are not already on their way out."""
    found = get("pods", "-n", namespace, "-l", selector)
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def kill_pod(namespace, name):
    """Takes the pod away at once: its containers get SIGKILL."""
    kubectl("delete", "pod", "-n", namespace, name, "--grace-period=0", "--force", "--wait=false")


def node_of(pod):
    return pod["spec"]["nodeName"]


def disk_of(node):
    """Where a node's /var lies on this machine."""
    return DATA / "nodes" / node / "var"


def load_balancer():
    """What HAProxy thinks of each node: {"node1": "UP", ...}."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(LOAD_BALANCER_SOCKET)
        connection.sendall(b"show stat\n")
        table = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    rows = [line.split(",") for line in table.lstrip("# ").splitlines() if line]
    status = rows[0].index("status")
    return {row[1]: row[status] for row in rows[1:] if row[0] == "nodes" and row[1] in NODES}


def writes(account, since=0.0):
    """The writes of a ServiceAccount ("namespace:name") since a time of time.time(), from the audit log."""
    user = "system:serviceaccount:" + account
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since))
    entries = map(json.loads, (DATA / "log/audit.log").read_text().splitlines())
    return [
        {"verb": entry["verb"], "code": entry["responseStatus"]["code"], **entry.get("objectRef", {})}
        for entry in entries
        if entry["user"]["username"] == user and entry["requestReceivedTimestamp"] >= moment
    ]
