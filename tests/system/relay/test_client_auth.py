"""AUTH of clients, as Python's own SMTP sees it; SCRAM-SHA-256 is spoken here, by RFC 5802 and RFC 7677."""

import base64
import contextlib
import hashlib
import hmac
import os
import pty
import secrets
import select
import smtplib
import ssl
import subprocess
import termios

import pytest
from certificates import Authority
from raw_sink import RawSink
from relay import BIN, Client, arrived, patiently, relay_to
from waiting import stays_true

NAME = "relay.test"
PASSWORD = "correct horse battery staple"
SECRETS = [PASSWORD, base64.b64encode(PASSWORD.encode()).decode().rstrip("="), "open sesame", "nobody-at-all"]
# Loopback is nobody's address here: who relays has logged in.
STRANGERS = {"allowed_networks": "10.0.0.0/8"}


def user_line(name, password, *options):
    done = subprocess.run([str(BIN / "relayctl"), "user", *options, name], input=password + "\n", capture_output=True,
                          text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert password not in done.stdout
    return done.stdout


def test_relayctl_makes_the_line_that_hides_who_is_a_user():
    def run(*arguments):
        return subprocess.run([str(BIN / "relayctl"), "user", *arguments], input="", capture_output=True, text=True, timeout=30)

    line = run("--stand-in").stdout
    assert line.startswith("# stand-in: ") and len(base64.b64decode(line.removeprefix("# stand-in: "), validate=False)) == 32
    for wrong in ((), ("--stand-in", "app"), ("--stand-in", "--iterations", "5000")):
        assert run(*wrong).returncode == 64, wrong


def test_a_password_that_is_typed_is_asked_for_twice_and_not_shown():
    terminal, other_end = pty.openpty()
    with subprocess.Popen([str(BIN / "relayctl"), "user", "app"], stdin=other_end, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        for prompt in (b"Password: ", b"Again: "):
            told = b""
            while not told.endswith(prompt):
                assert select.select([process.stderr], [], [], 20)[0], f"no prompt: {told}"
                octet = os.read(process.stderr.fileno(), 1)
                assert octet, told
                told += octet
            assert not termios.tcgetattr(terminal)[3] & termios.ECHO
            os.write(terminal, PASSWORD.encode() + b"\n")
        line = process.communicate(timeout=20)[0]
    assert process.returncode == 0 and line.startswith(b"app:SCRAM-SHA-256$")
    assert termios.tcgetattr(terminal)[3] & termios.ECHO
    os.close(terminal)
    os.close(other_end)


class Users:
    """A users file, replaced as a whole."""

    def __init__(self, folder):
        self.path = folder / "users"
        self.put(user_line("app@example.com", PASSWORD), user_line("other", "open sesame", "--iterations", "5000"))

    def put(self, *lines):
        part = self.path.with_name("users.part")
        part.write_text("".join(lines))
        part.rename(self.path)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def users(tmp_path):
    return Users(tmp_path)


@pytest.fixture
def secured(tmp_path, authority, users):
    """Settings of a relay with a certificate and users."""
    certificate, key = authority.issue(NAME)
    return {**STRANGERS, "auth_users_file": users.path, "tls_certificate_file": certificate, "tls_key_file": key}


@pytest.fixture
def in_clear(users):
    return {**STRANGERS, "auth_users_file": users.path, "auth_requires_tls": "off"}


@contextlib.contextmanager
def session(relay, authority=None):
    """A client behind EHLO; with an authority over TLS."""
    with smtplib.SMTP("127.0.0.1", relay.smtp_port, local_hostname="client.test", timeout=20) as client:
        if authority:
            client._host = NAME  # what starttls() asks the certificate for
            client.starttls(context=ssl.create_default_context(cafile=authority.certificate))
        client.ehlo()
        yield client


def as_user(client, user, password):
    client.user, client.password = user, password


def plain(client, user, password):
    as_user(client, user, password)
    return client.auth("PLAIN", client.auth_plain)


def plain_when_asked(client, user, password):
    as_user(client, user, password)
    return client.auth("PLAIN", client.auth_plain, initial_response_ok=False)


def login(client, user, password):
    as_user(client, user, password)
    return client.auth("LOGIN", client.auth_login)


def scram(client, user, password):
    def mac(key, text):
        return hmac.digest(key, text.encode(), "sha256")

    def say(text):
        code, answer = client.docmd(text)
        if code != 334:
            raise smtplib.SMTPAuthenticationError(code, answer)
        return base64.b64decode(answer).decode()

    def encoded(octets):
        return base64.b64encode(octets).decode()

    nonce = secrets.token_hex(12)
    bare = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
    first = say("AUTH SCRAM-SHA-256 " + encoded(f"n,,{bare}".encode()))
    attributes = dict(part.split("=", 1) for part in first.split(","))
    assert attributes["r"].startswith(nonce) and attributes["r"] != nonce
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(attributes["s"]), int(attributes["i"]))
    client_key = mac(key, "Client Key")
    final = f"c=biws,r={attributes['r']}"
    signed = f"{bare},{first},{final}"
    signature = mac(hashlib.sha256(client_key).digest(), signed)
    proof = bytes(a ^ b for a, b in zip(client_key, signature))
    theirs = say(encoded(f"{final},p={encoded(proof)}".encode()))
    assert theirs == "v=" + encoded(mac(mac(key, "Server Key"), signed)), "the relay knows the password"
    code, answer = client.docmd("")
    assert code == 235, answer
    return code, answer


class ProxiedClient(Client):
    """One that a load balancer brings, from this address."""

    def __init__(self, port, address):
        self.address = address
        super().__init__(port)

    def reply(self):
        if self.address:
            self.write(f"PROXY TCP4 {self.address} 127.0.0.1 1000 25\r\n".encode())
            self.address = None
        return super().reply()


MECHANISMS = {plain: "plain", plain_when_asked: "plain", login: "login", scram: "scram_sha_256"}


def deliver(client):
    client.sendmail("a@example.com", ["b@example.net"], "Subject: x\r\n\r\nbody\r\n")


def holds_no_secret(relay):
    text = relay.log_file.read_text()
    assert not any(secret in text for secret in SECRETS)
    return True


@pytest.mark.parametrize("log_in", MECHANISMS, ids=lambda each: each.__name__)
def test_who_has_logged_in_relays_from_any_address(tmp_path, authority, secured, log_in):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **secured) as relay:
        with session(relay, authority) as client:
            assert client.esmtp_features["auth"].split() == ["SCRAM-SHA-256", "PLAIN", "LOGIN"]
            assert log_in(client, "app@example.com", PASSWORD)[0] == 235
            deliver(client)
            assert client.docmd("AUTH", "PLAIN AAA=")[0] == 503
        header = arrived(sink, 1)[0].content.partition(b"\r\n\r\n")[0]
        assert b"\r\n\tby relay.test with ESMTPSA id " in header and b"app@" not in header
        mechanism = MECHANISMS[log_in]
        record, = relay.records("login")
        assert (record["user"], record["client"]) == ("app@example.com", "127.0.0.1")
        assert record["mechanism"].lower().replace("-", "_") == mechanism
        assert relay.records("reception")[0]["user"] == "app@example.com"
        assert relay.metric(f'logins_total{{mechanism="{mechanism}"}}') == 1
        with session(relay, authority) as client, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            deliver(client)
        code, words = refused.value.recipients["b@example.net"]
        assert code == 530 and b"Authentication required" in words
        assert holds_no_secret(relay)


