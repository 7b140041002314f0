"""smtp-relay as a process of a test: started with settings, watched by its log, metrics and health."""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

from ports import free_ports
from waiting import PATIENCE, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A build with a sanitizer puts its programs elsewhere.
BIN = pathlib.Path(os.environ.get("BIN", ROOT / "build/bin"))

RESTART = 75  # the exit code of a relay that wants to be started anew (decisions 0064, 0108)

QUICK_TEST = (b"HELO 1\nMAIL FROM: marc@buildinglink.com\nRCPT TO: codemarc@gmail.com\nDATA\n"
              b"Subject: A Test\nThis is just a test\n.\nQUIT\n")


def patiently(predicate, seconds, what):
    return wait_until(predicate, seconds, what, every=0.05)


def relay_to(sink, folder, **settings):
    """A relay whose smarthost is the raw sink."""
    return Relay(folder, smarthost=f"127.0.0.1:{sink.port}", **settings)


def arrived(sink, count, seconds=20, to=None):
    """The messages that the raw sink has accepted, once they are `count`; only those for the recipient `to`."""
    def accepted():
        found = [message for message in sink.store.messages()
                 if message.accepted and (to is None or to in message.recipients)]
        return found if len(found) >= count else None
    return patiently(accepted, seconds, f"{count} messages at the sink")


class Relay:
    """A relay on loopback. Settings are given as in the table: Relay(folder, smarthost="127.0.0.1:25"). `programs`: the
    folder with smtp-relay and relayctl."""

    def __init__(self, folder, prefix=(), programs=BIN, **settings):
        self.folder, self.programs = pathlib.Path(folder), programs
        self.smtp_port, self.http_port, self.admin_port = free_ports(3)
        self.settings = {
            "listen": f"127.0.0.1:{self.smtp_port}",
            "http_listen": f"127.0.0.1:{self.http_port}",
            "admin_listen": f"127.0.0.1:{self.admin_port}",
            "hostname": "relay.test",
            "spool_path": self.folder / "spool",
            "passwd_client": self.folder / "passwd.client",
            "allowed_networks": "127.0.0.0/8",
            "smarthost_tls": "none",
            "spool_min_free_percent": "0",
            "lame_duck": "0s",
            "session_drain_timeout": "5s",
            "flush_timeout": "0s",
            "retry_initial_delay": "200ms",
            "retry_max_delay": "1s",
            **settings,
        }
        self.prefix = list(prefix)
        self.log_file = self.folder / "relay.log"
        self.process = None

    def environment(self):
        mine = {f"SMTP_RELAY_{key.upper()}": str(value) for key, value in self.settings.items()}
        return {name: value for name, value in os.environ.items() if not name.startswith("SMTP_RELAY_")} | mine

    def start(self, wait=True, arguments=()):
        command = [*self.prefix, str(self.programs / "smtp-relay"), *arguments]
        with self.log_file.open("ab") as output:
            self.process = subprocess.Popen(command, env=self.environment(), stdout=output, stderr=output,
                                            stdin=subprocess.DEVNULL)
        if wait:
            patiently(self.is_ready, 20, "the relay is ready")
        return self

    def is_ready(self):
        assert self.process.poll() is None, f"the relay ended: {self.log_file.read_text()[-3000:]}"
        return self.get("/readyz")[0] == 200

    def get(self, path, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.http_port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metric(self, series):
        """The value of `smtp_relay_<series>`, its labels included."""
        found = re.search(rf"^smtp_relay_{re.escape(series)} (\S+)$", self.get("/metrics")[1], re.M)
        assert found, f"there is no series {series}"
        return float(found[1])

    def is_empty(self):
        return self.metric("queue_messages") == 0

    def has_written_its_log(self):
        """Whether what the relay has said is in its log: the thread that gathers lines for a moment, and writes them, waits
        for the next one."""
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*"):
            try:
                if (task / "comm").read_text() == "log\n":
                    return (task / "wchan").read_text().startswith("futex")
            except OSError:  # it has ended
                continue
        return True

    def records(self, event=None):
        """The log's records; everything that it writes is one JSON object a line."""
        patiently(self.has_written_its_log, 5, "the log is written")
        lines = self.log_file.read_text().splitlines()
        records = [json.loads(line) for line in lines]
        return [record for record in records if event is None or record["event"] == event]

    def ctl(self, *arguments):
        command = [self.programs / "relayctl", "--spool", self.settings["spool_path"], "--admin",
                   f"127.0.0.1:{self.admin_port}", *arguments]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def queue(self):
        return json.loads(self.ctl("queue", "--json"))

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self, seconds=30):
        """Ends it in the regular way; returns its exit code."""
        if self.process is None or self.process.poll() is not None:
            return self.process and self.process.returncode
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the relay did not end within {seconds} s:\n{self.log_file.read_text()[-3000:]}")

    def __enter__(self):
        """Starts it, unless it has been started, with arguments say."""
        is_running = self.process is not None and self.process.poll() is None
        return self if is_running else self.start()

    def __exit__(self, *_):
        self.stop()


class Client:
    """An SMTP client that says what it is told, one step at a time."""

    def __init__(self, port, greet="EHLO client.test", source=None, host="127.0.0.1", first=b""):
        """`source`: an address of this machine that it comes from, such as 127.0.0.2. `first`: sent before the banner is read."""
        come_from = (source, 0) if source else None
        self.connection = socket.create_connection((host, port), timeout=20 * PATIENCE, source_address=come_from)
        self.reader = self.connection.makefile("rb")
        self.write(first)
        self.banner = self.reply()
        if greet:
            self.say(greet, 250)

    def reply(self):
        """The whole next reply, its lines joined; '' when the relay has closed the connection."""
        lines = []
        while True:
            line = self.reader.readline().decode("latin-1").rstrip("\r\n")
            lines.append(line)
            if line[3:4] != "-":
                return "\n".join(lines)

    def write(self, octets):
        self.connection.sendall(octets)

    def say(self, line, code=None):
        self.write(line.encode() + b"\r\n")
        reply = self.reply()
        assert code is None or reply.startswith(str(code)), f"{line} -> {reply}"
        return reply

    def begin(self, sender, recipients, mail="", rcpt=""):
        self.say(f"MAIL FROM:<{sender}> {mail}".rstrip(), 250)
        for recipient in recipients:
            self.say(f"RCPT TO:<{recipient}> {rcpt}".rstrip(), 250)
        self.say("DATA", 354)

    def send(self, sender="a@example.com", recipients=("b@example.net",), content=b"Subject: x\r\n\r\nbody\r\n",
             mail="", rcpt=""):
        """One message; returns its queue id, or the reply that refused it as an AssertionError. `mail`, `rcpt`:
        parameters of these commands."""
        self.begin(sender, recipients, mail, rcpt)
        self.write(content + b".\r\n")
        reply = self.reply()
        assert reply.startswith("250 2.0.0 OK queued as "), reply
        return reply.rsplit(" ", 1)[1]

    def close(self):
        self.reader.close()
        self.connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def send_octets(port, octets, read=True):
    """Sends all at once, like a script; returns what came back, or closes without reading."""
    with socket.create_connection(("127.0.0.1", port), timeout=20 * PATIENCE) as connection:
        connection.sendall(octets)
        if not read:
            return ""
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode("latin-1")
