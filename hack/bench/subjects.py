"""The operators that are measured: ours, and one that is made as controller-runtime's makers propose."""

import http.client
import subprocess
import time

from estate import ROOT, until
from gauges import Gauge
from ports import free_port
from processes import Operator, Process

SCAFFOLD = ROOT / "build/bench/scaffold"


def is_ready(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


class Subject:
    """A running operator; ends with its `with`."""

    def __enter__(self):
        self.log.unlink(missing_ok=True)  # of an earlier start
        self.started = time.time()
        self.launch()
        try:
            until(lambda: self.check_alive() and is_ready(self.health_port), 300, f"{self.name} is ready", every=0.003)
        except BaseException:  # an __enter__ that fails has no __exit__
            self.kill()
            raise
        self.ready_after = time.time() - self.started
        self.gauge = Gauge(self.process.pid)
        return self

    def __exit__(self, *_):
        if self.process is not None:
            self.stop(60)


class Ours(Subject, Operator):
    """smtp-relay-operator, as one of the users of the chart's rights."""

    # How the names of its children end, and the verb that it changes a DaemonSet with.
    suffix, changes_by, namespace = "-smtp-relay", "patch", "mail"

    def __init__(self, estate, *flags, user="operator-a", port=None):
        token = "operator-b-token" if user == "operator-b" else None
        Operator.__init__(self, user, estate.plane.kubeconfig(user, port, token), estate.folder, *flags)

    def launch(self):
        Process.start(self)

    def reconciles(self):
        text = self.http(self.metrics_port, "/metrics")[1]
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines()
                   if line.startswith("controller_runtime_reconcile_total{"))


class Scaffold(Subject, Process):
    """hack/bench/scaffold in one namespace."""

    suffix, changes_by = "-scaffold", "update"

    def __init__(self, estate, namespace, *flags):
        self.namespace = namespace
        self.health_port = free_port()
        Process.__init__(self, "scaffold", [
            SCAFFOLD, "--kubeconfig", estate.plane.kubeconfig("scaffold"), "--namespace", namespace,
            "--health-addr", f"127.0.0.1:{self.health_port}", *flags], estate.folder)

    def launch(self):
        Process.start(self)


def build_scaffold():
    subprocess.run([ROOT / "hack/bench/build", "scaffold"], check=True)
