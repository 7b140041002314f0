"""STARTTLS for clients, as Python's own SMTP and TLS see it."""

import smtplib
import socket
import ssl
import threading

import pytest
from certificates import Authority
from raw_sink import RawSink
from relay import Client, Relay, arrived, patiently, relay_to
from waiting import stays_true

NAME = "relay.test"


class Secured(smtplib.SMTP):
    """A client that shakes hands as smtplib does, but can bring a TLS session of another connection."""

    def __init__(self, relay, context, session=None):
        super().__init__("127.0.0.1", relay.smtp_port, local_hostname="client.test", timeout=20)
        self.ehlo_or_helo_if_needed()
        assert self.has_extn("starttls")
        assert self.docmd("STARTTLS")[0] == 220
        self.sock = context.wrap_socket(self.sock, server_hostname=NAME, session=session)
        self.file = None
        self.ehlo_resp = self.helo_resp = None
        self.ehlo()
        assert not self.has_extn("starttls")

    def deliver(self):
        self.sendmail("a@example.com", ["b@example.net"], "Subject: x\r\n\r\nbody\r\n")

    @property
    def serial(self):
        return self.sock.getpeercert()["serialNumber"]


class Pair:
    """Certificate and key at two paths that the relay knows, put there as whole files."""

    def __init__(self, folder, authority):
        self.folder, self.authority, self.count = folder, authority, 0
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"

    def replace(self, host=NAME):
        certificate, key = self.authority.issue(host)
        self.put(self.key, key.read_bytes())
        self.put(self.certificate, certificate.read_bytes())

    @staticmethod
    def put(path, octets):
        part = path.with_name(path.name + ".part")
        part.write_bytes(octets)
        part.rename(path)

    @property
    def settings(self):
        return {"tls_certificate_file": self.certificate, "tls_key_file": self.key}

    def trust(self, version=None):
        """What a client needs to verify it; `version`: that one of TLS alone."""
        context = ssl.create_default_context(cafile=self.authority.certificate)
        if version:
            context.minimum_version = context.maximum_version = version
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def pair(tmp_path, authority):
    made = Pair(tmp_path, authority)
    made.replace()
    return made


VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_verifies_us_sends_over_tls(tmp_path, pair, version):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **pair.settings) as relay:
        with smtplib.SMTP("127.0.0.1", relay.smtp_port, local_hostname="client.test", timeout=20) as client:
            client._host = NAME  # what starttls() asks the certificate for
            client.starttls(context=pair.trust(VERSIONS[version]))
            assert client.sock.version() == version
            cipher = client.sock.cipher()[0]
            client.sendmail("a@example.com", ["b@example.net"], "Subject: x\r\n\r\n" + "line\r\n" * 50_000)
        header, _, body = arrived(sink, 1)[0].content.partition(b"\r\n\r\n")
        assert body == b"line\r\n" * 50_000
        assert f"(using {version} with cipher {cipher})\r\n\tby relay.test with ESMTPS id ".encode() in header
        record = relay.records("reception")[0]
        assert (record["tls_version"], record["tls_cipher"]) == (version, cipher)
        outcome = version.lower().replace("v", "").replace(".", "_")
        assert relay.metric(f'client_tls_total{{outcome="{outcome}"}}') == 1
        with Client(relay.smtp_port) as clear:
            clear.send()
        assert "tls_version" not in relay.records("reception")[1]
        assert b"with ESMTP id" in arrived(sink, 2)[1].content


@pytest.mark.parametrize("version", VERSIONS)
def test_sessions_are_resumed_on_every_shard(tmp_path, pair, version):
    context = pair.trust(VERSIONS[version])
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, shards=2, **pair.settings) as relay:
        with Secured(relay, context) as first:
            assert not first.sock.session_reused
            session = first.sock.session
        for _ in range(10):  # the kernel spreads them over the shards
            with Secured(relay, context, session) as client:
                assert client.sock.session_reused
                client.deliver()
                session = client.sock.session
        arrived(sink, 10)


def test_commands_behind_starttls_in_the_clear_are_not_executed_Case052(tmp_path, pair):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **pair.settings) as relay:
        with Client(relay.smtp_port) as client:
            client.write(b"STARTTLS\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nx\r\n.\r\n")
            assert client.reply() == "554 5.5.0 Nothing may follow STARTTLS, closing"
            assert client.reply() == ""
        assert [record["client"] for record in relay.records("client_tls_injection")] == ["127.0.0.1"]
        assert relay.metric('client_tls_total{outcome="injection"}') == 1
        assert not relay.records("reception")
        with Secured(relay, pair.trust()) as client:
            client.deliver()
        arrived(sink, 1)


def test_where_tls_is_required_mail_in_the_clear_is_refused(tmp_path, pair):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, tls_mode="required", tls_min_version="1.3",
                                                      **pair.settings) as relay:
        with Client(relay.smtp_port) as client:
            assert client.say("MAIL FROM:<a@example.com>") == "530 5.7.0 Must issue a STARTTLS command first"
            client.say("NOOP", 250)
            client.say("QUIT", 221)
        with pytest.raises(ssl.SSLError):
            Secured(relay, pair.trust(ssl.TLSVersion.TLSv1_2))
        with Secured(relay, pair.trust()) as client:
            client.deliver()
        arrived(sink, 1)