@pytest.mark.parametrize("log_in", MECHANISMS, ids=lambda each: each.__name__)
def test_nobody_else_logs_in(tmp_path, authority, secured, log_in):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **secured) as relay:
        for user, password in (("app@example.com", "open sesame"), ("nobody-at-all", PASSWORD)):
            with session(relay, authority) as client:
                with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                    log_in(client, user, password)
                assert (refused.value.smtp_code, refused.value.smtp_error) == (535, b"5.7.8 Authentication credentials invalid")
                with pytest.raises(smtplib.SMTPRecipientsRefused):
                    deliver(client)
        reasons = [(record.get("user"), record["reason"]) for record in relay.records("login_failed")]
        assert reasons == [("app@example.com", "wrong password"), (None, "no such user")]
        assert relay.metric(f'logins_failed_total{{mechanism="{MECHANISMS[log_in]}"}}') == 2
        assert holds_no_secret(relay)


def test_in_the_clear_nobody_logs_in_and_no_password_is_written_down_Case066(tmp_path, secured):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **secured) as relay:
        with session(relay) as client:
            assert not client.has_extn("auth")
            for log_in in (plain, login, scram):
                with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                    log_in(client, "app@example.com", PASSWORD)
                assert refused.value.smtp_code == 538
        assert holds_no_secret(relay)
        assert not relay.records("login_failed"), "nothing was tried"


