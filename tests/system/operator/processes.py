"""Programs that tests start, watch and end; each by its own pid."""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

from ports import free_ports
from waiting import PATIENCE, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[3]
# A sanitized program takes more memory, as it takes more time.
MEMORY = PATIENCE
# A build with a sanitizer puts its programs elsewhere.
PROGRAM = pathlib.Path(os.environ.get("BIN", ROOT / "build/bin")) / "smtp-relay-operator"


class Process:
    """A program with its output in a file of the folder; can be started again."""

    def __init__(self, name, command, folder):
        self.name, self.command = name, [str(part) for part in command]
        self.log = folder / f"{name}.log"
        self.process = None

    def start(self):
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)

    def check_alive(self):
        assert self.process.poll() is None, f"{self.name} ended with {self.process.poll()}: {self.log.read_text()[-2000:]}"
        return True

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, seconds=20):
        """Ends it in the regular way, within PATIENCE times so many seconds; returns its exit code."""
        return self._end(signal.SIGTERM, seconds * PATIENCE)

    def kill(self):
        return self._end(signal.SIGKILL, 5)

    def _end(self, number, seconds):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise AssertionError(f"{self.name} did not end within {seconds} s of signal {number}") from None
        finally:
            self.process = None


class Operator(Process):
    """smtp-relay-operator against a control plane."""

    def __init__(self, name, kubeconfig, folder, *flags, program=PROGRAM):
        self.health_port, self.metrics_port = free_ports(2)
        super().__init__(name, [
            program, "--kubeconfig", kubeconfig, "--health-addr", f"127.0.0.1:{self.health_port}",
            "--metrics-addr", f"127.0.0.1:{self.metrics_port}", "--relay-image", "relay:test", *flags], folder)

    def start(self, ready=True):
        super().start()
        if ready:
            wait_until(lambda: self.check_alive() and self.http(self.health_port, "/readyz")[0] == 200, 20,
                       f"{self.name} is ready")
        return self

    def http(self, port, path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metric(self, series):
        """The value of a series by its whole name with labels, or 0."""
        text = self.http(self.metrics_port, "/metrics")[1]
        for line in text.splitlines():
            if line.startswith(series + " "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def is_leading(self):
        """Whatever its id."""
        return re.search(r'^leader_election_master_status\{name="smtp-relay-operator[^"]*"\} 1$',
                         self.http(self.metrics_port, "/metrics")[1], re.M) is not None

    def records(self, event=None):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [record for record in found if event is None or record["event"] == event]


class Proxy:
    """Passes TCP connections on, until it is told to cut them."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.is_cut = False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets, self.lock = set(), threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Ends all connections, and every new one as soon as it comes."""
        with self.lock:
            self.is_cut = True
            for each in self.sockets:
                _shut(each)
            self.sockets.clear()

    def mend(self):
        with self.lock:
            self.is_cut = False

    def close(self):
        self.cut()
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                if self.is_cut:
                    client.close()
                    continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port), timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            with self.lock:
                self.sockets |= {client, server}
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source, target):
        try:
            while octets := source.recv(65536):
                target.sendall(octets)
        except OSError:
            pass
        finally:
            _shut(source)
            _shut(target)


def _shut(each):
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def log(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr)