def test_where_tls_is_required_and_cannot_be_had_it_does_not_start(tmp_path, pair):
    pair.certificate.unlink()
    relay = Relay(tmp_path, smarthost="127.0.0.1:1", tls_mode="required", **pair.settings)
    relay.start(wait=False)
    assert relay.process.wait(30) == 1
    error = relay.records("start_failed")[0]["error"]
    for words in ("tls_mode is `required`", str(pair.certificate), "set tls_mode to `opportunistic`"):
        assert words in error


def test_a_certificate_that_comes_later_is_used(tmp_path, pair):
    pair.certificate.unlink()
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **pair.settings) as relay:
        with Client(relay.smtp_port, greet=None) as client:
            assert "STARTTLS" not in client.say("EHLO client.test", 250)
            assert client.say("STARTTLS").startswith("502 ")
            client.send()
        assert relay.records("client_tls")[0]["message"] == "STARTTLS is not offered"
        pair.replace()
        patiently(lambda: relay.records("client_tls")[-1].get("certificate"), 10, "the certificate is in force")
        with Secured(relay, pair.trust()) as client:
            client.deliver()
        arrived(sink, 2)


def test_a_certificate_is_replaced_under_traffic_and_a_bad_one_is_not_used_Case067(tmp_path, pair):
    context = pair.trust()
    is_over, sent, faults = threading.Event(), [], []

    def send_on(relay):
        """A connection for each message, and one for all of them."""
        try:
            with Secured(relay, context) as lasting:
                while not is_over.is_set():
                    lasting.deliver()
                    with Secured(relay, context) as client:
                        client.deliver()
                        sent.append(client.serial)
        except (OSError, smtplib.SMTPException) as fault:
            faults.append(fault)

    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, **pair.settings) as relay:
        threads = [threading.Thread(target=send_on, args=[relay]) for _ in range(3)]
        for thread in threads:
            thread.start()
        with Secured(relay, context) as client:
            first, session = client.serial, client.sock.session
        pair.replace()
        patiently(lambda: faults or set(sent) - {first}, 20, "the second certificate is seen")
        seen = {first, *sent}
        with Secured(relay, context, session) as client:
            assert client.sock.session_reused, "tickets outlive the certificate"
        pair.put(pair.key, b"no key\n")
        patiently(lambda: relay.records("client_tls")[-1].get("error"), 20, "the bad pair is told of")
        assert relay.records("client_tls")[-1]["message"] == "the last good certificate stays in force"
        told = len(relay.records("client_tls"))
        stays_true(lambda: not faults and seen >= {*sent} and len(relay.records("client_tls")) == told, 3,
                   "it is told once, and the second one is used on")
        pair.replace()
        patiently(lambda: faults or set(sent) - seen, 20, "the third certificate is seen")
        is_over.set()
        for thread in threads:
            thread.join(30)
        assert not faults
        assert relay.metric('client_tls_total{outcome="failed"}') == 0
        arrived(sink, 2 * len(sent))


def test_a_handshake_that_fails_is_told_of_and_ends_one_connection(tmp_path, pair):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, session_idle_timeout="2s", **pair.settings) as relay:
        with pytest.raises(ssl.SSLCertVerificationError):
            Secured(relay, ssl.create_default_context())
        patiently(lambda: relay.metric('client_tls_total{outcome="failed"}') == 1, 10, "an alert of the client")
        with Client(relay.smtp_port) as client:
            client.say("STARTTLS", 220)
            client.write(b"EHLO in the clear\r\n")
            assert client.connection.recv(100)[:1] in (b"\x15", b""), "an alert, and nothing in the clear"
        patiently(lambda: relay.metric('client_tls_total{outcome="failed"}') == 2, 10, "no TLS at all")
        with Client(relay.smtp_port) as client:
            client.say("STARTTLS", 220)
            assert client.reply() == "", "it says nothing, and is closed"
        patiently(lambda: relay.metric('client_tls_total{outcome="failed"}') == 3, 10, "a handshake that stalls")
        errors = [record["error"] for record in relay.records("client_tls_failed")]
        assert "unknown ca" in errors[0] and "wrong version number" in errors[1] and "timed out" in errors[2], errors
        with Secured(relay, pair.trust()) as client:
            client.deliver()
        arrived(sink, 1)


def test_a_stop_lets_a_transaction_over_tls_finish(tmp_path, pair):
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, flush_timeout="10s", **pair.settings) as relay:
        client = Secured(relay, pair.trust())
        assert client.mail("a@example.com")[0] == client.rcpt("b@example.net")[0] == 250
        assert client.docmd("DATA")[0] == 354
        relay.signal(15)
        patiently(lambda: not is_open(relay.smtp_port), 10, "no new connections")
        client.send("Subject: x\r\n\r\nbody\r\n.\r\n")
        assert client.getreply()[0] == 250
        assert client.getreply()[0] == 421
        client.close()
        assert relay.process.wait(30) == 0
        arrived(sink, 1)


def is_open(port):
    """Whether who connects now is greeted with 220."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            return connection.recv(100).startswith(b"220")
    except OSError:
        return False