def test_in_the_clear_they_do_where_the_setting_says_so(tmp_path, in_clear):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **in_clear) as relay:
        with session(relay) as client:
            client.login("other", "open sesame")
            deliver(client)
        assert b" with ESMTPA id " in arrived(sink, 1)[0].content


def test_users_are_replaced_live_and_a_file_with_a_fault_changes_nothing(tmp_path, users, in_clear):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **in_clear) as relay:
        with session(relay) as lasting:
            lasting.login("app@example.com", PASSWORD)
            deliver(lasting)
            users.put(user_line("other", "open sesame"), "late:in the clear\n")
            patiently(lambda: relay.records("users")[-1].get("error"), 20, "the fault is told of")
            fault = relay.records("users")[-1]
            assert fault["error"].startswith("line 2: ") and fault["message"] == "the users of before stay"
            assert "in the clear" not in relay.log_file.read_text()
            told = len(relay.records("users"))
            deliver(lasting)
            stays_true(lambda: len(relay.records("users")) == told, 3, "it is told once")
            users.put(user_line("late", "open sesame"))
            patiently(lambda: relay.records("users")[-1].get("users") == 1, 20, "the new users are in force")
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                deliver(lasting)
            code, words = refused.value.recipients["b@example.net"]
            assert code == 421 and b"connect again" in words
        with session(relay) as client:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                plain(client, "app@example.com", PASSWORD)
            plain(client, "late", "open sesame")
            deliver(client)
        arrived(sink, 3)


def test_users_that_come_later_are_let_in(tmp_path, users, in_clear):
    file = users.path.read_text()
    users.path.unlink()
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **in_clear) as relay:
        with session(relay) as client:
            assert client.has_extn("auth"), "for good nobody is refused"
            assert client.docmd("AUTH", "PLAIN AAA=")[0] == 454
            with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
                deliver(client)
            assert refused.value.recipients["b@example.net"][0] == 451
        assert relay.records("users")[0]["message"] == "nobody can log in yet: AUTH gets 454 4.7.0"
        assert relay.metric("users") == 0
        users.put(file)
        patiently(lambda: relay.records("users")[-1].get("users") == 2, 20, "the users are in force")
        patiently(lambda: relay.metric("users") == 2, 20, "the metric follows")
        with session(relay) as client:
            client.login("other", "open sesame")
            deliver(client)
        arrived(sink, 1)


def test_who_guesses_is_stopped_and_others_are_left_alone(tmp_path, in_clear):
    def guess(password):
        return "AUTH PLAIN " + base64.b64encode(b"\0other\0" + password).decode()

    right = guess(b"open sesame")
    settings = {**in_clear, "proxy_trusted": "127.0.0.1", "auth_failures_per_client": 5}
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, shards=2, **settings) as relay:
        with ProxiedClient(relay.smtp_port, "198.51.100.1") as client:
            for number in range(3):
                client.say(guess(b"guess %d" % number), 535)
            assert client.reply() == "421 4.7.0 relay.test Too many failed logins, closing"
            assert client.reply() == ""
        with ProxiedClient(relay.smtp_port, "198.51.100.1") as client:
            client.say(guess(b"guess 3"), 535)
            client.say(guess(b"guess 3"), 535)
            client.say(guess(b"guess 4"), 535)
        with ProxiedClient(relay.smtp_port, "198.51.100.1") as client:
            assert client.say(right) == "454 4.7.0 Too many failed logins from 198.51.100.1, try again later"
        with ProxiedClient(relay.smtp_port, "198.51.100.2") as client:
            client.say(right, 235)
            client.send()
        arrived(sink, 1)
        assert [(record["client"], record["failed"]) for record in relay.records("logins_refused")] == [("198.51.100.1", 5)]
        assert relay.metric("logins_refused_total") == 1


