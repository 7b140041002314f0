"""Secrets of every kind that the relay reads, used and refused, stand nowhere where it tells what it does; nor can they be had
from its memory."""

import base64
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import smtplib
import ssl
import subprocess
import tempfile

import pytest
from certificates import Authority
from peers.token_endpoint import TokenEndpoint
from ports import free_ports
from raw_sink import RawSink
from relay import BIN, Relay, arrived, patiently
from signatures import make_key, records_of, verified
from xoauth2_sink import Xoauth2Sink

NAME = "relay.test"
SMARTHOST, BY_FILE = "canary-of-passwd-client", "canary-of-password-file"
CLIENT_SECRET, REFRESH_TOKEN = "canary-of-oauth-client", "canary-of-refresh-token"
USER, GUESS, CLEAR = "canary-of-user", "canary-of-a-guess", "canary-in-the-clear"
REDACTION = "canary-of-redaction-key"
PHRASES = (SMARTHOST, BY_FILE, CLIENT_SECRET, REFRESH_TOKEN, USER, GUESS, CLEAR, REDACTION)
BODY = b"From: a@example.com\r\nSubject: secrets\r\n\r\nNothing of them is in here.\r\n"


class Estate:
    """A relay with a secret of each kind, and its peers: smarthosts with password and token, a client's authority."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = Authority(folder / "pki")
        self.certificate, self.key = self.authority.issue(NAME)
        self.client_certificate, self.client_key = self.authority.issue("client.test")
        self.dkim_key = make_key(folder / "dkim.pem", "rsa")
        self.users = folder / "users"
        self.replace(self.users, user_line("app", USER))
        self.passwd = folder / "passwd.client"
        self.replace(self.passwd, f"localhost:user:{SMARTHOST}\n")
        self.texts = {name: self.text(name, text) for name, text in {
            "password": BY_FILE, "username": "user", "client-id": "id", "client-secret": CLIENT_SECRET,
            "refresh-token": REFRESH_TOKEN, "redaction": REDACTION}.items()}

    def text(self, name, text):
        return self.replace(self.folder / name, text + "\n")

    @staticmethod
    def replace(path, text):
        part = path.with_name(path.name + ".part")
        part.write_text(text)
        part.rename(path)
        return path

    @contextlib.contextmanager
    def running(self, **settings):
        pair = self.authority.issue("localhost")
        with contextlib.ExitStack() as stack:
            self.tokens = stack.enter_context(TokenEndpoint(("127.0.0.1", 0), pair, ("id", CLIENT_SECRET), REFRESH_TOKEN))
            self.by_file, self.by_line = (stack.enter_context(RawSink(
                self.folder / name, tls=pair, credentials=("user", password), require_auth=True))
                for name, password in (("by-file", BY_FILE), ("by-line", SMARTHOST)))
            self.by_token = stack.enter_context(Xoauth2Sink(
                self.folder / "by-token", lambda user, token: token in self.tokens.tokens, tls=pair))
            self.sinks = self.by_file, self.by_line, self.by_token
            yield stack.enter_context(Relay(
                self.folder, prefix=["env", f"SSL_CERT_FILE={self.authority.certificate}"], smarthosts=json.dumps([
                    self.smarthost("file", self.by_file, auth="plain", password_file=str(self.texts["password"])),
                    self.smarthost("line", self.by_line),
                    self.smarthost("token", self.by_token, auth="xoauth2", token_url=f"https://localhost:{self.tokens.port}/token",
                                   client_id_file=str(self.texts["client-id"]), client_secret_file=str(self.texts["client-secret"]),
                                   refresh_token_file=str(self.texts["refresh-token"]))]),
                passwd_client=self.passwd, tls_certificate_file=self.certificate, tls_key_file=self.key,
                auth_users_file=self.users, log_level="debug", log_addresses="redacted",
                log_redaction_key=self.texts["redaction"], dkim=json.dumps(
                    [{"domain": "example.com", "selector": "one", "key": str(self.dkim_key)}]), **settings))

    def smarthost(self, name, sink, **fields):
        common = {"name": name, "host": "localhost", "port": sink.port, "ca": str(self.authority.certificate),
                  "recipient_domains": [f"{name}.example"], "client_certificate": str(self.client_certificate),
                  "client_key": str(self.client_key)}
        if fields:
            common["username_file"] = str(self.texts["username"])
        return common | fields

    @contextlib.contextmanager
    def client(self, relay, secured=True):
        with smtplib.SMTP("127.0.0.1", relay.smtp_port, local_hostname="client.test", timeout=20) as client:
            client._host = NAME  # what starttls() asks the certificate for
            if secured:
                client.starttls(context=ssl.create_default_context(cafile=self.authority.certificate))
            client.ehlo()
            yield client

    def send(self, relay):
        with self.client(relay) as client:
            client.login("app", USER)
            client.sendmail("a@example.com", [f"b@{name}.example" for name in ("file", "line", "token")], BODY)

    def canaries(self, relay):
        """{what it is: octets that stand nowhere}"""
        found = {phrase: phrase.encode() for phrase in PHRASES}
        found |= {f"{phrase} in base64": base64.b64encode(phrase.encode()).rstrip(b"=")[:-1] for phrase in PHRASES}
        for file in (self.key, self.client_key, self.dkim_key):
            lines = [line for line in file.read_bytes().splitlines() if line and not line.startswith(b"-----")]
            # The first one is of the format, not of the key.
            found |= {f"{file.name}, line {number}": line for number, line in enumerate(lines[1:-1], 2)}
        found |= {f"key {number} of the user": part.encode() for number, part in
                  enumerate(re.split(r"[$:,]", self.users.read_text().strip())) if len(part) > 20}
        found |= {f"token {number}": token.encode() for number, token in enumerate(self.tokens.tokens)}
        found["the admin token"] = (self.folder / "spool/admin.token").read_bytes().strip()
        return found

    def told(self, relay):
        """(place, octets) of all that anybody may read: what is at nobody's hand but the relay's is left out."""
        yield "the log", relay.log_file.read_bytes()
        for path in ("/metrics", "/node", "/health", "/readyz", "/livez"):
            yield path, relay.get(path)[1].encode()
        for command in (["status"], ["status", "--json"], ["queue"], ["queue", "--json"], ["queue", "destinations", "--json"],
                        ["queue", "export", "--all"], ["trace", "--recipient", "b@file.example", "--json"]):
            yield " ".join(command), relay.ctl(*command).encode()
        for option in ("--print-config", "--check-config"):
            done = subprocess.run([str(BIN / "smtp-relay"), option], env=relay.environment(), capture_output=True, timeout=30)
            assert done.returncode == 0, done.stderr
            yield option, done.stdout + done.stderr
        for file in (self.folder / "spool").rglob("*"):
            if file.is_file() and file.name != "admin.token":
                with contextlib.suppress(FileNotFoundError):  # RocksDB has removed it
                    yield f"the spool's {file.name}", file.read_bytes()
        for sink in self.sinks:
            for message in sink.store.messages():
                yield "a message", message.content


def user_line(name, password):
    done = subprocess.run([str(BIN / "relayctl"), "user", name], input=password + "\n", capture_output=True, text=True,
                          timeout=30, check=True)
    return done.stdout


def found_in(places, canaries):
    return [(what, place) for place, octets in places for what, canary in canaries.items() if canary in octets]


def test_no_secret_stands_where_the_relay_tells_what_it_does_Case142(tmp_path):
    estate = Estate(tmp_path)
    with estate.running() as relay:
        estate.tokens.outage = (401, json.dumps({"error": "invalid_client", "error_description": f"{CLIENT_SECRET} {REFRESH_TOKEN}"}))
        estate.send(relay)
        patiently(lambda: relay.records("token_failure"), 20, "no token is to be had")
        estate.tokens.outage = None
        for sink in estate.sinks:
            message = arrived(sink, 1)[0]
            assert verified(message.content, records_of(relay)), "the key of DKIM is in use"
        with estate.client(relay) as client, pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("app", GUESS)
        with estate.client(relay, secured=False) as client:
            assert client.docmd("AUTH", "PLAIN " + base64.b64encode(f"\0app\0{CLEAR}".encode()).decode())[0] == 538

        # Peers that say what they were told.
        estate.by_file.faults.add(f"auth:*:reply:535 5.7.8 who is {BY_FILE}? {base64.b64encode(BY_FILE.encode()).decode()}")
        estate.by_line.faults.add(f"auth:*:reply:535 5.7.8 the password {SMARTHOST} has expired")
        estate.by_token.is_good = lambda user, token: False
        # Connections that are idle are of no more use.
        for sink in estate.sinks:
            sink.faults.add("mail:1:reply:421 4.3.2 again please")
        estate.send(relay)
        for name in ("file", "line"):
            patiently(lambda name=name: [each for each in relay.records("credentials_refused")
                                         if each["destination"] == f"smarthost/{name}"], 30, f"the password of {name} is refused")
        patiently(lambda: any("access token" in each["error"] for each in relay.records("hop_failure")), 30, "the token is refused")

        # Files that are wrong, with the secret in what is wrong.
        canaries, told = estate.canaries(relay), len(relay.records())
        estate.replace(estate.users, f"app:{USER}\n")
        estate.replace(estate.passwd, f"localhost {SMARTHOST}\nlocalhost:{SMARTHOST}\n")
        for file in (estate.key, estate.client_key, estate.dkim_key):
            text = file.read_text()
            estate.replace(file.with_name("cut"), text[: len(text) // 2]).rename(file)
        for event in ("users", "passwd_client", "client_tls", "smarthost_tls", "dkim_key"):
            patiently(lambda event=event: [each for each in relay.records()[told:] if each["event"] == event], 30,
                      f"{event} is told of: { {each['event'] for each in relay.records()[told:]} }")
        places = list(estate.told(relay))
    places.append(("the log of the end", relay.log_file.read_bytes()))
    assert len(canaries) > 60 and all(len(canary) > 6 for canary in canaries.values()), canaries
    assert found_in(places, canaries) == []
    # The search can fail: what is there, is found.
    assert found_in(places, {"the name of the relay": NAME.encode()})


# ---- memory ----

NOBODY = 65534
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


def ends_with_a_core(process, folder):
    """Sends SIGABRT; whether the kernel dumped its memory, to a file or to whoever collects that."""
    process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == -signal.SIGABRT
    return os.WCOREDUMP(status) or any(folder.glob("core*"))


@pytest.fixture
def dumping(tmp_path, monkeypatch):
    """Everything that is started here may leave a core file, in this folder where core_pattern is relative."""
    before = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, before[1]) if before[1] != resource.RLIM_INFINITY else UNLIMITED)
    (tmp_path / "cores").mkdir()
    monkeypatch.chdir(tmp_path / "cores")
    yield tmp_path / "cores"
    resource.setrlimit(resource.RLIMIT_CORE, before)


def test_a_relay_that_aborts_leaves_no_core_with_its_secrets_Case142(tmp_path, dumping):
    estate = Estate(tmp_path)
    with estate.running() as relay:
        estate.send(relay)
        for sink in estate.sinks:
            arrived(sink, 1)
        # A core would hold them: root still reads them in its memory.
        assert holds(relay.process.pid, SMARTHOST.encode()) and holds(relay.process.pid, CLIENT_SECRET.encode())
        assert not ends_with_a_core(relay.process, dumping)
    assert others_leave_cores(dumping)


def others_leave_cores(folder):
    with subprocess.Popen(["sleep", "100"]) as other:
        assert ends_with_a_core(other, folder), "this machine writes cores of others, or this test shows nothing"
    return True


def test_nor_does_a_relayctl_that_was_given_a_password_Case142(dumping):
    with subprocess.Popen([str(BIN / "relayctl"), "user", "app"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as relayctl:
        relayctl.stdin.write(USER.encode())  # and no end of line: it has it, and waits for more
        relayctl.stdin.flush()
        patiently(lambda: holds(relayctl.pid, USER.encode()), 10, "it has the password in its memory")
        assert not ends_with_a_core(relayctl, dumping)
    assert others_leave_cores(dumping)


def test_nor_does_an_operator_with_its_token_Case142(tmp_path, dumping):
    with operator_with_a_token(BIN, tmp_path) as operator:
        assert holds(operator.pid, USER.encode())
        assert not ends_with_a_core(operator, dumping)
    assert others_leave_cores(dumping)


def holds(pid, octets):
    """Whether the memory that a process may write holds these octets."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            begin, end, flags = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if not flags.startswith("rw") or "[v" in line:
                continue
            size = int(end, 16) - int(begin, 16)
            memory.seek(int(begin, 16))
            with contextlib.suppress(OSError):
                # What AddressSanitizer reserves is larger than any memory.
                if size < 2**30 and octets in memory.read(size):
                    return True
    return False


@pytest.fixture
def open_folder():
    """A folder that any user may enter, with our programs in it."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        for program in ("smtp-relay", "smtp-relay-operator", "relayctl"):
            shutil.copy(BIN / program, folder)
        (folder / "home").mkdir()
        shutil.chown(folder / "home", NOBODY, NOBODY)
        yield folder


def may_be_read(pid):
    """Whether another process of its user sees its environment, as a debugger of that user would its memory."""
    done = subprocess.run([*AS_NOBODY, "cat", f"/proc/{pid}/environ"], capture_output=True, timeout=20)
    assert done.returncode == 0 or b"Permission denied" in done.stderr, done.stderr
    return done.returncode == 0


def test_nobody_of_the_same_user_sees_into_a_relay_Case142(open_folder):
    with Relay(open_folder / "home", prefix=AS_NOBODY, programs=open_folder, smarthost="127.0.0.1:1") as relay:
        assert not may_be_read(relay.process.pid)
    with subprocess.Popen([*AS_NOBODY, "sleep", "100"]) as other:
        try:
            patiently(lambda: may_be_read(other.pid), 10, "what is not protected may be read")
        finally:
            other.kill()


def test_nor_into_relayctl_while_it_is_given_a_password_Case142(open_folder):
    with subprocess.Popen([*AS_NOBODY, str(open_folder / "relayctl"), "user", "app"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as relayctl:
        patiently(lambda: pathlib.Path(f"/proc/{relayctl.pid}/comm").read_text() == "relayctl\n", 10, "it has begun")
        patiently(lambda: not may_be_read(relayctl.pid), 10, "it keeps its memory to itself")
        relayctl.communicate(USER.encode() + b"\n", timeout=20)
        assert relayctl.returncode == 0


@contextlib.contextmanager
def operator_with_a_token(programs, folder, prefix=()):
    """One that has begun and finds no API server."""
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "it",
              "clusters": [{"name": "it", "cluster": {"server": "https://127.0.0.1:1"}}],
              "users": [{"name": "it", "user": {"token": USER}}],
              "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": "mail"}}]}
    (folder / "config").write_text(json.dumps(config))
    metrics, health = free_ports(2)
    flags = ["--kubeconfig", folder / "config", "--metrics-addr", f"127.0.0.1:{metrics}", "--health-addr", f"127.0.0.1:{health}"]
    with subprocess.Popen([*prefix, *map(str, [programs / "smtp-relay-operator", *flags])], stdout=subprocess.PIPE) as operator:
        try:
            patiently(lambda: b'"event":"start"' in operator.stdout.readline(), 20, "it has begun")
            yield operator
        finally:
            operator.terminate()
            operator.communicate(timeout=30)


def test_nor_into_an_operator_with_its_token_Case142(open_folder):
    with operator_with_a_token(open_folder, open_folder, AS_NOBODY) as operator:
        assert not may_be_read(operator.pid)
