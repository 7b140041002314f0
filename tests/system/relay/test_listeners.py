"""Several listeners with rules of their own, TLS before the greeting among them, as Python's own SMTP and TLS see it."""

import base64
import json
import pathlib
import smtplib
import socket
import ssl
import struct

import pytest
from certificates import Authority
from ports import free_port, free_ports
from raw_sink import RawSink
from relay import Client, arrived, patiently, relay_to
from test_client_auth import NAME, PASSWORD, Users

PROXY = {"proxy_trusted": "127.0.0.1/32"}


class Implicit(smtplib.SMTP_SSL):
    """A client on a port where TLS comes first."""

    def __init__(self, port, context):
        super().__init__(NAME, port, local_hostname="client.test", context=context, timeout=20)

    def _get_socket(self, host, port, timeout):
        connection = socket.create_connection(("127.0.0.1", port), timeout)
        return self.context.wrap_socket(connection, server_hostname=NAME)

    def deliver(self, to="b@example.net"):
        self.sendmail("a@example.com", [to], "Subject: x\r\n\r\nbody\r\n")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def context(authority):
    return ssl.create_default_context(cafile=authority.certificate)


@pytest.fixture
def certificate(authority):
    pem, key = authority.issue(NAME)
    return {"tls_certificate_file": pem, "tls_key_file": key}


def listeners(*each):
    """The setting, and the ports: one for each, which says its name and rules."""
    ports = free_ports(len(each))
    return json.dumps([{"listen": f"127.0.0.1:{port}", **one} for port, one in zip(ports, each, strict=True)]), ports


def has_read_all(port):
    """Whether the process that listens there on loopback has read all that came over its connections (proc(5), net/tcp)."""
    connections = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    unread = [int(fields[4].split(":")[1], 16) for fields in connections
              if fields[1] == f"0100007F:{port:04X}" and fields[3] == "01"]
    return bool(unread) and not any(unread)