def test_a_host_with_the_password_of_before_gets_in_at_once_with_the_new_one(tmp_path, users, in_clear):
    settings = {**in_clear, "auth_failures_per_client": 3}
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **settings) as relay:
        with session(relay) as client:
            plain(client, "other", "open sesame")
        users.put(user_line("other", "new and secret"))
        patiently(lambda: relay.records("users")[-1].get("users") == 1, 20, "the new user is in force")
        for _ in range(10):
            with session(relay) as client, pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                plain(client, "other", "open sesame")
            assert refused.value.smtp_code == 535
        with session(relay) as client:
            plain(client, "other", "new and secret")
            deliver(client)
        arrived(sink, 1)
        assert len(relay.records("login_failed")) == 1, "the same guess is recorded once"
        assert not relay.records("logins_refused")
        assert relay.metric('logins_failed_total{mechanism="plain"}') == 10


def test_nobody_acts_as_another_user(tmp_path, in_clear):
    acting = base64.b64encode(b"app@example.com\0other\0open sesame").decode()
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **in_clear) as relay:
        with Client(relay.smtp_port) as client:
            assert client.say("AUTH PLAIN " + acting) == "535 5.7.8 No user may act as another one"
        assert relay.records("login_failed")[0]["reason"] == "wants to act as another user"


@pytest.mark.parametrize("has_users", [True, False])
def test_it_is_warned_of_where_nobody_may_relay_and_not_where_users_may(tmp_path, in_clear, has_users):
    settings = {**in_clear, "allowed_networks": ""}
    if not has_users:
        settings["auth_users_file"] = ""
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **settings) as relay:
        assert len(relay.records("nobody_may_relay")) == (0 if has_users else 1)


def test_a_transaction_and_what_is_none_is_refused_Case064_Case065(tmp_path, in_clear):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **in_clear) as relay:
        with Client(relay.smtp_port) as client:
            assert client.say("AUTH").startswith("501 5.5.4")
            assert client.say("AUTH GSSAPI").startswith("504 5.5.4")
            assert client.say("AUTH PLAIN =").startswith("501 5.5.2")
            assert client.say("AUTH PLAIN AA=A").startswith("501 5.5.2")
            client.say("AUTH LOGIN", 334)
            assert client.say("*").startswith("501 5.5.2")
            client.say("AUTH PLAIN", 334)
            assert client.say("A" * 12287).startswith("500 5.5.6")
            client.say("MAIL FROM:<a@example.com>", 250)
            assert client.say("AUTH PLAIN").startswith("503 5.5.1")
            client.say("RSET", 250)
            client.say("AUTH PLAIN " + base64.b64encode(b"\0other\0open sesame").decode(), 235)
            assert client.say("AUTH PLAIN").startswith("503 5.5.1")
            client.send(mail="AUTH=a+40example.com")
        arrived(sink, 1)


def test_a_line_of_a_user_is_made_of_good_input_only():
    for arguments, password, fault in (
            (["a:b"], "x", "a user's name has 1 to 255 octets"), (["user"], "", "no password"),
            (["--iterations", "1000", "user"], "x", "from 4096 to 600000")):
        done = subprocess.run([str(BIN / "relayctl"), "user", *arguments], input=password, capture_output=True, text=True,
                              timeout=30)
        assert done.returncode == 1 and fault in done.stderr and not done.stdout, done