def is_refused(port):
    """Whether who connects is not served: by 421, by an end without a word, or not at all."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            return connection.recv(100)[:3] in (b"421", b"")
    except OSError:
        return True


def test_each_listener_has_its_own_rules(tmp_path, certificate, context):
    users = Users(tmp_path)
    text, (submissions, submission, inside) = listeners(
        {"name": "submissions", "tls": "implicit", "auth": "required"},
        {"name": "submission", "tls": "required", "allowed_networks": "10.0.0.0/8"},
        {"name": "inside", "tls": "none"})
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, listeners=text, auth_users_file=users.path, shards=2,
                                                      **certificate) as relay:
        with Client(relay.smtp_port, greet=None) as main:
            assert "STARTTLS" in main.say("EHLO client.test", 250), "as ever"
            main.send()

        with Implicit(submissions, context) as client:
            client.ehlo()
            assert not client.has_extn("starttls")
            assert client.esmtp_features["auth"].split() == ["SCRAM-SHA-256", "PLAIN", "LOGIN"]
            assert client.docmd("STARTTLS")[0] == 554
            assert client.mail("a@example.com") == (530, b"5.7.0 Authentication required")
            client.login("app@example.com", PASSWORD)
            client.deliver()

        with Client(submission) as client:
            assert client.say("MAIL FROM:<a@example.com>") == "530 5.7.0 Must issue a STARTTLS command first"
        with smtplib.SMTP("127.0.0.1", submission, local_hostname="client.test", timeout=20) as client:
            client._host = NAME
            client.starttls(context=context)
            client.ehlo()
            assert client.mail("a@example.com")[0] == 250
            assert client.rcpt("b@example.net")[0] == 530, "loopback is in no network that is allowed here"

        with Client(inside, greet=None) as client:
            offered = client.say("EHLO client.test", 250)
            assert "STARTTLS" not in offered and "AUTH" not in offered
            client.send()

        messages = arrived(sink, 3)
        assert sum(b"with ESMTPSA id" in message.content for message in messages) == 1
        received = [record.get("listener") for record in relay.records("reception")]
        assert received == [None, "submissions", "inside"]
        assert relay.records("login")[0]["listener"] == "submissions"
        assert relay.records("rejection")[0]["listener"] == "submission"
        assert relay.records("start")[0]["listeners"] == [
            f"submissions=127.0.0.1:{submissions}", f"submission=127.0.0.1:{submission}", f"inside=127.0.0.1:{inside}"]


def test_tls_before_the_greeting_says_esmtps_and_fails_aloud(tmp_path, certificate, context):
    text, (port,) = listeners({"name": "submissions", "tls": "implicit"})
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, listeners=text, session_idle_timeout="2s",
                                                      **certificate) as relay:
        with Implicit(port, context) as client:
            version = client.sock.version()
            client.deliver()
        content = arrived(sink, 1)[0].content
        assert f"(using {version} with cipher ".encode() in content and b"with ESMTPS id" in content

        socket.create_connection(("127.0.0.1", port)).close()  # as load balancers ask whether it is open
        with pytest.raises(ssl.SSLCertVerificationError):
            Implicit(port, ssl.create_default_context())
        patiently(lambda: relay.metric('client_tls_total{outcome="failed"}') == 1, 10, "an alert of the client")
        for words in (b"EHLO in the clear\r\n", b""):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as clear:
                clear.sendall(words)
                assert b"220" not in clear.recv(100), "nothing is said in the clear"
        patiently(lambda: relay.metric('client_tls_total{outcome="failed"}') == 3, 10, "no TLS, and nothing at all")
        records = relay.records("client_tls_failed")
        assert [record["listener"] for record in records] == ["submissions"] * 3
        assert "timed out" in records[2]["error"]


def test_a_proxys_header_comes_before_tls_where_the_listener_takes_one(tmp_path, certificate, context):
    text, (proxied, direct) = listeners({"name": "proxied", "tls": "implicit"},
                                        {"name": "direct", "tls": "implicit", "proxy_protocol": "off"})
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, listeners=text, allowed_networks="10.1.40.70/32,127.0.0.1/32",
                                                      **PROXY, **certificate) as relay:
        raw = socket.create_connection(("127.0.0.1", proxied), timeout=20)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname=NAME)
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        # In one segment, and the rest of the handshake behind it.
        hello = outgoing.read()
        raw.sendall(b"PROXY TCP4 10.1.40.70 10.1.40.60 12345 465\r\n" + hello[:100])
        patiently(lambda: has_read_all(proxied), 20, "the relay has read the first segment")
        raw.sendall(hello[100:])

        def until(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    raw.sendall(outgoing.read())
                    incoming.write(raw.recv(65536))
                finally:
                    raw.sendall(outgoing.read())

        until(tls.do_handshake)
        assert until(lambda: tls.read(1000)).startswith(b"220 ")
        for line in ("EHLO client.test", "MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>"):
            tls.write(line.encode() + b"\r\n")
            assert until(lambda: tls.read(1000)).startswith(b"250")
        raw.close()
        with Implicit(direct, context) as client:
            client.deliver()
        arrived(sink, 1)
        assert relay.records("reception")[0]["client"] == "127.0.0.1"


def proxy_header(fields=b""):
    """Version 2: 10.1.40.70 is the client; `fields` as in section 2.2 of proxy-protocol.txt."""
    addresses = bytes([10, 1, 40, 70, 10, 1, 40, 60]) + struct.pack(">HH", 12345, 25)
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", len(addresses + fields)) + addresses + fields


def proxy_field(kind, value):
    return struct.pack(">BH", kind, len(value)) + value


def test_tls_that_a_load_balancer_has_ended_is_tls_of_the_client(tmp_path, certificate):
    ended = proxy_field(0x20, b"\1" + bytes(4) + proxy_field(0x21, b"TLSv1.3") + proxy_field(0x23, b"TLS_AES_256_GCM_SHA384"))
    login = "AUTH PLAIN " + base64.b64encode(b"\0app@example.com\0" + PASSWORD.encode()).decode()
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, tls_mode="required", allowed_networks="10.0.0.0/16",
                                                      auth_users_file=Users(tmp_path).path, **PROXY, **certificate) as relay:
        with Client(relay.smtp_port, greet=None, first=proxy_header(ended)) as client:
            offered = client.say("EHLO client.test", 250)
            assert "AUTH SCRAM-SHA-256 PLAIN LOGIN" in offered
            assert "STARTTLS" not in offered and "REQUIRETLS" not in offered
            assert client.say("STARTTLS").startswith("554 5.5.1")
            client.say(login, 235)
            client.send()
        received = arrived(sink, 1)[0].raw.partition(b"Subject:")[0].decode()
        assert received.startswith("Received: from client.test ([10.1.40.70])\r\n"
                                   "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n")
        assert " with ESMTPSA id " in received
        record = relay.records("reception")[0]
        assert (record["client"], record["tls_version"], record["user"]) == ("10.1.40.70", "TLSv1.3", "app@example.com")

        with Client(relay.smtp_port, greet=None, first=proxy_header()) as client:
            offered = client.say("EHLO client.test", 250)
            assert "STARTTLS" in offered and "AUTH" not in offered
            assert client.say(login).startswith("5")
            client.say("MAIL FROM:<a@example.com>", 530)


def test_a_drain_turns_clients_of_all_listeners_away_and_a_stop_lets_them_finish(tmp_path, certificate, context):
    text, (submissions, inside) = listeners({"name": "submissions", "tls": "implicit"}, {"name": "inside"})
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, listeners=text, flush_timeout="10s", **certificate) as relay:
        ports = (relay.smtp_port, submissions, inside)
        relay.ctl("drain")
        patiently(lambda: all(is_refused(port) for port in (relay.smtp_port, inside)), 10, "the drain is seen")
        with pytest.raises(OSError):
            Implicit(submissions, context)
        relay.ctl("resume")
        patiently(lambda: not is_refused(relay.smtp_port), 10, "the end of the drain")
        client = Implicit(submissions, context)
        client.ehlo()
        assert client.mail("a@example.com")[0] == client.rcpt("b@example.net")[0] == 250
        assert client.docmd("DATA")[0] == 354
        relay.signal(15)
        patiently(lambda: all(is_refused(port) for port in (relay.smtp_port, inside)), 10, "nobody new")
        client.send("Subject: x\r\n\r\nbody\r\n.\r\n")
        assert client.getreply()[0] == 250
        assert client.getreply()[0] == 421
        client.close()
        assert relay.process.wait(30) == 0
        assert all(is_refused(port) for port in ports)
        arrived(sink, 1)


def test_rules_change_live_and_a_listener_that_is_gone_takes_nobody(tmp_path, certificate):
    config = tmp_path / "relay.json"
    first, second = free_ports(2)

    def write(*each):
        part = config.with_suffix(".part")
        part.write_text(json.dumps({"listeners": list(each)}))
        part.rename(config)

    def at(name, port, **rules):
        return {"name": name, "listen": [f"127.0.0.1:{port}"], **rules}

    write(at("one", first), at("two", second))
    with RawSink(tmp_path / "sink") as sink:
        relay = relay_to(sink, tmp_path, **certificate)
        relay.start(arguments=("--config", config))
        with relay:
            with Client(first) as client:
                client.send()
            write(at("one", first, tls="required"))
            patiently(lambda: relay.records("restart_needed"), 10, "it is told")
            assert relay.records("restart_needed")[-1]["keys"] == ["listeners"]
            with Client(first) as client:
                assert client.say("MAIL FROM:<a@example.com>").startswith("530 5.7.0")
            assert is_refused(second)
            write(at("one", first), at("two", second))
            patiently(lambda: not is_refused(second), 10, "it is there again")


def test_a_certificate_that_is_missing_closes_implicit_tls_and_nothing_else(tmp_path, certificate, context):
    text, (port,) = listeners({"name": "submissions", "tls": "implicit"})
    hidden = certificate["tls_certificate_file"].rename(tmp_path / "hidden.crt")
    with RawSink(tmp_path / "sink") as sink, relay_to(sink, tmp_path, listeners=text, **certificate) as relay:
        assert "listeners with tls implicit" in relay.records("client_tls")[0]["message"]
        assert is_refused(port)
        with Client(relay.smtp_port) as client:
            client.send()
        hidden.rename(certificate["tls_certificate_file"])
        patiently(lambda: relay.records("client_tls")[-1].get("certificate"), 10, "the certificate is in force")
        with Implicit(port, context) as client:
            client.deliver()
        arrived(sink, 2)


def test_a_port_that_another_has_keeps_it_from_starting(tmp_path):
    taken = free_port()
    with socket.socket() as other, RawSink(tmp_path / "sink") as sink:
        other.bind(("127.0.0.1", taken))
        other.listen()
        relay = relay_to(sink, tmp_path, listeners=json.dumps([{"name": "a", "listen": f"127.0.0.1:{taken}"}]))
        relay.start(wait=False)
        assert relay.process.wait(30) == 1
        assert f"listen on 127.0.0.1:{taken}" in relay.records("start_failed")[0]["error"]
